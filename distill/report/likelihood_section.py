"""The report's section on likelihoods: what base and arms make of given texts, with the gain over the base and the answer's form apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from distill.core.cells import BASE
from distill.core.markdown import grid
from distill.likelihood.row import MEASURES, PROBABILITIES
from distill.report.plots import Plot, Rows

HEADINGS = {
    "chain": "own chain", "chain_common": "common chain", "answer_direct": "answer, directly",
    "answer_after_chain": "answer after the common chain", "answer_sampled": "answer after the student's own chain, probability",
}  # fmt: skip
ABOUT = (
    "The mean log-likelihood a token, in nats (0 is certain), of texts that are given to the student: an arm's own chains, one common set "
    "of chains, and the gold answer straight after the question and after the common chain. The last column is a probability: of the gold "
    "answer after the chain that the student itself wrote. In brackets the gain over the base on the same texts, with its interval over "
    "problems. The form of the answer line counts in none of these; it is below the tables."
)
FORM = "The form apart, on the held-out problems, in nats an answer: the line's opening, and the end of the turn after the gold answer."


class Gain(msgspec.Struct, frozen=True):
    """A row of likelihood.csv: a gain over the base; an empty text of the base."""

    arm: str
    measure: str
    part: str
    gain: str
    gain_low: str
    gain_high: str


def section(found: Mapping[str, Any], confidence: float, link: str) -> str:
    """Return the section; "" where no likelihoods are scored. `link` leads to the metric."""
    arms: Mapping[str, Any] = found.get("arms", {})
    if not arms:
        return ""
    parts = list(dict.fromkeys(part for measures in arms.values() for cells in measures.values() for part in cells))
    named = sorted(parts, key=lambda part: (part not in ("heldout", "seen"), part))
    order = [BASE, *(arm for arm in arms if arm != BASE)]
    tables = [f"{_name(part)}:\n\n{_table({arm: arms[arm] for arm in order}, part)}" for part in named]
    form = _form({arm: arms[arm] for arm in order}, named[0])
    interval = f"Intervals are of {100 * confidence:g} %. Figures: [likelihood.json]({link})."
    return "\n\n".join([f"{ABOUT} {interval}", *tables, f"{FORM}\n\n{form}"])


def plot(texts: Rows, rows: list[Gain], source: Path) -> list[Plot]:
    """Return the plot of the gains on held-out problems; none where there are none."""
    held = [row for row in rows if row.part == "heldout" and row.gain and row.measure not in PROBABILITIES]
    if not held:
        return []
    lines = []
    for measure in dict.fromkeys(row.measure for row in held):
        gains = {row.arm: float(row.gain) for row in held if row.measure == measure}
        best, least = max(gains, key=lambda arm: gains[arm]), min(gains, key=lambda arm: gains[arm])
        lines.append(f"{HEADINGS[measure]}, from {gains[least]:+.3f} ({least}) to {gains[best]:+.3f} ({best})")
    return [Plot("likelihood", "Likelihood", source, texts, f"Gain over the base in nats a token, held out: {'; '.join(lines)}.")]


def _name(part: str) -> str:
    return {"heldout": "Held out", "seen": "Trained on"}.get(part, f"Benchmark {part}")


def _table(arms: Mapping[str, Any], part: str) -> str:
    """Return the table of a part."""
    shown = [measure for measure in MEASURES if any(part in cells.get(measure, {}) for cells in arms.values())]
    rows = [[arm, *(_cell(cells.get(measure, {}).get(part, {})) for measure in shown)] for arm, cells in arms.items()]
    n = {measure: max(_count(cells, measure, part) for cells in arms.values()) for measure in shown}
    return grid(["arm", *(f"{HEADINGS[measure]} (n = {n[measure]})" for measure in shown)], rows)


def _count(cells: Mapping[str, Any], measure: str, part: str) -> int:
    return int(cells.get(measure, {}).get(part, {}).get("n", 0))


def _cell(figures: Mapping[str, float]) -> str:
    """Write a mean with its gain; "" of the base's likelihood of the arms' own chains, one an arm."""
    if "mean" not in figures:
        return ""
    if "gain" not in figures:
        return f"{figures['mean']:.3f}"
    ends = f" [{figures['gain_low']:+.3f}, {figures['gain_high']:+.3f}]" if "gain_low" in figures else ""
    return f"{figures['mean']:.3f} ({figures['gain']:+.3f}{ends})"


def _form(arms: Mapping[str, Any], part: str) -> str:
    """Return the table of the form's own log-likelihoods."""
    measures = [measure for measure in MEASURES[2:] if any(part in cells.get(measure, {}) for cells in arms.values())]
    rows = []
    for arm, cells in arms.items():
        row = [arm]
        for measure in measures:
            figures = cells.get(measure, {}).get(part, {})
            row += [f"{figures[name]:.2f}" if name in figures else "" for name in ("opening", "end")]
        rows.append(row)
    names = [HEADINGS[measure].removesuffix(", probability") for measure in measures]
    return grid(["arm", *(f"{name}: {which}" for name in names for which in ("opening", "end"))], rows)
