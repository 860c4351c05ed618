"""The answer that a text states in another form than a box or the declared answer line: `#### 18`, or in prose. "" where it states none.

Prose holds many numbers that are no answer. So a statement counts only if it calls itself the answer, or is the last one of a text that
came to its end and is marked as its result; and only if what it states reads as a value or a name. Only the end of a text is looked at,
and every pattern is linear.
"""

import re

from distill.answers.answer_shape import MAX_CHARS, read, valued, words
from distill.answers.ending_answer import SENTENCE_END, ending, without_filler
from distill.answers.sentence_number import stated_number
from distill.answers.units import spelt

TAIL, MAX_STATEMENTS = 20_000, 60  # characters looked at, from the end; declarations looked at, from the last
_ENDS = re.compile(r"<\|[a-z_]{2,30}\|>|</s>|<｜[^<>｜]{1,40}｜>|\[/?(?:INST|ANSWER)\]")  # a template's marks, printed by a model
_NEXT = re.compile(  # a new problem
    r"\n[ \t#*]*(?:Q|Question|Problem|Exercise|Human|User|Instruction)(?: \d{1,3})?\**:"
    r"|\n[ \t]*(?:#{1,6}[ \t]*|\*\*)(?:Question|Problem|Exercise|Example|Instruction)(?: \d{1,3})?[.:]?\**[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_NOTES = re.compile(r"<<[^<>\n]{0,80}>>")  # GSM8K's calculator
_HASHES = re.compile(r"^[ \t]*####(?!#)[ \t]*([^\n]*)$", re.MULTILINE)
_HEADING = re.compile(r"\d+\s*[.):]\s*\S*[A-Za-z]|.*[:)]$(?<!\(\w\))|.*\b(?:step|case|part)\b", re.IGNORECASE)
_TAGGED = re.compile(r"<(?:final_)?answer>((?:(?!<).){1,600})</(?:final_)?answer>", re.DOTALL)
_KEYED = re.compile(
    r"\"(?:final[_ ])?answer\"\s*:\s*(?:\"((?:[^\"\\\n]|\\.){1,300})\"|(-?\d[\d.,/]{0,40}(?<!,)))\s*[,}\n]",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"(?:\b(?P<before>[\w']{1,20})[ \t*_]{1,4})??"
    r"(?:\b(?:final|correct|right|exact|numeric|numerical|required|desired|requested|simplified|best|closest|overall)[ \t*_]{1,4}){0,2}"
    r"(?<!/)\b(?:answers?|ans|option|choice)\b(?P<of>[ \t]+(?:to|of|for)\b(?:[^.,:=?!\n\"]|\"[^\"\n]{1,80}\"){1,80}?)?"
    r"(?:[ \t]\([^()\n]{2,40}\)|,[ \t](?:in [a-z ]{2,30}|therefore|thus|then|hence),)?"
    r"[*_\"') \t]{0,4}(?::|=|\.(?=\s\d)|[-–—](?=\s)|\b(?:is|are|equals|would be|should be|must be|will be|becomes"
    r"|comes (?:out )?to|(?:turns|works) out(?: to)?(?: be)?)\b)"
    r"|^[ \t]{0,3}(?P<a>A):"
    r"|^#{1,6}[ \t]{1,3}(?:\*\*)?(?:the )?(?:final )?answer(?:\*\*)?[ \t]*$|^\*\*(?:final )?answer\*\*[ \t]*$"
    r"|答案(?:是|为|：|:)",
    re.IGNORECASE | re.MULTILINE,
)
_DETERMINERS = "the our my so hence thus therefore then and final is overall finally giving gives"  # not: Tom's, wrong, another
_BEFORE = frozenset(_DETERMINERS.split())
_CLAUSE = re.compile(r"[A-Z][a-z]+ (?!(?:by|of|at|to|in|from)\b)[a-z]+(?: [a-z]+){0,4} [$£€\d]")  # She sold 72 clips; not: South by 3 km
_HYPOTHESIS = re.compile(
    r"\b(?:if|suppose|supposing|assume|assuming|whether|unless|until|unsure|not sure|wonder|guessing that|say|says|said|claims?|doubt"
    r"|would|could|might|maybe|perhaps)\b[^.!?\n]*\Z",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|hmm+|actually|mistake|incorrect|oops|on second thought|re-?check|reconsider|recalculate|re-?examine"
    r"|(?:is|was|seems?|looks) (?:wrong|not (?:right|correct))|can(?:not|'t) be right|does(?:n't| not) (?:match|work|add up|fit))\b",
    re.IGNORECASE,
)


def hashed(text: str, finish: str) -> str:
    """Return what follows the last `####` of GSM8K's form; a heading of that level is none, nor a line that the token limit may have cut.

    >>> hashed("9 * 2 = 18\\n#### 18", "stop"), hashed("#### 2. Add them\\nThat is 5.", "stop")
    ('18', '')
    """
    end = text[-TAIL:]
    for part in _parts(end):
        for match in reversed(list(_HASHES.finditer(part))):
            cut = finish == "length" and match.end() == len(part) == len(end)
            said = [piece for piece in match[1].split("####")[: -1 if cut else None] if piece.strip()]
            answer = "" if not said or _HEADING.match(said[-1].strip()) else read(said[-1])
            alone = not words(answer) or not without_filler(part[match.end() :])
            if answer and alone and (valued(answer) or spelt(answer) or re.fullmatch(r"\(?[A-J]\)?", answer)):
                return answer
    return ""


def stated(text: str, line: str, finish: str) -> str:
    """Return the answer that a text states: on the answer line, `#### 18`, "the answer is 18", `A: 18`, a bold one, a conclusion.

    >>> stated("So she has 3 left. The answer is $3$.", "Answer:", "stop"), stated("We divide 18 by 3.", "Answer:", "stop")
    ('3', '')
    """
    if answer := _on_line(text, line, finish) or hashed(text, finish):
        return answer
    _, closed, body = text.rpartition("</think>")
    if not closed and "<think>" in text:
        return ""  # cut off in its thoughts
    body = body[-TAIL:]
    if finish == "length":  # the last statement may have gone on
        body = body[: max(body.rfind("\n"), body.rfind(". ")) + 1]
    tagged = _TAGGED.findall(body) or [text or number for text, number in _KEYED.findall(body)]
    for part in [*tagged[:-2:-1], *_parts(body)]:
        if answer := _declared(part) or (part is not body and stated_number(part)) or ("" if finish == "length" else ending(part)):
            return answer
    return ""


def _on_line(text: str, line: str, finish: str) -> str:
    """Return what the last `line` before a problem of the model's own states; a line that the token limit may have cut states nothing."""
    parts = _parts(text.rpartition("</think>")[2])
    for part in parts:
        start = part.rfind(line) + len(line)
        if start >= len(line) and (finish != "length" or part is not parts[-1] or "\n" in part[start:]):
            rest = part[start:]
            if answer := read(statement := _statement(rest[: 2 * MAX_CHARS])) or stated_number(statement, rest):
                return answer
        if _declared(part) or (len(parts) > 1 and hashed(part, finish)):
            return ""
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
            or _HYPOTHESIS.search(re.split(r"[,;] but\b", said)[-1])
            or re.search(r"\b(?:part|first|second|third|next|previous)\b|\b[a-z]\)", match["of"] or "", re.IGNORECASE)
        ):
            continue
        statement = _statement(text[match.end() : match.end() + 2 * MAX_CHARS])
        if re.match(r"\s*(?:not|n't|wrong|incorrect)\b", statement):
            return ""
        labelled = ":" in text[match.end() - 1 : match.end() + 1] or "#" in match.group()
        told = stated_number(statement, text[match.end() :]) if labelled else ""
        if answer := (told if _CLAUSE.match(statement) else "") or read(statement) or told:
            return "" if _TAKEN_BACK.search(text, match.end()) else answer
    return ""


def _statement(rest: str) -> str:
    """Return what follows a declaration: to the end of its sentence, or the next line or display where its own line has no more."""
    rest = rest.lstrip(" \t:*_")
    if not rest.partition("\n")[0].strip(" \t:*_-"):
        rest = rest.partition("\n")[2].lstrip("\r\n \t*_")
        if re.match(r"[-•]\s", rest):
            return ""  # a list, or a minus
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening):
            return rest[2:].partition(closing)[0]
    line = rest.partition("\n")[0]
    end = SENTENCE_END.search(line)
    return line if not end else line[: end.end() if end.group() == "?" else end.start()] + "$" * line.startswith("$ ", end.end())
