"""What a recorded chain concludes, against the gold answer. Text is compared by our own grammar, never evaluated."""

import re

from distill.answers.equality import decide
from distill.answers.final_answer import final_answer, plain
from distill.records.recorded_trace import ANSWER_LINE, breaks_off, is_open, never_closes

_RULE = re.compile(r"^[\s\-*_#]*$|^\s*\\[\[\]]\s*$")  # lines that say nothing: rules, and brackets of displayed formulas
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=\S{2})")
_STEP = re.compile(
    r"=|≈|→|⇒|≡|:|\*\*|\$|\\[()\[\]]|\\(?:Rightarrow|rightarrow|implies|to|approx|quad)\b|\b(?:is|are|equals|gives|yields|of)\b"
)


def judge(text: str, gold: str, *, whole: bool) -> str:
    """Return the verdict on a chain whose final answer is boxed, follows the answer line, or is in its last sentence.

    correct | incorrect (another final answer) | blank (no text) | truncated (it breaks off, or never closes its thinking) | undecided (no
    answer that we could read). `whole`: it is known not to break off, whatever it looks like.
    """
    if not text.strip():
        return "blank"
    if never_closes(text):
        return "truncated"
    if not whole and breaks_off(text):  # a terse chain may end in "= 12": then it is whole
        return "correct" if not is_open(text) and _ends_in(text, gold) else "truncated"
    if answer := final_answer(text, ANSWER_LINE, "stop", "strict"):
        same = decide(gold, answer)
        return "correct" if same or _names(answer, gold) else "incorrect" if same is False else "undecided"
    rows = [row for row in text.split("\n") if not _RULE.match(row)]
    return "correct" if rows and _states(_SENTENCE.split(rows[-1].strip())[-1], gold) else "undecided"


def mentions(text: str, gold: str) -> bool:
    """Tell whether the gold answer occurs anywhere in a text, as it is or in another notation."""
    return _names(text, gold) or any(_states(row, gold) for row in text.split("\n"))


def _terms(sentence: str) -> list[str]:
    """Split a sentence at equals signs, verbs and the like."""
    return [term.strip(" \t.,;*_") for term in _STEP.split(sentence)]


def _ends_in(text: str, gold: str) -> bool:
    end = _terms(text.rstrip().rpartition("\n")[2])[-1]
    return bool(end) and (plain(end) == plain(gold) or decide(gold, end) is True)


def _states(sentence: str, gold: str) -> bool:
    """Tell whether one of a sentence's terms is the gold answer."""
    parts = [part for term in _terms(sentence) for part in (term, *term.split(","), term.split(" ")[0], term.split(" ")[-1])]
    longest = 4 * len(gold) + 24  # characters: room for the gold answer in LaTeX; a longer term says more than an answer
    return _names(sentence, gold) or any(decide(gold, part) is True for part in dict.fromkeys(parts) if 0 < len(part) <= longest)


def _names(text: str, gold: str) -> bool:
    """Tell whether the gold answer occurs in a text as a term of its own: 12 does in "is 12.", not in "-12", "1/12" or "12.5"."""
    return re.search(rf"(?<![\w.\-/^√]){re.escape(plain(gold))}(?![\w/^√]|\.\d|,\d{{3}})", plain(text)) is not None
