"""Is the answer equal to the gold answer? Decided without computer algebra; None where that needs more, or a person."""

import re
from functools import lru_cache

from distill.answers.answer_ast import Node, number, parse_answer
from distill.answers.answer_key import meets, read_key
from distill.answers.ast_equality import equal, every
from distill.answers.compound_units import same_time
from distill.answers.dates import same_date
from distill.answers.exact_algebra import Undecided
from distill.answers.expression_parser import prose
from distill.answers.final_answer import notation
from distill.answers.informal_answers import formal
from distill.answers.units import based, spelt, split_unit
from distill.answers.wording import standard_words

MAX_CHARS = 2000  # a longer answer is equal to itself only; else undecided
_INTEGER = re.compile(r"[-+]?\d{1,40}")
_LEAD = re.compile(
    r"(?:it|that|there)'s\s+|(?:the )?(?:final )?(?:answer|it|this|that|they|result|value)?(?: (?:is|was|are|were)\s+|:\s*)"
    r"|(?:approximately|about|≈)\s*"
    r"|=\s*|(?:the|its|their|his|her) (?:(?!not|than|least|most|between)[a-z]+ ){1,6}(?:is|are) (?=[-\d$√(.])",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"(.*\S)\s*\(\s*([A-Za-z][A-Za-z -]+)\)")
_CHOICE = re.compile(r"(?:(?:option|choice|answer)\s*)?\(?([A-Ja-j])(?:\)|\b)[.:]?\s*(.*)", re.IGNORECASE)


def decide(gold: str, answer: str) -> bool | None:
    """Decide a pair without computer algebra: True or False, or None where that needs more.

    >>> decide("3√2", r"\\frac{6}{\\sqrt{2}}"), decide("3/4", "4/3"), decide("√x", "√y")
    (True, False, False)
    """
    if gold.strip() == answer.strip():
        return True
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return int(gold) == int(answer)
    if max(len(gold), len(answer)) > MAX_CHARS:
        return None
    key, given = read_key(gold), notation(answer)
    verdict = _alternatives(_notation(key.gold), given)
    return False if verdict and not formed(key.form, given) else verdict


def formed(form: str, text: str) -> bool:
    """Return whether an answer in plain notation, without its name, unit and LaTeX's brackets, has the form that a key demands.

    >>> formed("fraction", "x=((40)/(41))"), formed("decimal", "the answer is 0.5 cm"), formed("decimal", "1/2")
    (True, True, False)
    """
    if not form:
        return True
    text = re.split("[=≈]", _LEAD.sub("", text, count=1) if _LEAD.match(text) else text)[-1].strip().lstrip("$")
    text = split_unit(text)[0] if form != "pair" else text
    return meets(form, re.sub(r"\(\((-?\d+)\)/\((\d+)\)\)", r"\1/\2", text))


# A study compares many answers with each gold answer: those are cached, the answers are not.
_notation, _parsed = lru_cache(4096)(notation), lru_cache(4096)(parse_answer)


def _alternatives(known: str, given: str) -> bool | None:
    """Compare as written; else any of the forms a key allows by `or`, and any of the values that an answer calls nearly equal."""
    verdict = _compare(known, given)
    if verdict is True:
        return True
    options = [(k, g) for k in _options(known, r"\s+or\s+") for g in _options(given, "≈")]
    if len(options) < 2:
        return verdict
    if len({k for k, _ in options}) > 1 and not _synonyms({k for k, _ in options}):
        return verdict
    if "≈" in given and (near := _near(_options(given, "≈"))) is not True:
        return near
    verdicts = [_compare(k, g) for k, g in options]
    return True if True in verdicts else None if None in verdicts else False


def _options(text: str, separator: str) -> list[str]:
    return [part.strip() for part in re.split(separator, text, flags=re.IGNORECASE) if part.strip()]


def _near(values: list[str]) -> bool | None:
    """Return whether values that an answer calls nearly equal are within a tenth; the area may be among them, None of anything else.

    Two of different kinds, as {} ≈ 12, are no two values.
    """
    read = {text: parse_answer(_LEAD.sub("", text, count=1) if _LEAD.match(text) else text) for text in values}
    if any(node is None and not re.fullmatch("(?:the|its) [A-Za-z ]+", text, re.IGNORECASE) for text, node in read.items()):
        return None
    kinds = {"value" if node.kind in ("ratio", "equation") else node.kind for node in read.values() if node}
    if len(kinds) > 1:
        return None
    sizes = [size for node in read.values() if node and (size := number(node)) is not None]
    return not sizes or max(sizes) - min(sizes) <= max(map(abs, sizes)) / 10


