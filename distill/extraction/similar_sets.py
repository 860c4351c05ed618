"""Pairs of sets of a least Jaccard similarity, found without comparing each with each.

Members are ordered by rarity. Two sets of similarity `near` or more share one of the first |A| - ceil(near |A|) + 1 members of A and of
as many of B (prefix filtering: Chaudhuri, Ganti, Kaushik, ICDE 2006), and from the first one that they share on both have enough members
left (positional filtering: Xiao, Wang, Lin, Yu, WWW 2008). Only such sets are compared.
"""

from collections.abc import Hashable, Iterable, Set
from math import ceil

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Members = npt.NDArray[np.int32]  # by rank, the rarest first


class SimilarSets:
    """Sets in the order given, to be searched for those like one of them or like another set."""

    def __init__(self, sets: Iterable[Set[Hashable]], near: float) -> None:
        """Index the sets; `near` is the least similarity, above 0."""
        self.near = near
        numbers: dict[Hashable, int] = {}
        rows = [np.fromiter((numbers.setdefault(member, len(numbers)) for member in each), np.int32, len(each)) for each in sets]
        self.sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        flat = np.concatenate([np.empty(0, np.int32), *rows])
        ranks = np.empty(len(numbers), np.int32)
        ranks[np.argsort(np.bincount(flat, minlength=len(numbers)), kind="stable")] = np.arange(len(numbers), dtype=np.int32)
        self.rank = {member: int(ranks[number]) for member, number in numbers.items()}
        owners = np.repeat(np.arange(len(rows), dtype=np.int32), self.sizes)
        flat = ranks[flat]
        self.flat = flat[np.lexsort((flat, owners))]  # each set's members, the rarest first
        self.marks = np.zeros(len(numbers), np.bool_)
        # Of each member, the sets that have it among their first: sorted by (member, size of the set), which is one number, the key.
        places = (np.arange(len(flat)) - self.starts[owners]).astype(np.int32)
        first = np.flatnonzero(places < (self.sizes - np.ceil(near * self.sizes) + 1)[owners])
        self.base = int(self.sizes.max(initial=0)) + 1
        keys = self.flat[first].astype(np.int64) * self.base + self.sizes[owners[first]]
        order = np.argsort(keys, kind="stable")
        self.keys, self.posted, self.places = keys[order], owners[first][order], places[first][order]

    def like(self, place: int) -> list[tuple[int, float]]:
        """Return the sets like the one at a place, itself left out, and no larger than it: (place, similarity)."""
        members = self.flat[self.starts[place] : self.starts[place + 1]]
        return [pair for pair in self._search(members, len(members), len(members)) if pair[0] != place]

    def like_set(self, members: Set[Hashable]) -> list[tuple[int, float]]:
        """Return the sets like another one: (place, similarity)."""
        known = sorted(self.rank[member] for member in members if member in self.rank)
        return self._search(np.array(known, np.int32), len(members), int(len(members) / self.near + 1))

    def _search(self, known: Members, size: int, largest: int) -> list[tuple[int, float]]:
        """Compare a set of `size` members, of which `known` are in the index, with those that it may be like, of at most `largest`."""
        if not size:
            return [(int(place), 1.0) for place in np.flatnonzero(self.sizes == 0)]
        candidates = self._candidates(known, size, largest)
        if not len(candidates):
            return []
        sizes = self.sizes[candidates]
        members = _ranges(self.starts[candidates], sizes)
        self.marks[known] = True
        common = np.add.reduceat(self.marks[self.flat[members]], np.cumsum(sizes) - sizes, dtype=np.int64)
        self.marks[known] = False
        unions = sizes + size - common
        alike = np.flatnonzero(common >= self.near * unions)
        return [(int(candidates[place]), float(common[place] / unions[place])) for place in alike]

    def _candidates(self, known: Members, size: int, largest: int) -> Members:
        """Return the places of the sets that have a common member among their first and could have enough of them after it."""
        least = ceil(self.near * size)
        unknown = size - len(known)  # members that no set has: the rarest
        prefix = known[: max(size - least + 1 - unknown, 0)].astype(np.int64) * self.base
        low = np.searchsorted(self.keys, prefix + min(least, self.base - 1))
        counts = np.searchsorted(self.keys, prefix + min(largest, self.base - 1), "right") - low
        hits = _ranges(low, np.maximum(counts, 0))
        places, sizes = self.places[hits], self.keys[hits] % self.base
        own = np.repeat(np.arange(unknown, unknown + len(prefix)), np.maximum(counts, 0))
        most = np.minimum(size - own, sizes - places)  # common members, if this is the first: those from here on
        return np.unique(self.posted[hits[most >= self.near * (sizes + size - most)]])


def _ranges(starts: Numbers, sizes: Numbers) -> Numbers:
    """Return the numbers of several ranges, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
