"""What the symbolic teacher can solve, from the words of a statement alone.

A solver is a list of patterns and a function that returns the written steps and the answer. In a pattern ``#a`` is a whole number that
becomes the argument `a`, and a space is any white space or none, since a page reader may lose or add some. A statement that no
pattern fits stays unsolved.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from distill.symbolic.arithmetic_steps import ArithmeticSteps

Solution = tuple[ArithmeticSteps, str]  # the steps and the answer


class Solver(NamedTuple):
    """One kind of problem."""

    patterns: list[re.Pattern[str]]
    write: Callable[..., Solution]


SOLVERS: list[Solver] = []


def _solver(*patterns: str) -> Callable[[Callable[..., Solution]], Callable[..., Solution]]:
    def register(write: Callable[..., Solution]) -> Callable[..., Solution]:
        compiled = [re.compile(re.sub(r"#(\w)", r"(?P<\1>\\d+)", p).replace(" ", r"\s*"), re.IGNORECASE) for p in patterns]
        SOLVERS.append(Solver(compiled, write))
        return write

    return register


def _times(number: int) -> str:
    return "" if number == 1 else str(number)


# Algebra


@_solver(
    r"(?:Solve for x:|If|for which) #ax \+ #b (?:=|equals) #c",
    r"multiplied by #a and #b is added, the result is #c",
    r"is #c equal to #ax \+ #b",
)
def linear(a: int, b: int, c: int) -> Solution:
    w = ArithmeticSteps("Undo the addition, then the multiplication.", f"({c}-{b})/{a}")
    return w, str(w.divide("Quotient", w.subtract("Difference", c, b), a))


@_solver(r"x \+ y = #a and x - y = #b", r"have sum #a and x exceeds y by #b", r"sum of two numbers is #a and their difference is #b")
def system(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Add the equations, halve, then subtract.", f"x=({a}+{b})/2, y={a}-x")
    x = w.divide("Half", w.add("Sum", a, b), 2)
    return w, f"({x}, {w.subtract('Difference', a, x)})"


@_solver(r"f\(x\) = #ax\^2 - #bx \+ #c, find f\(#d\)", r"#ax\^2 - #bx \+ #c when x = #d", r"#at\^2 - #bt \+ #c at t = #d")
def polynomial(a: int, b: int, c: int, d: int) -> Solution:
    w = ArithmeticSteps("Substitute the value and combine the terms.", f"{a}*{d}^2-{b}*{d}+{c}")
    first = w.multiply("Product", a, w.multiply("Square", d, d))
    return w, str(w.add("Sum", w.subtract("Difference", first, w.multiply("Product", b, d)), c))


@_solver(
    r"term number #a of the arithmetic sequence with first term #b and common difference #c",
    r"sequence starts at #b and grows by #c each step\. What is its term number #a",
    r"begins with #b and each later term is #c more than the one before\. Find term #a",
)
def term(a: int, b: int, c: int) -> Solution:
    w = ArithmeticSteps("Add the common difference one time less than the term number.", f"{b}+({a}-1)*{c}")
    return w, str(w.add("Sum", b, w.multiply("Product", w.subtract("Difference", a, 1), c)))


@_solver(
    r"roots of x\^2 - #ax \+ #b = 0 are r and s\. Find r\^2 \+ s\^2",
    r"squares of the roots of x\^2 - #ax \+ #b = 0",
    r"p \+ q = #a and pq = #b, find p\^2 \+ q\^2",
)
def roots(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Square the sum and take away twice the product.", f"{a}^2-2*{b}")
    return w, str(w.subtract("Difference", w.multiply("Square", a, a), w.multiply("Double", 2, b)))


@_solver(r"√#a in simplest", r"Simplify √#a", r"square root of #a in simplest")
def radical(a: int) -> Solution:
    w = ArithmeticSteps("Take square factors out of the radical.", f"√{a}")
    root, k = 1, 2
    while k * k <= a:
        while a % (k * k) == 0:
            a = w.divide("Quotient", a, k * k)
            root = w.multiply("Root", root, k) if root > 1 else k
        k += 1
    return w, f"{_times(root)}√{a}" if a > 1 else str(root)


@_solver(r"(?:What is|Find) #a(?:%| percent) of #b", r"has #b members and #a%", r"school of #b students, #a%")
def percent(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Multiply by the percent and divide by one hundred.", f"{a}*{b}/100")
    return w, str(w.divide("Quotient", w.multiply("Product", a, b), 100))


@_solver(
    r"average of #a, #b, #c,? #d and x is #e",
    r"average #e\. Four of the scores are #a, #b, #c and #d",
    r"mean over five days is #e miles\. On four days the distances are #a, #b, #c and #d",
)
def mean(a: int, b: int, c: int, d: int, e: int) -> Solution:
    w = ArithmeticSteps("Five times the average is the total.", f"5*{e}-{a}-{b}-{c}-{d}")
    total = w.multiply("Product", 5, e)
    for known in (a, b, c, d):
        total = w.subtract("Difference", total, known)
    return w, str(total)


# Numbers


@_solver(r"greatest common divisor of #a and #b", r"divides both #a and #b", r"largest square tile that exactly covers a floor #a by #b")
def divisor(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Divide and keep the remainder until it is zero.", f"gcd({a},{b})")
    big, small = max(a, b), min(a, b)
    while small:
        big, small = small, w.modulo("Remainder", big, small)
    return w, str(big)


@_solver(r"least common multiple of #a and #b", r"divisible by both #a and #b", r"blink every #a and #b seconds")
def multiple(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Divide the product by the greatest common divisor.", f"{a}*{b}/gcd({a},{b})")
    return w, str(w.multiply("Product", w.divide("Quotient", a, w.gcd("Divisor", a, b)), b))


@_solver(r"(?:remainder|remains) when #a is divided by #b", r"#a apples are packed in boxes of #b")
def remainder(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Divide digit by digit and keep what is left.", f"{a} mod {b}")
    return w, str(w.modulo("Remainder", a, b))


@_solver(r"divisors does #a have", r"number of positive factors of #a", r"can #a be written as an ordered product")
def divisors(a: int) -> Solution:
    w = ArithmeticSteps("Factor into primes and multiply the exponents plus one.", f"factors of {a}")
    count, prime = 1, 2
    while a > 1:
        power = 0
        while a % prime == 0:
            a, power = w.divide("Quotient", a, prime), power + 1
        if power:
            count = w.multiply("Count", count, power + 1) if count > 1 else power + 1
        prime += 1
    return w, str(count)


@_solver(r"base #b number #a in base ten", r"Convert #a from base #b to base 10", r"numeral #a written in base #b")
def base(a: int, b: int) -> Solution:
    digits = [int(digit) for digit in str(a)]
    if max(digits) >= b:
        raise ValueError(f"{a} is no numeral of base {b}")
    w = ArithmeticSteps("Multiply by the base and add the next digit.", f"{a} in base {b}")
    value = digits[0]
    for digit in digits[1:]:
        value = w.add("Sum", w.multiply("Product", value, b), digit)
    return w, str(value)


@_solver(r"(?:units|last|ones) digit of #a\^\{?#b\}?")
def units(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Last digits of powers repeat every four.", f"{a % 10}^({b} mod 4)")
    digit, power = a % 10, w.modulo("Remainder", b, 4) or 4
    for _ in range(power - 1):
        digit = w.modulo("Digit", w.multiply("Product", digit, a % 10), 10)
    return w, str(digit)


@_solver(r"Compute #a × #b", r"product of #a and #b", r"hall has #a rows of #b seats")
def product(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Multiply digit by digit.", f"{a}*{b}")
    return w, str(w.multiply("Product", a, b))


@_solver(r"(?:Compute|value of) #a\^2 - #b\^2", r"square of #a exceed the square of #b")
def squares(a: int, b: int) -> Solution:
    w = ArithmeticSteps("A difference of squares is a sum times a difference.", f"({a}+{b})*({a}-{b})")
    return w, str(w.multiply("Product", w.add("Sum", a, b), w.subtract("Difference", a, b)))


@_solver(r"Find #a/#b \+ #c/#d", r"Add #a/#b and #c/#d", r"uses #a/#b cup and then #c/#d cup")
def fractions(a: int, b: int, c: int, d: int) -> Solution:
    w = ArithmeticSteps("Use the product of the denominators and reduce.", f"({a}*{d}+{c}*{b})/({b}*{d})")
    top = w.add("Sum", w.multiply("Product", a, d), w.multiply("Product", c, b))
    return w, _reduce(w, top, w.multiply("Product", b, d))


def _reduce(w: ArithmeticSteps, top: int, bottom: int) -> str:
    if not bottom:
        raise ValueError("zero denominator")
    if (common := w.gcd("Divisor", top, bottom)) > 1:
        top, bottom = w.divide("Quotient", top, common), w.divide("Quotient", bottom, common)
    return str(Fraction(top, bottom))


# Geometry


@_solver(r"trapezoid with bases #a and #b and height #c", r"parallel sides #a m and #b m, #c m apart")
def trapezoid(a: int, b: int, c: int) -> Solution:
    w = ArithmeticSteps("Half the sum of the bases times the height.", f"({a}+{b})*{c}/2")
    return w, str(w.divide("Half", w.multiply("Product", w.add("Sum", a, b), c), 2))


@_solver(r"points \(#a, #b\) and \(#c, #d\)", r"from \(#a, #b\) straight to \(#c, #d\)")
def distance(a: int, b: int, c: int, d: int) -> Solution:
    w = ArithmeticSteps("Square the two differences, add, and take the root.", f"√(({c}-{a})^2+({d}-{b})^2)")
    x, y = w.subtract("Difference", max(a, c), min(a, c)), w.subtract("Difference", max(b, d), min(b, d))
    return w, str(w.root("Root", w.add("Sum", w.multiply("Square", x, x), w.multiply("Square", y, y))))


@_solver(r"same center and radii #a and #b", r"outer radius #a and inner radius #b")
def ring(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Subtract the squares of the radii.", f"({a}^2-{b}^2)π")
    return w, f"{_times(w.subtract('Difference', w.multiply('Square', a, a), w.multiply('Square', b, b)))}π"


@_solver(r"box with edges #a, #b and #c", r"closed box #a by #b by #c")
def box(a: int, b: int, c: int) -> Solution:
    w = ArithmeticSteps("Double the sum of the three faces.", f"2*({a}*{b}+{b}*{c}+{c}*{a})")
    faces = w.add("Sum", w.multiply("Product", a, b), w.multiply("Product", b, c))
    return w, str(w.multiply("Double", 2, w.add("Sum", faces, w.multiply("Product", c, a))))


@_solver(r"rectangle has area #a and width #b", r"field of area #a is #b wide")
def rectangle(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Divide to get the length, then double the sum of the sides.", f"2*({a}/{b}+{b})")
    return w, str(w.multiply("Double", 2, w.add("Sum", w.divide("Quotient", a, b), b)))


# Counting and probability


@_solver(r"chosen from #a boys and #b girls", r"club of #a boys and #b girls", r"menu has #a soups and #b salads")
def committee(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Count pairs of each kind and multiply.", f"{a}*{a - 1}/2*{b}*{b - 1}/2")
    first = w.divide("Half", w.multiply("Product", a, a - 1), 2)
    return w, str(w.multiply("Product", first, w.divide("Half", w.multiply("Product", b, b - 1), 2)))


@_solver(r"sum of the integers from #a to #b", r"Add all whole numbers from #a through #b", r"from #a on the first day to #b on the last")
def consecutive(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Half the number of terms times the sum of first and last.", f"({b}-{a}+1)*({a}+{b})/2")
    count = w.add("Count", w.subtract("Difference", b, a), 1)
    return w, str(w.divide("Half", w.multiply("Product", count, w.add("Sum", a, b)), 2))


@_solver(r"holds #a red and #b blue marbles", r"#a red cards and #b black cards", r"From #a men and #b women")
def marbles(a: int, b: int) -> Solution:
    w = ArithmeticSteps("Multiply the chances of the two draws and reduce.", f"{a}*{a - 1}/({a + b}*{a + b - 1})")
    total = w.add("Sum", a, b)
    return w, _reduce(w, w.multiply("Product", a, a - 1), w.multiply("Product", total, total - 1))
