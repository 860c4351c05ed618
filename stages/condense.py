"""The distiller: each verified chain at the levels that the study names, and the bare answer for the control.

The recorded distiller's texts are taken as published, every one: `states_answer` is our verdict on each, and an arm decides by it.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import UNSET
from tqdm import tqdm

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.llm import role_client, transcripts
from distill.llm.role_client import RoleClient
from distill.records.level import ANSWER, Level
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, finish_of
from distill.records.verified import Verified
from distill.symbolic import symbolic_teacher
from distill.teacher import chain_verdict, distiller
from distill.teacher.distiller import Condensed, ModelDistiller
from distill.teacher.recorded_texts import RecordedTexts
from distill.teacher.teacher_kinds import RecordedLevels, teacher_type


def main(paths: Paths) -> None:
    """Read the verified chains, write each level of those found correct; of recorded work, all that there is."""
    section = study_file.section(paths.study_file, "condense", dict[str, Any])
    params = study_file.section(paths.study_file, "condense", teacher_type(paths.study_file, "condense", section, ModelDistiller))
    names = study_file.section(paths.study_file, "levels", list[str])
    calls, tally = paths.transcripts / "condense.jsonl.gz", distiller.Tally(names)
    if isinstance(params, ModelDistiller):
        with role_client.opened(paths.study_file, paths.work, "condense", params) as client:
            wrote = files.write_records(paths.levels, by_model(paths, params, names, client, tally))
            client.write_transcripts(calls)
        read = sum(1 for _ in files.iterate_records(paths.verified, Verified))
        dropped, more = tally.dropped(), tally.by_model(params.told_gold)
    else:
        rows, lost = Counter[str](), Counter[str]()
        if isinstance(params, RecordedLevels):
            found = Findings(names)
            made = recorded(paths, params, found, rows, lost)
        else:
            if strange := [name for name in names if name not in symbolic_teacher.OPENERS]:
                known = ", ".join(symbolic_teacher.OPENERS)
                raise InputError(f"{paths.study_file}: levels: the symbolic teacher writes no '{strange[0]}'; allowed: {known}")
            found, made = Findings([]), symbolic(paths, names, rows, lost)
        wrote = files.write_records(paths.levels, counted(paths, made, tally))
        read, dropped, more = rows.total(), lost, found.by_level
        transcripts.write(calls, [])
    files.write_json(paths.levels_metrics, {level: figures | more.get(level, {}) for level, figures in tally.document().items()})
    command.closing("condense", read, wrote, dropped)


def counted(paths: Paths, made: Iterable[list[Level]], tally: distiller.Tally) -> Iterator[Level]:
    """Pass the levels of each problem on and count them; an InputError where there is none of any."""
    for levels in made:
        tally.add(Condensed(levels, {}, ""))
        yield from levels
    if not any(sizes["texts"] for sizes in tally.sizes.values()):
        raise nothing(paths)


def symbolic(paths: Paths, names: Sequence[str], rows: Counter[str], lost: Counter[str]) -> Iterator[list[Level]]:
    """Yield the symbolic teacher's levels of each chain that is found correct."""
    for row in files.iterate_records(paths.verified, Verified):
        rows["read"] += 1
        if row.verdict == "correct":
            yield levels(row, names)
        else:
            lost[row.verdict] += 1


def by_model(paths: Paths, params: ModelDistiller, names: Sequence[str], client: RoleClient, tally: distiller.Tally) -> Iterator[Level]:
    """Yield the levels that a model writes, and count them."""
    prompt = distiller.load_prompt(params, names)

    def drafts() -> Iterator[distiller.Draft]:
        return distiller.read_drafts(paths.problems, paths.verified)

    if next(drafts(), None) is None:
        raise nothing(paths)
    for made in client.run(lambda: (distiller.condense(params, prompt, names, draft) for draft in drafts())):
        tally.add(made)
        yield from made.levels


def nothing(paths: Paths) -> InputError:
    """Return the error where no chain can be condensed."""
    return InputError(f"{paths.verified}: no chain is verified correct, so there is nothing to condense; see {paths.teacher_metrics}")


def levels(row: Verified, names: Sequence[str]) -> list[Level]:
    """Return the texts of one verified chain at every level."""
    texts = {level: symbolic_teacher.condense(row.text, level) for level in (*names, ANSWER)}
    return [Level(row.id, level, text, len(text.split()), _states(text, row.answer)) for level, text in texts.items()]


def _states(text: str, answer: str) -> bool:
    return text.split("\n")[-1] == symbolic_teacher.ANSWER_LINE + answer


class Findings:
    """Of recorded texts, by level: verdicts other than correct, texts that break off, texts that never mention the gold answer."""

    def __init__(self, names: Sequence[str]) -> None:
        keys = ("incorrect", "truncated", "undecided", "breaks_off", "never_mentions")
        self.by_level = {level: dict.fromkeys(keys, 0) for level in names}

    def add(self, text: RecordedTrace, verdict: str, gold: str) -> None:
        """Count one text."""
        found = self.by_level[text.level]
        if verdict != "correct":
            found[verdict] += 1
            found["never_mentions"] += not chain_verdict.mentions(text.text, gold)
        found["breaks_off"] += finish_of(text) == "length"


def recorded(paths: Paths, params: RecordedLevels, found: Findings, rows: Counter[str], lost: Counter[str]) -> Iterator[list[Level]]:
    """Yield the recorded texts of each problem as levels, and count what is found in them; the first level has the verifier's verdict."""
    texts = RecordedTexts(paths.recorded_traces)
    first = next(iter(found.by_level))
    for row in tqdm(files.iterate_records(paths.verified, Verified), unit="problem", desc="condense", file=sys.stderr):
        rows["read"] += 1
        lost["no text recorded"] += row.id not in texts.problems
        made = []
        for level in found.by_level:
            text = texts.get(row.id, level)
            if text is None or not text.text:
                continue
            whole = finish_of(text) == "stop"
            verdict = row.verdict if level == first else chain_verdict.judge(text.text, row.gold, whole=whole)
            made.append(Level(row.id, level, text.text, len(text.text.split()), verdict == "correct", text.finish))
            found.add(text, verdict, row.gold)
        bare = f"{params.answer_line or ANSWER_LINE} {row.gold}" if params.answer == "gold" and made else _answer_line(row.text)
        if bare:
            correct = params.answer == "gold" or row.verdict == "correct"
            made.append(Level(row.id, ANSWER, bare, len(bare.split()), correct, "stop" if params.answer_line else UNSET))
        yield made


def _answer_line(text: str) -> str | None:
    return next((line.strip() for line in reversed(text.split("\n")) if line.startswith(ANSWER_LINE)), None)


if __name__ == "__main__":
    command.run(main)
