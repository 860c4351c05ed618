"""The answer that a text states in another form than a box or the declared answer line: `#### 18`, or in prose. "" where it states none.

Prose holds many numbers that are no answer. So a statement counts only if it calls itself the answer, or is the last one of a text that
came to its end and is marked as its result; and only if what it states reads as a value or a name. Only the end of a text is looked at,
and every pattern is linear.
"""

import re
from itertools import pairwise

from distill.answers.answer_shape import MAX_CHARS, bare, lead_words, read, valued, words
from distill.answers.units import NAME

TAIL, MAX_STATEMENTS = 20_000, 60  # characters looked at, from the end; declarations looked at, from the last
_ENDS = re.compile(r"<\|[a-z_]{2,30}\|>|</s>|<｜[^<>｜]{1,40}｜>|\[/?INST\]")  # a template's marks, printed by a model
_NEXT = re.compile(r"\n[ \t#*]*(?:Q|Question|Problem|Exercise|Human|User|Instruction)(?: \d{1,3})?\**:", re.IGNORECASE)  # a new problem
_NOTES = re.compile(r"<<[^<>\n]{0,80}>>")  # GSM8K's calculator
_HASHES = re.compile(r"^[ \t]*####[ \t]*([^\n]*)$", re.MULTILINE)
_HEADING = re.compile(r"\d+\s*[.):]\s*\S*[A-Za-z]|.*[:)]$(?<!\(\w\))|.*\b(?:step|case|part)\b", re.IGNORECASE)
_TAGGED = re.compile(r"<(?:final_)?answer>((?:(?!<).){1,600})</(?:final_)?answer>", re.DOTALL)
_KEYED = re.compile(
    r"\"(?:final[_ ])?answer\"\s*:\s*(?:\"((?:[^\"\\\n]|\\.){1,300})\"|(-?\d[\d.,/]{0,40}(?<!,)))\s*[,}\n]",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"(?:\b(?P<before>[\w']+)[ \t*_]{1,4})??"
    r"(?:\b(?:final|correct|right|exact|numeric|numerical|required|desired|requested|simplified|best|closest|overall)[ \t*_]{1,4}){0,2}"
    r"\b(?:answers?|ans|option|choice)\b(?P<of>[ \t]+(?:to|of|for)\b[^.:=?!\n]{1,80}?)?"
    r"[*_\"') \t]{0,4}(?::|=|\.(?=\s\d)|[-–—](?=\s)|(?:is|are|equals|would be|should be|must be|will be|becomes)\b)"
    r"|^[ \t]{0,3}(?P<a>A):"
    r"|^#{1,6}[ \t]{1,3}(?:\*\*)?(?:the )?(?:final )?answer(?:\*\*)?[ \t]*$|^\*\*(?:final )?answer\*\*[ \t]*$"
    r"|答案(?:是|为|：|:)",
    re.IGNORECASE | re.MULTILINE,
)
_DETERMINERS = "the our my so hence thus therefore then and final is overall finally giving gives your"  # not: Tom's, wrong, another
_BEFORE = frozenset(_DETERMINERS.split())
_HYPOTHESIS = re.compile(
    r"\b(?:if|suppose|supposing|assume|assuming|whether|unless|until|unsure|not sure|wonder|guessing that|say|says|said|claims?|doubt"
    r"|would|could|might|maybe|perhaps)\b[^.!?\n]*$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|hmm+|actually|mistake|incorrect|oops|on second thought|re-?check|reconsider|recalculate|re-?examine"
    r"|(?:is|was|seems?|looks) (?:wrong|not (?:right|correct))|can(?:not|'t) be right|does(?:n't| not) (?:match|work|add up|fit))\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\b[apAP])(?<!\.m)(?<!\.M)(?<!Mr)(?<!Dr)(?<!St)(?<!Mrs)(?<!sq)(?<!cu)(?<!vs)[.!](?=[\s\"')]|\*\*|$)|\?|。")
