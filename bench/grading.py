"""Measure the grader on the authors' files: `python -m bench.grading FOLDER`, the folder that holds datafile/ and math500_output.csv.

Prints how many of 20,000 pairs of different golds it calls equal, how many of 3,000 golds rewritten in another form it calls equal, and the
speed on those beside math-verify's own. Both run here in one process, pair by pair, nothing remembered but what the code itself remembers.
"""

import csv
import json
import logging
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from bench.rewriting import rewrite
from stages.grading.equality import decide
from stages.grading.pool import Pair, compare

LIMITS = (5.0, 1024, 1)  # seconds, MiB, processes


def read_golds(folder: Path) -> list[str]:
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
    draw, golds = Random(1), read_golds(folder)
    pairs = [(a, b) for a in golds for b in golds if a != b]
    mismatched = draw.sample(pairs, 20_000)
    rewritten = [(gold, form) for gold in golds for form in rewrite(gold, draw)]
    true = draw.sample(rewritten, min(3000, len(rewritten)))
    for name, asked in (("different golds", mismatched), ("rewritten golds", true)):
        judged = compare(asked, *LIMITS)
        print(f"{name}: {len(asked)}, {Counter(map(str, judged.values()))}")
        wanted = name == "different golds"
        for (gold, answer), verdict in judged.items():
            if verdict is wanted or (not wanted and verdict is None):
                print(f"    {gold!r} {answer!r} {verdict}")
    print(f"ours: {speed(decide, true):.0f} pairs/s; math-verify: {speed(library(), true[:400]):.0f} pairs/s (of the first 400)")


def speed(judge: object, pairs: list[Pair]) -> float:
    """Return pairs a second of processor time."""
    start = time.process_time()
    for gold, answer in pairs:
        judge(gold, answer)  # type: ignore[operator]
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
