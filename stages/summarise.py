"""Sum up the verdicts: accuracy with intervals for every arm, benchmark and split; words and tokens; tidy tables; the training figures.

summary.json: arms.ARM.BENCHMARK.SPLIT.{accuracy, low, high, n, sd}. SPLIT: all; of the competition also seen (its text is in that arm's
training corpus), near (a duplicate of a seen problem) and heldout (neither those nor validation problems); a split without problems is
absent. accuracy is in 0..1, the mean over problems of the mean over seeds and samples (pass@1, or avg@k of k samples); low and high its
interval over problems; n problems; sd the standard deviation of the seeds' accuracies, null for one seed. Of k samples a problem also
pass_at_2, 4, .. k with _low and _high: the unbiased estimate. SPLIT also has {gain, gain_low, gain_high} over the base, paired on the
problems that both have in common (of heldout: held out for both). arms.ARM.BENCHMARK.sections.SECTION and
arms.ARM.competition.years.YEAR have the first keys, of the competition held out.
arms.ARM.words and .tokens are the means of a completion over the held-out competition, or over everything where there is none.
Under each further extraction profile SPLIT has profiles.PROFILE with the first keys.
training.json: ARM.SEED, the figures that `train` left beside each adapter; curves.csv holds their curves.
Of a recorded student nothing was trained: summary.json has recorded.ARM, what its files hold and which are missing, and an arm without
answers is not under `arms`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.cells import Cell, cell_paths
from distill.core.errors import InputError
from distill.stats import score_table
from distill.stats.summary import Settings, summary, tables

CURVE = "iteration,train_loss,validation_loss"


class Params(Settings, frozen=True):
    """Section `summarise` of a study file."""

    smooth: Annotated[int, Meta(ge=2)] | UnsetType = UNSET  # points of the training loss in a moving mean; absent: only as it is


def main(paths: Paths) -> None:
    """Read the verdicts and the adapters' figures; write the summary, the training figures and one CSV a table."""
    params = study_file.section(paths.study_file, "summarise", Params)
    arms, seeds = study_file.section(paths.params, "arms", list[str]), study_file.section(paths.params, "seeds", list[int])
    adapters = cell_paths(paths.adapters, arms, seeds, base=False)
    table = score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks)
    teacher = files.read_json(paths.teacher_metrics)
    if "accuracy" not in teacher:
        raise InputError(f"{paths.teacher_metrics}: no key 'accuracy'; keys here: {', '.join(teacher)}; run `dvc repro verify`")
    recorded = study_file.section(paths.study_file, "student", study_file.Kind).kind == "recorded"
    trained = {} if recorded else adapters
    figures = {arm: {str(seed): files.read_json(trained[arm, seed] / "training.json") for seed in seeds} for arm in arms if trained}
    made = tables(table, params)
    texts = {name: frame.to_csv(index=False, float_format="%.6f", lineterminator="\n") for name, frame in made.items()}
    texts[paths.curves.stem] = curves(trained, params.smooth or 0)
    found = {"arms": summary(table, params), "teacher": {"accuracy": teacher["accuracy"]}}
    if recorded:
        found["recorded"] = {arm: files.read_json(folder / "manifest.json")["recorded"] for (arm, _), folder in adapters.items()}
    files.write_json(paths.summary, found)
    files.write_json(paths.training, figures)
    with files.replacing(paths.plots) as folder:
        for name, text in texts.items():
            files.write_text(folder / f"{name}.csv", text)
    command.closing("summarise", len(table), sum(map(len, made.values())))


def curves(adapters: Mapping[Cell, Path], window: int) -> str:
    """Return the curves of all adapters as one CSV: arm, seed, the columns of curve.csv, and where there is a window the smoothed loss."""
    lines = [f"arm,seed,{CURVE}" + (",train_loss_smoothed" if window else "")]
    for (arm, seed), folder in adapters.items():
        path = folder / "curve.csv"
        head, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
        if head != CURVE:
            raise InputError(f"{path}: its first line is '{head}', expected '{CURVE}'; run `dvc repro train`")
        smooth = smoothed([row.split(",")[1] for row in rows], window) if window else [""] * len(rows)
        lines += [f"{arm},{seed},{row}{more}" for row, more in zip(rows, smooth, strict=True)]
    return "\n".join(lines) + "\n"


def smoothed(losses: Sequence[str], window: int) -> list[str]:
    """Return a further cell for each row: the mean of the last `window` losses up to it, of fewer at the start; empty where there is none.

    >>> smoothed(["", "4.0", "2.0", "3.0"], 2)
    [',', ',4.000000', ',3.000000', ',2.500000']
    """
    seen: list[float] = []
    cells = []
    for loss in losses:
        if loss:
            seen.append(float(loss))
        cells.append(f",{fmean(seen[-window:]):.6f}" if loss else ",")
    return cells


if __name__ == "__main__":
    command.run(main)
