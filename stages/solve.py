"""Agent 1: the teacher solves each problem from its statement alone."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
from tqdm import tqdm

from stages.grading.answer import final_answer
from stages.shared import stage
from stages.shared.files import Fault, read_records, write_records
from stages.shared.problem import Problem
from stages.shared.trace import LEVELS, Trace
from stages.teacher import symbolic
from stages.teacher.recording import ANSWER_LINE, Recording, breaks_off


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `solve`."""

    teacher: str


def trace(problem: Problem) -> Trace:
    """Return the symbolic teacher's trace of one problem; an unsolved one carries its reason."""
    try:
        text, answer = symbolic.solve(problem.statement)
    except symbolic.Unsolved as unsolved:
        return Trace(problem.id, "symbolic", "", "", "unsolved", str(unsolved))
    return Trace(problem.id, "symbolic", text, answer, "stop", "")


def recall(problem: Problem, chains: Mapping[str, str]) -> Trace:
    """Return the recorded trace of one problem: finish `length` where it breaks off, unsolved where none was published."""
    if problem.id not in chains:
        return Trace(problem.id, "recorded", "", "", "unsolved", "no chain recorded")
    text = chains[problem.id]
    finish = "length" if breaks_off(text) else "stop"
    return Trace(problem.id, "recorded", text, final_answer(text, ANSWER_LINE, finish), finish, "")


def main(study: str, problems: str, recordings: str, out: str) -> None:
    """Read the problems, write one trace for each, solved or not."""
    params = stage.section(study, "solve", Params)
    if params.teacher not in ("symbolic", "recorded"):
        raise Fault(f"{study}: section 'solve': teacher is '{params.teacher}'; allowed: symbolic, recorded")
    asked = read_records(Path(problems), Problem)
    if params.teacher == "recorded":
        chains = {each.id: each.text for each in read_records(Path(recordings), Recording) if each.level == LEVELS[0]}
        traces = [recall(problem, chains) for problem in asked]
    else:
        traces = [trace(problem) for problem in tqdm(asked, unit="problem", desc="solve", file=sys.stderr)]
    write_records(Path(out), traces)
    unsolved = Counter(trace.reason for trace in traces if trace.finish == "unsolved")
    stage.closing("solve", len(asked), len(traces))
    if unsolved:
        print(f"solve: unsolved {unsolved.total()} ({', '.join(f'{why}: {n}' for why, n in sorted(unsolved.items()))})", file=sys.stderr)


if __name__ == "__main__":
    stage.run(main)
