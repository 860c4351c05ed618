"""A model judges what the grader could not decide, and is judged itself: by what the grader decided, and by planted answers.

It is shown a problem, its gold answer and a final answer, never a chain of thought; a blank or a truncated answer is never asked about.
resolved.jsonl.gz holds the verdicts that summaries and claims read: the grader's, and in place of `ungradable` the model's where the study
lets them count. verdicts.jsonl.gz stays the grader's, and every decision stands in judged.jsonl with the model's words.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.judging import probes
from distill.judging.judge_metrics import figures
from distill.judging.judgement import Judged, decision, resolve
from distill.judging.probes import Case, Key
from distill.llm import prompts, role_client
from distill.llm.dispatcher import Asked
from distill.llm.prompts import Prompt
from distill.llm.request import WHOLE, Request, key, parse
from distill.llm.role_client import Desk, Model
from distill.llm.transcripts import Call
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from stages.grade import with_notes
from stages.llm_cost import ledger


class Off(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """Section `judge` where no model is asked."""


class Chat(Model, frozen=True, tag_field="kind", tag="chat"):
    """Section `judge` where a model is asked."""

    counts: bool  # whether its decisions stand in place of `ungradable`
    max_chars: Annotated[int, Meta(ge=1)]  # an ungradable answer this long is not asked about; at most grade.max_chars
    agreement: Annotated[int, Meta(ge=0)]  # answers that the grader decided, asked about to compare
    probes: Annotated[int, Meta(ge=0)]  # planted answers of each kind
    seed: int  # of both draws
    confidence: float  # of the interval of the false-positive rate


KINDS: dict[Any, type[Any]] = {"none": Off, "chat": Chat}


def main(
    study: str, verdicts: str, problems: str, readings: str, benchmarks: str, judged: str, resolved: str, transcripts: str, metrics: str
) -> None:
    """Read the grader's verdicts; write the decisions, the verdicts that count, the calls and how far the judge is to be trusted."""
    kind = study_file.section(study, "llm_judge", dict[str, Any]).get("kind")
    if kind not in KINDS:
        raise InputError(f"{study}: section 'llm_judge': kind is {kind!r}; allowed: {', '.join(KINDS)}")
    params = study_file.section(study, "llm_judge", KINDS[kind])
    graded = files.read_records(Path(verdicts), Verdict)
    found: dict[str, Any] = {"judge": "none", "ungradable": ungradable(graded)}
    rows: list[Judged] = []
    counted = graded
    if isinstance(params, Chat):
        known = read_problems([Path(problems), *sorted(Path(benchmarks).glob("*.jsonl"))], Path(readings))
        rows, more = by_model(study, params, graded, known, transcripts)
        counted = resolve(graded, rows) if params.counts else graded
        found |= {"judge": params.model, "settled": found["ungradable"] - ungradable(counted)} | more
    else:
        role_client.leave_none(transcripts)
    files.write_records(Path(judged), rows)
    files.write_records(Path(resolved), counted)
    files.write_json(Path(metrics), found)
    command.closing("judge", len(graded), len(rows))


def by_model(
    study: str, params: Chat, graded: Sequence[Verdict], known: dict[Key, Problem], transcripts: str
) -> tuple[list[Judged], dict[str, Any]]:
    """Have the model asked, and keep its calls as transcripts; return its decisions and its figures."""
    cases, left_out = plan(graded, known, params)
    told = prompts.load(params.prompt, "judge", {"problem", "gold", "answer", "fence"})
    with role_client.opened(study, "judge", params) as own:
        rows = ask(own, told, cases)
        own.leave(transcripts)
        price = own.endpoints[params.endpoint].price(params.model)
    responses = (parse(call.response) for call in files.iterate_records(Path(transcripts), Call))
    paid = msgspec.to_builtins(ledger(responses, price, params.batch is not None))
    return rows, {"left_out": left_out, **figures(rows, params.confidence), "cost": paid}


def ungradable(verdicts: Sequence[Verdict]) -> int:
    """Count the verdicts that leave an answer undecided."""
    return sum(verdict.outcome == "ungradable" for verdict in verdicts)


def read_problems(paths: Sequence[Path], readings: Path) -> dict[Key, Problem]:
    """Return the problems by (benchmark, id), their gold answers with the notes on form that the grader goes by."""
    known = {(problem.benchmark, problem.id): problem for path in paths for problem in files.read_records(path, Problem)}
    golds = with_notes({name: problem.gold for name, problem in known.items()}, files.read_records(readings, ExtractedItem))
    return {name: msgspec.structs.replace(problem, gold=golds[name]) for name, problem in known.items()}


def plan(verdicts: Sequence[Verdict], known: dict[Key, Problem], params: Chat) -> tuple[list[Case], int]:
    """Return what to ask about, and how many ungradable answers are left out; probes stand on problems that the students were asked."""
    asked = sorted({(verdict.benchmark, verdict.id) for verdict in verdicts})
    if strange := [name for name in asked if name not in known]:
        raise InputError(f"judge: {strange[0][1]} of {strange[0][0]} has a verdict and is no problem of this study; run `dvc repro grade`")
    open_, left_out = probes.undecided(verdicts, known, params.max_chars)
    drawn = probes.decided(verdicts, known, params.agreement, params.seed)
    return [*open_, *drawn, *probes.planted([known[name] for name in asked], params.probes, params.seed)], left_out


def ask(own: Desk, told: Prompt, cases: Sequence[Case]) -> list[Judged]:
    """Have a model asked about every case, and return what it decided, in the order of the cases."""

    def calls() -> Iterator[Asked]:
        return ((f"{case.part} {case.problem.id}", question(own, told, case), 0) for case in cases)

    own.ask(calls, "judge")
    return [judgement(own, question(own, told, case), case) for case in cases]


def question(own: Desk, told: Prompt, case: Case) -> Request:
    """Return the request about one case."""
    return own.request(told.messages(probes.values(case)))


def judgement(own: Desk, asked: Request, case: Case) -> Judged:
    """Return what the model decided about a case; what came of the call otherwise leaves it undecided."""
    response = own.answer(asked, 0)
    if response is None:
        decided, reason = "undecided", "no answer of the model"
    elif response.finish not in WHOLE:
        decided, reason = "undecided", response.finish or "no end"
    else:
        decided, reason = decision(response.text)
    by, reply = (response.model or asked.model, response.text) if response else ("", "")
    problem = case.problem
    return Judged(
        case.part,
        case.kind,
        problem.benchmark,
        problem.id,
        problem.gold,
        case.answer,
        case.grader,
        decided,
        reason,
        by,
        reply,
        key(asked, 0),
    )


if __name__ == "__main__":
    command.run(main)
