"""The hand-checked table of answer pairs: every row as labelled, in both directions."""

import re
from collections import Counter
from pathlib import Path

from stages.grading.pool import Pair, compare

SIGNS = {"≡": True, "≠": False, "≟": None}


def rows() -> dict[Pair, bool | None]:
    """Return the table: (gold, answer) -> equal, or None where a reader would have to ask."""
    table: dict[Pair, bool | None] = {}
    for line in (Path(__file__).parent / "answers.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            gold, *groups = re.split(r" ([≡≠≟]) ", line)
            table |= {
                (gold, answer): SIGNS[sign] for sign, body in zip(groups[::2], groups[1::2], strict=True) for answer in body.split(" ‖ ")
            }
    return table


def test_every_row_is_judged_as_labelled() -> None:
    table = rows()
    assert Counter(table.values())[True] >= 200
    assert Counter(table.values())[False] >= 200
    judged = compare(table, limit=5.0, memory=1024, workers=1)
    assert {pair: judged[pair] for pair in table if judged[pair] is not table[pair]} == {}
