"""The solver: a model that sees a problem's statement and nothing else."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from distill.answers.final_answer import final_answer
from distill.core import files
from distill.core.errors import InputError
from distill.llm import prompts
from distill.llm.dispatcher import Asked
from distill.llm.prompts import Prompt
from distill.llm.request import WHOLE, Request, Response
from distill.llm.role_client import Desk, Model
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE
from distill.records.trace import Trace


class Chat(Model, frozen=True, tag_field="teacher", tag="chat"):
    """Section `solve` where the teacher is a model."""

    samples: Annotated[int, Meta(ge=1)]  # independent solutions of each problem
    keep: Literal["text", "reasoning"]  # what a trace holds: the written solution, or the reasoning and then the solution


def prompt(params: Chat) -> Prompt:
    """Return the solver's prompt."""
    return prompts.load(params.prompt, "solve", {"problem"})


def asked(desk: Desk, told: Prompt, problem: Problem) -> Request:
    """Return the request for one problem; its samples differ by their index."""
    return desk.request(told.messages({"problem": problem.statement}))


def calls(desk: Desk, told: Prompt, problems: Iterable[Problem], samples: int) -> Iterator[Asked]:
    """Yield every call of the solver, in the order of the problems."""
    return ((problem.id, asked(desk, told, problem), sample) for problem in problems for sample in range(samples))


def traces(desk: Desk, params: Chat, problems: Path) -> Iterator[Trace]:
    """Ask for every problem, then yield its traces, sample by sample, in the order of the problems."""
    told = prompt(params)
    if params.samples > 1 and not params.sampling.temperature:
        raise InputError(f"solve: {params.samples} samples at temperature 0 are one answer; raise one or lower the other")
    desk.ask(lambda: calls(desk, told, files.iterate_records(problems, Problem), params.samples), "solve")
    for problem in files.iterate_records(problems, Problem):
        for sample in range(params.samples):
            yield trace(problem.id, params, desk.answer(asked(desk, told, problem), sample), sample)


def trace(name: str, params: Chat, response: Response | None, sample: int) -> Trace:
    """Return what came of one call: a trace, one that was cut off, or none with the reason."""
    if response is None:
        return Trace(name, params.model, "", "", "unsolved", "no answer of the model", sample)
    teacher = response.model or params.model
    text = f"{response.reasoning}\n\n{response.text}".strip() if params.keep == "reasoning" else response.text
    if response.finish == "length":
        return Trace(name, teacher, text, final_answer(response.text, ANSWER_LINE, "length"), "length", "", sample)
    if response.finish not in WHOLE or not response.text:
        return Trace(name, teacher, "", "", "unsolved", "blank" if response.finish in WHOLE else response.finish or "no end", sample)
    return Trace(name, teacher, text, final_answer(response.text, ANSWER_LINE, "stop"), "stop", "", sample)
