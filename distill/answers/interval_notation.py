"""Other notations of a set of real numbers, rewritten as intervals or chains of inequalities: text in, text out."""

import re

_REALS = re.compile(r"(?:[a-z] ?∈ ?)?ℝ|(?:the set of )?(?:all|any|every) reals?(?: numbers?| values?)?(?: (?:of )?[a-z])?", re.IGNORECASE)
_BUILDER = re.compile(r"[{⦃]\s*([a-zθ])\s*(?:∈\s*ℝ\s*)?[|:]\s*(.*[<>≤≥].*)[}⦄]")
_REVERSED = re.compile(r"([\[\](])([^\[\]()]*[,;][^\[\]()]*)([\[\])])")
_SIGNED = re.compile(
    r"(?:the set of )?(?:all )?(non-?)?(positive|negative) (?:real numbers?|reals|numbers|values)(?: of [a-z])?", re.IGNORECASE
)
_UNION = re.compile(r"(?<=[\])}⦄\[])\s*(?:[Uu]|union)\s*(?=[\[({⦃\]])")
_ALL = re.compile(  # all x such that x > 2
    r"(?:for )?(?:the set of )?(?:(?:all|any|every) )?(?:(?:the )?(?:real )?(?:numbers?|values?|reals?) (?:of )?|real (?=[a-z] ?[<>≤≥]))?"
    r"(?:([a-z]) ?(?:such that|with|where|for which|so that|satisfying|:|\|) ?)?(?=[^ ]{1,20} ?[<>≤≥])",
    re.IGNORECASE,
)
_WORDED = re.compile(
    r"(?:for )?(?:(?:all|any|every) )?(?:(?:real )?(?:numbers?|values?|reals?)(?: of)? ?)?(?:[a-z] )?(?:that are |which are |is )?"
    r"(?:(greater|more|larger|less|smaller) than(,? or equal to)?|(at least|no less than|at most|no more than)) ([-\d./√π]+)",
    re.IGNORECASE,
)
_SIDE = r"\s*([^<>≤≥|]+?)\s*"
_BOUND = re.compile(rf"\s*([a-zθ])\s*([<>≤≥]){_SIDE}|{_SIDE}([<>≤≥])\s*([a-zθ])\s*")
_ABSOLUTE = re.compile(rf"\s*\|\s*([a-zθ])\s*(?:([-+])\s*([\d./]+)\s*)?\|\s*([<>≤≥]){_SIDE}")
_TURNED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}


def standard(text: str) -> str:
    """Return a text with set-builders, absolute values, reversed brackets, U and the reals as intervals; any other as it is.

    >>> standard("⦃x|x≥2 and x<5⦄"), standard("|x|>2"), standard("[2,5["), standard("all real numbers")
    ('2≤x<5', 'x<-(2) or x>2', '[2,5)', '(-∞,∞)')
    """
    if _REALS.fullmatch(text):
        return "(-∞,∞)"
    if signed := _SIGNED.fullmatch(text):
        side = (signed[2].casefold() == "positive") != bool(signed[1])
        return f"{'[' if signed[1] else '('}0,∞)" if side else f"(-∞,0{']' if signed[1] else ')'}"
    if worded := _WORDED.fullmatch(text):
        return _bounded(worded)
    if re.search("[<>≤≥]", text) and (lead := _ALL.match(text)):
        text = text[lead.end() :]
    if (builder := _BUILDER.fullmatch(text)) and builder[1] in builder[2]:
        text = builder[2].strip()
    if "," in text and ("u" in text or "U" in text):
        text = _UNION.sub("∪", text)
    if "[" in text or "]" in text:
        pieces = [_REVERSED.fullmatch(piece.strip()) for piece in text.split("∪")]
        if all(pieces) and any(piece[1] == "]" or piece[3] == "[" for piece in pieces if piece):
            return "∪".join(_unreversed(piece) for piece in pieces if piece)
    if re.search("[<>≤≥]", text):
        return " or ".join(_inequality(part) for part in re.split(r"\s+or\s+", text))
    return text


def _bounded(match: re.Match[str]) -> str:
    """Return "greater than or equal to 2" as [2,∞)."""
    than, or_equal, least, bound = match.groups()
    if (than or "").casefold() in ("greater", "more", "larger") or (least or "").casefold() in ("at least", "no less than"):
        return f"{'[' if or_equal or least else '('}{bound},∞)"
    return f"(-∞,{bound}{']' if or_equal or least else ')'}"


def _unreversed(match: re.Match[str]) -> str:
    """Return ]2,5[ as (2,5)."""
    return f"{match[1].replace(']', '(')}{match[2].replace(';', ',')}{match[3].replace('[', ')')}"


def _inequality(text: str) -> str:
    """Return |x|<2 as a chain, |x|>2 as two bounds, and two bounds joined by "and" as a chain."""
    if absolute := _ABSOLUTE.fullmatch(text):
        letter, sign, shift, relation, bound = absolute.groups()
        middle = f"({'-' if sign == '+' else ''}{shift})" if shift else ""
        low, high = f"{middle}-({bound})", f"{middle}+({bound})" if middle else bound
        if relation in "<≤":
            return f"{low}{relation}{letter}{relation}{high}"
        return f"{letter}{_TURNED[relation]}{low} or {letter}{relation}{high}"
    bounds = [_BOUND.fullmatch(part) for part in re.split(r"\s+and\s+", text)]
    if len(bounds) != 2 or not all(bounds):
        return text
    sides = [(m[1], m[2], m[3]) if m[1] else (m[6], _TURNED[m[5]], m[4]) for m in bounds if m]
    (letter, first, low), (other, second, high) = sorted(sides, key=lambda side: side[1] in "<≤")
    if letter != other or first in "<≤" or second in ">≥":
        return text
    return f"{low}{_TURNED[first]}{letter}{second}{high}"
