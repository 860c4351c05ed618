"""Accuracy with intervals by arm, benchmark and split, gains over the base, pass@k, lengths; and the same as tidy tables for the plots.

An interval is of problems. Its label seeds the bootstrap, so that one arm's interval depends on no other arm.
"""

import zlib
from math import comb
from typing import Annotated, Any

import msgspec
import pandas as pd
from msgspec import Meta

from distill.core.cells import BASE
from distill.records.problem import OWN
from distill.stats import score_table
from distill.stats.clusters import need
from distill.stats.intervals import difference_interval, rate_interval

SPLITS = ("all", "seen", "near", "heldout")
TIDY = ["accuracy", "low", "high", "n", "gain"]
Row = dict[str, Any]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of every interval; the resamples are the bootstrap's."""

    confidence: Annotated[float, Meta(gt=0, lt=1)]
    resamples: Annotated[int, Meta(ge=100, le=10_000_000)]
    seed: Annotated[int, Meta(ge=0)]

    def seeded(self, label: str) -> tuple[float, int, int]:
        """Return confidence, resamples and the seed of the interval with this label."""
        return self.confidence, self.resamples, self.seed + zlib.crc32(label.encode())


def summary(table: pd.DataFrame, settings: Settings) -> Row:
    """Return the figures of every arm, keys sorted; the keys are described in stages/summarise.py."""
    arms: Row = {}
    for arm in sorted(set(table["arm"])):
        own = table[table["arm"] == arm]
        figures: Row = {}
        for benchmark in sorted(set(own["benchmark"])):
            splits = SPLITS if benchmark == OWN else SPLITS[:1]
            parts = {split: score_table.part(table, arm, benchmark, split) for split in splits}
            figures[benchmark] = {
                split: estimate(rows, label, settings)
                | gain(rows, base(table, arm, benchmark, split), label, settings)
                | under_profiles(rows, label, settings)
                for split, rows in parts.items()
                if not rows.empty and (label := f"{arm}/{benchmark}/{split}")
            }
            rows = parts.get("heldout", parts["all"])
            for name, column in (("sections", "section"), ("years", "year")):
                groups = {str(value): group for value, group in rows.groupby(column, sort=True) if value}
                if groups:
                    figures[benchmark][name] = {value: estimate(group, f"{arm}/{value}", settings) for value, group in groups.items()}
        arms[arm] = figures | means(own, "tokens", "words")
    return arms


