"""The rows of all students as figures: means with intervals by arm, measure and part, gains over the base, and a tidy table.

A figure is the mean over problems of a problem's mean over seeds; its interval is of problems, by a bootstrap of duplicate clusters. A gain
is over the base on the same problems, and of measure `chain` on the same texts.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np

from distill.core.cells import BASE
from distill.likelihood.row import MEASURES, Likelihood
from distill.stats.clusters import Floats, Labels
from distill.stats.intervals import bootstrap
from distill.stats.summary import Settings

Figure = Callable[[Likelihood], float]
COLUMNS = ("arm", "measure", "part", "text", "mean", "low", "high", "n", "sd", "gain", "gain_low", "gain_high")


class Table(NamedTuple):
    """One measure of one student on a part: figures by problem and seed."""

    values: dict[str, dict[int, float]]
    clusters: dict[str, str]

    def means(self) -> dict[str, float]:
        """Return each problem's mean over seeds."""
        return {name: fmean(seeds.values()) for name, seeds in self.values.items()}


def table(rows: Iterable[Likelihood], figure: Figure = lambda row: row.value) -> Table:
    """Collect the figures of rows of one arm, measure, part and text."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    clusters = {}
    for row in rows:
        values[row.id][row.seed], clusters[row.id] = figure(row), row.cluster
    return Table(values, clusters)


def paired(first: Table, other: Table) -> tuple[Floats, Floats, Labels]:
    """Return the figures of two students on the problems that both have, and the clusters of these."""
    mine, theirs = first.means(), other.means()
    both = sorted(mine.keys() & theirs.keys())
    return (
        np.array([mine[name] for name in both]), np.array([theirs[name] for name in both]),
        np.array([first.clusters[name] for name in both], dtype=object),
    )  # fmt: skip


def metrics(rows: Sequence[Likelihood], settings: Settings) -> dict[str, Any]:
    """Return arms.ARM.MEASURE.PART; of the base's `chain` one entry an arm whose text it is, as PART.ARM (docs/likelihood.md)."""
    cells = sorted({(row.arm, row.measure, row.part, row.text) for row in rows}, key=lambda key: (key[0], MEASURES.index(key[1]), *key[2:]))
    arms: dict[str, Any] = {}
    groups = defaultdict(list)
    for row in rows:
        groups[row.arm, row.measure, row.part, row.text].append(row)
    for arm, measure, part, text in cells:
        own, base = groups[arm, measure, part, text], groups.get((BASE, measure, part, text), [])
        at = arms.setdefault(arm, {}).setdefault(measure, {})
        place, name = (at.setdefault(part, {}), text) if arm == BASE and text else (at, part)
        place[name] = _figures(own, base if arm != BASE else [], "/".join((arm, measure, part, text)), settings)
    return {"arms": arms}


def _figures(own: list[Likelihood], base: list[Likelihood], label: str, settings: Settings) -> dict[str, Any]:
    """Return the figures of one arm, measure and part, with its format apart."""
    mine = table(own)
    by_seed = [fmean(row.value for row in own if row.seed == seed) for seed in sorted({row.seed for row in own})]
    values, _, clusters = paired(mine, mine)
    found: dict[str, Any] = {"mean": float(values.mean())} | _interval("", values, clusters, label, settings)
    found |= {"n": len(values), "tokens": fmean(row.tokens for row in own)} | ({"sd": stdev(by_seed)} if len(by_seed) > 1 else {})
    for name, figure in (("opening", lambda row: row.opening_nats), ("end", lambda row: row.end_nats)):
        found[name] = fmean(table(own, figure).means().values())
        if base:
            after, before, _ = paired(table(own, figure), table(base, figure))
            found[f"{name}_gain"] = float((after - before).mean())
    if own[0].measure == "answer_sampled":
        found["ended"] = fmean(table(own, lambda row: row.probability_ended or 0.0).means().values())
        found["nats"] = fmean(table(own, lambda row: row.nats / row.tokens).means().values())
    if base:
        after, before, clusters = paired(mine, table(base))
        found |= {"gain": float((after - before).mean())} | _interval("gain_", after - before, clusters, label, settings)
    return found


def _interval(head: str, values: Floats, clusters: Labels, label: str, settings: Settings) -> dict[str, float]:
    """Return the ends of the mean's interval; none of fewer than two clusters."""
    if len(set(clusters)) < 2:
        return {}
    low, high = bootstrap(values, clusters, *settings.seeded(label))
    return {f"{head}low": low, f"{head}high": high}


def tidy(document: dict[str, Any]) -> str:
    """Return the figures as CSV, one line an arm, measure and part; of the base's own texts of arms one each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for arm, measures in document.get("arms", {}).items():
        for measure, parts in measures.items():
            for part, cell in parts.items():
                for name, figures in {"": cell}.items() if "mean" in cell else cell.items():
                    values = {
                        key: f"{value:.6f}" if isinstance(value, float) else value for key, value in figures.items() if key in COLUMNS
                    }
                    writer.writerow({"arm": arm, "measure": measure, "part": part, "text": name} | values)
    return text.getvalue()
