"""The answer that the end of a text states: a display, a bold value, a conclusion's value, or all that its last line has. Else ""."""

import re
from itertools import pairwise

from distill.answers.answer_shape import MAX_CHARS, bare, lead_words, read, several, valued, words
from distill.answers.units import NAME

SENTENCE_END = re.compile(
    r"(?<!\b[apAP])(?<!\.m)(?<!\.M)(?<!Mr)(?<!Dr)(?<!St)(?<!Mrs)(?<!sq)(?<!cu)(?<!vs)(?<!i\.e)(?:\.|!(?! ?[=/+]))(?=[\s\"')]|\*\*|$)|\?|。"
)
_MARKER = re.compile(
    r"^[\s*_>✅-]*(?:(?:and|or|but)\s+)?(?:so|thus|therefore|hence|consequently|accordingly|in conclusion|in total|in all|altogether"
    r"|finally|as a result|to conclude|in summary|overall|\\therefore)\b[\s,:*]*|^[\s*]*∴\s*",
    re.IGNORECASE,
)
_PROCEDURE = re.compile(
    r"(?<!\\)\b(?:we (?:need|must|have to|should|want|will|now|cannot|can't|are left|still|know|get|have|see|find)\b"
    r"(?! (?:that|[^\w\s]|[\d$][^=]*= ?\$?[\d.,]+[a-z ]*$))"
    r"|let|check|consider|try|suppose|assume|next,|next (?:step|we|case)"
    r"|cannot|can't|not|if|whether|start|begin|continue|substitut\w+|using|need|needs to|must"
    r"|(?<!least )(?<!greatest )(?<!smallest )(?<!largest )(?<!maximum )(?<!minimum )possible"
    r"|at least|at most|more than|less than|greater than|between|(?<!remainder )when|for (?:all|any|every|each|[a-z]\b)|divisible"
    r"|either|approximately|about|around|roughly)\b",
    re.IGNORECASE,
)
_IS = re.compile(r".*\b(?:is|are|was|were|be|equals|equal to|have|get|obtain|find|=)(?:\s+that)?\b\s*:?\s*(.+)$", re.DOTALL)
_EQUATION = re.compile(
    r"\$?(?:(?:m ?)?(?:\\angle ?|∠ ?)[A-Z]{1,3}"
    r"|[A-Z]{2}|\\(?:sin|cos|tan)\b[^=]{1,20}|[A-Za-z])(?:_\w|\([^()=]{1,9}\)|(?:\s*\+\s*[A-Za-z]){1,4})?\s*="
)
_COUNTED = re.compile(r"(there (?:is|are|were|will be) (?:exactly )?)(\$[^$\n]{1,60}\$|\\\([^()\n]{1,60}\\\)) [a-z]+", re.IGNORECASE)
_REACHED = re.compile(r"we (?:get|have|obtain|find)(?: that)? (.+)", re.DOTALL)
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*|__([^_\n]{1,120})__")
_NUMBER = re.compile(
    r"(?<![\w.,])-?[$£€]?-?(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?!\w|[, ]\d{3}|\.[\d.]|/\d)"
    rf"(?:\s?%|\s(?!in\b)(?:{NAME})s?\b)?"
)
_UNKNOWN = re.compile(r"(?:(?:[\d+*/^(-] ?[A-Za-z]|\|)\)?\$?\s*|\d[a-z](?![A-Za-z\d])[^=]*)=[^=]*$")  # 4x = 12, |x| = 3: to be solved
_RESULT = re.compile(r"=\s*\\?[$£€]?(-?\d+(?:,\d{3})*(?:\.\d+)?)(?![\d\w]|\s*[-+*/×÷^\\]\s*[\d(\\])")
_FILLER = re.compile(
    r"^\W*(?:i hope|hope (?:this|that)|let me know|feel free|thank|have a (?:nice|great|good)|if you have|would you like|is there anything"
    r"|happy|great (?:job|question|work)|good luck|this (?:completes|concludes)|q\.?e\.?d)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:find|evaluate|simplify|compute|calculate|solve|express|what|which|how|value of|let|write|determine)\b", re.IGNORECASE
)
_PARTIAL = re.compile(r"\b(?:steps?|cases?|parts?|first|more|less|fewer|than|of the|and|or|but|no|half|twice|times)\b|n't\b", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-•]\s|\*\s|\d+[.)]\s|\||```|\(\d\)\s*$)")


def ending(text: str) -> str:
    """Return the answer that a text ends in.

    >>> ending("12 / 2 = 6\\nSo each child gets 6 sweets."), ending("So there are 3 cases to check."), ending("The total is **7**.")
    ('6', '', '7')
    """
    lines = [line for line in text.splitlines() if line.strip()]
    while len(lines) > 1 and _FILLER.match(lines[-1]):
        lines.pop()
    if not lines or text.count("\\[") > text.count("\\]") or text.count("$$") % 2:
        return ""  # cut off in a display
    display, above = _display(lines)
    if display:
        marked = _MARKER.match(above) or (above.rstrip(" *").endswith(":") and re.search(r"\b(?:result|total|value|answer)\b", above))
        bare_value = not re.search(r"[=<>≤≥&]|\\[lg]eq?\b", display) and not _TASK.search(above)
        return read(display) if marked or bare_value else ""
    sentence = _last_sentence(lines[-1])
    if _ITEM.match(lines[-1]) or "?" in sentence or len(sentence) > 2 * MAX_CHARS:
        return ""
    return _emphasised(sentence) or _concluded(sentence, text) or _alone(lines)


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
    ends = [0, *(match.end() for match in SENTENCE_END.finditer(line)), len(line)]
    sentences = [part for start, end in pairwise(ends) if (part := line[start:end]).strip(" *_.!\"')")]
    while len(sentences) > 1 and _FILLER.match(sentences[-1]):
        sentences.pop()
    return sentences[-1] if sentences else ""


def _emphasised(sentence: str) -> str:
    """Return the one bold value of a sentence; a bold name only where it ends a conclusion."""
    spans = [(match[1] or match[2], sentence[match.end() :]) for match in _BOLD.finditer(sentence)]
    if len(spans) != 1 or spans[0][0].rstrip().endswith(":") or spans[0][1].startswith(":"):
        return ""
    answer = read(spans[0][0])
    if valued(answer):
        return "" if re.search(r"\b(?:not|if|assume|suppose|we need|needs? to|check)\b", sentence, re.IGNORECASE) else answer
    concluded = not spans[0][1].strip(" .!*)") and _MARKER.match(sentence) and not _PROCEDURE.search(sentence)
    return answer if concluded else ""


def _concluded(sentence: str, text: str) -> str:
    """Return the value that a conclusion ends in, or its one number that is also the result of the last equation."""
    if not (marker := _MARKER.match(sentence)):
        return ""
    rest = bare(sentence[marker.end() :])
    if _EQUATION.match(rest):
        return read(rest)
    if (reached := _REACHED.fullmatch(rest)) and (answer := read(reached[1])) and valued(answer) and not words(answer):
        return answer
    if _PROCEDURE.search(rest) or _UNKNOWN.search(rest):
        return ""
    if (counted := _COUNTED.match(rest)) and read(counted[0].removeprefix(counted[1])):
        return read(counted[2])
    if "=" in rest and not several(rest) and (own := _RESULT.search(rest, rest.rfind("="))):  # So he pays 3 * 4 = $12 a week
        before, joined, after = re.split(r"\b(and|but|while)\b|\Z", rest[: own.start()], maxsplit=1)
        number = _NUMBER.match(rest[own.start() + 1 :].lstrip(" \\"))
        return number[0] if number and not (joined and re.search(r"\d", before) and re.search(r"\d", after)) else ""
    if (match := _IS.match(rest)) and (answer := read(match[1])) and valued(answer):
        return "" if re.search(r"\band\b.*\bleft$", answer) else answer
    results = _RESULT.findall(text[-3000:])[-1:]
    numbers = [match.group() for match in _NUMBER.finditer(re.sub(r"\\text\{[^{}]*\}|\\[()]|\\(?=\$)", " ", rest))]
    same = [number for number in numbers if re.sub(r"[^\d.-]", "", number.split()[0]) in [r.replace(",", "") for r in results]]
    return same[0] if len(same) == 1 else ""


def told(sentence: str, rest: str = "") -> str:
    """Return the one number of a plain sentence that is stated as the answer and ends the `rest` of a text.

    >>> told("She makes $18 every day."), told("There are 3 cases to check.")
    ('$18', '')
    """
    numbers = [match.group() for match in _NUMBER.finditer(sentence)]
    plain = len(numbers) == len(re.findall(r"\d+(?:[.,/]\d+)*", sentence)) == 1 and re.match(r"[A-Z][a-z']*,? [a-z]", sentence)
    last = not rest.lstrip(" :*_").removeprefix(sentence).strip(" .*_\n")
    return numbers[0] if plain and last and not _PROCEDURE.search(sentence) and not _PARTIAL.search(sentence) else ""


def _alone(lines: list[str]) -> str:
    """Return the last line where it is an answer and nothing else: all that a text has, or a bare value below its work."""
    line = lines[-1]
    answer = read(line)
    if len(lines) > 1:
        alone = answer and valued(answer) and "=" not in line and not words(answer) and read(lines[-2]) in ("", answer)
        return answer if alone else ""
    if len(answer) > 60 or not valued(answer):
        return answer if len(answer.split()) == 1 and len(answer) <= 60 and answer == bare(line) else ""
    named = "=" not in line or re.match(r"\W*[A-Za-z]\s*=", line)
    return answer if named and len(lead_words(line)) <= 1 and len(answer.split()) <= 8 else ""
