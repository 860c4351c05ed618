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
from distill.records.level import ANSWER, LEVELS, Level
from distill.records.recorded_trace import ANSWER_LINE, RecordedTrace, breaks_off
from distill.records.verified import Verified
from distill.symbolic import symbolic_teacher
from distill.teacher import chain_verdict, distiller
from distill.teacher.teacher_kinds import Recorded, teacher_type

TRANSCRIPTS = "condense.jsonl.gz"


def main(paths: Paths) -> None:
    """Read the verified chains, write each level of those found correct; of recorded work, all that there is."""
    section = study_file.section(paths.study_file, "condense", dict[str, Any])
    params = study_file.section(paths.study_file, "condense", teacher_type(paths.study_file, "condense", section, distiller.ModelDistiller))
    rows = files.iterate_records(paths.verified, Verified)
    if isinstance(params, distiller.ModelDistiller):
        wrote, dropped = by_model(paths, params)
        command.closing("condense", sum(1 for _ in rows), wrote, dropped)
        return
    verified = list(rows)
    if isinstance(params, Recorded):
        texts = files.read_records(paths.recorded_traces, RecordedTrace)
        made, found = recorded(verified, texts)
        dropped = Counter({"no text recorded": len({row.id for row in verified} - {each.id for each in texts})})
    else:
        made = [level for row in verified if row.verdict == "correct" for level in levels(row)]
        found, dropped = {}, Counter(row.verdict for row in verified if row.verdict != "correct")
    if not made:
        raise nothing(paths)
    files.write_records(paths.levels, made)
    sizes = distiller.Sizes()
    sizes.add(made)
    files.write_json(paths.levels_metrics, {level: figures | found.get(level, {}) for level, figures in sizes.document().items()})
    transcripts.write(paths.transcripts / TRANSCRIPTS, [])
    command.closing("condense", len(verified), len(made), dropped)


def nothing(paths: Paths) -> InputError:
    """Return the error where no chain can be condensed."""
    return InputError(f"{paths.verified}: no chain is verified correct, so there is nothing to condense; see {paths.teacher_metrics}")


def by_model(paths: Paths, params: distiller.ModelDistiller) -> tuple[int, Counter[str]]:
    """Have a model write the levels, and keep its calls as transcripts; return how many it wrote, and what it dropped by reason."""
    prompt, tally = distiller.load_prompt(params), distiller.Tally(params.told_gold)

    def drafts() -> Iterator[distiller.Draft]:
        return distiller.read_drafts(paths.problems, paths.verified)

    def counted(client: role_client.RoleClient) -> Iterator[Level]:
        for made in client.run(lambda: (distiller.condense(params, prompt, draft) for draft in drafts())):
            tally.add(made)
            yield from made.levels

    if next(drafts(), None) is None:
        raise nothing(paths)
    with role_client.opened(paths.study_file, paths.work, "condense", params) as client:
        wrote = files.write_records(paths.levels, counted(client))
        files.write_json(paths.levels_metrics, tally.document())
        client.write_transcripts(paths.transcripts / TRANSCRIPTS)
    return wrote, tally.dropped()


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
