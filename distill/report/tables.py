"""The report's tables in Markdown. Accuracies are in percent; every figure is read from the run's metrics."""

from collections.abc import Mapping
from typing import Any

from distill.core.cells import Cell
from distill.core.markdown import grid
from distill.core.study_file import Arm
from distill.records.problem import OWN
from distill.report.report_inputs import Figures, Summary, Training

SPLITS = {"heldout": "held out", "seen": "trained on", "near": "near-duplicates", "all": "all asked"}


def results(summary: Summary, confidence: float) -> str:
    """Return the result table: one row an arm."""
    benchmarks = summary.benchmarks()
    columns = [(name, "heldout" if name == OWN else "all") for name in benchmarks]
    seen = OWN in benchmarks
    heads = [f"{name}{', held out' if split == 'heldout' else ''}, % [{100 * confidence:g} % interval]" for name, split in columns]
    head = ["arm", *(word for name in heads for word in (name, "sd over seeds")), *(["trained on, %"] if seen else []), "words", "tokens"]
    rows = []
    for arm in summary.arms:
        row: list[object] = [arm]
        for benchmark, split in columns:
            figures = summary.figures(arm, benchmark, split)
            row += [interval(figures), "" if figures is None or figures.sd is None else f"{100 * figures.sd:.1f}"]
        if seen:
            known = summary.figures(arm, OWN, "seen")
            row.append("" if known is None else f"{100 * known.accuracy:.1f}")
        rows.append([*row, *("" if (mean := summary.mean(arm, name)) is None else f"{mean:.1f}" for name in ("words", "tokens"))])
    return grid(head, rows)


def gains(summary: Summary, confidence: float) -> str:
    """Return each arm's gain over the base on the same problems, by whether the arm was trained on them; "" without a competition."""
    if OWN not in summary.benchmarks():
        return ""
    rows = []
    for arm in summary.arms[1:]:
        found = [summary.figures(arm, OWN, split) for split in SPLITS]
        rows.append([arm, *(gain(figures) for figures in found)])
    return grid(["arm", *(f"{called}, points [{100 * confidence:g} % interval]" for called in SPLITS.values())], rows)


def gain(figures: Figures | None) -> str:
    """Write a gain and its interval in points."""
    if figures is None or figures.gain is None or figures.gain_low is None or figures.gain_high is None:
        return ""
    return f"{100 * figures.gain:+.1f} [{100 * figures.gain_low:+.1f}, {100 * figures.gain_high:+.1f}]"


def asked(summary: Summary) -> str:
    """Return how many problems each arm was asked, by benchmark and split; splits are those of the arm's own corpus."""
    columns = [(name, split) for name in summary.benchmarks() for split in (SPLITS if name == OWN else ("all",))]
    head = ["arm", *(f"{name}, {SPLITS[split]}" for name, split in columns)]
    return grid(head, [[arm, *(getattr(summary.figures(arm, *column), "n", 0) for column in columns)] for arm in summary.arms])


def arms(rows: Mapping[str, Arm], trainings: Mapping[Cell, Training]) -> str:
    """Return what each arm learned from, and how its adapters were trained."""
    table = []
    for arm, row in rows.items():
        cells = [training for (name, _), training in trainings.items() if name == arm]
        if not cells:
            table.append([arm, row.level, row.protocol, row.n or "all", "", "", ""])
            continue
        tokens = sum(cell.trained_tokens for cell in cells) / len(cells)
        best = f"{', '.join(str(cell.best_iteration) for cell in cells)} of {cells[0].iterations}"
        table.append([arm, row.level, row.protocol, row.n or "all", f"{cells[0].trainable_parameters:,}", f"{tokens:,.0f}", best])
    head = ["arm", "level", "protocol", "examples", "trainable parameters", "trained tokens, mean of the seeds", "best iteration by seed"]
    return grid(head, table, left=3)


def audit(document: Mapping[str, Any]) -> str:
    """Return a metrics document of any shape as key and value, nested keys joined by dots."""
    return grid(["figure", "value"], _flat(document))


def levels(document: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row a level."""
    names = sorted({name for row in document.values() for name in row})
    return grid(["level", *names], [[level, *(_number(row.get(name, "")) for name in names)] for level, row in document.items()])


def interval(figures: Figures | None) -> str:
    """Write an accuracy and its interval in percent."""
    return "" if figures is None else f"{100 * figures.accuracy:.1f} [{100 * figures.low:.1f}, {100 * figures.high:.1f}]"


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in document.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, _number(value))]
    return rows


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) <= 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
