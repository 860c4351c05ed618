"""Choose a learning rate, a level or the families without the study's problems: ``python -m tools.tune OUT RATE [RATE ...] [ARM ...]``.

Takes the embedded study's student and settings, but problems of the tuning pool, which no exam, benchmark or pretraining text draws
from, and runs solve .. summarise on them in OUT for each learning rate and arm with seed 11, which no committed run uses.
docs/tuning.md holds what was tried.
"""

import json
import subprocess
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path
from random import Random

import yaml

from distill.competition.competition_problems import FAMILIES, TUNING, draw
from distill.competition.family import ALL
from distill.core.files import read_records, write_records
from distill.records.assignment import Assignment
from distill.records.problem import Problem
from distill.records.verdict import Verdict

SEED = 11
EACH = 48  # problems drawn of each family; some have fewer


def problems() -> list[Problem]:
    """Return problems of the tuning pool, of every family, printed on exams or not."""
    random, rows = Random(SEED), []
    for family in FAMILIES:
        for place, numbers in enumerate(islice(draw(family, TUNING, random, 1), EACH)):
            statement, gold = family.statement(random.choice(family.exam), numbers), family.gold(*numbers)
            section = random.choice(family.sections or ALL)
            rows.append(Problem(f"{family.name}-{place:03}", "competition", section, 2000, str(place), statement, gold, "", 0, "generated"))
    return sorted(rows, key=lambda row: row.id)


def stage(name: str, *words: str | Path) -> None:
    """Run one stage of the pipeline."""
    subprocess.run([sys.executable, "-m", f"stages.{name}", *map(str, words)], check=True, stderr=subprocess.DEVNULL)


def accuracies(out: Path, found: dict[str, dict[str, float]]) -> None:
    """Add held-out accuracy by arm and family to `found`: families of the exams together under 'printed', all under 'all'."""
    held = {row.id for row in read_records(out / "split.jsonl", Assignment) if row.split == "heldout"}
    printed = {family.name for family in FAMILIES if family.sections}
    rows: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for verdict in read_records(out / "verdicts.jsonl.gz", Verdict):
        family = verdict.id.rsplit("-", 1)[0]
        for group in [family, "all", *(["printed"] if family in printed else [])]:
            if verdict.id in held:
                rows[verdict.arm, group].append(verdict.outcome == "correct")
    for (arm, group), right in sorted(rows.items()):
        found[arm][group] = round(sum(right) / len(right), 3)
        found[arm][f"{group}_n"] = len(right)


def main(out: Path, rates: list[float], arms: list[str], file: str = "studies/mini.yaml", student: str = "models/mini/student") -> None:
    """Print held-out accuracy of the base and of each arm at each learning rate, and write it by family to OUT/RATE.json."""
    study = yaml.safe_load(Path(file).read_text())
    study["split"] |= {"train": 400, "valid": 40, "heldout": 0, "heldout_least": 150, "seen": 20}
    study["sample"]["benchmarks"] = []
    study["arms"] = {name: arm | {"n": min(arm["n"], 370)} for name, arm in study["arms"].items()}
    (out / "none").mkdir(parents=True, exist_ok=True)
    asked, values, params = out / "problems.jsonl", out / "tune.yaml", out / "params.yaml"
    write_records(asked, problems())
    reading, recordings = out / "reading.jsonl", out / "recordings.jsonl"
    for unused in (reading, recordings):  # no page was read, and no teacher's work is recorded
        write_records(unused, [])
    params.write_text(yaml.safe_dump({"arms": arms, "seeds": [SEED]}))
    for rate in rates:
        study["train"]["learning_rate"] = rate
        values.write_text(yaml.safe_dump(study))
        if rate == rates[0]:
            none = out / "transcripts.jsonl.gz"  # no model is asked
            stage("solve", values, asked, recordings, out / "traces.jsonl", none)
            stage("verify", values, asked, reading, out / "traces.jsonl", out / "verified.jsonl", out / "teacher.json", none)
            stage("condense", values, asked, out / "verified.jsonl", recordings, out / "levels.jsonl.gz", out / "levels.json", none)
            stage("split", values, asked, reading, out / "split.jsonl")
            stage("sample", values, "base", "0", asked, out / "split.jsonl", out / "none", student, out / "completions" / "base.jsonl.gz")
        for arm in arms:
            corpus, adapter = out / "corpus" / arm, out / f"{arm}-{SEED}"
            stage("curate", values, arm, asked, reading, recordings, out / "levels.jsonl.gz", out / "split.jsonl", corpus)
            stage("train", values, arm, str(SEED), corpus, student, adapter, out / f"{arm}.csv", out / f"{arm}.json")
            done = out / "completions" / f"{arm}-{SEED}.jsonl.gz"
            stage("sample", values, arm, str(SEED), asked, out / "split.jsonl", out / "none", student, adapter, done)
        stage("grade", values, params, asked, reading, out / "none", out / "completions", out / "verdicts.jsonl.gz", out / "grade.json")
        found: dict[str, dict[str, float]] = defaultdict(dict)
        accuracies(out, found)
        (out / f"{rate:g}.json").write_text(json.dumps(found, indent=1) + "\n")
        for arm, row in found.items():
            print(
                f"rate {rate:g} {arm:8} printed {row['printed']:.3f} of {row['printed_n']}, all {row['all']:.3f} of {row['all_n']}",
                flush=True,
            )


if __name__ == "__main__":
    numbers = [word for word in sys.argv[2:] if word[0].isdigit()]
    main(Path(sys.argv[1]), [float(word) for word in numbers], [word for word in sys.argv[2:] if word not in numbers])
