"""Throw hostile answers at the grader's own reading: `python -m bench.fuzz [COUNT]`. Prints the slowest and the growth of memory.

Every string goes through final_answer and decide as gold and as answer; an exception is a fault. No test: it takes minutes.
"""

import random
import resource
import sys
import time

from stages.grading.answer import final_answer
from stages.grading.equality import decide

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
    "1:" * 900, "≈1" * 900,
    "1 " * 900, "[1,2]∪" * 300, "1±" * 900, "999999999989^(1/2)√(999999999989*999999999961)", "√(10^60)", "e^(x^(y^(z^w)))",
    "sin " * 500 + "x",
    "1e999-1e999", "2 million " * 200, " " * 1900 + "m", "a" * 1900, "twenty " * 280, "$" * 1900,
    "must be " * 230, "((a)" * 450,
    "binom(9999,5000)", "0.⟨" + "3" * 59 + "⟩", "|" * 1900,
]  # fmt: skip


def strings(count: int, seed: int) -> list[str]:
    """Return that many strings, glued of parts, cut and doubled."""
    draw = random.Random(seed)
    return HOSTILE + ["".join(draw.choices(PARTS, k=draw.randint(1, 40))) for _ in range(count - len(HOSTILE))]


def main(count: int) -> None:
    golds, worst = ["12", "3/4", r"\left(-\infty, 2\right]", "x^2 - 1", "Thursday", "{1, 2}", "52_8", "0.75 (must be this decimal)"], []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, text in enumerate(strings(count, 1)):
        start = time.process_time()
        final_answer(f"so {text}\nAnswer: {text}", "Answer:", "stop")
        decide(golds[number % len(golds)], text)
        decide(text, golds[number % len(golds)])
        worst.append((time.process_time() - start, text[:60]))
        if number == count // 2:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for size in (1_000_000, 10_000_000):
        for text in ("{" * size, "\\boxed{" * (size // 7), "1" * size, "\\boxed{" + "(" * size + "}", "x" * size, "Answer:" * (size // 7)):
            start = time.process_time()
            decide("12", final_answer(text, "Answer:", "stop") or text)
            worst.append((time.process_time() - start, f"{size} characters: {text[:20]}"))
    for seconds, text in sorted(worst, reverse=True)[:12]:
        print(f"{seconds:8.3f} s  {text!r}")
    total = sum(seconds for seconds, _ in worst)
    print(f"{count} strings without an exception; {total:.0f} s; memory of the second half: +{(after - before) // 1024} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
