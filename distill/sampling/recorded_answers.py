"""Recorded answers as completions: each matched to the problem that was asked; none is invented."""

import re
from collections import Counter
from collections.abc import Sequence

from distill.model.recorded_student import RecordedAnswer, squeeze, unanimous
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.recorded_trace import breaks_off

_BOX = re.compile(r"\\boxed\s*\{.*\}")


def completions(answers: Sequence[RecordedAnswer], problems: Sequence[Problem]) -> tuple[list[Completion], Counter[str]]:
    """Return the completions in the order of the problems, and how many answers were dropped, by reason."""
    by_text: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        by_text.setdefault((problem.benchmark, squeeze(problem.statement)), []).append(problem)
    matched: dict[tuple[str, str], list[RecordedAnswer]] = {}
    unmatched = Counter[str]()
    for answer in answers:
        fits = _fitting(answer, by_text.get((answer.benchmark, squeeze(answer.statement)), []))
        if len(fits) == 1:
            matched.setdefault((fits[0].benchmark, fits[0].id), []).append(answer)
        else:
            unmatched["several problems fit" if fits else "none of the problems asked"] += 1
    found, dropped = unanimous(matched.values())
    by_problem = dict(zip(matched, found, strict=True))
    taken = [(problem, by_problem.get((problem.benchmark, problem.id))) for problem in problems]
    return [_completion(problem, answer) for problem, answer in taken if answer], unmatched + dropped


def _fitting(answer: RecordedAnswer, problems: list[Problem]) -> list[Problem]:
    """Return the problems of an answer's text that are of its year and section, where it names them; its number decides between several."""
    fits = [problem for problem in problems if answer.year in ("", str(problem.year)) and answer.section in ("", problem.section)]
    return [problem for problem in fits if problem.number == answer.number] if len(fits) > 1 else fits


def _completion(problem: Problem, answer: RecordedAnswer) -> Completion:
    """Return the completion; its tokens are not known, and 0 says so."""
    finish = "length" if not answer.cut_from or cut_off(answer.text, answer.cut_from) else "stop"
    return Completion(problem.benchmark, problem.id, 0, answer.text, 0, finish, answer.published_verdict)


def cut_off(text: str, least: int) -> bool:
    """Tell whether the token limit cut a text off: it is long enough, it breaks off, and its last line holds no whole box.

    >>> cut_off("So 5 + 7 =", 8), cut_off("So 5 + 7 =", 80), cut_off("So 5 + 7 = 12.", 8), cut_off("$1 is $\\\boxed{1}", 8)
    (True, False, False, False)
    """
    return len(text) >= least and breaks_off(text) and not _BOX.search(text.rstrip().rpartition("\n")[2])
