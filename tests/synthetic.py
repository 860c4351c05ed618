"""A small graded study with known figures, for the tests of what is computed from verdicts."""

import json
from collections.abc import Callable
from pathlib import Path

from distill.core import files
from distill.records.assignment import Assignment
from distill.records.example import Example, Message
from distill.records.problem import Problem
from distill.records.verdict import Verdict

SECTIONS = ("freshman-sophomore", "junior-senior", "two-person")
Right = Callable[[str, int, str, int], bool]  # (arm, seed, benchmark, number of the problem) -> answered correctly?
Words = Callable[[str], int]  # arm -> words of each completion


def texts(document: object, prefix: str = "") -> list[str]:
    """Return the dotted keys of a JSON document whose values are neither figures nor null: what a diff of metrics cannot compare."""
    if isinstance(document, dict):
        return [key for name, value in document.items() for key in texts(value, f"{prefix}.{name}".lstrip("."))]
    return [] if document is None or isinstance(document, int | float) else [prefix]


def write(
    folder: Path, arms: dict[str, int], right: Right, words: Words = lambda arm: 10, *, heldout: int = 60, transfer: int = 30
) -> list[str]:
    """Write a study's files: 12 training problems, 4 for validation and the held-out; `arms` holds each arm's number of training examples.

    Problem 16 is a duplicate of the training problem 0. Returns the paths that `summarise` and `claims` share.
    """
    total = 16 + heldout
    names = [f"p{number:03}" for number in range(total)]
    problems = [
        Problem(name, "competition", SECTIONS[i % 3], 2011 + i % 5, str(i), f"What is {i}?", "1", "x.pdf", 1, "text")
        for i, name in enumerate(names)
    ]
    splits = ["train"] * 12 + ["valid"] * 4 + ["heldout"] * heldout
    clusters = [names[0] if i == 16 else name for i, name in enumerate(names)]
    asked_too = [Problem(f"transfer-{i:04}", "transfer", "", 0, str(i), "What?", "1", "", 0, "generated") for i in range(transfer)]
    files.write_records(folder / "benchmarks" / "transfer.jsonl", asked_too)
    assignments = [Assignment(name, cluster, split, True) for name, cluster, split in zip(names, clusters, splits, strict=True)]
    files.write_records(folder / "problems.jsonl", problems)
    files.write_records(folder / "split.jsonl", assignments)
    for arm, n in arms.items():
        for part, members in (("train", names[:n]), ("valid", names[12:16])):
            files.write_records(folder / "corpus" / arm / f"{part}.jsonl", [Example(name, [Message("user", "What?")]) for name in members])
    cells = [("base", 0), *((arm, seed) for arm in arms for seed in (1, 2, 3))]
    asked = [("competition", name) for name in names] + [("transfer", f"transfer-{i:04}") for i in range(transfer)]
    verdicts = [
        Verdict(arm, seed, benchmark, name, 0, "correct" if right(arm, seed, benchmark, i % total) else "wrong", "1", words(arm), 20)
        for arm, seed in cells
        for i, (benchmark, name) in enumerate(asked)
    ]
    files.write_records(folder / "verdicts.jsonl.gz", verdicts)
    (folder / "teacher.json").write_text(json.dumps({"problems": 100, "verified_correct": 98, "accuracy": 0.98}))
    return [str(folder / name) for name in ("verdicts.jsonl.gz", "problems.jsonl", "split.jsonl", "corpus", "benchmarks")]
