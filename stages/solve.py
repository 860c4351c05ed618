"""Agent 1: the teacher solves each problem from its statement alone."""

import sys
from collections import Counter
from pathlib import Path

import msgspec
from tqdm import tqdm

from stages.shared import stage
from stages.shared.files import Fault, read_records, write_records
from stages.shared.problem import Problem
from stages.shared.trace import Trace
from stages.teacher import symbolic


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


def main(study: str, problems: str, out: str) -> None:
    """Read the problems, write one trace for each, solved or not."""
    params = stage.section(study, "solve", Params)
    if params.teacher != "symbolic":
        raise Fault(f"{study}: section 'solve': teacher is '{params.teacher}'; allowed: symbolic")
    asked = read_records(Path(problems), Problem)
    traces = [trace(problem) for problem in tqdm(asked, unit="problem", desc="solve", file=sys.stderr)]
    write_records(Path(out), traces)
    unsolved = Counter(trace.reason for trace in traces if trace.finish == "unsolved")
    stage.closing("solve", len(asked), len(traces))
    if unsolved:
        print(f"solve: unsolved {unsolved.total()} ({', '.join(f'{why}: {n}' for why, n in sorted(unsolved.items()))})", file=sys.stderr)


if __name__ == "__main__":
    stage.run(main)
