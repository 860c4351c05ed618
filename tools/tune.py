"""Choose a learning rate, a level or the families without the study's problems: ``python -m tools.tune OUT RATE [RATE ...] [ARM ...]``.

Takes the embedded study's student and settings, but problems of the tuning pool, which no exam, benchmark or pretraining text draws
from. For each learning rate and arm it runs solve .. grade on them in OUT, as a study `tune` with seed 11, which no committed run uses.
docs/tuning.md holds what was tried.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import yaml

from distill.cli.layout import layout
from distill.competition.competition_problems import FAMILIES, TUNING, draw
from distill.competition.family import ALL
from distill.core.cells import BASE
from distill.core.files import read_records, write_json, write_records, write_text
from distill.records.assignment import Assignment
from distill.records.problem import OWN, Problem
from distill.records.verdict import Verdict

ROOT = Path(__file__).parents[1]
MINI, PATHS = layout("mini"), layout("tune")
SEED = 11
EACH = 48  # problems drawn of each family; some have fewer


def problems() -> list[Problem]:
    """Return problems of the tuning pool, of every family, printed on exams or not."""
    random, rows = Random(SEED), []
    for family in FAMILIES:
        for place, numbers in enumerate(islice(draw(family, TUNING, random, 1), EACH)):
            statement, gold = family.statement(random.choice(family.exam), numbers), family.gold(*numbers)
            section = random.choice(family.sections or ALL)
            rows.append(Problem(f"{family.name}-{place:03}", OWN, section, 2000, str(place), statement, gold, "", 0, "generated"))
    return sorted(rows, key=lambda row: row.id)


def run(out: Path, stage: str, *words: str) -> None:
    """Run one stage of the pipeline on the study in OUT."""
    command = [sys.executable, "-m", f"stages.{stage}", PATHS.study, *words]
    subprocess.run(command, check=True, cwd=out, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)


def accuracies(out: Path, found: dict[str, dict[str, float]]) -> None:
    """Add held-out accuracy by arm and family to `found`: families of the exams together under 'printed', all under 'all'."""
    held = {row.id for row in read_records(out / PATHS.split, Assignment) if row.split == "heldout"}
    printed = {family.name for family in FAMILIES if family.sections}
    rows: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for verdict in read_records(out / PATHS.verdicts, Verdict):
        family = verdict.id.rsplit("-", 1)[0]
        for group in [family, "all", *(["printed"] if family in printed else [])]:
            if verdict.id in held:
                rows[verdict.arm, group].append(verdict.outcome == "correct")
    for (arm, group), right in sorted(rows.items()):
        found[arm][group] = round(sum(right) / len(right), 3)
        found[arm][f"{group}_n"] = len(right)


def prepare(out: Path, arms: list[str]) -> dict[str, Any]:
    """Write the study's inputs, all but its own file; return its sections."""
    study: dict[str, Any] = yaml.safe_load((ROOT / MINI.study_file).read_text())
    study["split"] |= {"train": 400, "valid": 40, "asked": "all", "heldout_least": 150, "seen": 20}
    study["sample"]["benchmarks"] = []
    study["arms"] = {name: arm | {"n": min(arm["n"], 370)} for name, arm in study["arms"].items()}
    (out / PATHS.benchmarks).mkdir(parents=True, exist_ok=True)
    write_records(out / PATHS.problems, problems())
    for unused in (PATHS.extracted, PATHS.recorded_traces):  # no page was read, and no teacher's work is recorded
        write_records(out / unused, [])
    shutil.copytree(ROOT / MINI.student, out / PATHS.student, dirs_exist_ok=True)
    write_text(out / PATHS.params, yaml.safe_dump({"arms": arms, "seeds": [SEED]}))
    return study


def main(out: Path, rates: list[float], arms: list[str]) -> None:
    """Print held-out accuracy of the base and of each arm at each learning rate, and write it by family to OUT/RATE.json."""
    study = prepare(out, arms)
    for rate in rates:
        study["train"]["learning_rate"] = rate
        write_text(out / PATHS.study_file, yaml.safe_dump(study))
        if rate == rates[0]:
            for stage in ("solve", "verify", "condense", "split"):
                run(out, stage)
            run(out, "sample", BASE)
        for arm in arms:
            run(out, "curate", arm)
            run(out, "train", arm, str(SEED))
            run(out, "sample", arm, str(SEED))
        run(out, "grade")
        found: dict[str, dict[str, float]] = defaultdict(dict)
        accuracies(out, found)
        write_json(out / f"{rate:g}.json", found)
        for arm, row in found.items():
            print(
                f"rate {rate:g} {arm:8} printed {row['printed']:.3f} of {row['printed_n']}, all {row['all']:.3f} of {row['all_n']}",
                flush=True,
            )


if __name__ == "__main__":
    numbers = [word for word in sys.argv[2:] if word[0].isdigit()]
    main(Path(sys.argv[1]), [float(word) for word in numbers], [word for word in sys.argv[2:] if word not in numbers])
