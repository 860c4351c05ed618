"""Sum up the verdicts: accuracy with intervals for every arm, benchmark and split; words and tokens; tidy tables for the plots.

metrics: arms.ARM.BENCHMARK.SPLIT.{accuracy, low, high, n, sd}. SPLIT: all; of the competition also seen (its text is in that arm's
training corpus), near (a duplicate of a seen problem) and heldout (neither those nor validation problems); a split without problems is
absent. accuracy is in 0..1, the mean over problems of the mean over seeds and samples (pass@1, or avg@k of k samples); low and high its
interval over problems; n problems; sd the standard deviation of the seeds' accuracies, null for one seed. Of k samples a problem also
pass_at_2, 4, .. k with _low and _high: the unbiased estimate. SPLIT also has {gain, gain_low, gain_high} over the base on the same
problems. arms.ARM.BENCHMARK.sections.SECTION and arms.ARM.competition.years.YEAR have the first keys, of the competition held out.
arms.ARM.words and .tokens are the means of a completion over the held-out competition, or over everything where there is none.
"""

import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.stats import score_table
from distill.stats.score_table import COMPETITION
from distill.stats.statistics import interval, pass_at, rate_interval

BASE = "base"
SPLITS = ("all", "seen", "near", "heldout")
Row = dict[str, Any]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `summarise` of a study file."""

    confidence: float
    resamples: int
    seed: int


def main(
    study: str, verdicts: str, problems: str, split: str, corpus: str, benchmarks: str, teacher: str, metrics: str, plots: str
) -> None:
    """Read verdicts, write the summary and one CSV a table into the plots folder."""
    params = study_file.section(study, "summarise", Params)
    table = score_table.read(Path(verdicts), Path(problems), Path(split), Path(corpus), Path(benchmarks))
    found = files.read_json(Path(teacher))
    if "accuracy" not in found:
        raise InputError(f"{teacher}: no key 'accuracy'; keys here: {', '.join(found)}; run `dvc repro verify`")
    files.write_json(Path(metrics), {"arms": summary(table, params), "teacher": {"accuracy": found["accuracy"]}})
    wrote = 0
    for name, frame in tables(table, params).items():
        files.write_text(Path(plots) / f"{name}.csv", frame.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
        wrote += len(frame)
    command.closing("summarise", len(table), wrote)


def estimate(rows: pd.DataFrame, label: str, params: Params) -> Row:
    """Return accuracy, low, high, n and sd; the label seeds the bootstrap, so that an arm's interval depends on no other arm."""
    _, values, clusters = score_table.by_problem(rows)
    seed = params.seed + zlib.crc32(label.encode())
    low, high = rate_interval(values, clusters, params.confidence, params.resamples, seed)
    seeds = rows.groupby("seed")["correct"].mean()
    sd = float(seeds.std(ddof=1)) if len(seeds) > 1 else None
    line = {"accuracy": float(values.mean()), "low": low, "high": high, "n": len(values), "sd": sd}
    return line | several(rows, label, params)


def several(rows: pd.DataFrame, label: str, params: Params) -> Row:
    """Return pass@k for k = 2, 4, .. the samples of a problem, with its interval over problems; {} for one sample."""
    cells = rows.groupby(["id", "seed"], sort=True)["correct"].agg(["size", "sum"])
    least, found = int(cells["size"].min()), Row()
    for k in sorted({2**power for power in range(1, least.bit_length()) if 2**power <= least} | ({least} if least > 1 else set())):
        shares = [pass_at(int(n), int(right), k) for n, right in zip(cells["size"], cells["sum"], strict=True)]
        passed = cells.assign(passed=shares).reset_index().merge(rows[["id", "cluster"]].drop_duplicates("id"), on="id")
        _, values, clusters = score_table.by_problem(passed, "passed")
        low, high = rate_interval(values, clusters, params.confidence, params.resamples, params.seed + zlib.crc32(f"{label}/{k}".encode()))
        found |= {f"pass_at_{k}": float(values.mean()), f"pass_at_{k}_low": low, f"pass_at_{k}_high": high}
    return found


