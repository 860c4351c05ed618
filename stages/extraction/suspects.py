"""Which transcribed texts deserve a look first."""

from collections.abc import Mapping, Sequence

from stages.extraction.compare import RELATION, SIGN

CHANGED, LOST, WORDED, SIGNED = 3.0, 1.0, 0.5, 1.0  # weight of a number replaced, a number on one side only, a word, a sign replaced
SIGN_NAMES = {*RELATION.values(), *SIGN.values()}
MOST = 6  # tokens of one kind that count: a matrix that OCR scrambles has many, and is one problem


def ranked(differences: Mapping[str, Sequence[str]], most: int) -> dict[str, int]:
    """Return the `most` most suspect ids with their ranks from 1; an item without a difference is never among them.

    >>> ranked({"a": ["+the"], "b": ["-15", "+51"], "c": []}, 60)
    {'b': 1, 'a': 2}
    """
    scores = {name: score(tokens) for name, tokens in differences.items()}
    order = sorted((name for name, value in scores.items() if value > 0), key=lambda name: (-scores[name], name))
    return {name: rank for rank, name in enumerate(order[:most], 1)}


def score(tokens: Sequence[str]) -> float:
    """Weigh an item's differences: a number that stands in place of another is most likely a change."""
    ours, theirs = ([token[1:] for token in tokens if token[0] == side] for side in "-+")
    mine, others = (sum(token[0].isdecimal() for token in side) for side in (ours, theirs))
    signs = sum(token in SIGN_NAMES for token in ours)
    words = len(tokens) - mine - others - 2 * signs
    pairs = min(mine, others)
    return CHANGED * min(pairs, MOST) + LOST * min(abs(mine - others), MOST) + WORDED * min(words, MOST) + SIGNED * min(signs, MOST)
