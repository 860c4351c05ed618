"""Which transcribed texts deserve a look first."""

from collections.abc import Mapping

from stages.extraction import compare
from stages.extraction.reading import Reading


def ranked(items: Mapping[str, tuple[str, Reading]], most: int) -> dict[str, int]:
    """Return the `most` most suspect ids with their ranks from 1; an item without a difference is never among them."""
    scores = {name: score(statement, reading) for name, (statement, reading) in items.items()}
    order = sorted((name for name, value in scores.items() if value > 0), key=lambda name: (-scores[name], name))
    return {name: rank for rank, name in enumerate(order[:most], 1)}


def score(statement: str, reading: Reading) -> float:
    """Weigh the differences: a number on each side that the other lacks is most likely a change."""
    ours = [token for token in reading.differs if token[0] == "-"]
    theirs = [token for token in reading.differs if token[0] == "+"]
    return 2.0 * min(len(ours), len(theirs)) + 0.5 * abs(len(ours) - len(theirs))
