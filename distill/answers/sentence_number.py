"""The one number that a sentence states, or the result of the equation in it; "" where it states none, several, or a step of the work."""

import re

from distill.answers.answer_shape import bare, read, result, several, words
from distill.answers.units import NAME

PROCEDURE = re.compile(
    r"(?<!\\)\b(?:we (?:need|must|have to|should|want|will|now|cannot|can't|are left|still|know|get|have|see|find)\b"
    r"(?! (?:that|[^\w\s]|[\d$][^=]*= ?\$?[\d.,]+[a-z ]*$))"
    r"|let|check|consider|try|suppose|assume|next,|next (?:step|we|case)"
    r"|cannot|can't|not|if|whether|start|begin|continue|substitut\w+|using|need|needs to|must"
    r"|(?<!least )(?<!greatest )(?<!smallest )(?<!largest )(?<!maximum )(?<!minimum )possible"
    r"|at least|at most|more than|less than|greater than|between|(?<!remainder )when|for (?:all|any|every|each|[a-z]\b)|divisible"
    r"|either|approximately|about|around|roughly)\b",
    re.IGNORECASE,
)
_MORE = r"\s?\\(?:sqrt|pi|frac|cdot|times)|\s?[π√]|\^(?!\{?\\circ)|,\\!"  # what makes digits a part of a larger value
NUMBER = re.compile(
    r"(?<![\w.,{])-?[$£€]?-?(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?!\w|[, ]\d{3}|\.[\d.]|/\d|" + _MORE + ")"
    rf"(?:\s?%|\s(?!in\b)(?:{NAME})s?\b)?"
)
UNKNOWN = re.compile(r"(?:(?:[\d+*/^(-] ?[A-Za-z]|\|)\)?\$?\s*|\d[a-z](?![A-Za-z\d])[^=]*)=[^=]*$")  # 4x = 12, |x| = 3: to be solved
RESULT = re.compile(r"=\s*\\?[$£€]?(-?\d+(?:,\d{3})*(?:\.\d+)?)(?!\w|\.\d|\s*[-+*/×÷^\\]\s*[\d(\\]|" + _MORE + ")")
_PARTIAL = re.compile(r"\b(?:steps?|cases?|parts?|first|more|less|fewer|than|of the|and|or|but|no|half|twice|times)\b|n't\b", re.IGNORECASE)
_STEP = re.compile(  # what begins a sentence that is a step, a remark or an item of a list
    r"\W*(?:first|firstly|second|secondly|third|next|then|now|step|case|part|note|check|recall|given|since|because|when|where|for|by"
    r"|this (?:holds|is because)|let|here)\b|(?!total|sum|result)[^=:]{0,40}:|.*\b(?:compute|calculate)\b",
    re.IGNORECASE,
)
_WORKED = re.compile(
    r"\d[^=]*[-+*/×÷x–][^=]*=[^=]*$|=[^=]*=[^=]*$|^(?:the )?total\b", re.IGNORECASE
)  # an equation that arithmetic begins, or a chain
_MATH = re.compile(r"\$((?:(?!(?<!\\)[A-Za-z]{2})[^$\n\\]|\\[A-Za-z]+|\\.)*)\$(?!\d)")  # a formula, not two sums of money
_FORMULA = re.compile(r".*(?:\$([^$]+)\$|\\\(((?:(?!\\\)).)+)\\\))(?: [a-z]+){0,3}", re.DOTALL)
_ATOM = re.compile(r"-?(?:\\?\$)?[\d.,!{}]+(?:\\?%|\^?\\circ|°)?|-?\d*\\[dt]?frac(?:\{-?\d+\}|\d){2}|-?(?:\d+ ?)?(?:\\sqrt\{\d+\}|\\pi)")


def stated_number(sentence: str, rest: str = "") -> str:
    """Return the one number of a plain sentence that is stated as the answer and ends the `rest` of a text.

    >>> stated_number("She makes $18 every day."), stated_number("There are 3 cases to check.")
    ('$18', '')
    """
    numbers = _numbers(sentence)
    plain = len(numbers) == len(re.findall(r"\d+(?:[.,/]\d+)*", sentence)) == 1 and re.match(r"[A-Z][a-z']*,? [a-z]", sentence)
    last = not rest.lstrip(" :*_\n").removeprefix(sentence).strip(" .*_\n")
    return numbers[0] if plain and last and not PROCEDURE.search(sentence) and not _PARTIAL.search(sentence) else ""


def resulting(sentence: str, text: str) -> str:
    """Return what the last equation of a text comes to, if its last sentence is that equation or has that number alone.

    >>> resulting("He earns 50 * 6 = $300.", "He earns 50 * 6 = $300."), resulting("He earns $300.", "50 * 6 = 300. He earns $300.")
    ('$300', '$300')
    """
    rest = bare(sentence)
    if _STEP.match(rest) or PROCEDURE.search(rest) or UNKNOWN.search(rest):
        return ""
    if (match := _FORMULA.fullmatch(rest)) and "=" in (formula := match[1] or match[2]):
        return evaluated(formula)
    if "=" in rest:
        number = equated(rest) if _WORKED.search(rest) else ""
        tail = rest.rpartition("=")[2].partition(number)[2] if number else ""
        return number if len(words(tail)) <= 6 and not re.search(r"[\d#]|\b(?:and|but|which|that|so)\b", tail) else ""
    return repeated(rest, text) if len(re.findall(r"\d+(?:[.,/]\d+)*", rest)) == 1 else ""


def evaluated(formula: str) -> str:
    """Return the number that a chain of equations, begun by a name or by arithmetic, comes to.

    >>> evaluated("S = 5 \\\\cdot 6 = 30"), evaluated("x^2 = 16")
    ('30', '')
    """
    formula = re.sub(r"\\(?:mathbf|textbf|boldsymbol)\{([^{}]*)\}", r"\1", formula)
    first, last = formula.partition("=")[0], bare(formula.rpartition("=")[2])
    begun = "=" in formula and "&" not in formula and result(f"{first}={last}") == last
    return read(last) if begun and _ATOM.fullmatch(last) else ""


def equated(rest: str) -> str:
    """Return the number after the last equals sign, with its unit; "" where a sentence has one such number each side of an "and"."""
    if several(rest) or not (own := RESULT.search(rest, rest.rfind("="))):
        return ""
    before, joined, after = re.split(r"\b(and|but|while)\b|\Z", rest[: own.start()], maxsplit=1)
    number = NUMBER.match(rest[own.start() + 1 :].lstrip(" \\"))
    return number[0] if number and not (joined and re.search(r"\d", before) and re.search(r"\d", after)) else ""


def repeated(rest: str, text: str) -> str:
    """Return the one number of a sentence that is also the result of the last equation of its text."""
    results = [found.replace(",", "") for found in RESULT.findall(text[-3000:])[-1:]]
    same = [number for number in _numbers(re.sub(r"\\text\{[^{}]*\}|\\[()]|\\(?=\$)", " ", rest)) if _digits(number) in results]
    return same[0] if len(same) == 1 else ""


def _numbers(text: str) -> list[str]:
    return [match.group() for match in NUMBER.finditer(_MATH.sub(r" \1 ", text))]


def _digits(number: str) -> str:
    return re.sub(r"[^\d.-]", "", number.split()[0])
