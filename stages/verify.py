"""Agent 2: is the teacher's answer right? A symbolic check first; what it cannot decide is put to a model, where the study has one.

Recorded work is judged anew, by what its text concludes; work on a placeholder has nothing to be right about, and is undecided.
"""

from collections.abc import Container, Iterable, Iterator
from typing import Any

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.llm import role_client, transcripts
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.records.verified import Verified
from distill.teacher import chain_verdict, verifier
from distill.teacher.teacher_kinds import Recorded, teacher_type
from distill.teacher.verifier import Group, ModelVerifier, Verdicts


def main(paths: Paths) -> None:
    """Read problems and traces, write the verdicts and the teacher's metrics."""
    section = study_file.section(paths.study_file, "verify", dict[str, Any])
    params = study_file.section(paths.study_file, "verify", teacher_type(paths.study_file, "verify", section, ModelVerifier))
    calls = paths.transcripts / "verify.jsonl.gz"

    def groups() -> Iterator[Group]:
        return verifier.read_groups(paths.problems, paths.traces)

    if isinstance(params, ModelVerifier):
        prompt, symbolic = verifier.load_prompt(params), verifier.symbolic_verdicts(params, groups())
        with role_client.opened(paths.study_file, paths.work, "verify", params) as client:
            write(paths, client.run(lambda: (verifier.verify(params, prompt, symbolic, group) for group in groups())), by_model=True)
            client.write_transcripts(calls)
        return
    if isinstance(params, Recorded):
        placeholders = {each.id for each in files.iterate_records(paths.extracted, ExtractedItem) if "placeholder" in each.flags}
        judged = ((problem, traces, [judge_recorded(problem, each, placeholders) for each in traces]) for problem, traces in groups())
    else:
        judged = ((problem, traces, [judge(problem, each) for each in traces]) for problem, traces in groups())
    write(paths, judged, by_model=False)
    transcripts.write(calls, [])


def write(paths: Paths, judged: Iterable[Verdicts], by_model: bool) -> None:
    """Write the verdicts and the metrics."""
    tally = verifier.Tally()

    def counted() -> Iterator[Verified]:
        for problem, traces, rows in judged:
            tally.add(problem, traces, rows)
            yield from rows

    wrote = files.write_records(paths.verified, counted())
    files.write_json(paths.teacher_metrics, tally.document(by_model))
    command.closing("verify", wrote, wrote)


def judge(problem: Problem, trace: Trace) -> Verified:
    """Compare a trace's answer with the gold answer; blank and truncated work is never judged right."""
    if trace.finish == "length":
        verdict, by = "truncated", "none"
    elif not trace.answer:
        verdict, by = "blank", "none"
    else:
        same = _plain(trace.answer) == _plain(problem.gold)
        verdict, by = ("correct" if same else "incorrect"), "symbolic"
    return Verified(problem.id, trace.text, trace.answer, problem.gold, verdict, by)


def judge_recorded(problem: Problem, trace: Trace, placeholders: Container[str]) -> Verified:
    """Judge a recorded chain by its own conclusion."""
    undecided = trace.text and problem.id in placeholders
    verdict = "undecided" if undecided else chain_verdict.judge(trace.text, problem.gold, whole=trace.finish == "stop")
    by = "symbolic" if verdict in ("correct", "incorrect") else "none"
    return Verified(problem.id, trace.text, trace.answer, problem.gold, verdict, by)


def _plain(answer: str) -> str:
    return "".join(answer.split()).lower()


if __name__ == "__main__":
    command.run(main)