def gain(rows: pd.DataFrame, base: pd.DataFrame, label: str, params: Params) -> Row:
    """Return the mean paired difference to the base on the same problems, and its interval; {} where they share fewer than two."""
    ids, values, clusters = score_table.by_problem(rows)
    known = dict(zip(*score_table.by_problem(base)[:2], strict=True)) if len(base) else {}
    shared = np.array([name in known for name in ids], dtype=bool)
    if len(set(clusters[shared])) < 2:
        return {}
    differences = values[shared] - np.array([known[name] for name, here in zip(ids, shared, strict=True) if here])
    seed = params.seed + zlib.crc32(f"{label}/gain".encode())
    low, high = interval(differences, clusters[shared], params.confidence, params.resamples, seed)
    return {"gain": float(differences.mean()), "gain_low": low, "gain_high": high}


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the held-out competition rows, or all rows where there are none."""
    heldout = rows[rows["place"] == "heldout"]
    return rows if heldout.empty else heldout


def summary(table: pd.DataFrame, params: Params) -> Row:
    """Return the figures of every arm, keys sorted."""
    arms: Row = {}
    for arm in sorted(set(table["arm"])):
        own = table[table["arm"] == arm]
        figures: Row = {}
        for benchmark in sorted(set(own["benchmark"])):
            parts = {
                split: score_table.part(table, arm, benchmark, split) for split in (SPLITS if benchmark == COMPETITION else SPLITS[:1])
            }
            base = score_table.part(table, BASE, benchmark, "all") if arm != BASE else table[:0]
            figures[benchmark] = {}
            for split, rows in parts.items():
                label = f"{arm}/{benchmark}/{split}"
                if not rows.empty:
                    figures[benchmark][split] = estimate(rows, label, params) | gain(rows, base, label, params)
            rows = parts.get("heldout", parts["all"])
            for name, column in (("sections", "section"), ("years", "year")):
                groups = {str(value): group for value, group in rows.groupby(column, sort=True) if value}
                if groups:
                    figures[benchmark][name] = {value: estimate(group, f"{arm}/{value}", params) for value, group in groups.items()}
        own = headline(own)
        arms[arm] = figures | {"tokens": float(own["tokens"].mean()), "words": float(own["words"].mean())}
    return arms


def tables(table: pd.DataFrame, params: Params) -> dict[str, pd.DataFrame]:
    """Return the tidy tables by name.

    accuracy: arm, seed, benchmark, split, accuracy, low, high, n; seed "mean" is the row over all seeds, with its interval over problems;
    words: arm, seed, words, tokens, accuracy, means over the held-out competition (see `headline`);
    sections, years: arm, section or year, accuracy, low, high, n over the held-out competition and all seeds;
    outcomes: arm, seed, benchmark, outcome, count; an outcome that did not occur has no row.
    """
    heldout = table[(table["place"] == "heldout") & (table["benchmark"] == COMPETITION)]
    words = [
        {"arm": arm, "seed": seed, **{key: float(headline(rows)[key].mean()) for key in ("words", "tokens")},
         "accuracy": float(headline(rows)["correct"].mean())}
        for (arm, seed), rows in table.groupby(["arm", "seed"], sort=True)
    ]  # fmt: skip
    outcomes = table.groupby(["arm", "seed", "benchmark", "outcome"], sort=True).size().reset_index(name="count")
    return {
        "accuracy": pd.DataFrame(_accuracy_rows(table, params)),
        "words": pd.DataFrame(words),
        "sections": _groups(heldout, "section", params),
        "years": _groups(heldout, "year", params),
        "outcomes": outcomes,
    }


def _accuracy_rows(table: pd.DataFrame, params: Params) -> list[Row]:
    """One row per arm, seed, benchmark and split, and one over all seeds."""
    copies = [table.assign(split="all"), table[table["place"].isin(SPLITS)].assign(split=lambda rows: rows["place"])]
    rows = pd.concat(copies)
    found = []
    for (arm, benchmark, split), group in rows.groupby(["arm", "benchmark", "split"], sort=True):
        # The label of the mean's row is that of `summary`: one figure, one interval.
        for seed, own in [*((str(seed), own) for seed, own in group.groupby("seed", sort=True)), ("mean", group)]:
            label = f"{arm}/{benchmark}/{split}" + ("" if seed == "mean" else f"/{seed}")
            keys = {"arm": arm, "seed": seed, "benchmark": benchmark, "split": split}
            found.append(keys | _tidy(estimate(own, label, params)))
    return found


def _groups(rows: pd.DataFrame, column: str, params: Params) -> pd.DataFrame:
    found = [
        {"arm": arm, column: value} | _tidy(estimate(own, f"{arm}/{value}", params))
        for (arm, value), own in rows.groupby(["arm", column], sort=True)
    ]
    return pd.DataFrame(found, columns=["arm", column, "accuracy", "low", "high", "n"])


def _tidy(figures: Row) -> Row:
    return {key: figures[key] for key in ("accuracy", "low", "high", "n")}


if __name__ == "__main__":
    command.run(main)
