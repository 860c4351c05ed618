"""The distiller: a model shortens each verified trace, level by level, each from the one before; what fails a check is asked again.

A level must end in the gold answer, say more than it, and have fewer words than the text that it was made from. The levels of a problem
end where no attempt passes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from distill.answers.equality import decide
from distill.answers.final_answer import final_answer
from distill.core import files
from distill.core.errors import InputError
from distill.llm import prompts
from distill.llm.prompts import Prompt
from distill.llm.request import Answer, Failure, Request
from distill.llm.role_client import Model
from distill.llm.route import Dialogue
from distill.records.level import ANSWER, Level
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE
from distill.records.verified import Verified

_NAMES = {"problem", "work", "words", "level"}
_LINE = re.compile(r"[\s*_#]*(?:final )?answer[\s*_]*:[\s*_]*(.*\S)\s*", re.IGNORECASE)


class ModelDistiller(Model, frozen=True, tag_field="teacher", tag="chat"):
    """Section `condense` of a model, which writes the levels."""

    r1: Literal["trace", "distilled"]  # the first level: the verified trace as it is, or its first condensation
    told_gold: bool  # does the prompt tell the gold answer?
    attempts: Annotated[int, Meta(ge=1)]  # samples asked for a level at most


class Draft(msgspec.Struct, frozen=True):
    """A text to be shortened."""

    id: str  # the problem's
    statement: str
    gold: str
    answer: str  # the trace's, which was found equal to the gold answer
    text: str


class Condensed(msgspec.Struct, frozen=True):
    """What came of one trace."""

    levels: list[Level]  # as far as they were made, then the bare answer
    attempts: dict[str, int]  # by level that was asked for
    lost: str  # why the last of these was not made; "" where all were


def load_prompt(params: ModelDistiller, levels: Sequence[str]) -> Prompt:
    """Return the distiller's prompt; an InputError where it tells the gold answer and the study does not say so, or the other way round."""
    asked = levels if params.r1 == "distilled" else levels[1:]
    loaded = prompts.load(params.prompt, "condense", {*_NAMES, "gold"}, levels)
    if loaded.names().isdisjoint(_NAMES - {"problem", "words"}) or any(not loaded.parts[level] for level in asked):
        raise InputError(f"{params.prompt}: asks for no {{{{work}}}} or no {{{{level}}}}, or says nothing on a level")
    if ("gold" in loaded.names()) != params.told_gold:
        says = "tells the gold answer" if not params.told_gold else "does not tell the gold answer"
        raise InputError(f"{params.prompt}: {says}, and condense.told_gold is {str(params.told_gold).lower()}; change one of the two")
    params.check_samples("condense.attempts", params.attempts)
    return loaded


def build_request(params: ModelDistiller, prompt: Prompt, draft: Draft, level: str) -> Request:
    """Return the request for one level of one problem."""
    words = str(len(draft.text.split()))
    values = {"problem": draft.statement, "work": draft.text, "words": words, "level": prompt.parts[level], "gold": draft.gold}
    return params.request(prompt.messages(values))


def passed(draft: Draft, answer: Answer) -> tuple[str, str]:
    """Return (text, "") of an answer that is a level below the draft, its answer line in the declared form; else ("", reason)."""
    if isinstance(answer, Failure):
        return "", "no answer of the model"
    if answer.unusable:
        return "", "truncated" if answer.unusable == "length" else "blank"
    work, final = split(answer.text)
    if not final:
        return "", "no answer at its end"
    if final != draft.answer and not decide(draft.gold, final) and not decide(draft.answer, final):
        return "", "another answer"
    if not work:
        return "", "nothing but the answer"
    text = f"{work}\n{ANSWER_LINE} {draft.answer}"
    return (text, "") if len(text.split()) < len(draft.text.split()) else ("", "not shorter")


def split(text: str) -> tuple[str, str]:
    """Return (work, answer) of a text that ends in an answer line or a box; the answer is "" where it does not.

    >>> split("So it is 7.\\n**Answer:** 7"), split(r"So it is \\\\boxed{7}."), split("It is 7.")
    (('So it is 7.', '7'), ('So it is \\\\boxed{7}.', '7'), ('', ''))
    """
    work, _, last = text.rstrip().rpartition("\n")
    if match := _LINE.fullmatch(last):
        return work.rstrip(), boxed(match[1]) or match[1].strip("*_ ")
    return (text.rstrip(), boxed(last)) if "\\boxed" in last else ("", "")


