"""The symbolic teacher: exact solvers that read the statement, and nothing but the statement.

Solve writes the full chain; condense shortens a chain by dropping text, level by level, and never computes anything.
"""

import re

from distill.symbolic.symbolic_solvers import SOLVERS

ANSWER_LINE = "Answer: "
# Each level opens with its own words, so that a student can choose a level by its first word.
OPENERS = {"r1": "Let us go step by step.", "r2": "Working:", "r3": "Steps:", "r4": "Results:", "r5": "Formula:", "r6": "Idea:"}

_EXPRESSION = re.compile(r": .*=")


class Unsolved(ValueError):
    """The teacher cannot solve this statement; the message is the reason, for a count."""


def solve(statement: str) -> tuple[str, str]:
    """Return (chain of thought, answer) for a statement; Unsolved where no solver fits or the numbers do not work out."""
    for solver in SOLVERS:
        for pattern in solver.patterns:
            if match := pattern.search(statement):
                try:
                    steps, answer = solver.write(**{name: int(digits) for name, digits in match.groupdict().items()})
                except ValueError:
                    raise Unsolved("numbers do not work out") from None
                return "\n".join([OPENERS["r1"], *steps.lines, ANSWER_LINE + answer]), answer
    raise Unsolved("no solver fits")


def condense(chain: str, level: str) -> str:
    """Return a chain at `level`: r1 whole, r2 without inner expansions, r3 without any, r4 results, r5 idea and plan, r6 idea, answer."""
    _, idea, plan, *steps, answer = chain.split("\n")
    if level == "r2":
        steps = [_shallow(step, 1) for step in steps]
    elif level in ("r3", "r4"):
        steps = [_shallow(step, 0) for step in steps]
    if level == "r4":
        steps = [_EXPRESSION.sub(" ", step) for step in steps]
    kept = {"answer": [], "r6": [idea], "r5": [idea, plan]}.get(level, [idea, plan, *steps])
    opener = [OPENERS[level]] if level in OPENERS else []
    return "\n".join([*opener, *kept, answer])


def _shallow(step: str, keep: int) -> str:
    """Drop the expansions (parentheses after a space) that are nested deeper than `keep`; gcd(84,36) is no expansion."""
    kept: list[str] = []
    opened: list[bool] = []  # for each open parenthesis: is it an expansion?
    for place, mark in enumerate(step):
        if mark == "(":
            opened.append(step[place - 1] == " ")
            if opened[-1] and sum(opened) == keep + 1:
                kept.pop()  # the space before it
        if sum(opened) <= keep:
            kept.append(mark)
        if mark == ")":
            opened.pop()
    return "".join(kept)
