"""The distiller: a model shortens each verified trace, level by level, each from the one before; what fails a check is asked again.

A level must end in the gold answer, say more than it, and have fewer words than the text that it was made from. The levels of a problem
end where no attempt passes. What is kept between the levels lies in files, so that memory does not grow with the corpus.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from distill.answers.equality import decide
from distill.answers.final_answer import final_answer
from distill.core import files
from distill.core.errors import InputError
from distill.llm import prompts
from distill.llm.dispatcher import Asked
from distill.llm.prompts import Prompt
from distill.llm.request import WHOLE, Request, Response
from distill.llm.role_client import Desk, Model
from distill.records.level import ANSWER, LEVELS, Level
from distill.records.problem import Problem
from distill.records.recorded_trace import ANSWER_LINE
from distill.records.verified import Verified

_NAMES = {"problem", "work", "words", "level"}
_LINE = re.compile(r"[\s*_#]*(?:final )?answer[\s*_]*:[\s*_]*(.*\S)\s*", re.IGNORECASE)


class Chat(Model, frozen=True, tag_field="teacher", tag="chat"):
    """Section `condense` where a model writes the levels."""

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


def prompt(params: Chat) -> Prompt:
    """Return the distiller's prompt; an InputError where it tells the gold answer and the study does not say so, or the other way round."""
    levels = LEVELS if params.r1 == "distilled" else LEVELS[1:]
    loaded = prompts.load(params.prompt, "condense", {*_NAMES, "gold"}, LEVELS)
    if loaded.names().isdisjoint(_NAMES - {"problem", "words"}) or any(not loaded.parts[level] for level in levels):
        raise InputError(f"{params.prompt}: asks for no {{{{work}}}} or no {{{{level}}}}, or says nothing on a level")
    if ("gold" in loaded.names()) != params.told_gold:
        says = "tells the gold answer" if not params.told_gold else "does not tell the gold answer"
        raise InputError(f"{params.prompt}: {says}, and condense.told_gold is {str(params.told_gold).lower()}; mend one of the two")
    if params.attempts > 1 and not params.sampling.temperature:
        raise InputError(
            f"condense: {params.attempts} attempts at temperature 0 give one answer {params.attempts} times; raise one or lower the other"
        )
    return loaded


def asked(desk: Desk, told: Prompt, draft: Draft, level: str) -> Request:
    """Return the request for one level of one problem."""
    words = str(len(draft.text.split()))
    values = {"problem": draft.statement, "work": draft.text, "words": words, "level": told.parts[level], "gold": draft.gold}
    return desk.request(told.messages(values))


def passed(draft: Draft, response: Response | None) -> tuple[str, str]:
    """Return (text, "") of a response that is a level below the draft, its answer line in the declared form; else ("", reason)."""
    if response is None:
        return "", "no answer of the model"
    if response.finish not in WHOLE or not response.text:
        return "", "truncated" if response.finish == "length" else "blank"
    work, answer = parted(response.text)
    if not answer:
        return "", "no answer at its end"
    if answer != draft.answer and not decide(draft.gold, answer) and not decide(draft.answer, answer):
        return "", "another answer"
    if not work:
        return "", "nothing but the answer"
    text = f"{work}\n{ANSWER_LINE} {draft.answer}"
    return (text, "") if len(text.split()) < len(draft.text.split()) else ("", "not shorter")


def parted(text: str) -> tuple[str, str]:
    """Return (work, answer) of a text that ends in an answer line or a box; the answer is "" where it does not.

    >>> parted("So it is 7.\\n**Answer:** 7"), parted(r"So it is \\\\boxed{7}."), parted("It is 7.")
    (('So it is 7.', '7'), ('So it is \\\\boxed{7}.', '7'), ('', ''))
    """
    work, _, last = text.rstrip().rpartition("\n")
    if match := _LINE.fullmatch(last):
        return work.rstrip(), boxed(match[1]) or match[1].strip("*_ ")
    return (text.rstrip(), boxed(last)) if "\\boxed" in last else ("", "")


