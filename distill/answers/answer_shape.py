"""Whether what a text states reads as an answer: a value or a name, without the words around it. Text in, text out."""

import re

from distill.answers.units import SIZES, spelt

MAX_CHARS = 300  # a longer statement is none
_REASON = re.compile(
    r"[,;]?\s+\(?(?:because|since|which|whose|meaning|making|as (?:the|we|it|this|there|they)|as (?:required|desired|expected|shown)"
    r"|in (?:simplest|lowest|simplified|reduced)|when (?:simplified|rounded)|rounded (?:to|up|down)|after rounding|to the nearest"
    r"|where [A-Za-z]\b)\b.*"
    r"|(?:,|\()\s*(?:or|i\.e\.,?|which is)?\s*(?:about|approximately|roughly|approx\.?|so|as|where|with|and so"
    r"|and (?:we|this|that|the))\b.*"
    r"|\s(?:in total|in all|altogether|overall)\b.*"
    r"|\sis (?:the|our) (?:only |unique |final |correct )?(?:solution|answer)\b.*"
    r"|\s\((?:(?:see|check|that is)\b|i\.e\.|e\.g\.).*|[,;]\s+(?:not|but|and not|i\.e\.)(?=\W).*"
    r"|\s+[-–—]\s+(?!(?:sqrt|sin|cos|tan|log)\b)[a-z]{3,}\b.*",
    re.IGNORECASE | re.DOTALL,
)
_LEADS = re.compile(
    r"(?:(?:approximately|about|roughly)\s+(?=[-\d$\\(])|(?:it's|that's|simply|just|thus|therefore|then|hence|indeed|exactly|precisely|clearly|now|also"
    r"|given by|equal to"
    r"|the number|definitely)\b:?\s*"
    r"|[:=]\s*|(?:result|total|value|solution|output)\s*:\s*"
    r"|(?:the|its?|this|that)(?: [a-z]+){0,4} (?:is|are|equals)\s+(?=[-\d$\\(]))+(?=\S)",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{[^{}]*\}|\\[A-Za-z]+|\\."
    r"|(?<![A-Za-z])(?:sqrt|pi|sin|cos|tan|log|ln|inf|infinity)(?![A-Za-z])"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z']+")
_VALUE = re.compile(r"[\d√π∞∅∪=<>≤≥±^]|\\(?!text|mathrm|textbf|mbox)[A-Za-z{]|(?<![A-Za-z])[a-z](?![A-Za-z'])(?=\s*(?:[-+*/^=]|\Z))")
_START = re.compile(r"[\d\\$√π(\[{=]")
_UNSAID = re.compile(  # what makes words beside a value something else than its unit or name
    r"\b(?:is|are|was|were|has|have|had|not|never|if|unless|whether|than|least|most|between|but|such|that|we|i|you|let|need|must|should|can"
    r"|will|does|did|do|either|neither|any|every|some|several|because|since|by|from|in|into|at|on|to the|times (?:the|as|that|of)|up to"
    r"|what|how"
    r"|(?:of|among) (?:the|these|those|which|all|\d)|divided|multiplied|multiplying|dividing|adding|subtracting|solving|using|factor"
    r"|multiple|probably|around|for (?:all|any|every|each|some|[a-z]\b)|half of|twice|double"
    r"|steps?|cases?|parts?|examples?|figure|problem|question|section|method|chapter"
    r"|table|equations?|page|note|exercise|phase|unknowns"
    r"|variables|possibilit(?:y|ies)|digit numbers?|follows|following|root|sum|product|difference|number|form|written|valid|correct|wrong"
    r"|incorrect|same as|multiply|divide"
    r"|evaluate|simplify|compute|calculate|find|solve|express|expand|factori[sz]e|convert|round"
    r"|write|graph|found|obtained|given|determined|out)\b|n't\b|\.\.\.|…|_{2,}|\bA, B\b",
    re.IGNORECASE,
)
_SAID_OF_ANSWERS = """
above already also analysis answer anything approach approximate as available based below best calculated calculation calculations case
check checked clear close complete complicated computed conclusion confirmed consistent correct determined difference different
difficult done easy everything exact example explanation expressed expression far final finally first following follows formula found
given great hard hello here hi hint how i important incomplete incorrect integer interesting introduction it just let let's likely method
missing near needed next not note notes nothing number obtained obvious ok okay only optimal overview probably problem product proof
question quite quotient ratio rational reached ready really reasonable reasoning required right same second shown simple simplified
solution solved something sorry step steps still straightforward sum summary sure thanks that then there this too trivial unavailable
unclear unique unknown valid value verification verified very we what when where which whole why working written wrong yet you
"""
_DISCOURSE = frozenset(_SAID_OF_ANSWERS.split())
_SMALL_WORDS = "in on to by from of as at about up for with if when where how why we you it i they he she let a an and or but"
_POINTERS = frozenset(_SMALL_WORDS.split())


def read(text: str) -> str:
    """Return a statement as an answer, without what surrounds it; "" where it reads as none.

    >>> read("**$x = 5$**, since 3 + 2 = 5."), read("found by adding 3 and 2"), read("east."), read("clear")
    ('5', '', 'east', '')
    """
    text = bare(_REASON.sub("", text[: 2 * MAX_CHARS]))
    text = bare(result(bare(text[lead.end() :] if (lead := _LEADS.match(text)) else text)))
    if (
        not text
        or len(text) > MAX_CHARS
        or "?" in text
        or "\n\n" in text
        or not _balanced(text)
        or text.count("\\begin{") != text.count("\\end{")
        or text == "\\boxed{}"
    ):
        return ""
    if valued(text):
        fits = len(words(text)) <= 7 and len(lead_words(text)) <= 3 and not re.match(r"[Aa] [A-Za-z]{2}", text)
        return text if fits and not _UNSAID.search(_COMMANDS.sub(" ", text)) else ""
    return text if _names(text) else ""


def _names(text: str) -> bool:
    """Return whether words name something: east, all real numbers; not "clear", which says something about an answer."""
    if re.fullmatch(r"no (?:real )?solutions?|(?:none|all) of (?:the above|these)", text, re.IGNORECASE):
        return True
    if spelt(text):
        return True
    found = [word.casefold() for word in words(text)]
    if len(found) > 4 or _DISCOURSE & set(found) or not re.fullmatch(r"(?=.*[A-Za-z])[^<>|#/@=+]{1,60}", text):
        return False
    return len(found) < 2 or (found[0] not in _POINTERS and not {"of", "not", "to"} & set(found))


def valued(text: str) -> bool:
    """Return whether a text has a value in it: digits or a formula."""
    return _VALUE.search(text) is not None


def words(text: str) -> list[str]:
    """Return the words of a text outside LaTeX's commands; a letter alone is none."""
    return _WORD.findall(_COMMANDS.sub(" ", text))


def lead_words(text: str) -> list[str]:
    """Return the words before the first value."""
    return words(_START.split(text, maxsplit=1)[0])


def result(text: str) -> str:
    """Return the last side of a chain of equations, and of one that a name or plain arithmetic begins.

    >>> result("3 + 4 = 7"), result("f(2) = 7"), result("2x + y = 6"), result("x = 3, y = 4")
    ('7', '7', '2x + y = 6', 'x = 3, y = 4')
    """
    if "=" not in text or several(text) or re.search(r"[<>≤≥]|\\[lg]e", text):
        return text
    left, _, right = re.sub(r"(?<=[\d)%]) ?[x×] ?(?=[\d(])", "*", text).rpartition("=")
    named = re.fullmatch(
        r"[\s$\\(\[]*(?:(?:m\s?)?(?:\\angle\s?|∠\s?)?[A-Za-z]+(?:\([^()=]{1,20}(?:\([^()]{1,9}\))?\))?|\\text\{[^{}]*\})\s*&?", left
    )
    arithmetic = not re.search(r"[A-Za-z]", _COMMANDS.sub("", left))
    return right.lstrip("& ") if right.strip() and ("=" in left or named or arithmetic or _quantities(left, right)) else text


def _quantities(left: str, right: str) -> bool:
    """Return whether an equation says what amounts with units come to: 28 days / 7 days/week = 4 weeks."""
    amounts = re.fullmatch(r"[\s$€£]*\d[\w\s$€£.,%()×÷–/*+-]*", left) and re.match(r"[\s$€£–-]*\d", right)
    joined = amounts and re.search("[×÷–/*+-]", left)
    return joined is not None and all(len(word) > 2 or (len(word) == 2 and word in SIZES) for word in re.findall("[A-Za-z]+", left))


def several(text: str) -> bool:
    """Return whether a text has two equations: x = 3, y = 4, or x = 3 or x = 4; a chain of them is one."""
    return any(re.search(r",(?!\d{3}(?!\d))|;|\b(?:and|or)\b", part) for part in text.split("=")[1:-1])


def _balanced(text: str) -> bool:
    """Return whether as many brackets close as open; those of [2, 5) are of two kinds, and C) 42 is a choice."""
    text = re.sub(r"^[A-J]\)", "", text)
    return text.count("{") == text.count("}") and sum(map(text.count, "([")) == sum(map(text.count, ")]"))


def bare(text: str) -> str:
    """Return a text without white space, marks of emphasis, a display's or a formula's delimiters, quotes and its full stop.

    >>> bare("**24!**"), bare("$4!$.")
    ('24', '4!')
    """
    before, ends = "", ".,;:!"
    while text != before:
        before = text
        text = text.strip(' \t\r\n*_`"“”').removesuffix("\\\\").rstrip(ends)
        for opening, closing in (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$")):
            inner = text[len(opening) : -len(closing)]
            if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening + closing) and opening not in inner:
                text, ends = inner, ".,;:"  # 4! in a formula is a factorial
    return text
