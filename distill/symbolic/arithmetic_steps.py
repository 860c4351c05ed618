"""Exact arithmetic written out as a teacher would on paper.

A step is one line, ``Label: expression (expansion)=result``. The expansion holds the partial products,
partial sums or division digits in parentheses, nested at most two deep; dropping the inner or all parentheses gives a shorter line
that still holds. Every number here is an exact int.
"""

from math import gcd, isqrt


def _places(n: int) -> list[int]:
    """Split a number at its digits: 407 -> [400, 7]."""
    digits = str(n)
    return [int(d) * 10 ** (len(digits) - i - 1) for i, d in enumerate(digits) if d != "0"]


def _line(expression: str, inner: list[str], result: int) -> str:
    return f"{expression} ({'; '.join(inner)})={result}" if inner else f"{expression}={result}"


def add(a: int, b: int, deep: int = 2) -> str:
    """``940+141 (940+100=1040; 1040+40=1080; 1080+1=1081)=1081``: the smaller number place by place."""
    inner: list[str] = []
    big, small = max(a, b), min(a, b)
    if deep and len(_places(small)) > 1:
        for part in _places(small):
            inner.append(f"{big}+{part}={big + part}")
            big += part
    return _line(f"{a}+{b}", inner, a + b)


def subtract(a: int, b: int, deep: int = 2) -> str:
    """``372-147 (372-100=272; 272-40=232; 232-7=225)=225``; a >= b."""
    inner: list[str] = []
    rest = a
    if deep and len(_places(b)) > 1:
        for part in _places(b):
            inner.append(f"{rest}-{part}={rest - part}")
            rest -= part
    return _line(f"{a}-{b}", inner, a - b)


def multiply(a: int, b: int, deep: int = 2) -> str:
    """``47*23 (47*20=940; 47*3=141; 940+141=1081)=1081``: partial products, their products and sums expanded one level deeper."""
    inner: list[str] = []
    keep, cut = max(a, b), min(a, b)
    if cut < 10:  # one digit against many: cut the long one
        keep, cut = cut, keep
    parts = _places(cut)
    if deep and len(parts) > 1 and keep > 1:
        total = 0
        for part in parts:
            inner.append(multiply(keep, part, deep - 1) if keep > 9 else f"{keep}*{part}={keep * part}")
            if total:
                inner.append(add(total, keep * part, deep - 1))
            total += keep * part
    elif deep and keep > 9 and cut > 9 and len(parts) == 1:  # 47*20: by the digit, then the zeros
        digit = int(str(cut).rstrip("0"))
        if digit > 1:
            inner.append(f"{keep}*{digit}={keep * digit}")
    return _line(f"{a}*{b}", inner, a * b)


def divide(a: int, b: int, deep: int = 2) -> str:
    """``4725/35 (47=35*1+12; 122=35*3+17; 175=35*5+0)=135``: long division digit by digit; b divides a."""
    return _line(f"{a}/{b}", _division(a, b) if deep and a // b > 9 else [], a // b)


def modulo(a: int, b: int, deep: int = 2) -> str:
    """``4723 mod 37 (47=37*1+10; 102=37*2+28; 283=37*7+24)=24``."""
    return _line(f"{a} mod {b}", _division(a, b) if deep and a >= b else [], a % b)


def _division(a: int, b: int) -> list[str]:
    lines: list[str] = []
    rest = 0
    for digit in str(a):
        rest = rest * 10 + int(digit)
        if rest >= b or lines:
            lines.append(f"{rest}={b}*{rest // b}+{rest % b}")
            rest %= b
    return lines


def common_divisor(a: int, b: int, deep: int = 2) -> str:
    """``gcd(84,36) (84 mod 36=12; 36 mod 12=0)=12``: Euclid's algorithm."""
    inner: list[str] = []
    big, small = max(a, b), min(a, b)
    while deep and small:
        inner.append(modulo(big, small, deep - 1))
        big, small = small, big % small
    return _line(f"gcd({a},{b})", inner, gcd(a, b))


class ArithmeticSteps:
    """A solution on paper: an idea, a plan with the problem's own numbers, steps, and an answer."""

    def __init__(self, idea: str, plan: str) -> None:
        self.lines = [idea, f"Plan: {plan}"]

    def _step(self, label: str, line: str, result: int) -> int:
        self.lines.append(f"{label}: {line}")
        return result

    def add(self, label: str, a: int, b: int) -> int:
        """Write and return a sum."""
        return self._step(label, add(a, b), a + b)

    def subtract(self, label: str, a: int, b: int) -> int:
        """Write and return a difference."""
        return self._step(label, subtract(a, b), a - b)

    def multiply(self, label: str, a: int, b: int) -> int:
        """Write and return a product."""
        return self._step(label, multiply(a, b), a * b)

    def divide(self, label: str, a: int, b: int) -> int:
        """Write and return a quotient; ValueError where b does not divide a."""
        if b == 0 or a % b:
            raise ValueError(f"{a} is not a multiple of {b}")
        return self._step(label, divide(a, b), a // b)

    def modulo(self, label: str, a: int, b: int) -> int:
        """Write and return a remainder."""
        return self._step(label, modulo(a, b), a % b)

    def gcd(self, label: str, a: int, b: int) -> int:
        """Write and return a greatest common divisor."""
        return self._step(label, common_divisor(a, b), gcd(a, b))

    def root(self, label: str, a: int) -> int:
        """Write and return a square root; ValueError where a is no square."""
        root = isqrt(a)
        if root * root != a:
            raise ValueError(f"{a} is not a square")
        return self._step(label, f"√{a} ({multiply(root, root, 1)})={root}", root)
