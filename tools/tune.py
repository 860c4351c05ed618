"""Choose a learning rate or a level without looking at the study's problems: ``python -m tools.tune OUT RATE [RATE ...] [ARM ...]``.

Takes the embedded study's student and settings, but problems that no exam of the study prints, and runs solve .. summarise on
them in OUT for each learning rate and arm with seed 11, which no committed run uses. docs/tuning.md holds what was tried.
"""

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import yaml

from stages.competition.problems import EXAMS, FAMILIES, draw, exams
from stages.shared.files import read_json, write_records
from stages.shared.problem import Problem

SEED = 11
EACH = 60  # problems drawn of each family, before those on the study's exams go


def problems(fetch: dict[str, Any]) -> list[Problem]:
    """Return problems of the exams' pool that the study's own exams do not print."""
    printed = exams(fetch["seed"], range(fetch["first_year"], fetch["last_year"] + 1), fetch["problems"])
    used = {_key(item.statement, item.gold) for exam in printed for item in exam.items}
    random, rows = Random(SEED), []
    for family in (family for family in FAMILIES if family.sections):
        for place, numbers in enumerate(islice(draw(family, EXAMS, random, 1), EACH)):
            statement, gold = family.statement(random.choice(family.exam), numbers), family.gold(*numbers)
            if _key(statement, gold) not in used:
                section = random.choice(family.sections)
                rows.append(
                    Problem(f"{family.name}-{place:03}", "competition", section, 2000, str(place), statement, gold, "", 0, "generated")
                )
    return sorted(rows, key=lambda row: row.id)


def _key(statement: str, gold: str) -> tuple[str, ...]:
    return (*sorted(re.findall(r"\d+", statement)), gold)


def stage(name: str, *words: str | Path) -> None:
    """Run one stage of the pipeline."""
    subprocess.run([sys.executable, "-m", f"stages.{name}", *map(str, words)], check=True, stderr=subprocess.DEVNULL)


def main(out: Path, rates: list[float], arms: list[str]) -> None:
    """Print held-out accuracy of the base and of each arm at each learning rate."""
    study = yaml.safe_load(Path("studies/mini.yaml").read_text())
    study["split"] |= {"train": 340, "valid": 40, "heldout": 0, "heldout_least": 150, "seen": 50}
    study["sample"]["benchmarks"] = []
    study["arms"] = {name: arm | {"n": min(arm["n"], 320)} for name, arm in study["arms"].items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "none").mkdir(exist_ok=True)
    asked, student = out / "problems.jsonl", Path("models/mini/student")
    write_records(asked, problems(study["fetch"]))
    for rate in rates:
        study["train"]["learning_rate"] = rate
        file, params = out / "tune.yaml", out / "params.yaml"
        file.write_text(yaml.safe_dump(study))
        params.write_text(yaml.safe_dump({"arms": arms, "seeds": [SEED]}))
        if rate == rates[0]:
            stage("solve", file, asked, out / "traces.jsonl")
            stage("verify", file, asked, out / "traces.jsonl", out / "verified.jsonl", out / "teacher.json")
            stage("condense", file, out / "verified.jsonl", out / "levels.jsonl", out / "levels.json")
            stage("split", file, asked, out / "split.jsonl")
            stage("sample", file, "base", "0", asked, out / "split.jsonl", out / "none", student, out / "completions" / "base.jsonl.gz")
        for arm in arms:
            corpus, adapter = out / "corpus" / arm, out / f"{arm}-{SEED}"
            stage("curate", file, arm, asked, out / "levels.jsonl", out / "split.jsonl", student, corpus)
            stage("train", file, arm, str(SEED), corpus, student, adapter, out / f"{arm}.json")
            done = out / "completions" / f"{arm}-{SEED}.jsonl.gz"
            stage("sample", file, arm, str(SEED), asked, out / "split.jsonl", out / "none", student, adapter, done)
        verdicts, found = out / "verdicts.jsonl.gz", out / "summary.json"
        stage("grade", file, params, asked, out / "none", out / "completions", verdicts, out / "grade.json")
        stage("summarise", file, verdicts, asked, out / "split.jsonl", out / "corpus", out / "teacher.json", found, out / "plots")
        for name, row in read_json(found)["arms"].items():
            held = row["competition"]["heldout"]
            print(f"rate {rate:g} {name:8} accuracy {held['accuracy']:.3f} of {held['n']}, words {row['words']:.1f}", flush=True)


if __name__ == "__main__":
    numbers = [word for word in sys.argv[2:] if word[0].isdigit()]
    main(Path(sys.argv[1]), [float(word) for word in numbers], [word for word in sys.argv[2:] if word not in numbers])
