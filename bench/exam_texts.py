"""Problems of invented exams with known truth: texts with formulas between dollar signs, as trees that each engine prints and `plain` spells.

Formulas are written in a few commands of LaTeX: \\frac{}{}, \\sqrt{}, \\sqrt[n]{}, ^{}, _{}. The problems are ours and need not be hard, or solved.
"""

import random
import re
from collections.abc import Callable
from typing import NamedTuple

Node = str | tuple["str | Node", ...]  # a sign, or (frac, a, b), (sup, a, b), (sub, a, b), (sqrt, a), (root, n, a), (row, ...)


class Problem(NamedTuple):
    """One problem of an exam."""

    text: str  # formulas between dollar signs
    answer: str
    choices: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def parse(source: str) -> Node:
    """Return a formula's tree."""
    tokens = re.findall(r"\\[a-z]+|\[|\]|[{}^_]|\d+(?:\.\d+)?|.", source)
    return _row(tokens, "")


def _row(tokens: list[str], end: str) -> Node:
    parts: list[Node] = []
    while tokens and tokens[0] != end:
        token = tokens.pop(0)
        if token == "\\frac":
            parts.append(("frac", _group(tokens), _group(tokens)))
        elif token == "\\sqrt" and tokens[0] == "[":
            tokens.pop(0)
            degree = _row(tokens, "]")
            parts.append(("root", degree, _group(tokens)))
        elif token == "\\sqrt":
            parts.append(("sqrt", _group(tokens)))
        elif token in "^_":
            parts.append(("sup" if token == "^" else "sub", parts.pop() if parts else "", _group(tokens)))
        elif token.startswith("\\"):
            parts.append(token[1:])  # a function's name
        else:
            parts.append(token)
    if end:
        tokens.pop(0)
    return parts[0] if len(parts) == 1 else ("row", *parts)


def _group(tokens: list[str]) -> Node:
    token = tokens.pop(0)
    return _row(tokens, "}") if token == "{" else token


def plain(node: Node) -> str:
    """Spell a tree in the notation that the reader writes."""
    if isinstance(node, str):
        return node
    kind, *rest = node
    inner = [plain(each) for each in rest]
    if kind == "frac":
        over = inner[0] if re.fullmatch(r"[\w.√π]+|sqrt\([^()]*\)|-\w+", inner[0]) else f"({inner[0]})"
        return f"{over}/{_tight(inner[1])}"
    if kind == "sqrt":
        return f"sqrt({inner[0]})"
    if kind == "root":
        return f"{_tight(inner[1])}^(1/{inner[0]})"
    if kind in ("sup", "sub"):
        script = inner[1] if re.fullmatch(r"\d+|\w", inner[1]) else f"({inner[1]})"
        return f"{inner[0]}{'^' if kind == 'sup' else '_'}{script}"
    out = ""
    for place, text in enumerate(inner):
        fraction = isinstance(rest[place], tuple) and rest[place][0] == "frac"
        before = inner[place - 1][-1:] if place else ""
        after = inner[place + 1][:1] if place + 1 < len(inner) else ""
        if fraction and before.isdigit():
            text = f" {text}"
        elif fraction and (re.match(r"[\w(√]", after) or re.match(r"[\w)]", before)):
            text = f"({text})"
        out += text
    return out


def _tight(text: str) -> str:
    return text if re.fullmatch(r"\d+(\.\d+)?|[^\W\d]|sqrt\([^()]*\)|\w\^\d", text) else f"({text})"


def split(text: str) -> list[tuple[bool, str]]:
    """Return a text's parts as (is a formula, source)."""
    return [(bool(place % 2), part) for place, part in enumerate(text.split("$")) if part]


def spelled(text: str) -> str:
    """Return a text with its formulas in plain notation."""
    return "".join(plain(parse(part)) if formula else part for formula, part in split(text))


def _signed(number: int) -> str:
    return f"+{number}" if number >= 0 else str(number)


