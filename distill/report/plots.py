"""The report's plots: the templates that `dvc plots` uses, filled with the same tables, as SVG.

Text is measured with the font that comes with the renderer, so that a machine's own fonts do not change the bytes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from distill.core import files
from distill.core.errors import InputError
from distill.report import captions
from distill.report.report_inputs import Key, LongRun, Training, table

ANCHOR = "<DVC_METRIC_DATA>"
VEGA_LITE = "5.21"  # of those that the renderer carries; DVC's own page draws the same templates with 5.2
Rows = list[dict[str, str]]


class Plot(NamedTuple):
    """One plot of a study."""

    name: str  # of its template and its SVG
    heading: str
    source: str  # the table's file name
    rows: Rows  # as they stand in the table
    reading: str  # "" where there is nothing to plot


def collect(folder: Path, arms: list[str], cells: dict[Key, Training], run: LongRun) -> list[Plot]:
    """Read the tables of a study; return its plots in the report's order, those without data left out."""
    scores, scored = table(folder / "accuracy.csv", captions.Accuracy)
    lengths, measured = table(folder / "words.csv", captions.Words)
    by_section, of_sections = table(folder / "sections.csv", captions.Section)
    by_year, of_years = table(folder / "years.csv", captions.Year)
    counts, counted = table(folder / "outcomes.csv", captions.Outcome)
    long, _ = table(folder / "overfit.csv", captions.Loss)
    plots = [
        Plot("accuracy", "Accuracy by arm", "accuracy.csv", scores, captions.accuracy(scored, arms)),
        Plot("benchmarks", "Base and arms on each benchmark", "accuracy.csv", scores, captions.benchmarks(scored)),
        Plot("words", "Accuracy and length", "words.csv", lengths, captions.words(measured)),
        Plot("sections", "By section", "sections.csv", by_section, captions.sections(of_sections, arms)),
        Plot("years", "By year", "years.csv", by_year, captions.years(of_years, arms)),
        Plot("outcomes", "What became of the answers", "outcomes.csv", counts, captions.outcomes(counted)),
        Plot("curves", "Training", "curves.csv", curves(folder / "train", cells), captions.curves(cells)),
        Plot("overfit", "The long run", "overfit.csv", long, captions.overfit(run)),
    ]
    return [plot for plot in plots if plot.reading]


def curves(folder: Path, cells: Iterable[Key]) -> Rows:
    """Return the curves of all adapters as one tidy table: arm, seed, iteration, train_loss ("" at the first), validation_loss."""
    return [{"arm": arm, "seed": str(seed), **row} for arm, seed in cells for row in table(folder / f"{arm}-{seed}.csv", captions.Loss)[0]]


def draw(plots: list[Plot], templates: Path, study: str, out: Path) -> None:
    """Write one SVG a plot into the folder `out`, which holds nothing else; `study` stands where DVC writes the revision."""
    specs = {plot.name: fill(templates / f"{plot.name}.json", plot.rows, study) for plot in plots}
    import vl_convert  # here: it brings a JavaScript engine, which the tests of the tables need not load

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
        raise InputError(f"{template}: data.values is not {ANCHOR}; `dvc plots` and the report put the table there")
    spec["data"]["values"] = [row | {"rev": study} for row in rows]
    return spec
