"""What an answer says in another way than its key: text in, text out, given what kind of answer the key is."""

import re

from distill.answers.answer_ast import Node
from distill.answers.units import SIZES

_MIXED = re.compile(r"(-?[1-9]\d*) and (?:([1-9]\d*)/(\d+)|\(\(([1-9]\d*)\)/\((\d+)\)\))")  # 0 and 1/2 are two numbers
_POLITE = re.compile(
    r"(yes|no),? (?:it|they|he|she|this|that|there|we|you|i) (?:is|are|was|were|do|does|did|can|could|will|would|has|have)"
    r"(n't| ?not)?[.!]?",
    re.IGNORECASE,
)
_EXPLAINED = re.compile(r"(yes|no) ?[,.:;—-] ?(.+)", re.IGNORECASE)
_OTHERWISE = re.compile(r"\b(?:yes|no|but|however|unless|if|when|only|sometimes|maybe|or|except)\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|cannot|neither|none|impossible|because|since|as)\b|n't\b", re.IGNORECASE)
_NOTHING = ("none", "dne", "does not exist", "{}", "no real solution", "there is no solution", "there are no solutions")
_ENDLESS = re.compile(
    r"(?:there are )?(?:infinitely many|infinite|an infinite number(?: of)?|∞)(?: (?:many )?(?:solutions?|values?|answers?))?",
    re.IGNORECASE,
)
_NOWHERE = re.compile(r"(?:(?:the |it )(?:limit |slope |value )?)?(?:is |does )?(?:dne|not exist|undefined|does not exist)", re.IGNORECASE)
_CONSTANT = re.compile(r"\+ ?(?:[cCkK]|const(?:ant)?\.?)$")
_SECONDS = re.compile(r"(\d+):([0-5]\d):([0-5]\d)")


def formal(known: str, given: str, gold: Node | None) -> str:
    """Return an answer in the notation of its key, as it is where there is nothing to change.

    >>> formal("No", "No, it is not.", None), formal("Yes", "Yes, it is not.", None), formal("11/4", "2 and 3/4", Node("value"))
    ('No', 'Yes, it is not.', '2 3/4')
    """
    if known.casefold() in ("yes", "no") and (match := _POLITE.fullmatch(given)):
        return match[1] if (match[1].casefold() == "no") == bool(match[2]) else given
    if known.casefold() in ("yes", "no") and (match := _EXPLAINED.fullmatch(given)) and not _OTHERWISE.search(match[2]):
        denied = bool(_DENIED.search(match[2]))
        sure = denied if match[1].casefold() == "no" else not re.search(r"\b(?:not|never|cannot|impossible)\b|n't\b", match[2])
        return match[1] if sure else given
    if any(pattern.fullmatch(known) and pattern.fullmatch(given) for pattern in (_NOWHERE, _ENDLESS)):
        return known
    if known.casefold() in ("true", "false") and given.casefold() == known[0].casefold():
        return known
    if known.endswith("+C") and (match := _CONSTANT.search(given)):
        return f"{given[: match.start()]}+C"
    if " by " in known and re.fullmatch(r"\d[^*]*\* ?\d[^*]*(?:\* ?\d[^*]*)?", given):
        return " by ".join(part.strip() for part in given.split("*"))
    kind = gold.kind if gold else ""
    if kind == "value" and (match := _MIXED.fullmatch(given)):
        top, bottom = match[2] or match[4], match[3] or match[5]
        return f"{match[1]} {top}/{bottom}" if int(top) < int(bottom) else given
    if kind == "value" and gold and gold.unit and gold.unit.dimensions == (("time", 1),) and (match := _SECONDS.fullmatch(given)):
        return "{} hours {} minutes {} seconds".format(*match.groups())
    if kind == "value" and re.search(r"\d ?h(?:ou)?rs?.*\d ?min", known) and (match := re.fullmatch(r"(\d+):([0-5]\d)", given)):
        return f"{match[1]} hours {match[2]} minutes"
    if gold and gold.unit and (match := re.fullmatch(r"(-?[\d.,/]+)(m|g|s|h|l|min)", given)):
        return f"{match[1]} {match[2]}" if gold.unit.dimensions == ((SIZES[match[2]][0], 1),) else given
    if kind == "empty":
        return known if given.casefold() in _NOTHING else given
    if kind == "interval" and given == "R" and gold and gold.note == "()" and known in ("(-∞,∞)", "ℝ", "all real numbers"):
        return known
    if kind == "matrix" and gold and re.fullmatch(r"1x\d+|\d+x1", gold.note):
        given = re.sub(r"\^\(? ?T ?\)?$", "", given)
        if match := re.fullmatch(r"[(\[]?([-\d./]+(?:[ ;]+[-\d./]+)+)[)\]]?", given):
            return f"({re.sub('[ ;]+', ',', match[1])})"
    if kind in ("list", "set") and re.fullmatch(r"\d+(?: \d+)+", given):
        return given.replace(" ", ", ")
    return given
