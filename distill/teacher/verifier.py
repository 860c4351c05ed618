"""The verifier: symbolic first, then a model that sees problem, gold and answer; of k samples, which trace is the teacher's."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from distill.answers.equality import decide
from distill.answers.verify_pool import compare
from distill.core import files
from distill.core.errors import InputError
from distill.llm import prompts
from distill.llm.prompts import Prompt
from distill.llm.request import Answer, Failure, Request
from distill.llm.role_client import Model
from distill.llm.route import Dialogue
from distill.records.problem import Problem
from distill.records.trace import Trace
from distill.records.verified import Verified

_VERDICT = re.compile(r"\W*verdict\W*(correct|incorrect)\W*", re.IGNORECASE)
Symbolic = dict[tuple[str, str], bool | None]  # (gold, answer) -> equal, unequal or undecided
Group = tuple[Problem, list[Trace]]
Verdicts = tuple[Problem, list[Trace], list[Verified]]


class ModelVerifier(Model, frozen=True, tag_field="teacher", tag="chat"):
    """Section `verify` of a model, which judges what the symbolic check leaves open."""

    asks: Literal["undecided", "all"]  # the answers put to the model; the symbolic verdict counts where there is one
    choose: Literal["first", "majority"]  # the teacher's trace of a problem: its first correct sample, or the most frequent answer's first
    time_limit: Annotated[float, Meta(gt=0)]  # processor seconds of one symbolic comparison
    memory_limit: Annotated[int, Meta(ge=64)]  # MiB of one symbolic comparison
    workers: Annotated[int, Meta(ge=1)]  # processes for comparisons


def load_prompt(params: ModelVerifier) -> Prompt:
    """Return the verifier's prompt."""
    return prompts.load(params.prompt, "verify", {"problem", "gold", "answer"})


def build_request(params: ModelVerifier, prompt: Prompt, statement: str, gold: str, answer: str) -> Request:
    """Return the request that has one answer judged."""
    return params.request(prompt.messages({"problem": statement, "gold": gold, "answer": answer}))


def verdict(answer: Answer) -> str:
    """Return what a model's last line says: correct | incorrect, or undecided where it says neither."""
    if isinstance(answer, Failure) or answer.unusable:
        return "undecided"
    match = _VERDICT.fullmatch(answer.text.rpartition("\n")[2])
    return match[1].lower() if match else "undecided"


def read_groups(problems: Path, traces: Path) -> Iterator[Group]:
    """Yield each problem with its traces; both files are in the order of the problems."""
    work = groupby(files.iterate_records(traces, Trace), key=lambda trace: trace.id)
    for problem in files.iterate_records(problems, Problem):
        name, found = next(work, ("", iter(())))
        if name != problem.id:
            raise InputError(f"{traces}: no trace for problem {problem.id} where it should be; run `dvc repro` for the solve stage")
        yield problem, list(found)


def symbolic_verdicts(params: ModelVerifier, groups: Iterable[Group]) -> Symbolic:
    """Compare every answer with its gold answer, each pair once."""
    pairs = {(problem.gold, trace.answer) for problem, traces in groups for trace in traces if _whole(trace)}
    return compare(pairs, params.time_limit, params.memory_limit, params.workers)


def verify(params: ModelVerifier, prompt: Prompt, symbolic: Symbolic, group: Group) -> Dialogue[Verdicts]:
    """Judge the traces of one problem; the model is asked once about each distinct answer that is put to it."""
    problem, traces = group
    put = [trace.answer for trace in traces if _whole(trace) and (params.asks == "all" or symbolic[problem.gold, trace.answer] is None)]
    distinct = list(dict.fromkeys(put))
    answers = yield [(build_request(params, prompt, problem.statement, problem.gold, answer), 0) for answer in distinct]
    said = dict(zip(distinct, map(verdict, answers), strict=True))
    rows = [
        judge(problem, trace, symbolic.get((problem.gold, trace.answer)), said.get(trace.answer, "") if _whole(trace) else "")
        for trace in traces
    ]
    return problem, traces, choose(rows, params.choose)


def _whole(trace: Trace) -> bool:
    """Tell whether a trace has an answer to judge; blank and truncated work is never put to the model."""
    return trace.finish == "stop" and bool(trace.answer)


