"""The distiller: each verified chain at six reasoning levels, and the bare answer for the control.

The recorded distiller's texts are taken as published, every one: `states_answer` is our verdict on each, and an arm decides by it.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tqdm import tqdm

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.llm import role_client, transcripts
from distill.llm.role_client import RoleClient
from distill.records.level import ANSWER, LEVELS, Level
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, breaks_off
from distill.records.verified import Verified
from distill.symbolic import symbolic_teacher
from distill.teacher import chain_verdict, distiller
from distill.teacher.distiller import Condensed, ModelDistiller
from distill.teacher.teacher_kinds import Recorded, teacher_type


def main(paths: Paths) -> None:
    """Read the verified chains, write each level of those found correct; of recorded work, all that there is."""
    section = study_file.section(paths.study_file, "condense", dict[str, Any])
    params = study_file.section(paths.study_file, "condense", teacher_type(paths.study_file, "condense", section, ModelDistiller))
    calls, tally = paths.transcripts / "condense.jsonl.gz", distiller.Tally()
    if isinstance(params, ModelDistiller):
        with role_client.opened(paths.study_file, paths.work, "condense", params) as client:
            wrote = files.write_records(paths.levels, by_model(paths, params, client, tally))
            client.write_transcripts(calls)
        read = sum(1 for _ in files.iterate_records(paths.verified, Verified))
        dropped, more = tally.dropped(), tally.by_model(params.told_gold)
    else:
        rows = files.read_records(paths.verified, Verified)
        if isinstance(params, Recorded):
            texts = files.read_records(paths.recorded_traces, RecordedTrace)
            made, more = recorded(rows, texts)
            dropped = Counter({"no text recorded": len({row.id for row in rows} - {each.id for each in texts})})
        else:
            made = [level for row in rows if row.verdict == "correct" for level in levels(row)]
            dropped, more = Counter(row.verdict for row in rows if row.verdict != "correct"), {}
        if not made:
            raise nothing(paths)
        read, wrote = len(rows), files.write_records(paths.levels, made)
        tally.add(Condensed(made, {}, ""))
        transcripts.write(calls, [])
    files.write_json(paths.levels_metrics, {level: figures | more.get(level, {}) for level, figures in tally.document().items()})
    command.closing("condense", read, wrote, dropped)


def by_model(paths: Paths, params: ModelDistiller, client: RoleClient, tally: distiller.Tally) -> Iterator[Level]:
    """Yield the levels that a model writes, and count them."""
    prompt = distiller.load_prompt(params)

    def drafts() -> Iterator[distiller.Draft]:
        return distiller.read_drafts(paths.problems, paths.verified)

    if next(drafts(), None) is None:
        raise nothing(paths)
    for made in client.run(lambda: (distiller.condense(params, prompt, draft) for draft in drafts())):
        tally.add(made)
        yield from made.levels


def nothing(paths: Paths) -> InputError:
    """Return the error where no chain can be condensed."""
    return InputError(f"{paths.verified}: no chain is verified correct, so there is nothing to condense; see {paths.teacher_metrics}")


def levels(row: Verified) -> list[Level]:
    """Return the seven texts of one verified chain."""
    texts = {level: symbolic_teacher.condense(row.text, level) for level in (*LEVELS, ANSWER)}
    return [Level(row.id, level, text, len(text.split()), _states(text, row.answer)) for level, text in texts.items()]


def _states(text: str, answer: str) -> bool:
    return text.split("\n")[-1] == symbolic_teacher.ANSWER_LINE + answer


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


if __name__ == "__main__":
    command.run(main)