def tables(table: pd.DataFrame, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the tidy tables by name.

    accuracy: arm, seed, benchmark, split, accuracy, low, high, n, gain; seed "mean" is the row over all seeds, with its interval over
    problems, and has the gain (see `gain`);
    words: arm, seed, words, tokens, accuracy, means over the held-out competition (see `means`);
    sections, years: arm, section or year, accuracy, low, high, n, gain over the held-out competition and all seeds;
    outcomes: arm, seed, benchmark, outcome, count; an outcome that did not occur has no row.
    """
    heldout = table[(table["split_role"] == "heldout") & (table["benchmark"] == OWN)]
    words = []
    for (arm, seed), rows in table.groupby(["arm", "seed"], sort=True):
        found = means(rows, "words", "tokens", "correct")
        found["accuracy"] = found.pop("correct")
        words.append({"arm": arm, "seed": seed} | found)
    outcomes = table.groupby(["arm", "seed", "benchmark", "outcome"], sort=True).size().reset_index(name="count")
    return {
        "accuracy": pd.DataFrame(_accuracy_rows(table, settings)), "words": pd.DataFrame(words),
        "sections": _groups(heldout, "section", settings), "years": _groups(heldout, "year", settings), "outcomes": outcomes,
    }  # fmt: skip


def estimate(rows: pd.DataFrame, label: str, settings: Settings) -> Row:
    """Return accuracy, low, high, n and sd; of several samples a problem also the pass_at_ keys."""
    _, values, clusters = score_table.by_problem(rows)
    low, high = rate_interval(values, clusters, *settings.seeded(label))
    seeds = rows.groupby("seed")["correct"].mean()
    sd = float(seeds.std(ddof=1)) if len(seeds) > 1 else None
    found = {"accuracy": float(values.mean()), "low": low, "high": high, "n": len(values), "sd": sd}
    return found | _pass_at_k(rows, label, settings)


def under_profiles(rows: pd.DataFrame, label: str, settings: Settings) -> Row:
    """Return the figures of `estimate` under each further extraction profile; {} where the study has none."""
    found = {name: estimate(score_table.under(rows, name), f"{label}/{name}", settings) for name in score_table.further(rows)}
    return {"profiles": found} if found else {}


def _pass_at_k(rows: pd.DataFrame, label: str, settings: Settings) -> Row:
    """Return pass@k for k = 2, 4, .. the samples of a problem, with its interval over problems; {} for one sample."""
    cells = rows.groupby(["id", "seed"], sort=True)["correct"].agg(["size", "sum"])
    least, found = int(cells["size"].min()), Row()
    for k in sorted({2**power for power in range(1, least.bit_length()) if 2**power <= least} | ({least} if least > 1 else set())):
        shares = [pass_at(int(n), int(correct), k) for n, correct in zip(cells["size"], cells["sum"], strict=True)]
        passed = cells.assign(passed=shares).reset_index().merge(rows[["id", "cluster"]].drop_duplicates("id"), on="id")
        _, values, clusters = score_table.by_problem(passed, "passed")
        low, high = rate_interval(values, clusters, *settings.seeded(f"{label}/{k}"))
        found |= {f"pass_at_{k}": float(values.mean()), f"pass_at_{k}_low": low, f"pass_at_{k}_high": high}
    return found


def pass_at(samples: int, correct: int, k: int) -> float:
    """Probability that one of k samples drawn without replacement is right: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, equation 1).

    Its mean over problems is an unbiased estimate of pass@k; pass@1 is the share of right samples, and so avg@n.
    """
    need(samples, max(k, 1), "pass@k")
    if k < 1 or not 0 <= correct <= samples:
        raise ValueError(f"pass@{k} with {correct} of {samples} right: k must be at least 1, and right ones at most the samples")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)


def base(table: pd.DataFrame, arm: str, benchmark: str, split: str) -> pd.DataFrame:
    """Return the base's rows that an arm's gain on a split is over; none for the base itself.

    Held-out problems are held out for both, as in the claims. What was trained on is the arm's matter alone: the base has no corpus.
    """
    return score_table.part(table, BASE, benchmark, split if split == "heldout" else "all") if arm != BASE else table[:0]


def gain(rows: pd.DataFrame, other: pd.DataFrame, label: str, settings: Settings) -> Row:
    """Return the mean paired difference on the problems in common, and its interval; {} where these are of fewer than two clusters."""
    if other.empty:
        return {}
    both = score_table.common([rows, other])
    if len(set(both.clusters)) < 2:
        return {}
    differences = both.values[:, 0] - both.values[:, 1]
    low, high = difference_interval(differences, both.clusters, *settings.seeded(f"{label}/gain"))
    return {"gain": float(differences.mean()), "gain_low": low, "gain_high": high}


def means(rows: pd.DataFrame, *columns: str) -> dict[str, float]:
    """Return the mean of each column over the held-out competition, or over all rows where there is none; tokens only where counted."""
    heldout = rows[rows["split_role"] == "heldout"]
    rows = rows if heldout.empty else heldout
    return {column: float(rows[column].mean()) for column in columns if column != "tokens" or rows[column].any()}


def _accuracy_rows(table: pd.DataFrame, settings: Settings) -> list[Row]:
    """One row per arm, seed, benchmark and split, and one over all seeds."""
    by_role = table[table["split_role"].isin(SPLITS)]
    rows = pd.concat([table.assign(split="all"), by_role.assign(split=by_role["split_role"])])
    found = []
    for (arm, benchmark, split), group in rows.groupby(["arm", "benchmark", "split"], sort=True):
        # The label of the mean's row is that of `summary`: one figure, one interval.
        for seed, own in [*((str(seed), own) for seed, own in group.groupby("seed", sort=True)), ("mean", group)]:
            label = f"{arm}/{benchmark}/{split}" + ("" if seed == "mean" else f"/{seed}")
            keys = {"arm": arm, "seed": seed, "benchmark": benchmark, "split": split}
            other = base(table, str(arm), str(benchmark), str(split)) if seed == "mean" else table[:0]
            found.append(keys | _tidy(own, other, label, settings))
    return found


def _groups(rows: pd.DataFrame, column: str, settings: Settings) -> pd.DataFrame:
    found = []
    for (arm, value), own in rows[rows[column].astype(bool)].groupby(["arm", column], sort=True):  # problems without one are in no group
        other = base(rows[rows[column] == value], str(arm), OWN, "heldout")
        found.append({"arm": arm, column: value} | _tidy(own, other, f"{arm}/{value}", settings))
    return pd.DataFrame(found, columns=["arm", column, *TIDY])


def _tidy(rows: pd.DataFrame, other: pd.DataFrame, label: str, settings: Settings) -> Row:
    figures = estimate(rows, label, settings) | gain(rows, other, label, settings)
    return {key: figures.get(key) for key in TIDY}
