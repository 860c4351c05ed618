"""Agent 2: is the teacher's answer right? A symbolic check first; what it cannot decide is asked of a model, where the study has one.

Recorded work is judged anew, by what its text concludes; work on a placeholder has nothing to be right about, and is undecided.
"""

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import msgspec

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_json, write_records
from distill.llm import role_client
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.records.verified import Verified
from distill.teacher import chain_verdict, verifier


class Symbolic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="symbolic"):
    """Section `verify`: equal text."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="recorded"):
    """Section `verify`: what a published chain concludes."""


TEACHERS: dict[Any, type[Any]] = {"symbolic": Symbolic, "recorded": Recorded, "chat": verifier.Chat}


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
    if trace.text and problem.id in placeholders:
        return Verified(problem.id, trace.text, trace.answer, problem.gold, "undecided", "none")
    verdict = chain_verdict.judge(trace.text, problem.gold)
    by = "symbolic" if verdict in ("correct", "incorrect") else "none"
    return Verified(problem.id, trace.text, trace.answer, problem.gold, verdict, by)


def _plain(answer: str) -> str:
    return "".join(answer.split()).lower()


def audit(problems: list[Problem], traces: list[Trace], verified: list[Verified]) -> dict[str, Any]:
    """Count the verdicts and the reasons of what was not solved; accuracy is over all problems."""
    if not problems:
        raise InputError("verify: no problems, so the teacher has no accuracy; look at the extract stage")
    verdicts = Counter(row.verdict for row in verified)
    reader = {problem.id: problem.reader for problem in problems}
    right: Counter[str] = Counter(reader[row.id] for row in verified if row.verdict == "correct")
    readers = Counter(reader.values())
    return {
        "problems": len(problems),
        "verified_correct": verdicts["correct"],
        "accuracy": verdicts["correct"] / len(problems),
        "verdicts": dict(sorted(verdicts.items())),
        "unsolved": dict(sorted(Counter(trace.reason for trace in traces if trace.finish == "unsolved").items())),
        "readers": {name: {"problems": n, "accuracy": right[name] / n} for name, n in sorted(readers.items())},
    }


def main(study: str, problems: str, reading: str, traces: str, out: str, metrics: str, transcripts: str) -> None:
    """Read problems and traces, write the verdicts and the teacher's metrics."""
    teacher = study_file.section(study, "verify", dict[str, Any]).get("teacher")
    if teacher not in TEACHERS:
        raise InputError(f"{study}: section 'verify': teacher is {teacher!r}; allowed: {', '.join(TEACHERS)}")
    params = study_file.section(study, "verify", TEACHERS[teacher])
    if teacher == "chat":
        by_model(study, params, Path(problems), Path(traces), (out, metrics, transcripts))
        return
    asked = read_records(Path(problems), Problem)
    work = {trace.id: trace for trace in read_records(Path(traces), Trace)}
    if missing := [problem.id for problem in asked if problem.id not in work]:
        raise InputError(f"{traces}: no trace for problem {missing[0]} and {len(missing) - 1} more; run `dvc repro` for the solve stage")
    if teacher == "recorded":
        placeholders = {each.id for each in read_records(Path(reading), ExtractedItem) if "placeholder" in each.flags}
        verified = [judge_recorded(problem, work[problem.id], placeholders) for problem in asked]
    else:
        verified = [judge(problem, work[problem.id]) for problem in asked]
    write_records(Path(out), verified)
    write_json(Path(metrics), audit(asked, list(work.values()), verified))
    role_client.leave_none(transcripts)
    command.closing("verify", len(asked), len(verified))


def by_model(study: str, params: verifier.Chat, problems: Path, traces: Path, outs: tuple[str, str, str]) -> None:
    """Write (verdicts, metrics, transcripts) of a study whose verifier is a model."""
    tally = verifier.Tally()

    def counted(own: role_client.Desk) -> Iterator[Verified]:
        for problem, work, rows in verifier.verified(own, params, problems, traces):
            tally.add(problem, work, rows)
            yield from rows

    with role_client.opened(study, "verify", params) as own:
        wrote = files.write_records(Path(outs[0]), counted(own))
        write_json(Path(outs[1]), tally.document())
        own.leave(outs[2])
    command.closing("verify", wrote, wrote)


if __name__ == "__main__":
    command.run(main)
