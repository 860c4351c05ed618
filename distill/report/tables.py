"""The report's tables in Markdown. Accuracies are in percent; every figure is read from the run's metrics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from distill.core.study_file import Arm
from distill.records.claim_record import ClaimRecord
from distill.report.report_inputs import COMPETITION, Figures, Key, Summary, Training

CALLED = {"holds": "pattern holds", "fails": "pattern fails"}
SPLITS = {"heldout": "held out", "seen": "trained on", "near": "near-duplicates", "all": "all asked"}


def grid(head: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Return a Markdown table; all columns but the first `left` are aligned to the right."""
    align = ["left" if column < left else "right" for column in range(len(head))]
    cells = [[_cell(value) for value in row] for row in rows]
    return tabulate(cells, [_cell(name) for name in head], tablefmt="pipe", disable_numparse=True, colalign=align if cells else None)


def results(summary: Summary, confidence: float) -> str:
    """Return the result table: one row an arm."""
    benchmarks = summary.benchmarks()
    columns = [(name, "heldout" if name == COMPETITION else "all") for name in benchmarks]
    seen = COMPETITION in benchmarks
    heads = [f"{name}{', held out' if split == 'heldout' else ''}, % [{100 * confidence:g} % interval]" for name, split in columns]
    head = ["arm", *(word for name in heads for word in (name, "sd over seeds")), *(["trained on, %"] if seen else []), "words", "tokens"]
    rows = []
    for arm in summary.arms:
        row: list[object] = [arm]
        for benchmark, split in columns:
            figures = summary.figures(arm, benchmark, split)
            row += [interval(figures), "" if figures is None or figures.sd is None else f"{100 * figures.sd:.1f}"]
        if seen:
            known = summary.figures(arm, COMPETITION, "seen")
            row.append("" if known is None else f"{100 * known.accuracy:.1f}")
        rows.append([*row, f"{summary.mean(arm, 'words'):.1f}", f"{summary.mean(arm, 'tokens'):.1f}"])
    return grid(head, rows)


def gains(summary: Summary, confidence: float) -> str:
    """Return each arm's gain over the base on the same problems, by whether the arm was trained on them; "" without a competition."""
    if COMPETITION not in summary.benchmarks():
        return ""
    rows = []
    for arm in summary.arms[1:]:
        found = [summary.figures(arm, COMPETITION, split) for split in SPLITS]
        rows.append([arm, *(gain(figures) for figures in found)])
    return grid(["arm", *(f"{called}, points [{100 * confidence:g} % interval]" for called in SPLITS.values())], rows)


def gain(figures: Figures | None) -> str:
    """Write a gain and its interval in points."""
    if figures is None or figures.gain is None or figures.gain_low is None or figures.gain_high is None:
        return ""
    return f"{100 * figures.gain:+.1f} [{100 * figures.gain_low:+.1f}, {100 * figures.gain_high:+.1f}]"


def asked(summary: Summary) -> str:
    """Return how many problems each arm was asked, by benchmark and split; splits are those of the arm's own corpus."""
    columns = [(name, split) for name in summary.benchmarks() for split in (SPLITS if name == COMPETITION else ("all",))]
    head = ["arm", *(f"{name}, {SPLITS[split]}" for name, split in columns)]
    return grid(head, [[arm, *(getattr(summary.figures(arm, *column), "n", 0) for column in columns)] for arm in summary.arms])


def arms(rows: Mapping[str, Arm], trainings: Mapping[Key, Training]) -> str:
    """Return what each arm learned from, and how its adapters were trained."""
    table = []
    for arm, row in rows.items():
        cells = [training for (name, _), training in trainings.items() if name == arm]
        tokens = sum(cell.trained_tokens for cell in cells) / len(cells)
        best = f"{', '.join(str(cell.best_iteration) for cell in cells)} of {cells[0].iterations}"
        table.append([arm, row.level, row.protocol, row.n or "all", f"{cells[0].trainable_parameters:,}", f"{tokens:,.0f}", best])
    head = ["arm", "level", "protocol", "examples", "trainable parameters", "trained tokens, mean of the seeds", "best iteration by seed"]
    return grid(head, table, left=3)


def claims(ledger: Mapping[str, ClaimRecord], confidence: float) -> str:
    """Return the ledger as a table."""
    head = ["claim", "verdict", "paper", "ours", "effect", f"{100 * confidence:g} % interval", "p", "p (Holm)", "n"]
    rows = [
        [name, verdict(line), figure(line.published), figure(line.ours), figure(line.effect),
         "" if line.low is None else f"{figure(line.low)} to {figure(line.high)}", chance(line.p), chance(line.p_holm), line.n]
        for name, line in ledger.items()
    ]  # fmt: skip
    return grid(head, rows, left=2)


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


def verdict(line: ClaimRecord) -> str:
    """Name a verdict as the ledger's own page does."""
    return CALLED.get(line.verdict, line.verdict)


def power(line: ClaimRecord, power: float) -> str:
    """Say what this many units could show, and how many would show what was seen; "" where neither is known."""
    said = [] if line.detectable is None else [f"an effect of {line.detectable:.4f} would show here with a chance of {power:g}"]
    return "; ".join(said + ([] if line.deciding is None else [f"the effect seen needs about {line.deciding:,} (here {line.n})"]))


def figure(value: float | None) -> str:
    """Write a claim's figure, which may be an accuracy, a difference or a ratio."""
    return "" if value is None else f"{value:.4f}"


def chance(p: float | None) -> str:
    """Write a p."""
    return "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in document.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, _number(value))]
    return rows


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cell(value: object) -> str:
    """Write a cell; a text of a study file or a metric may hold what ends a cell."""
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")
