"""Which transcribed texts a reviewer should check first."""

from collections.abc import Mapping, Sequence

from distill.extraction.text_similarity import RELATION, SIGN

CHANGED, LOST, ADDED = 3.0, 1.0, 0.4  # weight of a number replaced; of one that only the statement has, or only the page (a figure's label)
WORDED, SIGNED = 0.25, 1.0  # of a word, a sign replaced
ONCE = 0.35  # share of the weight of what only the first reading confirms
ALIKE, UNLIKE = 0.9, 10.0  # what is less alike than this is built otherwise; weight of the shortfall
SIGN_NAMES = {*RELATION.values(), *SIGN.values()}
MOST = 6  # tokens of one kind that count: a matrix that OCR scrambles has many, and is one problem


Tokens = Mapping[str, Sequence[str]]  # by id


def ranked(differences: Tokens, first: Tokens, similarities: Mapping[str, float], most: int) -> dict[str, int]:
    """Return the `most` most suspect ids with their ranks from 1; a text that is alike and has no difference is never among them.

    `differences` are those of all readings, `first` those of the first alone.

    >>> found = {"a": ["+the"], "b": ["-15", "+51"], "c": [], "d": []}
    >>> ranked(found, found, {"a": 1.0, "b": 0.99, "c": 0.97, "d": 0.8}, 60)
    {'b': 1, 'd': 2, 'a': 3}
    """
    scores = {
        name: (1 - ONCE) * score(tokens) + ONCE * score(first[name]) + UNLIKE * max(ALIKE - similarities[name], 0)
        for name, tokens in differences.items()
    }
    order = sorted((name for name, value in scores.items() if value > 0), key=lambda name: (-scores[name], name))
    return {name: rank for rank, name in enumerate(order[:most], 1)}


def score(tokens: Sequence[str]) -> float:
    """Weigh an item's differences: a number or letter in place of another is most likely a change."""
    ours, theirs = ([token[1:] for token in tokens if token[0] == side] for side in "-+")
    mine, others = (sum(token[0].isdecimal() or len(token) == 1 for token in side) for side in (ours, theirs))
    signs = sum(token in SIGN_NAMES for token in ours)
    words = len(tokens) - mine - others - 2 * signs
    pairs = min(mine, others)
    lost, added = min(mine - pairs, MOST), min(others - pairs, MOST)
    return CHANGED * min(pairs, MOST) + LOST * lost + ADDED * added + WORDED * min(words, MOST) + SIGNED * min(signs, MOST)
