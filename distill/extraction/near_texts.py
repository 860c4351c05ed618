"""Near-duplicates: problems whose words are nearly the same, whatever their numbers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")


def near(texts: Mapping[str, str], least: float) -> dict[str, str]:
    """Map each id to the smallest id of its cluster: texts whose words, numbers masked, overlap by `least` (Jaccard, with counts).

    Time is quadratic in the number of texts.

    >>> near({"a": "Tom has 3 red apples. Find x.", "b": "Tom has 5 red apples. Find x.", "c": "Find y."}, 0.8)
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    root = {name: name for name in texts}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    bags = sorted(((masked(text), name) for name, text in texts.items()), key=lambda bag: (bag[0].total(), bag[1]))
    for place, (small, name) in enumerate(bags):
        for large, other in bags[place + 1 :]:
            if small.total() < least * large.total():
                break  # the rest is longer still
            if (small & large).total() >= least * (small | large).total():
                low, high = sorted((find(name), find(other)))
                root[high] = low
    return {name: find(name) for name in sorted(texts)}


def masked(text: str) -> Counter[str]:
    """Return a text's words with counts, every number as 0."""
    return Counter("0" if token[0].isdecimal() else token for token in TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()))