def _synonyms(options: set[str]) -> bool:
    """Return whether the options of a key are one answer in several notations."""
    first, *others = sorted(options)
    return all(_compare(first, other) or _compare(other, first) for other in others)


def _compare(known: str, given: str) -> bool | None:
    """Compare two answers in plain notation."""
    known, given = (standard_words(_LEAD.sub("", text, count=1) if _LEAD.match(text) else text) for text in (known, given))
    if known == given or (known.casefold() == given.casefold() and prose(known)):
        return True
    if (choice := _choice(known, given)) is not None:
        return choice
    if clock := same_time(known, given):
        return clock[0]
    left, right = based(known), based(given)
    if left or right:
        return _same_base(known, given, left, right)
    if dates := same_date(known, given):
        return dates[0]
    for one, other in ((known, given), (given, known)):  # 7 (seven), 52 (base 8): an aside of words
        if aside := _ASIDE.fullmatch(one):
            if (numerals := spelt(aside[2])) is not None:
                return every([_compare(aside[1], other), _compare(numerals, other)])
            if _compare(aside[1], other):
                return True
    gold = _parsed(known)
    if (said := formal(known, given, gold)) != given:
        return _compare(known, said)
    answer = parse_answer(given)
    if gold and answer:
        try:
            return equal(gold, answer)
        except Undecided:  # a value beyond the limits that only the comparison makes
            return None
    return _words(known, given, gold, answer)


def _choice(known: str, given: str) -> bool | None:
    """Compare with a multiple-choice letter; None where the key is none, or the answer no letter that could be one."""
    key = re.fullmatch(r"\(?([A-J])\)?", known)
    if not key:
        return None
    match = _CHOICE.fullmatch(given)
    alone = match and not re.search(r"\b(?:and|or)\b|\([A-J]\)|^\W*[,&]", match[2])  # (A) and (B) is no choice
    if match and alone and (not match[2] or given[0] == "(" or re.match(r"[A-J][.:)]", given)):
        return match[1].upper() == key[1]
    return None if not re.search("[A-Za-z]", known) else False if re.fullmatch(r"[\w.]+", given) else None


def _same_base(known: str, given: str, left: tuple[str, int] | None, right: tuple[str, int] | None) -> bool:
    """Compare numbers of which one names its base: digits must agree, and bases where both name one.

    Where only the key names one, the answer need not. Where only the answer does, it has another form than the key, unless a letter is a
    digit or the base is ten: never equal by its value alone, because it may restate what a question asks to convert.
    """
    if left and right:
        return left == right
    digits, base = left or right or ("", 10)
    other = (given if left else known).replace(" ", "").replace(",", "").upper()
    if right and base != 10 and (digits.isdecimal() or other != digits):
        return False
    return other == digits


def _words(known: str, given: str, gold: Node | None, answer: Node | None) -> bool | None:
    """Compare where one side has words: unequal if a number differs or words are missing, undecided if an answer says more."""
    if gold and not prose(known):
        if not prose(given) or answer or re.search(r"\d", given):
            return None
        return False if re.fullmatch(r"[A-Za-z' -]+", given) and len(given.split()) < 3 else None
    if not prose(known):
        return None
    left, right = (re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", _stripped(text)) for text in (known, given))
    if left == right or (len(left) == 1 and right[:1] == left and right[1:] and right[1] in _GENERIC_NOUNS.split() and len(right) == 2):
        return True
    if [w for w in left if w[0].isdigit()] != [w for w in right if w[0].isdigit()]:
        return False
    named = {w for w in left if not w[0].isdigit()}
    if any(w[0].isdigit() for w in left) or (named <= set(right) and not {"not", "no", "never", "isn't"} & (set(right) - named)):
        return None
    return False


_GENERIC_NOUNS = "triangle quadrilateral shape angle number numbers function one ones day month color colour person team solutions"


def _stripped(text: str) -> str:
    """Return words without articles, signs of money and units that a number carries."""
    text = re.sub(r"(?<=\d)\s*(?:dollars?|points?|units?|degrees?)\b", "", text.casefold())
    return re.sub(r"\b(?:the|an|a|is|it|are|on|in|at)\b(?=.*\w)", "", text)
