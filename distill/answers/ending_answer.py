"""The answer that the end of a text states: a display, a bold value, a conclusion's value, or all that its last line has. Else ""."""

import re
from itertools import pairwise

from distill.answers.answer_shape import MAX_CHARS, bare, lead_words, read, several, valued, words
from distill.answers.sentence_number import PROCEDURE, RESULT, UNKNOWN, equated, evaluated, repeated, resulting, stated_number
from distill.answers.units import spelt

SENTENCE_END = re.compile(
    r"(?<!\b[apAP])(?<!\.m)(?<!\.M)(?<!Mr)(?<!Dr)(?<!St)(?<!Mrs)(?<!sq)(?<!cu)(?<!vs)(?<!i\.e)(?:\.|!(?! ?[=/+]))"
    r"(?=[\s\"')]|\*\*|\$\s|\\[\])]|$)|\?|。"
)
_CLOSER = re.compile(r"\$(?=\s)|\\[\])]|")  # of a formula that has its sentence's full stop
_MARKER = re.compile(
    r"^[\s*_>✅-]*(?:(?:and|or|but)\s+)?(?:so|thus|therefore|hence|consequently|accordingly|in conclusion|in total|in all|altogether"
    r"|finally|as a result|to conclude|in summary|overall|it follows that|(?:we conclude|this means)(?: that)?|\\therefore)\b[\s,:*]*"
    r"|^[\s*]*(?:∴|=>|⇒|→|⟹|\\implies|\\Rightarrow)\s*",
    re.IGNORECASE,
)
_IS = re.compile(r".*\b(?:is|are|was|were|be|equals|equal to|have|get|obtain|find|=)(?:\s+that)?\b\s*:?\s*(.+)$", re.DOTALL)
_EQUATION = re.compile(
    r"\$?(?:(?:m ?)?(?:\\angle ?|∠ ?)[A-Z]{1,3}"
    r"|[A-Z]{2}|\\(?:sin|cos|tan)\b[^=]{1,20}|[A-Za-z])(?:_\w|\([^()=]{1,9}\)|(?:\s*\+\s*[A-Za-z]){1,4})?\s*="
)
_COUNTED = re.compile(r"(there (?:is|are|were|will be) (?:exactly )?)(\$[^$\n]{1,60}\$|\\\([^()\n]{1,60}\\\)) [a-z]+", re.IGNORECASE)
_REACHED = re.compile(r"we (?:get|have|obtain|find)(?: that)? (.+)", re.DOTALL)
_CLAUSE = re.compile(r"[,;]\$?\s+(?:and\s+)?(?:so|thus|therefore|hence)\s+(?:that\s+)?(?!far\b)")
_SUPPOSED = re.compile(r"\W*(?:let|if|suppose|assume|consider|first|step|case)\b", re.IGNORECASE)
_BOLD = re.compile(
    r"\*\*([^*\n]{1,120})\*\*|__([^_\n]{1,120})__|(?<![*\w)])\*(?=[^\s*])([^*\n]{1,120})(?<=\S)\*(?![*\w])|(?<!`)`([^`\n]{1,120})`(?!`)"
    r"|<(?:b|strong)>([^<\n]{1,120})</(?:b|strong)>|\$\\(?:textbf|mathbf|boldsymbol)\{([^$\n]{1,120})\}\$"
)
_REMARK = re.compile(r"\W*(?:note|remark|hint|check|example|given|recall|step|case)\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"(?:[A-Z][a-z]+|he|she|they|it|(?:the|each|his|her|their) [a-z]+)(?:'s [a-z]+)?(?: [a-z]+){1,6} [$£€\d]"
)  # Joseph earns $300
_REVERSED = re.compile(
    r"(?:so,? )?(?:(?:I|we) (?:get|obtain|have) )?(\S.{0,80}?) (?:is|as) (?:the|our|my) (?:final |correct |right )?answer", re.IGNORECASE
)
_FILLER = re.compile(
    r"^\W*(?:i hope|hope (?:this|that)|let me know|feel free|thank|have a (?:nice|great|good)|if you have|would you like|is there anything"
    r"|happy|great (?:job|question|work)|good luck|this (?:completes|concludes)|q\.?e\.?d)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:find|evaluate|simplify|compute|calculate|solve|express|what|which|how|value of|let|write|determine)\b", re.IGNORECASE
)
_NAMED = re.compile(r"[\s$\\(]*([A-Za-z])\s*=")
_ITEM = re.compile(r"\s*(?:[-•]\s|\*\s|\d+[.)]\s|\||```|\(\d\)\s*$)")


def ending(text: str) -> str:
    """Return the answer that a text ends in.

    >>> ending("12 / 2 = 6\\nSo each child gets 6 sweets."), ending("So there are 3 cases to check."), ending("The total is **7**.")
    ('6', '', '7')
    """
    lines = without_filler(text)
    if not lines or text.count("\\[") > text.count("\\]") or text.count("$$") % 2:
        return ""  # cut off in a display
    display, above = _display(lines)
    if display:
        marked = _MARKER.match(above) or (above.rstrip(" *").endswith(":") and re.search(r"\b(?:result|total|value|answer)\b", above))
        bare_value = not re.search(r"[=<>≤≥&]|\\[lg]eq?\b", display)
        return read(display) if marked or (bare_value and not _TASK.search(above)) else evaluated(display)
    sentence = _last_sentence(lines[-1])
    if _ITEM.match(lines[-1]) or "?" in sentence or len(sentence) > 2 * MAX_CHARS:
        return ""
    return _emphasised(sentence) or _concluded(sentence, text) or _alone(lines) or resulting(sentence, text)


def without_filler(text: str) -> list[str]:
    """Return the lines of a text that are not blank, without the pleasantries that end it.

    >>> without_filler("42\\n\\nI hope this helps!"), without_filler("I hope this helps!")
    (['42'], [])
    """
    lines = [line for line in text.splitlines() if line.strip()]
    while lines and _FILLER.match(lines[-1]):
        lines.pop()
    return lines


def _display(lines: list[str]) -> tuple[str, str]:
    """Return the displayed formula that ends a text, and the line above it; "" where none does."""
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if not lines[-1].rstrip(" .").endswith(closing):
            continue
        for start in range(len(lines) - 1, max(len(lines) - 8, -1), -1):
            block = "\n".join(lines[start:]).rstrip(" .").removesuffix(closing)
            if opening in block:
                head, _, body = block.rpartition(opening)
                return body.strip(), head.strip() or (lines[start - 1] if start else "")
    return "", ""


def _last_sentence(line: str) -> str:
    """Return the last sentence of a line that is no filler."""
    ends = [0, *(closer.end() for match in SENTENCE_END.finditer(line) if (closer := _CLOSER.match(line, match.end()))), len(line)]
    sentences = [part for start, end in pairwise(ends) if re.search(r"\w", part := line[start:end])]
    while len(sentences) > 1 and _FILLER.match(sentences[-1]):
        sentences.pop()
    return sentences[-1] if sentences else ""


def _emphasised(sentence: str) -> str:
    """Return the one bold value of a sentence; a bold name only where it ends a conclusion."""
    spans = [(next(filter(None, match.groups())), sentence[match.end() :]) for match in _BOLD.finditer(sentence)]
    if len(spans) != 1 or _REMARK.match(sentence) or spans[0][0].rstrip().endswith(":") or spans[0][1].startswith(":"):
        return ""
    answer = read(spans[0][0])
    if valued(answer) or spelt(answer):
        return "" if re.search(r"\b(?:not|if|assume|suppose|we need|needs? to|check)\b", sentence, re.IGNORECASE) else answer
    concluded = not spans[0][1].strip(" .!*)") and _MARKER.match(sentence) and not PROCEDURE.search(sentence)
    return answer if concluded else ""


def _concluded(sentence: str, text: str) -> str:
    """Return the value that a conclusion ends in, or its one number that is also the result of the last equation."""
    marker, clauses = _MARKER.match(sentence), [] if _SUPPOSED.match(sentence) else _CLAUSE.split(sentence)
    if not marker and len(clauses) < 2:
        return read(said[1]) if (said := _REVERSED.fullmatch(bare(sentence))) and valued(said[1]) else ""
    rest = bare(clauses[-1] if len(clauses) > 1 else sentence[marker.end() if marker else 0 :])
    if _EQUATION.match(rest):
        return read(rest)
    if (reached := _REACHED.fullmatch(rest)) and (answer := read(reached[1])) and valued(answer) and not words(answer):
        return answer
    if PROCEDURE.search(rest) or UNKNOWN.search(rest):
        return ""
    if (counted := _COUNTED.match(rest)) and read(counted[0].removeprefix(counted[1])):
        return read(counted[2])
    if "=" in rest and not several(rest) and RESULT.search(rest, rest.rfind("=")):  # So he pays 3 * 4 = $12 a week
        return equated(rest)
    if (match := _IS.match(rest)) and (answer := read(match[1])) and valued(answer):
        return "" if re.search(r"\band\b.*\bleft$", answer) else answer
    return ("" if "=" in rest else repeated(rest, text)) or (stated_number(rest[0].upper() + rest[1:]) if _SUBJECT.match(rest) else "")


def _alone(lines: list[str]) -> str:
    """Return the last line where it is an answer and nothing else: all that a text has, or a bare value below its work."""
    line = lines[-1].lstrip("# ")
    answer = read(line)
    name = _NAMED.match(line)
    if len(lines) > 1 and name and "=" in lines[-2] and name[1] in lines[-2]:  # x = 11 - 4, then x = 7
        return evaluated(bare(line))
    if len(lines) > 1:
        alone = answer and valued(answer) and "=" not in line and not words(answer) and read(lines[-2]) in ("", answer)
        return answer if alone else ""
    if len(answer) > 60 or not valued(answer):
        return answer if len(answer.split()) == 1 and len(answer) <= 60 and answer == bare(line) else ""
    whole = "=" not in line or (name and _last_sentence(line) == line)
    return answer if whole and len(lead_words(line)) <= 1 and len(answer.split()) <= 8 else ""
