"""Pairs of sets of a least Jaccard similarity, found without comparing each with each.

Members are ordered by rarity. Two sets of similarity `near` or more share one of the first |A| - ceil(near |A|) + 1 members of A and of
as many of B (prefix filtering: Chaudhuri, Ganti, Kaushik, ICDE 2006; Bayardo, Ma, Srikant, WWW 2007), so only sets that do are compared.
"""

from collections.abc import Hashable, Iterable, Set
from math import ceil

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


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
        # Of each member, the sets that have it among their first, the smallest set first.
        place = np.arange(len(flat)) - self.starts[owners]
        first = np.flatnonzero(place < self._prefixes(self.sizes)[owners])
        first = first[np.lexsort((self.sizes[owners[first]], self.flat[first]))]
        self.posted = owners[first]
        self.posted_sizes = self.sizes[self.posted]
        self.posts = np.searchsorted(self.flat[first], np.arange(len(numbers) + 1))

    def like(self, place: int) -> list[tuple[int, float]]:
        """Return the sets like the one at a place, itself left out, and no larger than it: (place, similarity)."""
        members = self.flat[self.starts[place] : self.starts[place + 1]]
        return [pair for pair in self._search(members, len(members), len(members)) if pair[0] != place]

    def like_set(self, members: Set[Hashable]) -> list[tuple[int, float]]:
        """Return the sets like another one: (place, similarity)."""
        known = sorted(self.rank[member] for member in members if member in self.rank)
        return self._search(np.array(known, np.int32), len(members), int(len(members) / self.near + 1))

    def _prefixes(self, sizes: Numbers) -> Numbers:
        return sizes - np.ceil(self.near * sizes).astype(np.int64) + 1

    def _search(self, known: npt.NDArray[np.int32], size: int, largest: int) -> list[tuple[int, float]]:
        """Compare a set of `size` members, of which `known` are in the index, with those that it may be like, of at most `largest`."""
        if not size:
            return [(int(place), 1.0) for place in np.flatnonzero(self.sizes == 0)]
        least = ceil(self.near * size)
        prefix = known[: max(size - least + 1 - (size - len(known)), 0)]  # members that no set has are the rarest
        found = []
        for rank in prefix:
            low, high = self.posts[rank], self.posts[rank + 1]
            window = self.posted_sizes[low:high]
            found.append(self.posted[low + np.searchsorted(window, least) : low + np.searchsorted(window, largest, "right")])
        if not found:
            return []
        candidates = np.unique(np.concatenate(found))
        if not len(candidates):
            return []
        sizes = self.sizes[candidates]
        offsets = np.cumsum(sizes) - sizes
        self.marks[known] = True
        common = np.add.reduceat(
            self.marks[self.flat[np.arange(sizes.sum()) + np.repeat(self.starts[candidates] - offsets, sizes)]], offsets, dtype=np.int64
        )
        self.marks[known] = False
        unions = sizes + size - common
        alike = np.flatnonzero(common >= self.near * unions)
        return [(int(candidates[place]), float(common[place] / unions[place])) for place in alike]
