"""Agent 1: the teacher solves each problem from its statement alone: exact solvers, somebody's recorded chains, or a model."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from distill.answers.final_answer import final_answer
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.llm import progress, role_client, transcripts
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, finish_of
from distill.records.trace import Trace
from distill.symbolic import symbolic_teacher
from distill.teacher import solver
from distill.teacher.recorded_texts import RecordedTexts
from distill.teacher.teacher_kinds import Recorded, teacher_type

TRANSCRIPTS = "solve.jsonl.gz"


def main(paths: Paths) -> None:
    """Read the problems, write one trace for each, solved or not; of a model, as many as the study samples."""
    section = study_file.section(paths.study_file, "solve", dict[str, Any])
    params = study_file.section(paths.study_file, "solve", teacher_type(paths.study_file, "solve", section, solver.ModelSolver))
    unsolved = Counter[str]()
    if isinstance(params, solver.ModelSolver):
        wrote = by_model(paths, params, unsolved)
        command.closing("solve", wrote // params.samples, wrote)
    else:
        problems = files.read_records(paths.problems, Problem)
        if isinstance(params, Recorded):
            first = study_file.section(paths.study_file, "levels", list[str])[0]
            texts = RecordedTexts(paths.recorded_traces)
            traces: Iterable[Trace] = (recall(problem, texts.get(problem.id, first)) for problem in problems)
        else:
            traces = map(trace, tqdm(problems, unit="problem", desc="solve", file=sys.stderr))
        wrote = files.write_records(paths.traces, counted(traces, unsolved))
        transcripts.write(paths.transcripts / TRANSCRIPTS, [])
        command.closing("solve", len(problems), wrote)
    if unsolved:
        print(f"solve: unsolved {unsolved.total()}{progress.listed(unsolved)}", file=sys.stderr)


def by_model(paths: Paths, params: solver.ModelSolver, unsolved: Counter[str]) -> int:
    """Have a model solve every problem, and keep its calls as transcripts; return the number of traces."""
    prompt = solver.load_prompt(params)
    with role_client.opened(paths.study_file, paths.work, "solve", params) as client:
        groups = client.run(lambda: (solver.solve(params, prompt, each) for each in files.iterate_records(paths.problems, Problem)))
        wrote = files.write_records(paths.traces, counted((trace for group in groups for trace in group), unsolved))
        client.write_transcripts(paths.transcripts / TRANSCRIPTS)
    return wrote


def counted(traces: Iterable[Trace], unsolved: Counter[str]) -> Iterator[Trace]:
    """Pass traces on; count the unsolved ones by reason."""
    for each in traces:
        unsolved.update([each.reason] if each.finish == "unsolved" else [])
        yield each


def trace(problem: Problem) -> Trace:
    """Return the symbolic teacher's trace of one problem; an unsolved one carries its reason."""
    try:
        text, answer = symbolic_teacher.solve(problem.statement)
    except symbolic_teacher.Unsolved as unsolved:
        return Trace(problem.id, "symbolic", "", "", "unsolved", str(unsolved))
    return Trace(problem.id, "symbolic", text, answer, "stop", "")


def recall(problem: Problem, recorded: RecordedTrace | None) -> Trace:
    """Return the recorded trace of one problem: finish `length` where it breaks off, unsolved where none was published."""
    if recorded is None:
        return Trace(problem.id, "recorded", "", "", "unsolved", "no chain recorded")
    text, finish = recorded.text, finish_of(recorded)
    return Trace(problem.id, "recorded", text, final_answer(text, ANSWER_LINE, finish, "strict"), finish, "")


if __name__ == "__main__":
    command.run(main)
