"""Measure the grader on the authors' files: `python -m bench.grading FOLDER`, the folder that holds datafile/ and math500_output.csv.

Writes section `grade` of the record: gradings a second of processor time beside math-verify's, on the same pairs. It prints how many of
20,000 pairs of different golds it calls equal, how many of 3,000 golds rewritten in another form, the speed on those beside math-verify's
own, and the speed on the completions of `mini`, where they are. All run here in one process, pair by pair, nothing remembered but what the
code itself remembers.
"""

import csv
import json
import logging
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from bench.record import PACKAGES, record
from bench.rewriting import rewrite
from distill.answers.equality import decide
from distill.answers.final_answer import final_answer
from distill.answers.verify_pool import Pair, compare
from distill.cli.layout import layout
from distill.core.files import read_records
from distill.records.completion import Completion
from stages.grade import read_golds

MINI = layout("mini")
LIMITS = (5.0, 1024, 1)  # seconds, MiB, processes


def authors_golds(folder: Path) -> list[str]:
    """Return the answers of the competition and of MATH-500, each once."""
    golds = [
        entry["answer"]
        for path in sorted((folder / "datafile").glob("*.json"))
        for part in json.loads(path.read_text()).values()
        for entry in part.values()
    ]
    csv.field_size_limit(10**9)
    with (folder / "math500_output.csv").open(newline="") as rows:
        return sorted({*golds, *(row["answer"] for row in csv.DictReader(rows))})


def main(folder: Path) -> None:
    draw, golds = Random(1), authors_golds(folder)
    pairs = [(a, b) for a in golds for b in golds if a != b]
    mismatched = draw.sample(pairs, 20_000)
    rewritten = [(gold, form) for gold in golds for form in rewrite(gold, draw)]
    true = draw.sample(rewritten, min(3000, len(rewritten)))
    first = true[:400]  # math-verify takes minutes for all
    for name, asked in (("different golds", mismatched), ("rewritten golds", true)):
        verdicts = compare(asked, *LIMITS)
        print(f"{name}: {len(asked)}, {Counter(map(str, verdicts.values()))}")
        wanted = name == "different golds"
        for (gold, answer), verdict in verdicts.items():
            if verdict is wanted or (not wanted and verdict is None):
                print(f"    {gold!r} {answer!r} {verdict}")
    found = {"ours_pairs_per_s": speed(decide, true), "math_verify_pairs_per_s": speed(library(), first), "pairs": len(first)}
    found["vs_math_verify"] = speed(decide, first) / found["math_verify_pairs_per_s"]
    if completions := sorted(MINI.completions.glob("*.jsonl.gz")):
        asked = [pair for path in completions for pair in completed(path)]
        found |= {"completions_of_mini": len(asked), "completions_per_s": speed(graded, asked)}
    print("\n".join(f"{name}: {value:.4g}" for name, value in found.items()))
    record("grade", found, packages=(*PACKAGES, "math-verify"))


def completed(path: Path) -> list[Pair]:
    """Return the gold answer and the text of each completion."""
    golds = read_golds(sorted(MINI.benchmarks.glob("*.jsonl")))
    return [(golds[c.benchmark, c.id], c.text) for c in read_records(path, Completion)]


def graded(gold: str, text: str) -> None:
    """Grade one completion, as a study's grading does before its pool."""
    if answer := final_answer(text, "Answer:", "stop", "strict"):
        decide(gold, answer)


def speed(grader: object, pairs: list[Pair]) -> float:
    """Return pairs a second of processor time."""
    start = time.process_time()
    for gold, answer in pairs:
        grader(gold, answer)  # type: ignore[operator]
    return len(pairs) / (time.process_time() - start)


def library() -> object:
    """Return math-verify as its documentation uses it, without time limits, which cost it a little."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    return lambda gold, answer: verify(
        parse(f"${gold}$", parsing_timeout=None), parse(f"${answer}$", parsing_timeout=None), timeout_seconds=None
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