_MARKER = re.compile(
    r"^[\s*_>✅-]*(?:(?:and|or|but)\s+)?(?:so|thus|therefore|hence|consequently|accordingly|in conclusion|in total|in all|altogether"
    r"|finally|as a result|to conclude|in summary|overall|\\therefore)\b[\s,:*]*|^[\s*]*∴\s*",
    re.IGNORECASE,
)
_PROCEDURE = re.compile(
    r"\b(?:we (?:need|must|have to|should|want|will|now|cannot|can't|are left|still|know|get|have|see|find)\b(?! (?:that|[^\w\s]))"
    r"|let|check|consider|try|suppose|assume|next,|next (?:step|we|case)"
    r"|cannot|can't|not|if|whether|start|begin|continue|substitut\w+|using|needs?|must|possible"
    r"|at least|at most|more than|less than|greater than|between|when|for (?:all|any|every|each|[a-z]\b)|divisible"
    r"|either|approximately|about|around|roughly)\b",
    re.IGNORECASE,
)
_IS = re.compile(r".*\b(?:is|are|was|were|be|equals|equal to|have|get|obtain|find|=)(?:\s+that)?\b\s*:?\s*(.+)$", re.DOTALL)
_EQUATION = re.compile(r"\$?[A-Za-z](?:_\w|\([^()=]{1,9}\)|(?:\s*\+\s*[A-Za-z]){1,4})?\s*=")
_COUNTED = re.compile(r"(there (?:is|are|were|will be) (?:exactly )?)(\$[^$\n]{1,60}\$|\\\([^()\n]{1,60}\\\)) [a-z]+", re.IGNORECASE)
_REACHED = re.compile(r"we (?:get|have|obtain|find)(?: that)? (.+)", re.DOTALL)
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*|__([^_\n]{1,120})__")
_NUMBER = re.compile(
    r"(?<![\w.,])-?[$£€]?-?(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?!\w|[, ]\d{3}|\.[\d.]|/\d)"
    rf"(?:\s?%|\s(?!in\b)(?:{NAME})s?\b)?"
)
_RESULT = re.compile(r"=\s*\\?[$£€]?(-?\d+(?:,\d{3})*(?:\.\d+)?)(?![\d\w]|\s*[-+*/×÷^\\]\s*[\d(\\])")
_FILLER = re.compile(
    r"^\W*(?:i hope|hope (?:this|that)|let me know|feel free|thank|have a (?:nice|great|good)|if you have|would you like|is there anything"
    r"|happy|great (?:job|question|work)|good luck|this (?:completes|concludes)|q\.?e\.?d)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:find|evaluate|simplify|compute|calculate|solve|express|what|which|how|value of|let|write|determine)\b", re.IGNORECASE
)
_ITEM = re.compile(r"\s*(?:[-•]\s|\*\s|\d+[.)]\s|\||```|\(\d\)\s*$)")


def hashed(text: str, finish: str) -> str:
    """Return what follows the last `####` of GSM8K's form; a heading of that level is none, nor a line that the token limit may have cut.

    >>> hashed("9 * 2 = 18\\n#### 18", "stop"), hashed("#### 2. Add them\\nThat is 5.", "stop")
    ('18', '')
    """
    end = text[-TAIL:]
    for part in _parts(end):
        for match in reversed(list(_HASHES.finditer(part))):
            cut = finish == "length" and match.end() == len(part) == len(end)
            answer = "" if cut or _HEADING.match(match[1].strip()) else read(match[1])
            alone = not words(answer) or not part[match.end() :].strip()
            if answer and alone and (valued(answer) or re.fullmatch(r"\(?[A-J]\)?", answer)):
                return answer
    return ""


def stated(text: str, line: str, finish: str) -> str:
    """Return the answer that a text states: on the answer line, `#### 18`, "the answer is 18", `A: 18`, a bold one, a conclusion.

    >>> stated("So she has 3 left. The answer is $3$.", "Answer:", "stop"), stated("We divide 18 by 3.", "Answer:", "stop")
    ('3', '')
    """
    start = text.rfind(line) + len(line)
    declared = (
        _statement(text[start : start + 2 * MAX_CHARS]) if start >= len(line) and (finish != "length" or "\n" in text[start:]) else ""
    )
    if answer := read(declared) or hashed(text, finish):
        return answer
    _, closed, body = text.rpartition("</think>")
    if not closed and "<think>" in text:
        return ""  # cut off in its thoughts
    body = body[-TAIL:]
    if finish == "length":  # the last statement may have gone on
        body = body[: max(body.rfind("\n"), body.rfind(". ")) + 1]
    tagged = _TAGGED.findall(body) or [text or number for text, number in _KEYED.findall(body)]
    for part in [*tagged[:-2:-1], *_parts(body)]:
        if answer := _declared(part) or ("" if finish == "length" else _ending(part)):
            return answer
    return ""