N = random.Random.randint
TEMPLATES: list[Callable[[random.Random], tuple[str, str]]] = [
    lambda r: (f"If $x^{{2}}{_signed(-N(r, 5, 9))}x+{N(r, 1, 6)}=0$ has roots $r$ and $s$, find $r^{{2}}+s^{{2}}$.", str(N(r, 12, 70))),
    lambda r: (f"Simplify $\\frac{{x^{{2}}-{(k := N(r, 2, 9)) ** 2}}}{{x-{k}}}$ when $x={N(r, 10, 40)}$.", str(N(r, 12, 49))),
    lambda r: (f"Evaluate $\\sqrt{{{N(r, 2, 9) ** 2 * 3}}}+\\sqrt{{{N(r, 2, 9) ** 2 * 3}}}$.", f"${N(r, 5, 18)}\\sqrt{{3}}$"),
    lambda r: (f"What is the value of $\\frac{{{N(r, 1, 4)}}}{{{N(r, 5, 9)}}}+\\frac{{{N(r, 1, 6)}}}{{{N(r, 7, 11)}}}$ in lowest terms?", f"$\\frac{{{N(r, 11, 59)}}}{{{N(r, 61, 99)}}}$"),
    lambda r: (f"A train leaves Ashby at {N(r, 1, 11)}:{N(r, 10, 59)} and travels {N(r, 40, 90)} miles at a constant speed. It stops for {N(r, 5, 25)} minutes at the only station on its way, and reaches Barlow two hours and {N(r, 2, 29)} minutes after it left. At what speed, in miles per hour, did it travel?", str(N(r, 20, 60))),
    lambda r: (f"Pens cost {N(r, 40, 95)} cents each and pads cost {N(r, 2, 4)}.{N(r, 10, 95)} dollars each. Maria buys {N(r, 3, 9)} pens and {N(r, 2, 8)} pads, and pays with a 50-dollar note. How much change, in dollars, does she get?", f"{N(r, 10, 30)}.{N(r, 10, 95)}"),
    lambda r: (f"Find $\\log_{{2}} 8^{{{N(r, 2, 12)}}}$.", str(N(r, 6, 36))),
    lambda r: (f"Let $a_{{1}}={N(r, 2, 9)}$ and $a_{{n+1}}=2a_{{n}}{_signed(N(r, 1, 9))}$ for $n≥1$. Find $a_{{{N(r, 5, 8)}}}$.", str(N(r, 100, 999))),
    lambda r: (f"What is the sum of the infinite series $1+\\frac{{1}}{{{(k := N(r, 3, 9))}}}+\\frac{{1}}{{{k}^{{2}}}}+\\frac{{1}}{{{k}^{{3}}}}+⋯$?", f"$\\frac{{{k}}}{{{k - 1}}}$"),
    lambda r: (f"In triangle $ABC$, angle $A$ is {N(r, 20, 80)}° and angle $B$ is twice as large as angle $C$. How many degrees are there in angle $C$?", str(N(r, 20, 50))),
    lambda r: (f"How many positive divisors does $2^{{{N(r, 3, 12)}}}·3^{{{N(r, 2, 9)}}}·5$ have?", str(N(r, 24, 220))),
    lambda r: (f"How many integers $x$ satisfy $|x-{N(r, 2, 9)}|≤{N(r, 3, 12)}$?", str(N(r, 7, 25))),
    lambda r: (f"Let $f(x)=\\frac{{x+{N(r, 1, 9)}}}{{x^{{2}}-{N(r, 2, 8)}}}$. What is $f({N(r, 3, 7)})$?", f"$\\frac{{{N(r, 2, 9)}}}{{{N(r, 11, 41)}}}$"),
    lambda r: (f"Write $\\sqrt{{\\frac{{{N(r, 2, 9)}}}{{{N(r, 11, 29)}}}}}$ with a rational denominator.", f"$\\frac{{\\sqrt{{{N(r, 20, 90)}}}}}{{{N(r, 11, 29)}}}$"),
    lambda r: (f"Compute $\\frac{{1}}{{1+\\frac{{1}}{{{N(r, 2, 9)}}}}}$.", f"$\\frac{{{(k := N(r, 2, 9))}}}{{{k + 1}}}$"),
    lambda r: (f"If $3^{{n+{N(r, 1, 5)}}}=81^{{n-{N(r, 1, 5)}}}$, what is $n$?", str(N(r, 2, 9))),
    lambda r: (f"What is the real value of $\\sqrt[3]{{{N(r, 3, 9) ** 3}}}-\\sqrt{{{N(r, 4, 15) ** 2}}}$?", str(-N(r, 1, 9))),
    lambda r: (f"The lengths of the sides of a rectangle are $x+{N(r, 1, 9)}$ and $x-{N(r, 1, 9)}$, and its area is {N(r, 30, 120)}. Find the length of its longer side, if all of its sides have integral lengths.", str(N(r, 8, 20))),
    lambda r: (f"Solve for $y$: $\\frac{{y-{N(r, 1, 9)}}}{{{N(r, 2, 5)}}}=\\frac{{2y+{N(r, 1, 9)}}}{{{N(r, 6, 9)}}}$.", str(N(r, 10, 80))),
    lambda r: (f"What is the volume of a sphere of radius $\\frac{{{N(r, 1, 5)}}}{{2}}$? Leave your answer in terms of $π$.", f"$\\frac{{{N(r, 11, 99)}π}}{{{N(r, 2, 6)}}}$"),
    lambda r: (f"Simplify $\\sqrt{{{N(r, 5, 19)}+2\\sqrt{{{N(r, 2, 30)}}}}}$.", f"$\\sqrt{{{N(r, 2, 7)}}}+\\sqrt{{{N(r, 10, 15)}}}$"),
    lambda r: (f"A bag holds {N(r, 3, 9)} red and {N(r, 4, 9)} blue marbles. Two are drawn at once. What is the probability that they have the same colour?", f"$\\frac{{{N(r, 3, 9)}}}{{{N(r, 11, 29)}}}$"),
    lambda r: (f"The sum of {N(r, 3, 9)} consecutive odd integers is {N(r, 100, 400)}. The largest of them exceeds the smallest by the number of days in a week less one. What is the median of the integers?", str(N(r, 21, 79))),
    lambda r: (f"Expand $(2x-{N(r, 1, 7)})^{{3}}$ and give the coefficient of $x^{{2}}$.", str(-N(r, 12, 84))),
    lambda r: (f"If $x+\\frac{{1}}{{x}}={N(r, 3, 9)}$, find $x^{{4}}+\\frac{{1}}{{x^{{4}}}}$.", str(N(r, 47, 6239))),
    lambda r: (f"Which is larger, and by how much: ${N(r, 2, 5)}\\frac{{1}}{{{N(r, 2, 7)}}}$ or ${N(r, 2, 5)}\\frac{{2}}{{{N(r, 3, 7)}}}$?", f"$\\frac{{1}}{{{N(r, 6, 42)}}}$"),
    lambda r: (f"For how many integers $k$ from 1 to {N(r, 50, 200)} is $\\frac{{k(k+1)}}{{2}}$ divisible by {N(r, 3, 9)}?", str(N(r, 12, 90))),
    lambda r: (f"Evaluate $(x^{{-1}}+y^{{-1}})^{{-1}}$ for $x={N(r, 2, 9)}$ and $y={N(r, 10, 19)}$.", f"$\\frac{{{N(r, 12, 90)}}}{{{N(r, 91, 99)}}}$"),
]  # fmt: skip


