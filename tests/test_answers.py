"""The hand-checked table of answer pairs: every row as labelled, in both directions."""

import re
import time
from collections import Counter
from pathlib import Path

from bench.adversarial_answers import glued
from distill.answers.equality import decide
from distill.answers.final_answer import final_answer
from distill.answers.verify_pool import Pair, compare

SIGNS = {"≡": True, "≠": False, "≟": None}


def rows(name: str = "answers.txt") -> dict[Pair, bool | None]:
    """Return a table: (gold, answer) -> equal, or None where a reader would have to ask."""
    table: dict[Pair, bool | None] = {}
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            gold, *groups = re.split(r" ([≡≠≟]) ", line)
            table |= {
                (gold, answer): SIGNS[sign] for sign, body in zip(groups[::2], groups[1::2], strict=True) for answer in body.split(" ‖ ")
            }
    return table


def test_every_row_is_judged_as_labelled() -> None:
    table = rows() | rows("answers_forms.txt")
    assert Counter(table.values())[True] >= 200
    assert Counter(table.values())[False] >= 200
    judged = compare(table, limit=5.0, memory=1024, workers=1)
    assert {pair: judged[pair] for pair in table if judged[pair] is not table[pair]} == {}


KEYS_ALONE = re.compile(
    r"\b(?:must|required|optional|or|option|choice|improper|yes|no|five|base|except)\b|^[a-z]$|\([A-J]\) ?\d|:|_\{?\(?\d|^0[box]|\dfive"
    r"|\d\W*(?:text\{ )?and \W*(?:frac\{)?3\W+4|^[\[(]?\d+([ ;]\d+)+[\])]?$|\^T$",
    re.IGNORECASE,
)


def test_equality_is_symmetric_but_for_what_only_a_key_says() -> None:
    """A key alone demands forms, allows alternatives, names a choice's letter or the base, and may give a ratio in higher terms."""
    wrong = {
        (gold, answer) for (gold, answer) in rows() if not any(map(KEYS_ALONE.search, (gold, answer.replace("\\ ", " ").replace("}", ""))))
    }
    assert len(wrong) > 900
    assert {pair for pair in wrong if decide(*pair) is not decide(*pair[::-1])} == set()


def test_hostile_texts_cost_little_and_break_nothing() -> None:
    start = time.process_time()
    for text in glued(600, seed=2):
        assert decide("355/113", final_answer(f"\\boxed{{{text}}}", "Answer:", "stop", "strict")) in (False, None)
        assert decide(text, text) is True
    assert time.process_time() - start < 20


BEYOND = {  # what is within the limits on each side, and beyond them only when compared
    ("2^250:2^251", "2^252:2^253"): False, ("2^4090 x = 3", "3x = 2^4090"): None, ("2^4090 miles", "2^4090 feet"): None,
}  # fmt: skip


def test_a_comparison_beyond_the_limits_is_no_error() -> None:
    assert {pair: decide(*pair) for pair in BEYOND} == BEYOND