def boxed(line: str) -> str:
    """Return the content of a line's box; "" where there is none."""
    return final_answer(line, "\n", "stop", "strict")


def condense(params: ModelDistiller, prompt: Prompt, levels: Sequence[str], trace: Draft) -> Dialogue[Condensed]:
    """Make the levels of one trace, each with as many attempts as it takes and the study allows."""
    drafts: dict[str, Draft] = {}
    attempts: dict[str, int] = {}
    lost, draft = "", trace
    for level in levels:
        if level == levels[0] and params.r1 == "trace":
            draft = drafts[level] = whole(trace)
            continue
        for attempt in range(params.attempts):
            (answer,) = yield [(build_request(params, prompt, draft, level), attempt)]
            text, lost = passed(draft, answer)
            attempts[level] = attempt + 1
            if not lost:
                break
        if lost:
            break
        draft = drafts[level] = msgspec.structs.replace(draft, text=text)
    rows = [Level(trace.id, level, each.text, len(each.text.split()), True) for level, each in drafts.items()]
    if rows:
        bare = f"{ANSWER_LINE} {trace.answer}"
        rows.append(Level(trace.id, ANSWER, bare, len(bare.split()), True))
    return Condensed(rows, attempts, lost)


class Tally:
    """The metrics of the levels, problem by problem."""

    def __init__(self, levels: Sequence[str]) -> None:
        self.sizes: dict[str, Counter[str]] = {level: Counter() for level in (*levels, ANSWER)}  # texts, words and stated answers
        self.asked, self.retried = Counter[str](), Counter[str]()  # by level
        self.lost: dict[str, Counter[str]] = {level: Counter() for level in levels}  # by level and reason

    def add(self, made: Condensed) -> None:
        """Count one problem."""
        for row in made.levels:
            self.sizes[row.level].update(texts=1, words=row.words, states_answer=row.states_answer)
        for level, attempts in made.attempts.items():
            self.asked[level] += attempts
            self.retried[level] += attempts - 1
        if made.lost:
            self.lost[list(made.attempts)[-1]][made.lost] += 1

    def dropped(self) -> Counter[str]:
        """Return the problems whose levels end early, by level and reason."""
        return Counter({f"{level}: {reason}": count for level, lost in self.lost.items() for reason, count in lost.items()})

    def document(self) -> dict[str, dict[str, Any]]:
        """Return by level: texts, their mean words (None of no text), texts that state the answer."""
        return {
            level: {"texts": n["texts"], "words": n["words"] / n["texts"] if n["texts"] else None, "states_answer": n["states_answer"]}
            for level, n in self.sizes.items()
        }

    def by_model(self, told_gold: bool) -> dict[str, dict[str, int]]:
        """Return by level, of a model: was the gold answer told (0 or 1), texts asked for, those asked for again, dropped by reason."""
        return {
            level: {"told_gold": int(told_gold and self.asked[level] > 0), "asked": self.asked[level], "retried": self.retried[level]}
            | {f"dropped_{reason.replace(' ', '_')}": count for reason, count in sorted(lost.items())}
            for level, lost in self.lost.items()
        }


def read_drafts(problems: Path, verified: Path) -> Iterator[Draft]:
    """Yield every trace that is used, with its problem's statement; both files are in the order of the problems."""
    rest = files.iterate_records(problems, Problem)
    for row in files.iterate_records(verified, Verified):
        if row.verdict == "correct" and not row.rejected:
            problem = next((each for each in rest if each.id == row.id), None)
            if problem is None:
                raise InputError(f"{verified}: problem {row.id} is not in {problems} in this order; run `dvc repro` for the verify stage")
            yield Draft(row.id, problem.statement, row.gold, row.answer, row.text)


def whole(draft: Draft) -> Draft:
    """Return a trace as level r1: it ends in the declared answer line, which is added where it is not there."""
    line = f"{ANSWER_LINE} {draft.answer}"
    text = draft.text.rstrip()
    match = _LINE.fullmatch(text.rpartition("\n")[2])
    text = text if text.endswith(f"\n{line}") else f"{text.rpartition(chr(10))[0] if match else text}\n{line}"
    return msgspec.structs.replace(draft, text=text)