def problem(rng: random.Random, choices: int = 0, parts: bool = False) -> Problem:
    """Draw a problem; `choices` answers to choose from, with a letter as its key."""
    text, answer = rng.choice(TEMPLATES)(rng)
    if parts:
        more = [rng.choice(TEMPLATES)(rng) for _ in range(2)]
        return Problem(f"Let $n={N(rng, 2, 9)}$.", "; ".join(f"({letter}) {answer}" for letter, (_, answer) in zip("ab", more, strict=True)), (), tuple(t for t, _ in more))
    if not choices:
        return Problem(text, answer)
    numbers = rng.sample(range(2, 9), choices)
    offered = [re.sub(r"\d+", lambda found: str(int(found[0]) + numbers[place]), answer, count=1) for place in range(choices)]  # noqa: B023
    return Problem(text, "ABCDE"[rng.randrange(choices)], tuple(offered))


def truth(item: Problem) -> tuple[str, str]:
    """Return an item's text, with its choices and parts, and its key, as they should be read."""
    text = spelled(item.text)
    text += "".join(f" ({letter}) {spelled(part)}" for letter, part in zip("ab", item.parts, strict=False))
    text += "".join(f" ({letter}) {spelled(part)}" for letter, part in zip("ABCDE", item.choices, strict=False))
    return text, spelled(item.answer)
