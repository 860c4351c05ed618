"""What the review page holds: every item with its place, its texts and its doubts, the most doubtful first, and the pages as pictures."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.extraction.read_item import ReadItem, confidence
from distill.page import html
from distill.page.html import Script
from distill.records.problem import Problem
from distill.review.audit import Checked

FOLDER = Path(__file__).parent
SHARED = ("dom.js", "data.js")  # of the page for a browser
SCRIPTS = ("rows.js", "review.js")
Picture = tuple[str, int]  # file and page


def build(
    study: str, items: Sequence[ReadItem], problems: Mapping[str, Problem], checked: Sequence[Checked], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the document, without its pictures."""
    read = {each.id: each for each in checked}
    found = [_item(item, problems.get(item.id), read.get(item.id)) for item in items]
    found.sort(key=lambda item: (item["confidence"], item["rank"] or len(found), item["id"]))
    known = {item.id for item in items}
    unread = [{"id": each.id, "source": each.source, "page": each.page, "text": each.text} for each in checked if each.id not in known]
    texts = hashlib.sha256(json.dumps([[item["id"], item["text"], item["key"]] for item in found]).encode("utf-8", "surrogatepass"))
    name = f"review:{study}:{texts.hexdigest()[:16]}"  # decisions are kept under it: those on other texts are not these
    return {"study": study, "name": name, "items": found, "unread": unread, "rows": list(rows), "pages": [], "dpi": 72}


def _item(item: ReadItem, problem: Problem | None, read: Checked | None) -> dict[str, Any]:
    """Return an item; the text to be reviewed is what was read, or the transcription where that is the text of record."""
    record = problem if problem and problem.reader == "transcription" else None
    doubts = [*item.doubts, *(flag for flag in (read.flags if read else []) if flag not in item.doubts)]
    found = {
        "id": item.id, "source": item.source, "page": item.page, "box": item.box, "picture": -1, "doubts": doubts,
        "text": record.statement if record else item.text, "key": record.gold if record else item.key,
        "confidence": confidence(doubts), "rank": read.rank if read else 0,
    }  # fmt: skip
    if record:
        found |= {"read": item.text}
    if read and read.text:
        found |= {"reading": read.text, "readingKey": read.key, "differs": read.differs, "similarity": read.similarity}
    return found


def pictures(document: Mapping[str, Any]) -> list[Picture]:
    """Return the pages that items are on."""
    return sorted({(item["source"], item["page"]) for item in document["items"] if item["page"] and item["source"]})


def with_pictures(document: dict[str, Any], found: Mapping[Picture, bytes], dpi: int) -> dict[str, Any]:
    """Return the document with its pages, WEBP."""
    places = {page: place for place, page in enumerate(found)}
    items = [item | {"picture": places.get((item["source"], item["page"]), -1)} for item in document["items"]]
    return document | {"items": items, "pages": [b64encode(each).decode("ascii") for each in found.values()], "dpi": dpi}


def render(document: dict[str, Any]) -> str:
    """Return the page: the form of the page for a browser, whose content policy lets nothing load."""
    import jinja2  # here: the audit, which shares this package, needs none

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    files = [*(html.FOLDER / name for name in SHARED), *(FOLDER / name for name in SCRIPTS)]
    scripts = [Script(path.name, html.inline(path.read_text(encoding="utf-8"))) for path in files]
    style = "".join(path.read_text(encoding="utf-8") for path in (html.FOLDER / "style.css", FOLDER / "review.css"))
    policy = html.policy([script.text for script in scripts], style)
    return environment.get_template("review.html").render(
        study=document["study"], policy=policy, style=style, scripts=scripts, data=html.pack(document)
    )
