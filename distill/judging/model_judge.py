"""A model as judge: which answers it is asked about, and what it decides about each."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from distill.core.errors import InputError
from distill.judging import probes
from distill.judging.judgement import Judgement, decision
from distill.judging.probes import Case, Problems
from distill.llm import prompts
from distill.llm.prompts import Prompt
from distill.llm.request import Failure, key
from distill.llm.role_client import Model
from distill.llm.route import Dialogue
from distill.records.verdict import Verdict


class ModelJudge(Model, frozen=True, tag_field="kind", tag="chat"):
    """Section `llm_judge` where a model is asked."""

    counts: bool  # whether its decisions replace `ungradable`
    max_chars: Annotated[int, Meta(ge=1)]  # an ungradable answer this long is not asked about; at most grade.max_chars
    agreement: Annotated[int, Meta(ge=0)]  # answers that the grader decided, asked about to compare
    probes: Annotated[int, Meta(ge=0)]  # planted answers of each kind
    seed: Annotated[int, Meta(ge=0)]  # of both draws
    confidence: Annotated[float, Meta(gt=0, lt=1)]  # of the interval of the false-positive rate


def load_prompt(params: ModelJudge) -> Prompt:
    """Return the judge's prompt."""
    return prompts.load(params.prompt, "judge", {"problem", "gold", "answer", "fence"})


def plan(verdicts: Sequence[Verdict], known: Problems, params: ModelJudge) -> tuple[list[Case], int]:
    """Return what to ask about, and how many ungradable answers are left out; probes use problems that the students were asked."""
    asked = sorted({(verdict.benchmark, verdict.id) for verdict in verdicts})
    if strange := [name for name in asked if name not in known]:
        name, benchmark = strange[0][1], strange[0][0]
        raise InputError(f"llm_judge: {name} of {benchmark} has a verdict and is no problem of this study; run `dvc repro grade`")
    open_, left_out = probes.undecided(verdicts, known, params.max_chars)
    drawn = probes.decided(verdicts, known, params.agreement, params.seed)
    return [*open_, *drawn, *probes.planted([known[name] for name in asked], params.probes, params.seed)], left_out


def judge(params: ModelJudge, prompt: Prompt, case: Case) -> Dialogue[Judgement]:
    """Ask about one case; an answer of no use leaves it undecided."""
    request = params.request(prompt.messages(probes.values(case)))
    (answer,) = yield [(request, 0)]
    model, reply = "", ""
    if isinstance(answer, Failure):
        decided, reason = "undecided", "no answer of the model"
    else:
        model, reply = answer.model or request.model, answer.text
        decided, reason = ("undecided", answer.unusable) if answer.unusable else decision(reply)
    problem = case.problem
    asked = (case.part, case.kind, problem.benchmark, problem.id, problem.gold, case.answer, case.grader)
    return Judgement(*asked, decided, reason, model, reply, key(request, 0))