def boxed(line: str) -> str:
    """Return the content of a line's box; "" where there is none."""
    return final_answer(line, "\n", "stop")


class Distiller:
    """One run over a verified corpus."""

    def __init__(self, desk: Desk, params: Chat, work: Path) -> None:
        self.desk, self.params, self.work = desk, params, work
        self.told = prompt(params)
        self.asked, self.retried = Counter[str](), Counter[str]()  # by level
        self.lost: dict[str, Counter[str]] = defaultdict(Counter)  # by level and reason

    def levels(self, problems: Path, verified: Path) -> Iterator[Level]:
        """Yield the levels of every used trace, problem by problem; the bare answer comes last, where r1 was made."""
        if not files.write_records(self._file("trace"), drafts(problems, verified)):
            raise InputError(
                f"{verified}: no chain is verified correct, so there is nothing to condense; look at metrics of the verify stage"
            )
        above = "trace"
        for level in LEVELS:
            if level == LEVELS[0] and self.params.r1 == "trace":
                files.write_records(self._file(level), map(whole, files.iterate_records(self._file(above), Draft)))
            else:
                self._make(level, above)
            above = level
        below = {level: files.iterate_records(self._file(level), Draft) for level in LEVELS}
        heads = {level: next(texts, None) for level, texts in below.items()}
        while first := heads[LEVELS[0]]:
            for level in LEVELS:
                head = heads[level]
                if head and head.id == first.id:
                    yield Level(first.id, level, head.text, len(head.text.split()), True)
                    heads[level] = next(below[level], None)
            answer = f"{ANSWER_LINE} {first.answer}"
            yield Level(first.id, ANSWER, answer, len(answer.split()), True)

    def _file(self, level: str) -> Path:
        return self.work / f"{level}.jsonl"

    def _make(self, level: str, above: str) -> None:
        """Write the texts of a level, each from the one above, with as many attempts as it takes and the study allows."""
        source, places, reasons = self._file(above), dict[str, int](), dict[str, str]()
        for attempt in range(self.params.attempts):

            def calls(attempt: int = attempt) -> Iterator[Asked]:
                for draft in files.iterate_records(source, Draft):
                    if draft.id not in places:
                        yield draft.id, asked(self.desk, self.told, draft, level), attempt

            self.desk.ask(calls, f"condense {level}{f', attempt {attempt + 1}' if attempt else ''}")
            for draft in files.iterate_records(source, Draft):
                if draft.id not in places:
                    self.asked[level] += 1
                    self.retried[level] += attempt > 0
                    _, reasons[draft.id] = passed(draft, self.desk.answer(asked(self.desk, self.told, draft, level), attempt))
                    if not reasons[draft.id]:
                        places[draft.id] = attempt
        self.lost[level].update(reason for reason in reasons.values() if reason)

        def made() -> Iterator[Draft]:
            for draft in files.iterate_records(source, Draft):
                if draft.id in places:
                    response = self.desk.answer(asked(self.desk, self.told, draft, level), places[draft.id])
                    yield msgspec.structs.replace(draft, text=passed(draft, response)[0])

        files.write_records(self._file(level), made())

    def dropped(self) -> Counter[str]:
        """Return the problems whose levels end early, by level and reason."""
        return Counter({f"{level}: {reason}": count for level in LEVELS for reason, count in self.lost[level].items()})

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Return by level: was the gold answer told (0 or 1), texts asked for, those asked for again, problems dropped by reason."""
        return {
            level: {
                "told_gold": int(self.params.told_gold and self.asked[level] > 0),
                "asked": self.asked[level],
                "retried": self.retried[level],
            }
            | {f"dropped_{reason.replace(' ', '_')}": count for reason, count in sorted(self.lost[level].items())}
            for level in LEVELS
        }


def drafts(problems: Path, verified: Path) -> Iterator[Draft]:
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
