"""A small graded study with known figures, for the tests of what is computed from verdicts."""

from collections.abc import Callable
from typing import Any

import yaml

from distill.cli.layout import Paths, layout
from distill.core import files, study_file
from distill.records.assignment import Assignment
from distill.records.example import Example, Message
from distill.records.problem import Problem
from distill.records.verdict import Verdict

SECTIONS = ("freshman-sophomore", "junior-senior", "two-person")
SEEDS = [1, 2, 3]
TRAINING = {"best_iteration": 50, "trainable_parameters": 12345, "trained_tokens": 678, "iterations": 100}
CURVE = "iteration,train_loss,validation_loss\n0,,0.900000\n50,0.500000,0.600000\n100,0.250000,0.700000\n"
Right = Callable[[str, int, str, int], bool]  # (arm, seed, benchmark, number of the problem) -> answered correctly?
Words = Callable[[str], int]  # arm -> words of each completion


def texts(document: object, prefix: str = "") -> list[str]:
    """Return the dotted keys of a JSON document whose values are neither figures nor null: what a diff of metrics cannot compare."""
    if isinstance(document, dict):
        return [key for name, value in document.items() for key in texts(value, f"{prefix}.{name}".lstrip("."))]
    return [] if document is None or isinstance(document, int | float) else [prefix]


def write(
    settings: dict[str, Any], arms: dict[str, int], right: Right, words: Words = lambda arm: 10, *, heldout: int = 60, transfer: int = 30
) -> Paths:
    """Write the study `tiny` into the current folder, by its layout: 12 training problems, 4 for validation, and the held-out ones.

    `arms` holds each arm's number of training examples. Problem 16 is a duplicate of the training problem 0.
    """
    study_file.study.cache_clear()
    paths = layout("tiny")
    files.write_text(
        paths.study_file, yaml.safe_dump({"student": {"kind": "scratch"}, "arms": {arm: {} for arm in arms}} | settings, sort_keys=False)
    )
    files.write_text(paths.params, yaml.safe_dump({"arms": list(arms), "seeds": SEEDS}))
    total = 16 + heldout
    names = [f"p{number:03}" for number in range(total)]
    problems = [
        Problem(name, "competition", SECTIONS[i % 3], 2011 + i % 5, str(i), f"What is {i}?", "1", "x.pdf", 1, "text")
        for i, name in enumerate(names)
    ]
    splits = ["train"] * 12 + ["valid"] * 4 + ["heldout"] * heldout
    clusters = [names[0] if i == 16 else name for i, name in enumerate(names)]
    asked_too = [Problem(f"transfer-{i:04}", "transfer", "", 0, str(i), "What?", "1", "", 0, "generated") for i in range(transfer)]
    files.write_records(paths.benchmarks / "transfer.jsonl", asked_too)
    assignments = [Assignment(name, cluster, split, True) for name, cluster, split in zip(names, clusters, splits, strict=True)]
    files.write_records(paths.problems, problems)
    files.write_records(paths.split, assignments)
    for arm, n in arms.items():
        for part, members in (("train", names[:n]), ("valid", names[12:16])):
            files.write_records(paths.corpora / arm / f"{part}.jsonl", [Example(name, [Message("user", "What?")]) for name in members])
        for seed in SEEDS:
            files.write_json(paths.adapters / f"{arm}-{seed}" / "training.json", TRAINING)
            files.write_text(paths.adapters / f"{arm}-{seed}" / "curve.csv", CURVE)
    cells = [("base", 0), *((arm, seed) for arm in arms for seed in SEEDS)]
    asked = [("competition", name) for name in names] + [("transfer", f"transfer-{i:04}") for i in range(transfer)]
    verdicts = [
        Verdict(arm, seed, benchmark, name, 0, "correct" if right(arm, seed, benchmark, i % total) else "wrong", "1", words(arm), 20)
        for arm, seed in cells
        for i, (benchmark, name) in enumerate(asked)
    ]
    for path in (paths.verdicts, paths.resolved):
        files.write_records(path, verdicts)
    files.write_json(paths.teacher_metrics, {"problems": 100, "verified_correct": 98, "accuracy": 0.98})
    return paths
