"""Clusters of duplicate problem texts."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping

from distill.extraction.similar_sets import SimilarSets

DASHES = str.maketrans("−–—", "---")
TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s.,;:!?'\"`’‘“”$]")  # numbers, words, and signs that carry meaning
Bag = frozenset[tuple[str, int]]  # tokens, each with how many equal ones are before it


def tokens(text: str) -> tuple[str, ...]:
    """Return what a text says, without case, spacing and the punctuation of prose; numbers and signs stay.

    >>> tokens("Find  x^2 − 3.5, please!")
    ('find', 'x', '^', '2', '-', '3.5', 'please')
    """
    folded = unicodedata.normalize("NFC", text).translate(DASHES).casefold()
    return tuple(TOKEN.findall(re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", folded)))


def distinct(found: tuple[str, ...]) -> Bag:
    """Return the tokens, each once."""
    return frozenset((token, 0) for token in found)


def masked(found: tuple[str, ...]) -> Bag:
    """Return the words and numbers as often as they occur, every number as 0: problems that differ in their numbers are alike."""
    seen = defaultdict[str, int](int)
    bag = []
    for token in TOKEN.findall(unicodedata.normalize("NFKC", " ".join(found))):  # x² is x and 2
        if token[0].isalnum():
            word = "0" if token[0].isdecimal() else token
            bag.append((word, seen[word]))
            seen[word] += 1
    return frozenset(bag)


def clusters(texts: Mapping[str, str], near: float, bag: Callable[[tuple[str, ...]], Bag] = distinct) -> dict[str, str]:
    """Map each id to the smallest id of its cluster: equal token lists or, below 1.0, bags of Jaccard similarity `near` or more.

    A text without tokens is its own cluster.

    >>> clusters({"a": "Tom has 3 red apples. Find x.", "b": "Tom has 5 red apples. Find x.", "c": "Find y."}, 0.8, masked)
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    root = {name: name for name in texts}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    def join(one: str, other: str) -> None:
        low, high = sorted((find(one), find(other)))
        root[high] = low

    firsts: dict[str, str] = {}
    bags: dict[Bag, str] = {}
    for name, text in texts.items():
        if found := tokens(text):
            first = firsts.setdefault(" ".join(found), name)
            join(name, first)
            if near < 1 and first == name:
                join(name, bags.setdefault(bag(found), name))
    if near < 1:
        names = list(bags.values())
        sets = SimilarSets(bags, near)
        for place, name in enumerate(names):
            for other, _ in sets.like(place):
                join(name, names[other])
    return {name: find(name) for name in sorted(texts)}
