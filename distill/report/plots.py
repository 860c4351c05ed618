"""The report's plots: the templates that `dvc plots` uses, filled with the same tables, as SVG.

Text is measured with the font that comes with the renderer, so that a machine's own fonts do not change the bytes.
"""

from pathlib import Path
from typing import Any, NamedTuple

from distill.core import files
from distill.core.cells import Cell
from distill.core.errors import InputError
from distill.report import captions
from distill.report.report_inputs import LongRun, Training, table

ANCHOR = "<DVC_METRIC_DATA>"
VEGA_LITE = "5.21"  # of those that the renderer carries; DVC's own page draws the same templates with 5.2
Rows = list[dict[str, str]]


class Plot(NamedTuple):
    """One plot of a study."""

    name: str  # of its template and its SVG
    heading: str
    source: Path  # the table
    rows: Rows  # as in the table
    caption: str  # "" where there is nothing to plot


def collect(folder: Path, long_run: Path, curve: Path, arms: list[str], cells: dict[Cell, Training], run: LongRun | None) -> list[Plot]:
    """Read the tables of a study; return its plots in the report's order, those without data left out."""
    scores, scored = table(folder / "accuracy.csv", captions.Accuracy)
    lengths, measured = table(folder / "words.csv", captions.Words)
    by_section, of_sections = table(folder / "sections.csv", captions.Section)
    by_year, of_years = table(folder / "years.csv", captions.Year)
    counts, counted = table(folder / "outcomes.csv", captions.Outcome)
    losses, _ = table(folder / "curves.csv", captions.Loss)
    long, _ = table(long_run, captions.Loss)
    chosen, choices = table(curve, captions.Choice)
    plots = [
        Plot("accuracy", "Accuracy by arm", folder / "accuracy.csv", scores, captions.accuracy(scored, arms)),
        Plot("benchmarks", "Accuracy by benchmark", folder / "accuracy.csv", scores, captions.benchmarks(scored)),
        Plot("words", "Accuracy and length", folder / "words.csv", lengths, captions.words(measured)),
        Plot("sections", "Accuracy by section", folder / "sections.csv", by_section, captions.sections(of_sections, arms)),
        Plot("years", "Accuracy by year", folder / "years.csv", by_year, captions.years(of_years, arms)),
        Plot("outcomes", "Outcomes", folder / "outcomes.csv", counts, captions.outcomes(counted)),
        Plot("curves", "Training curves", folder / "curves.csv", losses, captions.curves(cells)),
        Plot("overfit", "Long run", long_run, long, captions.overfit(run) if run else ""),
        Plot("multiverse", "Claims under other choices", curve, chosen, captions.multiverse(choices)),
    ]
    return [plot for plot in plots if plot.caption]


def draw(plots: list[Plot], templates: Path, study: str, out: Path) -> None:
    """Write one SVG a plot into the folder `out`, which holds nothing else; `study` takes the place of the revision that DVC writes."""
    specs = {plot.name: fill(templates / f"{plot.name}.json", plot.rows, study) for plot in plots}
    import vl_convert  # here: it loads a JavaScript engine, which the tests of the tables do not need

    with files.replacing(out) as folder:
        folder.mkdir()
        for name, spec in specs.items():
            try:
                svg = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
            except ValueError as error:
                raise InputError(f"{templates / name}.json: Vega-Lite cannot draw it: {str(error).splitlines()[0]}") from None
            files.write_text(folder / f"{name}.svg", svg + "\n")


def fill(template: Path, rows: Rows, study: str) -> dict[str, Any]:
    """Return a template with its data filled in."""
    spec = files.read_json(template)
    if not isinstance(spec, dict) or spec.get("data", {}).get("values") != ANCHOR:
        raise InputError(f"{template}: data.values is not {ANCHOR}; write it there: `dvc plots` and the report replace it by the table")
    spec["data"]["values"] = [row | {"rev": study} for row in rows]
    return spec
