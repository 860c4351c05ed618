"""`python -m tools.grade_pairs IN.jsonl OUT.jsonl`: grade pairs of any origin by this project's grader.

A line of IN holds "id", "gold", and "answer" or "completion", perhaps "finish" (stop or length); OUT has the same lines with "outcome"
and "extracted". A whole completion's answer is its last \\boxed{}, else what follows its last "Answer:".
"""

import sys
from collections import Counter
from pathlib import Path

import msgspec

from distill.answers import grade_pairs
from distill.cli import command
from distill.core import files
from distill.core.errors import InputError


def main(*words: str) -> None:
    """Grade every line of a file, write them with their outcomes and print how many there are of each."""
    if len(words) != 2:
        raise InputError(f"expected two files, IN.jsonl and OUT.jsonl, got {len(words)} words")
    source, target = map(Path, words)
    lines = source.read_bytes().splitlines()
    rows = [grade_pairs.read_pair(line, f"{source}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    graded = grade_pairs.grade(rows)
    with files.replacing(target) as temporary:
        temporary.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in graded))
    counts = Counter(row["outcome"] for row in graded)
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no line")


if __name__ == "__main__":
    command.guarded("grade_pairs", lambda: main(*sys.argv[1:]))
