"""The solver: a model that sees a problem's statement and nothing else."""

from typing import Annotated, Literal

from msgspec import Meta

from distill.answers.final_answer import final_answer
from distill.llm import prompts
from distill.llm.prompts import Prompt
from distill.llm.request import Answer, Failure, Request
from distill.llm.role_client import Model
from distill.llm.route import Dialogue
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE
from distill.records.trace import Trace


class ModelSolver(Model, frozen=True, tag_field="teacher", tag="chat"):
    """Section `solve` of a model."""

    samples: Annotated[int, Meta(ge=1)]  # independent solutions of each problem
    keep: Literal["text", "reasoning"]  # what a trace holds: the written solution, or the reasoning and then the solution


def load_prompt(params: ModelSolver) -> Prompt:
    """Return the solver's prompt; an InputError where its samples would all be equal."""
    params.check_samples("solve", params.samples)
    return prompts.load(params.prompt, "solve", {"problem"})


def build_request(params: ModelSolver, prompt: Prompt, problem: Problem) -> Request:
    """Return the request for one problem; its samples differ by their index."""
    return params.request(prompt.messages({"problem": problem.statement}))


def solve(params: ModelSolver, prompt: Prompt, problem: Problem) -> Dialogue[list[Trace]]:
    """Have one problem solved; return its traces, sample by sample."""
    request = build_request(params, prompt, problem)
    answers = yield [(request, sample) for sample in range(params.samples)]
    return [trace(problem.id, params, answer, sample) for sample, answer in enumerate(answers)]


def trace(name: str, params: ModelSolver, answer: Answer, sample: int) -> Trace:
    """Return what came of one call: a trace, one that was cut off, or none with the reason."""
    if isinstance(answer, Failure):
        return Trace(name, params.model, "", "", "unsolved", "no answer of the model", sample)
    teacher = answer.model or params.model
    if answer.unusable and answer.finish != "length":
        return Trace(name, teacher, "", "", "unsolved", "no end" if answer.unusable == "unfinished" else answer.unusable, sample)
    text = f"{answer.reasoning}\n\n{answer.text}".strip() if params.keep == "reasoning" else answer.text
    finish = "length" if answer.unusable else "stop"
    return Trace(name, teacher, text, final_answer(answer.text, ANSWER_LINE, finish, "strict"), finish, "", sample)