def _parts(text: str) -> list[str]:
    """Return a text up to where a model goes on with a problem of its own, and the whole where that differs."""
    text = _NOTES.sub("", _ENDS.sub("\n", text))
    match = _NEXT.search(text, 1)
    return [text[: match.start()], text] if match and text[: match.start()].strip() else [text]


def _declared(text: str) -> str:
    """Return the last answer that calls itself one, if the text after it does not take it back."""
    for match in list(_DECLARED.finditer(text))[:-MAX_STATEMENTS:-1]:
        before, said = (match["before"] or "").casefold(), text[max(0, match.start() - 200) : match.start()]
        option = match["a"] and (match["a"] != "A" or re.search(r"^[ \t]*B:", text[match.end() :], re.MULTILINE))
        foreign = (
            before and before not in _BEFORE and not re.match(r"[*_ \t]*[.:;,!?\n]", text[match.end("before") : match.end("before") + 5])
        )
        if (
            option
            or foreign
            or before in ("if", "whether")
            or _HYPOTHESIS.search(said)
            or re.search(r"\bpart\b|\b[a-z]\)", match["of"] or "")
        ):
            continue
        statement = _statement(text[match.end() : match.end() + 2 * MAX_CHARS])
        if re.match(r"\s*(?:not|n't|wrong|incorrect)\b", statement):
            return ""
        if answer := read(statement):
            return "" if _TAKEN_BACK.search(text, match.end()) else answer
    return ""


def _statement(rest: str) -> str:
    """Return what follows a declaration: to the end of its sentence, or the next line or display where its own line has no more."""
    rest = rest.lstrip(" \t:*_")
    if not rest.partition("\n")[0].strip(" \t:*_-"):
        rest = rest.partition("\n")[2].lstrip("\r\n \t*_")
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening):
            return rest[2:].partition(closing)[0]
    line = rest.partition("\n")[0]
    end = _SENTENCE_END.search(line)
    return line if not end else line[: end.end() if end.group() == "?" else end.start()]


def _ending(text: str) -> str:
    """Return the answer that the end of a text states: a display, a bold value, a conclusion's value, or all that its last line has."""
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
    if _ITEM.match(lines[-1]) or "?" in sentence:
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
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(line)), len(line)]
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
        return "" if re.search(r"\b(?:not|if|assume|suppose|need|check)\b", sentence, re.IGNORECASE) else answer
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
    if _PROCEDURE.search(rest):
        return ""
    if (counted := _COUNTED.match(rest)) and read(counted[0].removeprefix(counted[1])):
        return read(counted[2])
    own = _RESULT.search(rest, rest.rfind("=")) if "=" in rest and not re.search(r"=[^=]*(?:\band\b|\bor\b|,)[^=]*=", rest) else None
    if own:  # So he pays 3 * 4 = $12 a week
        several = re.search(r"\d[^=]*\b(?:and|but|while)\b[^=]*\d[^=]*=", rest)
        return "" if several or not (number := _NUMBER.match(rest[own.start() + 1 :].lstrip(" \\"))) else number[0]
    if (match := _IS.match(rest)) and (answer := read(match[1])) and valued(answer):
        return answer
    results = _RESULT.findall(text[-3000:])[-1:]
    numbers = [match.group() for match in _NUMBER.finditer(re.sub(r"\\text\{[^{}]*\}|\\[()]|\\(?=\$)", " ", rest))]
    same = [number for number in numbers if re.sub(r"[^\d.-]", "", number.split()[0]) in [r.replace(",", "") for r in results]]
    return same[0] if len(same) == 1 else ""


def _alone(lines: list[str]) -> str:
    """Return the last line where it is an answer and nothing else: all that a text has, or a bare value below its work."""
    line = lines[-1]
    answer = read(line)
    if len(lines) > 1:
        alone = answer and valued(answer) and "=" not in line and not words(answer) and not read(lines[-2])
        return answer if alone else ""
    if len(answer) > 60 or not valued(answer):
        return answer if len(answer.split()) == 1 and len(answer) <= 60 and answer == bare(line) else ""
    named = "=" not in line or re.match(r"\W*[A-Za-z]\s*=", line)
    return answer if named and len(lead_words(line)) <= 1 and len(answer.split()) <= 8 else ""
