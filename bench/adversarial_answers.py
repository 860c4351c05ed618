"""Hostile answers: glued of LaTeX and code, real answers damaged, and hypothesis' strings; the same for the same seed."""

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as some

from distill.answers.equality import decide
from distill.answers.final_answer import PROFILES, final_answer

_WORDS = r"""
\frac \dfrac{1}{2} \sqrt \sqrt[3] \boxed{ \text{ \left( \right) \begin{pmatrix} \end{pmatrix} \\ & \{ \} { } ( ) [ ] ^ _ ^{ _{ √ π ± ∞ ∪ ∈ ∅
≤ < > = : ; , . ≈ + - * / ! % $ ° | 0 1 2 7 9 10 99999999999 1e9 1.5 x y i e n sin log_2 ln and or to the is base five million dozen (C)
⟨3⟩ ⟦ ⟧ ⦃ ⦄ ¾ ² ⁻¹ ３ __import__('os').system('x') lambda: eval(1) {{7*7}} %s ' " # ~
"""
PARTS = [*_WORDS.split(), " ", "\x00", "\x1b", "\u202e", "\u0301", "\U0001f600", "\n", "\t", "\u00a0"]
HOSTILE = [  # each near the length beyond which nothing is read
    "(" * 1900, "((" * 10 + "1" + "))" * 10, "√" * 1900, "-" * 1900, "1" * 1900, "9^" * 900 + "9", "9^9^9^9^9", "9999999!", "99!!!!",
    "2^(2^(2^(2^9)))", "x^99999", "(x+y+z)^16^2", "(a+b+c+d+e+f+g)^12", "(1+√2+√3+√5+√7)^16", "1/(" * 90 + "2" + ")" * 90,
    "1," * 900,
    "{" * 900 + "}" * 900, "\\frac{" * 400, "\\boxed{" * 270, "\\text{" * 300 + "}" * 300, "a=" * 900,
    "x or " * 400,
    "9^81:9^81", "1:" * 900, "9^1290 x = 7^1400", "9^1280 miles", "≈1" * 900,
    "1 " * 900, "[1,2]∪" * 300, "1±" * 900, "999999999989^(1/2)√(999999999989*999999999961)", "√(10^60)", "e^(x^(y^(z^w)))",
    "sin " * 500 + "x",
    "1e999-1e999", "2 million " * 200, " " * 1900 + "m", "a" * 1900, "twenty " * 280, "$" * 1900,
    "must be " * 230, "((a)" * 450,
    "binom(9999,5000)", "0.⟨" + "3" * 59 + "⟩", "|" * 1900,
]  # fmt: skip


_ALPHABET = "0123456789abcxyzABC√π∞±≤≥°%$^_{}()[]|\\+-*/=:;,.!<>&~ \n\t\x00\x7f\u2028\ufeff½²¾⟨⟩⟦⟧⦃⦄ ‮"
_ANSWERS = Path(__file__).parents[1] / "tests" / "answers.txt"


def glued(count: int, seed: int) -> Iterator[str]:
    """Yield the strings of HOSTILE, then strings glued of parts."""
    draw = random.Random(seed)
    yield from HOSTILE[:count]
    for _ in range(count - len(HOSTILE)):
        yield "".join(draw.choices(PARTS, k=draw.randint(1, 40)))


def mutated(count: int, seed: int) -> Iterator[str]:
    """Yield answers of the hand-checked table with pieces cut, doubled, swapped, nested and hostile parts put in."""
    draw = random.Random(seed)
    lines = [line for line in _ANSWERS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    answers = [answer for line in lines for answer in re.split(" [≡≠≟‖] ", line)]
    for _ in range(count):
        text = draw.choice(answers)
        for _ in range(draw.randint(1, 4)):
            start, end = sorted(draw.randint(0, len(text)) for _ in range(2))
            head, piece, tail = text[:start], text[start:end], text[end:]
            text = draw.choice([
                head + tail, head + piece * 2 + tail, tail + piece + head, head + draw.choice(PARTS) + piece + tail,
                f"{head}{{{piece}}}{tail}", f"\\frac{{{text}}}{{{piece}}}", f"({text})^{{{piece}}}", head + draw.choice(answers) + tail,
                f"\\sqrt{{{text}}}", f"{text}!", f"10^{{{text}}}",
            ])[:600]  # fmt: skip
        yield text


def by_hypothesis(count: int, seed: int) -> Iterator[str]:
    """Yield texts of hypothesis: any characters, those of mathematics, and those glued of parts."""
    left = count
    while left:  # hypothesis slows down over many examples of one run
        found = _batch(seed + left)[:left]
        yield from found
        left -= len(found)


def _batch(seed: int) -> list[str]:
    found: list[str] = []
    strategy = some.text(max_size=80) | some.text(_ALPHABET, max_size=80) | some.lists(some.sampled_from(PARTS), max_size=30).map("".join)
    options = settings(max_examples=500, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    hypothesis_seed(seed)(options(given(strategy)(lambda text: found.append(text))))()
    return found


def long_lines() -> Iterator[tuple[str, float]]:
    """Yield what lines of 1 and 10 million characters cost, in processor seconds: the final answer found, and compared."""
    for size in (1_000_000, 10_000_000):
        for text in ("{" * size, "\\boxed{" * (size // 7), "1" * size, "\\boxed{" + "(" * size + "}", "x" * size, "Answer:" * (size // 7)):
            start = time.process_time()
            decide("12", final_answer(text, "Answer:", "stop", "strict") or text)
            for profile in PROFILES:
                final_answer(text, "Answer:", "stop", profile)
            yield f"{size} characters: {text[:20]}", time.process_time() - start
