"""What is scored of one student: texts after questions, by problem and measure; and its rows."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from msgspec import UNSET

from distill.likelihood.parts import Drawn
from distill.likelihood.row import Likelihood, Measure
from distill.likelihood.targets import Target, chain_of, target
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.completion import Completion
from distill.records.example import Example, Message


class Job(NamedTuple):
    """A text after a question, and the rows that it is scored for."""

    place: int  # of the problem among those drawn
    measures: list[Measure]
    text: str  # the arm whose own text it is, of measure `chain`
    prompt: list[int]
    target: Target


class Form(NamedTuple):
    """How answers are written."""

    tokenizers: Mapping[str, ChatTokenizer]  # by benchmark
    end: int  # token
    opening: str


def jobs(
    drawn: Sequence[Drawn],
    prompts: Sequence[list[Message]],
    common: Mapping[str, str],
    own: Mapping[str, Mapping[str, Example]],
    sampled: Mapping[tuple[str, str], Sequence[Completion]],
    form: Form,
) -> list[Job]:
    """Return the jobs of one student: `common` texts by problem, `own` ones by arm and problem, `sampled` by benchmark and problem."""
    found = []
    for place, (each, turns) in enumerate(zip(drawn, prompts, strict=True)):
        problem, tokenizer = each.problem, form.tokenizers[each.problem.benchmark]

        def add(
            measures: list[Measure], turns: list[Message], chain: str, text: str = "",
            place: int = place, gold: str = problem.gold, tokenizer: ChatTokenizer = tokenizer,
        ) -> None:  # fmt: skip
            found.append(Job(place, measures, text, tokenizer.prompt(turns), target(tokenizer, form.end, chain, form.opening, gold)))

        add(["answer_direct"], turns, "")
        for completion in sampled.get((problem.benchmark, problem.id), ()):
            add(["answer_sampled"], turns, chain_of(completion.text, form.opening))
        if each.part != problem.benchmark:  # the study's own: the work on it is known
            if chain := chain_of(common.get(problem.id, ""), form.opening):
                add(["chain_common", "answer_after_chain"], turns, chain)
            for arm, examples in own.items():
                *head, answer = examples[problem.id].messages if problem.id in examples else [Message("", "")]
                if chain := chain_of(answer.content, form.opening):
                    add(["chain"], head, chain, arm)
    return found


def rows(arm: str, seed: int, drawn: Sequence[Drawn], done: Sequence[Job], nats: Sequence[Sequence[float]]) -> list[Likelihood]:
    """Return the rows of scored jobs, sorted; `nats` has those of each token of a job, 0 where it is not scored."""
    parts = defaultdict(list)
    for job, values in zip(done, nats, strict=True):
        for measure in job.measures:
            parts[job.place, measure, job.text].append((job.target, values))
    found = [_row(arm, seed, drawn[place], measure, text, scored) for (place, measure, text), scored in parts.items()]
    return sorted(found, key=lambda row: (row.part, row.benchmark, row.id, row.measure, row.text))


def _row(
    arm: str, seed: int, drawn: Drawn, measure: Measure, text: str, scored: Sequence[tuple[Target, Sequence[float]]]
) -> Likelihood:  # fmt: skip
    """Return a row; of several samples the means."""
    chain = measure.startswith("chain")
    spans = [(slice(0, each.chain) if chain else slice(each.opening, each.answer), values) for each, values in scored]
    own = [math.fsum(values[span]) for span, values in spans]
    ends = [math.fsum(values[each.answer :]) for each, values in scored]
    openings = [math.fsum(values[each.chain : each.opening]) for each, values in scored]
    sampled, first = measure == "answer_sampled", scored[0][0]
    return Likelihood(
        arm=arm, seed=seed, benchmark=drawn.problem.benchmark, id=drawn.problem.id, part=drawn.part, cluster=drawn.cluster,
        measure=measure, text=text,
        nats=round(fmean(own), 6), tokens=first.chain if chain else first.answer - first.opening,
        opening_nats=round(fmean(openings), 6), opening_tokens=first.opening - first.chain, end_nats=round(fmean(ends), 6),
        probability=_digits(fmean(map(math.exp, own))) if sampled else UNSET,
        probability_ended=_digits(fmean(math.exp(a + b) for a, b in zip(own, ends, strict=True))) if sampled else UNSET,
        samples=len(scored) if sampled else UNSET,
    )  # fmt: skip


def _digits(probability: float) -> float:
    """Round to six digits that count, however small it is."""
    return float(f"{probability:.6g}")
