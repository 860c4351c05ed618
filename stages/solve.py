"""Agent 1: the teacher solves each problem from its statement alone: exact solvers, somebody's recorded chains, or a model."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from distill.answers.final_answer import final_answer
from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.llm import role_client
from distill.records.level import LEVELS
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, breaks_off
from distill.records.trace import Trace
from distill.symbolic import symbolic_teacher
from distill.teacher import solver


class Symbolic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="symbolic"):
    """Section `solve`: exact solvers."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="recorded"):
    """Section `solve`: the published chains."""


TEACHERS: dict[Any, type[Any]] = {"symbolic": Symbolic, "recorded": Recorded, "chat": solver.Chat}


def trace(problem: Problem) -> Trace:
    """Return the symbolic teacher's trace of one problem; an unsolved one carries its reason."""
    try:
        text, answer = symbolic_teacher.solve(problem.statement)
    except symbolic_teacher.Unsolved as unsolved:
        return Trace(problem.id, "symbolic", "", "", "unsolved", str(unsolved))
    return Trace(problem.id, "symbolic", text, answer, "stop", "")


def recall(problem: Problem, chains: Mapping[str, str]) -> Trace:
    """Return the recorded trace of one problem: finish `length` where it breaks off, unsolved where none was published."""
    if problem.id not in chains:
        return Trace(problem.id, "recorded", "", "", "unsolved", "no chain recorded")
    text = chains[problem.id]
    finish = "length" if breaks_off(text) else "stop"
    return Trace(problem.id, "recorded", text, final_answer(text, ANSWER_LINE, finish), finish, "")


def main(study: str, problems: str, recordings: str, out: str, transcripts: str) -> None:
    """Read the problems, write one trace for each, solved or not; of a model, as many as the study samples."""
    teacher = study_file.section(study, "solve", dict[str, Any]).get("teacher")
    if teacher not in TEACHERS:
        raise InputError(f"{study}: section 'solve': teacher is {teacher!r}; allowed: {', '.join(TEACHERS)}")
    params = study_file.section(study, "solve", TEACHERS[teacher])
    if teacher == "chat":
        by_model(study, params, Path(problems), Path(out), transcripts)
        return
    asked = read_records(Path(problems), Problem)
    if teacher == "recorded":
        chains = {each.id: each.text for each in read_records(Path(recordings), RecordedTrace) if each.level == LEVELS[0]}
        traces = [recall(problem, chains) for problem in asked]
    else:
        traces = [trace(problem) for problem in tqdm(asked, unit="problem", desc="solve", file=sys.stderr)]
    write_records(Path(out), traces)
    role_client.leave_none(transcripts)
    close(len(asked), len(traces), Counter(trace.reason for trace in traces if trace.finish == "unsolved"))


def by_model(study: str, params: solver.Chat, problems: Path, out: Path, transcripts: str) -> None:
    """Have the model solve every problem, and keep what it answered as transcripts."""
    unsolved = Counter[str]()

    def counted(traces: Iterator[Trace]) -> Iterator[Trace]:
        for each in traces:
            unsolved.update([each.reason] if each.finish == "unsolved" else [])
            yield each

    with role_client.opened(study, "solve", params) as own:
        wrote = files.write_records(out, counted(solver.traces(own, params, problems)))
        own.leave(transcripts)
    close(wrote // params.samples, wrote, unsolved)


def close(read: int, wrote: int, unsolved: Counter[str]) -> None:
    """Print the closing line, and what was not solved by reason."""
    command.closing("solve", read, wrote)
    if unsolved:
        print(f"solve: unsolved {unsolved.total()} ({', '.join(f'{why}: {n}' for why, n in sorted(unsolved.items()))})", file=sys.stderr)


if __name__ == "__main__":
    command.run(main)
