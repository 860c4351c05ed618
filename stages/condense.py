"""The distiller: each verified chain at six reasoning levels, and the bare answer for the control."""

from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from stages.shared import stage
from stages.shared.files import Fault, read_records, write_json, write_records
from stages.shared.trace import ANSWER, LEVELS, Level, Verified
from stages.teacher import symbolic


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `condense`."""

    teacher: str


def levels(row: Verified) -> list[Level]:
    """Return the seven texts of one verified chain."""
    texts = {level: symbolic.condense(row.text, level) for level in (*LEVELS, ANSWER)}
    return [Level(row.id, level, text, len(text.split()), _states(text, row.answer)) for level, text in texts.items()]


def _states(text: str, answer: str) -> bool:
    return text.split("\n")[-1] == symbolic.ANSWER_LINE + answer


def main(study: str, verified: str, out: str, metrics: str) -> None:
    """Read the verified chains, write each level of those found correct."""
    params = stage.section(study, "condense", Params)
    if params.teacher != "symbolic":
        raise Fault(f"{study}: section 'condense': teacher is '{params.teacher}'; allowed: symbolic")
    rows = read_records(Path(verified), Verified)
    made = [level for row in rows if row.verdict == "correct" for level in levels(row)]
    if not made:
        raise Fault(f"{verified}: no chain is verified correct, so there is nothing to condense; look at metrics of the verify stage")
    write_records(Path(out), made)
    write_json(Path(metrics), audit(made))
    dropped = Counter(row.verdict for row in rows if row.verdict != "correct")
    stage.closing("condense", len(rows), len(made), dropped)


def audit(made: list[Level]) -> dict[str, Any]:
    """Return texts, mean words and texts that state the answer, by level."""
    by_level = {level: [row for row in made if row.level == level] for level in (*LEVELS, ANSWER)}
    return {
        level: {"texts": len(rows), "words": fmean(row.words for row in rows), "states_answer": sum(row.states_answer for row in rows)}
        for level, rows in by_level.items()
    }


if __name__ == "__main__":
    stage.run(main)
