"""An expression in plain notation as an exact value: recursive descent over tokens, never evaluated by Python.

sum = product ((+|-) product)*, product = power ((*|/|) power)*, power = atom !* (^ power)?. What the grammar or the limits do not cover
raises Undecided: nothing is guessed at.
"""

import re
from fractions import Fraction
from math import comb, factorial

from distill.answers.exact_algebra import (
    Undecided,
    Value,
    add,
    as_rational,
    divide,
    logarithm,
    magnitude,
    multiply,
    name,
    power,
    rational,
    symbol,
)
from distill.answers.final_answer import FUNCTIONS
from distill.answers.trig_values import known

MAX_DIGITS, MAX_TOKENS, MAX_FACTORIAL = 60, 160, 150  # beyond these: undecided
_TOKEN = re.compile(
    r"\s*(?:(?P<mixed>\d+\s+\d+/\d+(?![\d.]))|(?P<scientific>\d+(?:\.\d+)?[eE][+-]?\d{1,3}(?![\d.]))"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:⟨\d+⟩)?)|binom\((?P<of>\d{1,4}),(?P<choose>\d{1,4})\)"
    rf"|(?P<function>{FUNCTIONS}|abs)(?![a-zA-Z])|(?P<letter>[A-Za-zα-ωΓ-Ω∞](?:_[A-Za-z\d])?)|(?P<sign>[-+*/^()√!_]))"
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_FUNCTION = re.compile(rf"\\[A-Za-z]+|(?<![A-Za-z])(?:{FUNCTIONS}|sqrt|pi|binom|abs)(?![A-Za-z])")
_ABSOLUTE = re.compile(r"\|([^|]*)\|")
Token = Value | str  # a number or letter; a function or sign as written


def parse(text: str) -> Value:
    """Return the value of an expression; Undecided where it has none here.

    >>> parse("2(x + 1)") == parse("2x + 2")
    True
    """
    tokens = _tokens(_ABSOLUTE.sub(r"abs(\1)", text) if "|" in text else text)
    value = _sum(tokens)
    if tokens:
        raise Undecided(text)
    return value


def _tokens(text: str) -> list[Token]:
    """Return the tokens, last first."""
    tokens: list[Token] = []
    text, position, digits = text.strip(), 0, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or len(tokens) > MAX_TOKENS:
            raise Undecided(text[:80])
        if match["mixed"] or match["scientific"] or match["number"]:
            if (digits and tokens[-2:-1] != ["_"]) or tokens[-1:] == ["!"] or match.end() - match.start() > MAX_DIGITS:  # 2 3 is no product
                raise Undecided(text[:80])
            tokens.append(rational(_number(match.group().strip())))
        elif match["of"]:
            tokens.append(rational(comb(int(match["of"]), int(match["choose"])) if int(match["of"]) <= MAX_FACTORIAL else _fail(text)))
        else:
            tokens.append(symbol(match["letter"]) if match["letter"] else match["function"] or match["sign"])
        digits = bool(match["mixed"] or match["scientific"] or match["number"])
        position = match.end()
    return tokens[::-1]


def _fail(text: str) -> int:
    raise Undecided(text[:80])


def _number(text: str) -> Fraction:
    """Return a numeral: 12, 1.5, 6.72e-5, 2 1/2, and 5.3⟨25⟩ for 5.3252525..."""
    whole, _, part = text.rpartition(" ")
    if "/" in part:
        top, bottom = part.split("/")
        if int(bottom) == 0:
            raise Undecided("division by 0")
        return int(whole) + Fraction(int(top), int(bottom))
    head, _, period = text.rstrip("⟩").partition("⟨")
    if not period:
        return Fraction(text)
    decimals = len(head.partition(".")[2])
    return Fraction(head) + Fraction(int(period), (10 ** len(period) - 1) * 10**decimals)


def _sum(tokens: list[Token]) -> Value:
    total = rational(0)
    sign = -1 if _taken(tokens, "-") else 1
    if sign > 0:
        _taken(tokens, "+")
    while True:
        total = add(total, _product(tokens), sign)
        if not tokens or tokens[-1] not in ("+", "-"):
            return total
        sign = -1 if tokens.pop() == "-" else 1


def _taken(tokens: list[Token], sign: str) -> bool:
    """Take the next token if it is this sign."""
    return bool(tokens) and tokens[-1] == sign and tokens.pop() == sign


def _product(tokens: list[Token]) -> Value:
    value = _power(tokens)
    while tokens and tokens[-1] not in ("+", "-", ")", "^", "!", "_"):
        operator = tokens.pop() if tokens[-1] in ("*", "/") else "*"
        negative = operator != "*" or (tokens and tokens[-1] == "-")
        minus = bool(negative) and _taken(tokens, "-")
        right = _power(tokens)
        value = divide(value, right) if operator == "/" else multiply(value, right)
        value = multiply(value, rational(-1)) if minus else value
    return value


def _power(tokens: list[Token]) -> Value:
    base = _atom(tokens)
    while _taken(tokens, "!"):
        number = as_rational(base)
        if number is None or number.denominator > 1 or not 0 <= number <= MAX_FACTORIAL:
            raise Undecided("factorial")
        base = rational(factorial(int(number)))
    return power(base, _exponent(tokens)) if _taken(tokens, "^") else base


def _exponent(tokens: list[Token]) -> Value:
    minus = _taken(tokens, "-")
    value = _power(tokens)
    return multiply(value, rational(-1)) if minus else value


def _atom(tokens: list[Token]) -> Value:
    if not tokens:
        raise Undecided("ends early")
    token = tokens.pop()
    if isinstance(token, Value):
        return token
    if token == "(":
        value = _sum(tokens)
        if not _taken(tokens, ")"):
            raise Undecided("bracket")
        return value
    if token == "√":
        return power(_atom(tokens), rational(Fraction(1, 2)))
    if token.isalpha():
        return _function(token, tokens)
    raise Undecided(token)


def _function(function: str, tokens: list[Token]) -> Value:
    """Return a function of its argument as an opaque symbol; without brackets the argument is the numbers and letters that follow."""
    base = rational(10) if function == "log" else symbol("e")
    if _taken(tokens, "_"):
        base = _atom(tokens)
        function += f"_{name(base)}"
    exponent = _exponent(tokens) if _taken(tokens, "^") else rational(1)
    if as_rational(exponent) == -1:
        raise Undecided("inverse function or reciprocal")
    argument = _power(tokens)
    while tokens and isinstance(tokens[-1], Value):
        argument = multiply(argument, _power(tokens))
    if (exact := known(function, argument)) is not None:
        return power(exact, exponent)
    if function == "abs":
        return power(magnitude(argument), exponent)
    if function.startswith(("log", "ln")):
        return power(divide(logarithm(argument), logarithm(base)), exponent)
    if function == "exp":
        return power(symbol("e"), multiply(argument, exponent))
    return power(symbol(f"{function}({name(argument)})"), exponent)


def prose(text: str) -> bool:
    """Return whether the text has words; letters side by side in a formula (mp/(m + pr)) are none."""
    words = _WORD.findall(_FUNCTION.sub(" ", text).replace("π", " "))
    formula = re.search(r"[-+*/^√=]", text) is not None
    return any(len(word) > (3 if formula else 1) and not (re.fullmatch("[b-df-hj-np-tv-z]{2,3}", word)) for word in words)
