"""The distiller: each verified chain at six reasoning levels, and the bare answer for the control.

The recorded distiller's texts are taken as published, every one: `states_answer` is our verdict on each, and an arm decides by it.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
from tqdm import tqdm

from distill.cli import command
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import read_records, write_json, write_records
from distill.llm import role_client
from distill.records.level import ANSWER, LEVELS, Level
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, breaks_off
from distill.records.verified import Verified
from distill.symbolic import symbolic_teacher
from distill.teacher import chain_verdict, distiller


class Symbolic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="symbolic"):
    """Section `condense`: the exact solver's chain, with text dropped."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="teacher", tag="recorded"):
    """Section `condense`: the published levels."""


TEACHERS: dict[Any, type[Any]] = {"symbolic": Symbolic, "recorded": Recorded, "chat": distiller.Chat}


def levels(row: Verified) -> list[Level]:
    """Return the seven texts of one verified chain."""
    texts = {level: symbolic_teacher.condense(row.text, level) for level in (*LEVELS, ANSWER)}
    return [Level(row.id, level, text, len(text.split()), _states(text, row.answer)) for level, text in texts.items()]


def _states(text: str, answer: str) -> bool:
    return text.split("\n")[-1] == symbolic_teacher.ANSWER_LINE + answer


def main(study: str, problems: str, verified: str, recordings: str, out: str, metrics: str, transcripts: str) -> None:
    """Read the verified chains, write each level of those found correct; of recorded work, all that there is."""
    teacher = study_file.section(study, "condense", dict[str, Any]).get("teacher")
    if teacher not in TEACHERS:
        raise InputError(f"{study}: section 'condense': teacher is {teacher!r}; allowed: {', '.join(TEACHERS)}")
    params = study_file.section(study, "condense", TEACHERS[teacher])
    if teacher == "chat":
        by_model(study, params, Path(problems), Path(verified), (out, metrics, transcripts))
        return
    rows = read_records(Path(verified), Verified)
    if teacher == "recorded":
        texts = read_records(Path(recordings), RecordedTrace)
        made, found = recorded(rows, texts)
        dropped = Counter({"no text recorded": len({row.id for row in rows} - {each.id for each in texts})})
    else:
        made = [level for row in rows if row.verdict == "correct" for level in levels(row)]
        found, dropped = {}, Counter(row.verdict for row in rows if row.verdict != "correct")
    if not made:
        raise InputError(f"{verified}: no chain is verified correct, so there is nothing to condense; look at metrics of the verify stage")
    write_records(Path(out), made)
    write_json(Path(metrics), {level: figures | found.get(level, {}) for level, figures in audit(made).items()})
    role_client.leave_none(transcripts)
    command.closing("condense", len(rows), len(made), dropped)


def by_model(study: str, params: distiller.Chat, problems: Path, verified: Path, outs: tuple[str, str, str]) -> None:
    """Write (levels, metrics, transcripts) of a study whose distiller is a model."""
    sizes: dict[str, Counter[str]] = {level: Counter() for level in (*LEVELS, ANSWER)}

    def counted(made: Iterator[Level]) -> Iterator[Level]:
        for level in made:
            sizes[level.level].update(texts=1, words=level.words, states_answer=level.states_answer)
            yield level

    rows = sum(1 for _ in files.iterate_records(verified, Verified))
    with role_client.opened(study, "condense", params) as own:
        work = distiller.Distiller(own, params, Path(".work", Path(study).stem, "condense"))
        wrote = files.write_records(Path(outs[0]), counted(work.levels(problems, verified)))
        found = work.metrics()
        for level, size in sizes.items():
            words = {"words": size["words"] / size["texts"]} if size["texts"] else {"words": None}
            found[level] = {"texts": size["texts"]} | words | {"states_answer": size["states_answer"]} | found.get(level, {})
        write_json(Path(outs[1]), {level: found[level] for level in sizes})
        own.leave(outs[2])
    command.closing("condense", rows, wrote, work.dropped())


def recorded(rows: Sequence[Verified], recordings: Sequence[RecordedTrace]) -> tuple[list[Level], dict[str, dict[str, int]]]:
    """Return the recorded texts as levels, and by level: verdicts, texts that break off, texts that never mention the gold answer.

    r1 has the verifier's verdict. Its answer line is the level `answer`.
    """
    texts = {(each.id, each.level): each.text for each in recordings}
    made: list[Level] = []
    found = {level: dict.fromkeys(("incorrect", "truncated", "undecided", "breaks_off", "never_mentions"), 0) for level in LEVELS}
    for row, level in tqdm([(row, level) for row in rows for level in (*LEVELS, ANSWER)], unit="text", desc="condense", file=sys.stderr):
        text = texts.get((row.id, level)) if level != ANSWER else _answer_line(row.text)
        if not text:
            continue
        verdict = row.verdict if level in (LEVELS[0], ANSWER) else chain_verdict.judge(text, row.gold)
        made.append(Level(row.id, level, text, len(text.split()), verdict == "correct"))
        if level != ANSWER and verdict != "correct":
            found[level][verdict] += 1
            found[level]["never_mentions"] += not chain_verdict.mentions(text, row.gold)
        if level != ANSWER:
            found[level]["breaks_off"] += breaks_off(text)
    return made, found


def _answer_line(text: str) -> str | None:
    return next((line.strip() for line in reversed(text.split("\n")) if line.startswith(ANSWER_LINE)), None)


def audit(made: list[Level]) -> dict[str, Any]:
    """Return texts, mean words and texts that state the answer, by level."""
    by_level = {level: [row for row in made if row.level == level] for level in (*LEVELS, ANSWER)}
    return {
        level: {"texts": len(rows), "words": fmean(row.words for row in rows), "states_answer": sum(row.states_answer for row in rows)}
        for level, rows in by_level.items()
    }


if __name__ == "__main__":
    command.run(main)
