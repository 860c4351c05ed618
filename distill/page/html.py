"""The page as one file of HTML, whose content policy lets nothing run and nothing load but what stands in it."""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

FOLDER = Path(__file__).parent
VEGA_LITE = "6.4"  # of those that the renderer carries, the one made for its Vega; the templates are drawn the same by it
SCRIPTS = (
    "random.js",
    "special.js",
    "stats.js",
    "data.js",
    "dom.js",
    "counts.js",
    "describe.js",
    "rules.js",
    "glossary.js",
    "plots.js",
    "crops.js",
    "overview.js",
    "studies.js",
    "claims.js",
    "problems.js",
    "app.js",
)


class Script(NamedTuple):
    """One script of the page."""

    name: str
    text: str


def render(document: dict[str, Any], crops: bytes = b"") -> str:
    """Return the page of a document, whose crops of exams lie in `crops`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [Script(name, inline((FOLDER / name).read_text(encoding="utf-8"))) for name in SCRIPTS]
    plots = vega()
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        study=document["study"], policy=policy([plots, *(script.text for script in scripts)], style), style=style, scripts=scripts,
        vega=deflated(plots.encode()), crops=deflated(crops), data=pack(document),
    )  # fmt: skip


def pack(document: dict[str, Any]) -> str:
    """Return a document as JSON, deflated and in base64; equal documents give equal texts."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return deflated(text.encode("utf-8", "surrogatepass"))


def deflated(content: bytes) -> str:
    """Return bytes deflated and in base64, in which nothing can end its element."""
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def vega() -> str:
    """Return Vega with what it needs, as the plots' renderer carries it; the page packs it, which halves it, and runs it by its hash."""
    import vl_convert  # here: it loads a JavaScript engine, which the tests of the data do not need

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return bundle


def inline(script: str) -> str:
    """Return a script of ours as the text of an element, which it must not end."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def policy(scripts: list[str], style: str) -> str:
    """Return the content security policy: the page's own scripts and style by hash, and nothing else."""
    allowed = " ".join(map(digest, scripts))
    return f"default-src 'none'; script-src {allowed}; style-src {digest(style)}; base-uri 'none'; form-action 'none'"


def digest(text: str) -> str:
    """Return the hash by which a policy names an element's text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
