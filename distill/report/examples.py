"""What several students wrote on the same problem: a small fixed sample, chosen by hash before anyone looked."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from distill.core import files
from distill.core.cells import BASE, Cell
from distill.core.errors import InputError
from distill.core.markdown import code, escape, fence
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.problem import OWN, Problem
from distill.records.verdict import Verdict


class Answer(NamedTuple):
    """One student's first sample, as it was graded."""

    arm: str
    seed: int
    completion: Completion
    verdict: Verdict


def choose(problems: list[Problem], split: list[Assignment], count: int, seed: int) -> list[Problem]:
    """Return `count` of the held-out problems that were asked, by hash of seed and id."""
    held = {row.id for row in split if row.split == "heldout" and row.evaluate}
    chosen = [problem for problem in problems if problem.id in held]
    return sorted(chosen, key=lambda problem: hashlib.blake2b(f"{seed} {problem.id}".encode()).digest())[:count]


def answers(chosen: list[Problem], students: Mapping[Cell, Path], verdicts: Path, *, whole: bool) -> dict[str, list[Answer]]:
    """Return each chosen problem's answers, in the order of `students`, which holds their files of completions; all, where `whole`."""
    wanted = {problem.id for problem in chosen}
    graded = {
        (row.arm, row.seed, row.id): row
        for row in files.read_records(verdicts, Verdict)
        if row.id in wanted and row.benchmark == OWN and row.sample == 0
    }
    found: dict[str, list[Answer]] = {problem.id: [] for problem in chosen}
    for (arm, seed), path in students.items():
        rows = {row.id: row for row in files.read_records(path, Completion) if row.benchmark == OWN and row.sample == 0}
        for problem in chosen:
            if problem.id not in rows and not whole:
                continue
            if problem.id not in rows or (arm, seed, problem.id) not in graded:
                where = path if problem.id not in rows else verdicts
                raise InputError(
                    f"{where}: no answer of {arm}, seed {seed}, to the held-out problem {problem.id}; run `dvc repro sample grade`"
                )
            found[problem.id].append(Answer(arm, seed, rows[problem.id], graded[arm, seed, problem.id]))
    return found


def page(chosen: list[Problem], found: dict[str, list[Answer]], limit: int) -> str:
    """Return the answers in Markdown; a text longer than `limit` characters is cut, which is said."""
    blocks = []
    for problem in chosen:
        where = f"{problem.section} {problem.year}, number {problem.number}".strip()
        blocks.append(f"### {escape(problem.id)}\n\n{escape(where)}; key: {code(problem.gold)}\n\n{fence(problem.statement, limit)}")
        for answer in found[problem.id]:
            who = answer.arm if answer.arm == BASE else f"{answer.arm}, seed {answer.seed}"
            length = answer.verdict.words
            verdict = f"{answer.verdict.outcome.replace('_', ' ')}, {length} {'word' if length == 1 else 'words'}"
            final = f", final answer {code(answer.verdict.extracted)}" if answer.verdict.extracted else ""
            blocks.append(f"**{who}**: {verdict}{final}\n\n{fence(answer.completion.text, limit)}")
    return "\n\n".join(blocks)
