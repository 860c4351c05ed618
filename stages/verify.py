"""Agent 2: is the teacher's answer right? A symbolic check first; what it cannot decide is put to a model, where the study has one.

Recorded work is judged anew, by what its text concludes; work on a placeholder has nothing to be right about, and is undecided.
"""

from collections import Counter
from collections.abc import Container, Iterator
from typing import Any

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.llm import role_client, transcripts
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.records.verified import Verified
from distill.teacher import chain_verdict, verifier
from distill.teacher.teacher_kinds import Recorded, teacher_type

TRANSCRIPTS = "verify.jsonl.gz"


def main(paths: Paths) -> None:
    """Read problems and traces, write the verdicts and the teacher's metrics."""
    section = study_file.section(paths.study_file, "verify", dict[str, Any])
    params = study_file.section(paths.study_file, "verify", teacher_type(paths.study_file, "verify", section, verifier.ModelVerifier))
    if isinstance(params, verifier.ModelVerifier):
        by_model(paths, params)
        return
    problems = files.read_records(paths.problems, Problem)
    traces = {trace.id: trace for trace in files.read_records(paths.traces, Trace)}
    if missing := [problem.id for problem in problems if problem.id not in traces]:
        raise InputError(
            f"{paths.traces}: no trace for problem {missing[0]} and {len(missing) - 1} more; run `dvc repro` for the solve stage"
        )
    if isinstance(params, Recorded):
        placeholders = {each.id for each in files.read_records(paths.extracted, ExtractedItem) if "placeholder" in each.flags}
        verified = [judge_recorded(problem, traces[problem.id], placeholders) for problem in problems]
    else:
        verified = [judge(problem, traces[problem.id]) for problem in problems]
    files.write_records(paths.verified, verified)
    files.write_json(paths.teacher_metrics, audit(problems, list(traces.values()), verified))
    transcripts.write(paths.transcripts / TRANSCRIPTS, [])
    command.closing("verify", len(problems), len(verified))


def by_model(paths: Paths, params: verifier.ModelVerifier) -> None:
    """Have a model judge what the symbolic check leaves open, and keep its calls as transcripts."""
    prompt, tally = verifier.load_prompt(params), verifier.Tally()
    symbolic = verifier.symbolic_verdicts(params, verifier.read_groups(paths.problems, paths.traces))

    def counted(client: role_client.RoleClient) -> Iterator[Verified]:
        groups = verifier.read_groups
        for found in client.run(lambda: (verifier.verify(params, prompt, symbolic, each) for each in groups(paths.problems, paths.traces))):
            tally.add(*found)
            yield from found[-1]

    with role_client.opened(paths.study_file, paths.work, "verify", params) as client:
        wrote = files.write_records(paths.verified, counted(client))
        files.write_json(paths.teacher_metrics, tally.document())
        client.write_transcripts(paths.transcripts / TRANSCRIPTS)
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
    verdict = "undecided" if undecided else chain_verdict.judge(trace.text, problem.gold)
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


if __name__ == "__main__":
    command.run(main)
