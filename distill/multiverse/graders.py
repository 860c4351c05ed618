"""Other graders of the same completions: our grader by another extraction profile, math-verify, the last number of the text.

math-verify judges the final answer that the study's own profile finds, and where it finds none the whole text, by its own extraction
(which takes the last number of a plain text, 3 of "(37, 3)"). Each distinct answer to a problem is graded once. The library reads the
texts of a model, so that it runs in processes that can be killed.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from tqdm import tqdm

from distill.answers.answer_format import Form
from distill.answers.answer_key import read_key
from distill.answers.final_answer import PROFILES, Profile, final_answer
from distill.answers.grade_pairs import outcome
from distill.answers.verify_pool import Pair, compare, latex
from distill.processes import worker_pool
from distill.processes.worker_pool import Limits

_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?![\w/])")
_FAILURES = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RuntimeError, AssertionError, MemoryError)


class Grading(msgspec.Struct, frozen=True):
    """Of section `grade`: what other graders share with ours."""

    profiles: Annotated[list[Profile], Meta(min_length=1)]
    answer_line: str
    time_limit: float
    memory_limit: int
    workers: int
    max_chars: int


class Answer(NamedTuple):
    """A completion as a grader sees it."""

    gold: str
    text: str
    finish: str  # stop | length
    form: Form | None = None  # of the benchmark's answers


def grade(answers: Sequence[Answer], graders: Sequence[str], grading: Grading) -> dict[str, dict[Answer, str]]:
    """Return the outcome of each distinct answer by each grader."""
    distinct = sorted(set(answers), key=lambda answer: answer[:3])
    found = {}
    finals: dict[str, dict[Answer, str]] = {}
    for name in graders:
        if name == "math-verify":
            found[name] = _by_library(distinct, grading)
        elif name == "last-number":
            finals[name] = {answer: last_number(answer.text) for answer in distinct}
        else:
            profile = next(each for each in PROFILES if each == name)
            finals[name] = {each: final_answer(each.text, grading.answer_line, each.finish, profile) for each in distinct}
    pairs = {(each.gold, text) for texts in finals.values() for each, text in texts.items() if 0 < len(text) <= grading.max_chars}
    equal = compare(pairs, grading.time_limit, grading.memory_limit, grading.workers)
    for name, texts in finals.items():
        outcomes = {each: outcome(each.finish, (each.gold, text), _settled(each, text, equal)) for each, text in texts.items()}
        found[name] = {each: cut(each, said) for each, said in outcomes.items()} if name == "last-number" else outcomes
    return found


def last_number(text: str) -> str:
    """Return the last number of a text, "" where it has none.

    >>> last_number("Product: 28*36=1384. Answer: 1,384 cm"), last_number("x^2"), last_number("-3/4.")
    ('1,384', '', '-3/4')
    """
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else ""


def cut(answer: Answer, outcome: str) -> str:
    """Return the outcome by a grader that takes any number for the answer: of a text that was cut off, a wrong one is `truncated`."""
    return "truncated" if answer.finish == "length" and outcome in ("wrong", "no_answer") else outcome


def _settled(answer: Answer, text: str, equal: Mapping[Pair, bool | None]) -> dict[Pair, bool | None]:
    pair = (answer.gold, text)
    verdict = equal.get(pair)
    return {pair: answer.form.settle(*pair) if verdict is None and answer.form and pair in equal else verdict}


def _by_library(answers: Sequence[Answer], grading: Grading) -> dict[Answer, str]:
    limits = Limits(grading.time_limit, grading.memory_limit << 20)
    asked = {answer: (read_key(answer.gold).gold, _for_library(answer, grading)) for answer in answers}
    pairs = sorted(set(asked.values()))
    outcomes = worker_pool.run(library_outcome, pairs, limits, grading.workers, preload="math_verify")
    said = {pair: done.value or "ungradable" for pair, done in tqdm(outcomes, total=len(pairs), unit="answer", desc="math-verify")}
    return {answer: cut(answer, said[pair]) for answer, pair in asked.items()}


def _for_library(answer: Answer, grading: Grading) -> str:
    final = final_answer(answer.text, grading.answer_line, answer.finish, grading.profiles[0])
    return f"${latex(final)}$" if final else answer.text


def library_outcome(pair: Pair) -> str:
    """Grade a text by math-verify, its own extraction included. Runs in a worker only: it may not end."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)  # the library logs every text that it cannot parse
    gold, text = pair
    try:
        found = parse(text, parsing_timeout=None, raise_on_error=True)
        if not found:
            return "no_answer"
        return "correct" if verify(_gold(gold), found, timeout_seconds=None, raise_on_error=True) else "wrong"
    except _FAILURES:
        return "ungradable"


@lru_cache(4096)
def _gold(text: str) -> Any:
    from math_verify import parse

    return parse(f"${latex(text)}$", parsing_timeout=None, raise_on_error=True)
