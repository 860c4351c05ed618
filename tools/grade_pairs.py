"""`python -m tools.grade_pairs IN.jsonl OUT.jsonl [--profile strict|gsm8k|lenient]`: grade pairs of any origin by this project's grader.

A line of IN holds "id", "gold", and "answer" or "completion", perhaps "finish" (stop or length); OUT has the same lines with "outcome"
and "extracted". A whole completion's answer, by profile strict: its last \\boxed{}, else what follows its last "Answer:".
"""

import sys
from collections import Counter
from pathlib import Path

import msgspec

from distill.answers import grade_pairs
from distill.answers.final_answer import PROFILES, Profile
from distill.cli import command
from distill.core import files
from distill.core.errors import InputError


def main(*words: str) -> None:
    """Grade every line of a file, write them with their outcomes and print how many there are of each."""
    paths, profile = _split(list(words))
    if len(paths) != 2:
        raise InputError(f"expected two files, IN.jsonl and OUT.jsonl, got {len(paths)} words")
    source, target = map(Path, paths)
    lines = source.read_bytes().splitlines()
    rows = [grade_pairs.read_pair(line, f"{source}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    graded = grade_pairs.grade(rows, profile)
    with files.replacing(target) as temporary:
        temporary.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in graded))
    counts = Counter(row["outcome"] for row in graded)
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no line")


def _split(words: list[str]) -> tuple[list[str], Profile]:
    """Return the words without `--profile NAME`, and the profile; strict where none is named."""
    if "--profile" not in words:
        return words, "strict"
    place = words.index("--profile")
    named = next(iter(words[place + 1 :]), "nothing")
    for profile in PROFILES:
        if profile == named:
            return words[:place] + words[place + 2 :], profile
    raise InputError(f"--profile is {named}; allowed: {', '.join(PROFILES)}")


if __name__ == "__main__":
    command.guarded("grade_pairs", lambda: main(*sys.argv[1:]))
