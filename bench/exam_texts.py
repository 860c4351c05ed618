"""Problems of invented exams with known truth: formulas between dollar signs, as trees that each engine prints and `plain` spells.

Formulas are written in a few commands of LaTeX: \\frac{}{}, \\sqrt{}, \\sqrt[n]{}, ^{}, _{}.
The problems are ours; their answers need not be right.
"""

import random
import re
from pathlib import Path
from typing import NamedTuple

Node = str | tuple["str | Node", ...]  # a sign, or (frac, a, b), (sup, a, b), (sub, a, b), (sqrt, a), (root, n, a), (row, ...)


TEMPLATES = Path(__file__).with_name("exam_texts.txt").read_text(encoding="utf-8").splitlines()


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


def drawn(template: str, rng: random.Random) -> tuple[str, str]:
    """Draw the numbers of a template: <2-9>, or <k:2-9>, which <k>, <k+1>, <k-1> and <k^2> repeat."""
    known = {name: rng.randint(int(low), int(high)) for name, low, high in re.findall(r"<(\w):(\d+)-(\d+)>", template)}
    text = re.sub(r"<(\w):\d+-\d+>", r"<\1>", template)
    for name, value in known.items():
        for form, number in ((f"<{name}>", value), (f"<{name}+1>", value + 1), (f"<{name}-1>", value - 1), (f"<{name}^2>", value**2)):
            text = text.replace(form, str(number))
    text = re.sub(r"<(\d+)-(\d+)>", lambda found: str(rng.randint(int(found[1]), int(found[2]))), text)
    question, _, answer = text.partition(" => ")
    return question, answer


def problem(rng: random.Random, choices: int = 0, parts: bool = False) -> Problem:
    """Draw a problem; `choices` answers to choose from, with a letter as its key."""
    text, answer = drawn(rng.choice(TEMPLATES), rng)
    if parts:
        more = [drawn(rng.choice(TEMPLATES), rng) for _ in range(2)]
        return Problem(
            f"Let $n={rng.randint(2, 9)}$.",
            "; ".join(f"({letter}) {answer}" for letter, (_, answer) in zip("ab", more, strict=True)),
            (),
            tuple(t for t, _ in more),
        )
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
