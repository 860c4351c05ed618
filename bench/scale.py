"""94,000 problems through every stage that asks no model: wall time and peak memory, for 1,000, 10,000 and 94,000.

    python -m bench.scale [PROBLEMS ...]

The problems are drawn, with the lengths of real ones: statements as those of s1K and MATH together, the teacher's work as full traces of
R1 that were published, words as frequent as there. Every fifth is another's with other numbers, as in collected corpora, and one in two
hundred is one of 2,590 benchmark problems. Each stage runs in a process of its own, as DVC starts it. Writes section `scale` of
metrics/benchmarks.json, which `python -m tools.render_benchmarks` puts into docs/speed.md.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from bench.corpus import run
from bench.record import record
from distill.cli.layout import layout
from distill.core import files
from distill.records.completion import Completion
from distill.records.level import Level
from distill.records.problem import Problem
from distill.sources.local_problems import Given
from tests.pipeline import ROOT

SIZES = (1_000, 10_000, 94_000)
ITEMS = {"aime": 90, "math500": 500, "gsm8k": 1_319, "other": 681}  # benchmark problems, 2,590
WORDS = 20_000  # different ones
SECONDS, MEGABYTES = 900.0, 4_096.0  # allowed to each stage
STAGES = ("fetch", "extract", "split", "contamination", "curate", "grade")
STUDY, ARM = "scale", "r1"
SIGNS = ("+", "-", "=", "(", ")", "^", "\\frac{1}{2}", "$x$", "\\leq", "\\sqrt{3}")


class Drawn:
    """Texts of words whose frequency falls with their rank, as in language; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        weights = 1 / (np.arange(WORDS) + 4.0) ** 1.05
        self.upto = np.cumsum(weights / weights.sum())
        self.words = [word(rank) for rank in range(WORDS)]
        self.phrases: list[str] = []

    def text(self, middle: float, spread: float, most: int) -> str:
        """Return a text of a log-normal number of words, of which some are numbers and signs."""
        size = int(np.clip(self.random.lognormal(np.log(middle), spread), 6, most))
        ranks = np.searchsorted(self.upto, self.random.random(size))
        kinds = self.random.random(size)
        numbers = self.random.integers(0, 200, size)
        return " ".join(
            str(number) if kind < 0.12 else SIGNS[rank % len(SIGNS)] if kind < 0.3 else self.words[min(rank, WORDS - 1)]
            for rank, kind, number in zip(ranks, kinds, numbers, strict=True)
        )

    def long(self, middle: float, spread: float, most: int) -> str:
        """Return a long text of such a number of words, put together of phrases."""
        if not self.phrases:
            self.phrases = [self.text(20, 0.1, 40) for _ in range(5_000)]
        size = int(np.clip(self.random.lognormal(np.log(middle), spread), 20, most))
        return " ".join(self.phrases[place] for place in self.random.integers(0, len(self.phrases), size // 20))

    def changed(self, text: str) -> str:
        """Return a text with other numbers."""
        return " ".join(str(self.random.integers(0, 200)) if each.isdigit() else each for each in text.split(" "))


def word(rank: int) -> str:
    """Return a word of letters; the frequent ones are short."""
    letters = ""
    while rank >= 0:
        letters, rank = letters + chr(97 + rank % 26), rank // 26 - 1
    return letters


def statements(drawn: Drawn, count: int, items: list[str]) -> Iterator[str]:
    """Yield statements of problems."""
    kept: list[str] = []
    for number in range(count):
        if number % 200 == 7:
            yield items[number // 200 % len(items)]
        elif number % 5 == 3 and kept:
            yield drawn.changed(kept[int(drawn.random.integers(len(kept)))])
        else:
            text = drawn.text(45, 0.75, 900)
            kept += [text] if number % 5 == 0 else []
            yield text


def answers(random: Random) -> tuple[str, str]:
    """Return a gold answer and what a student says: itself, another form of it, another answer, or none."""
    a, b = random.randrange(2, 400), random.randrange(2, 30)
    whole, fraction = (str(a), f"{a}.0"), (f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}")
    root, point = (f"{b}\\sqrt{{3}}", f"\\sqrt{{{3 * b * b}}}"), (f"({a},{b})", f"({a}, {b})")
    gold, other = random.choice([whole, fraction, root, point])
    kind = random.random()
    return gold, gold if kind < 0.55 else other if kind < 0.7 else str(a + 1) if kind < 0.95 else ""


def make(root: Path, count: int) -> None:
    """Write a study of `count` problems: its file, benchmarks, the teacher's work, and completions."""
    paths = layout(STUDY)
    drawn, random = Drawn(1), Random(2)
    items = [drawn.text(45, 0.75, 900) for _ in range(sum(ITEMS.values()))]
    golds = [answers(random) for _ in range(count)]
    ids = [f"p{number:06}" for number in range(count)]
    rows = (Given(name, text, gold) for name, text, (gold, _) in zip(ids, statements(drawn, count, items), golds, strict=True))
    files.write_records(root / "problems.jsonl", rows)
    files.write_records(
        root / paths.levels, (level for name, (gold, _) in zip(ids, golds, strict=True) for level in work(drawn, name, gold))
    )
    files.write_records(root / paths.recorded_traces, [])
    left = iter(items)
    for name, size in ITEMS.items():
        made = (Problem(f"{name}-{n:04}", name, "", 0, str(n), next(left), "1", "", 0, "table") for n in range(size))
        files.write_records(root / paths.benchmarks / f"{name}.jsonl", made)
    asked = list(zip(ids, golds, strict=True))[: count // 2]  # answered by the base and by one adapter
    own = (Problem(name, "competition", "", 0, "", "asked", gold, "", 0, "given") for name, (gold, _) in asked)
    files.write_records(root / paths.benchmarks / "competition.jsonl", own)
    for cell in ("base", f"{ARM}-1"):
        said = (Completion("competition", name, 0, completion(drawn, answer), 300, "stop") for name, (_, answer) in asked)
        files.write_records(root / paths.completions / f"{cell}.jsonl.gz", said)
    (root / "studies").mkdir()
    (root / paths.study_file).write_text(yaml.safe_dump(sections(root, count)), encoding="utf-8")
    (root / paths.params).write_text(f"arms: [{ARM}]\nseeds: [1]\n", encoding="utf-8")


def work(drawn: Drawn, name: str, gold: str) -> list[Level]:
    """Return a problem's full trace and its bare answer."""
    line = f"Answer: {gold}"
    trace = f"{drawn.long(800, 1.19, 16_000)}.\n{line}"
    return [Level(name, level, text, len(text.split()), True) for level, text in ((ARM, trace), ("answer", line))]


def completion(drawn: Drawn, answer: str) -> str:
    """Return a student's text."""
    return drawn.long(300, 0.6, 2_000) + (f". So it is \\boxed{{{answer}}}." if answer else "")


def sections(root: Path, count: int) -> dict[str, Any]:
    """Return the study file: problems of one's own, the rules of `job`, and the rest of the template."""
    own, template, job = (
        yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("new", "template", "job")
    )
    digest = hashlib.sha256((root / "problems.jsonl").read_bytes()).hexdigest()
    study: dict[str, Any] = template | own | {
        "levels": [ARM],
        "curate": own["curate"] | {"same_problems": False},
        "arms": {ARM: {"level": ARM, "protocol": "clean", "corrected": False, "n": 0}},
        "fetch": {"kind": "given", "path": "problems.jsonl", "sha256": digest},
        "extract": {"kind": "given", "file": "problems.jsonl"},
        "split": own["split"] | {"train": int(count * 0.9), "valid": count // 50, "heldout_least": 1, "seen": 0, "near": 0.6},
        "contamination": job["contamination"] | {"against": list(ITEMS)},
        "benchmarks": {name: {"kind": "competition", "form": "expression", "licence": "", "n": 1, "seed": 1} for name in ITEMS},
    }  # fmt: skip
    return study


def measure(count: int) -> dict[str, Any]:
    """Return each stage's wall time and CPU seconds and peak memory in MB, and what came out."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        if not os.fork():  # a process of its own, whose memory is not that of the stages' parent
            make(root, count)
            os._exit(0)
        if os.wait()[1]:
            raise SystemExit("the study could not be made")
        found: dict[str, Any] = {}
        for stage in STAGES:
            words = [f"stages.{stage}", STUDY, *([ARM] if stage == "curate" else [])]
            took = run(root, *words)
            found[stage] = {"seconds": took.wall, "cpu_seconds": took.cpu, "megabytes": took.peak}
            print(f"{count:>7,} {stage:14}{took.wall:>8.1f} s, CPU {took.cpu:>7.1f} s {took.peak:>7.0f} MB", flush=True)
        paths = layout(STUDY, ARM)
        clusters = {row["cluster"] for row in map(json.loads, (root / paths.split).read_text(encoding="utf-8").splitlines())}
        counts = files.read_json(root / paths.corpus / "counts.json")
        dropped = {reason: number for reason, number in counts["dropped"].items() if "benchmark" in reason}
        return found | {"clusters": len(clusters), "benchmark_problems_left_out": sum(dropped.values())}


def main() -> None:
    """Measure each size, record it, and fail where a stage takes more than is allowed."""
    sizes = [int(each) for each in sys.argv[1:]] or list(SIZES)
    found = {str(count): measure(count) for count in sizes}
    if not sys.argv[1:]:
        record("scale", found, packages=("numpy", "sympy"))
    worst = found[str(sizes[-1])]
    sys.exit(any(worst[stage]["seconds"] > SECONDS or worst[stage]["megabytes"] > MEGABYTES for stage in STAGES))


if __name__ == "__main__":
    main()