def judge(problem: Problem, trace: Trace, same: bool | None, model: str) -> Verified:
    """Return the verdict on one trace: by the symbolic check, where that is undecided by the model, where that was asked."""
    if not _whole(trace):
        found, by = ("truncated" if trace.finish == "length" else "blank"), "none"
    elif same is not None:
        found, by = ("correct" if same else "incorrect"), "symbolic"
    else:
        found, by = model or "undecided", "none" if model in ("", "undecided") else "model"
    return Verified(problem.id, trace.text, trace.answer, problem.gold, found, by, trace.sample, model)


def choose(rows: Sequence[Verified], rule: str) -> list[Verified]:
    """Return a problem's rows with a reason on each correct one that is not used; the first without a reason counts for the problem."""
    given = [place for place, row in enumerate(rows) if row.judge != "none" or row.verdict == "undecided"]
    if rule == "majority":
        winners = max(_alike(rows, given), key=len, default=[])  # of equal sizes, the one whose first sample came first
    else:
        winners = [place for place in given if rows[place].verdict == "correct"]
    found = []
    for place, row in enumerate(rows):
        reason = ""
        if row.verdict == "correct" and place != next(iter(winners), None):
            reason = "another sample is used" if place in winners else "outvoted"
        found.append(msgspec.structs.replace(row, rejected=reason))
    return found


def _alike(rows: Sequence[Verified], places: Sequence[int]) -> list[list[int]]:
    """Group places whose answers are equal, to each other or to the gold answer; an answer joins the first group whose first it equals."""
    alike: list[list[int]] = []
    for place in places:
        for group in alike:
            first, row = rows[group[0]], rows[place]
            if first.verdict == row.verdict == "correct" or decide(first.answer, row.answer):
                group.append(place)
                break
        else:
            alike.append([place])
    return alike


class Tally:
    """The verifier's metrics, row by row; accuracy is over all problems."""

    def __init__(self) -> None:
        self.problems, self.right = Counter[str](), Counter[str]()  # by reader
        self.verdicts, self.unsolved = Counter[str](), Counter[str]()  # of the problems; of the traces
        self.samples = Counter[str]()
        self.model, self.against = Counter[str](), Counter[str]()

    def add(self, problem: Problem, work: Sequence[Trace], rows: Sequence[Verified]) -> None:
        """Count one problem."""
        used = next((row for row in rows if row.verdict == "correct" and not row.rejected), None)
        outvoted = any(row.rejected == "outvoted" for row in rows)
        self.problems[problem.reader] += 1
        self.right[problem.reader] += used is not None
        self.verdicts["correct" if used else "incorrect" if outvoted else rows[0].verdict] += 1
        self.unsolved.update(trace.reason for trace in work if trace.finish == "unsolved")
        self.samples.update(row.verdict for row in rows)
        for row in rows:
            if row.model:
                self.model[row.model] += 1
                if row.judge == "symbolic":
                    self.against[f"symbolic_{row.verdict}_model_{row.model}"] += 1

    def document(self, by_model: bool) -> dict[str, Any]:
        """Return the metric: of the problems, and where a model is the verifier of the samples and of what it said."""
        total, right, samples = self.problems.total(), self.right.total(), self.samples.total()
        if not total:
            raise InputError("verify: no problems, so the teacher has no accuracy; look at the extract stage")
        found: dict[str, Any] = {
            "problems": total,
            "verified_correct": right,
            "accuracy": right / total,
            "verdicts": dict(sorted(self.verdicts.items())),
            "unsolved": dict(sorted(self.unsolved.items())),
            "readers": {name: {"problems": n, "accuracy": self.right[name] / n} for name, n in sorted(self.problems.items())},
        }
        if by_model:
            verdicts = dict(sorted(self.samples.items()))
            found["samples"] = {"count": samples, "accuracy": self.samples["correct"] / samples, "verdicts": verdicts}
            found["model"] = {"asked": self.model.total(), "verdicts": dict(sorted(self.model.items()))}
            found["disagreement"] = {name: self.against[name] for name in _PAIRS}
        return found


_PAIRS = [f"symbolic_{one}_model_{other}" for one in ("correct", "incorrect") for other in ("correct", "incorrect", "undecided")]
