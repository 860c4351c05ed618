"""`make plots`: the plots of `dvc plots show`, or with REV=revision of `dvc plots diff`, as one page that needs no network.

.dvc/plots.html is the same page without plots: .dvc/config has both commands of DVC fill it. `python -m tools.plots template` writes it.
"""

import sys
from pathlib import Path

import vl_convert

from distill.cli import command
from distill.core.errors import InputError
from distill.report.plots import VEGA_LITE
from tools import run_lock

FOLDER = Path(".work", "plots")
TEMPLATE = Path(".work", "plots.html")
COMMITTED = Path(".dvc", "plots.html")
PAGE = """<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><title>Plots</title>
<script>{bundle}</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def main(*revisions: str) -> None:
    """Write the page and say where it lies."""
    if revisions == ("template",):
        COMMITTED.write_text(template(), encoding="utf-8")
        return
    if bad := [each for each in revisions if each.startswith("-")]:
        raise InputError(f"{bad[0]!r}: a revision does not begin with -; for example: make plots REV=HEAD~1")
    with run_lock.exclusive("make plots") as held:
        TEMPLATE.write_text(template(), encoding="utf-8")
        words = ["plots", "diff", *revisions] if revisions else ["plots", "show"]
        code = run_lock.run_dvc([*words, "--html-template", str(TEMPLATE.resolve()), "--out", str(FOLDER)], held, lambda line: None)
    if code:
        sys.exit(code)
    print(f"plots: {FOLDER / 'index.html'}")


def template() -> str:
    """Return the page that DVC fills, with the scripts in it."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return PAGE.replace("{bundle}", bundle.replace("</script", r"<\/script"))


if __name__ == "__main__":
    command.guarded("plots", lambda: main(*filter(None, sys.argv[1:])))
