"""Which of a study's problems are problems of a benchmark: each rule finds pairs of its own kind, and a study names its rules.

The benchmarks' statements are in memory; the study's texts pass one by one. docs/contamination.md: precision and recall of each rule.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from distill.corpus.contamination_text import tokens
from distill.extraction.similar_sets import SimilarSets
from distill.records.contamination_match import ContaminationMatch
from distill.records.problem import Problem

SHOWN = 200  # characters of the shared text that a match keeps
Tokens = Sequence[str]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, le=1)]


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What the study file says of every rule."""

    drop: bool  # clean arms leave out what it finds; false: it is shown and counted


class Exact(Kind, frozen=True, tag="exact"):
    """Equal statements, but for case, spacing, layout and the punctuation of prose."""


class Contains(Kind, frozen=True, tag="contains"):
    """The whole statement of the benchmark stands in the text: short ones, which have no n-gram, and those behind a preface."""

    tokens: Count  # a shorter statement is not looked for: it may stand in any text


class Ngram(Kind, frozen=True, tag="ngram"):
    """The text has a share of the n-grams of the benchmark's statement."""

    n: Count  # tokens
    share: Share  # of the statement's distinct n-grams


class Near(Kind, frozen=True, tag="near"):
    """The sets of shingles of text and statement are alike."""

    shingle: Count  # tokens
    similarity: Share  # Jaccard


Rule = Exact | Contains | Ngram | Near


class Text(NamedTuple):
    """One text of the study."""

    id: str
    name: str  # statement, or a level
    text: str


class Finder(Protocol):
    """One rule over all statements of the benchmarks."""

    def find(self, text: Tokens) -> Iterable[tuple[int, float]]:
        """Return the places of the statements that the text matches, each with its score."""


def matches(texts: Iterable[Text], items: Sequence[Problem], rules: Sequence[Rule]) -> Iterator[ContaminationMatch]:
    """Yield each pair that a rule finds, in the order of the texts, of the rules and of the items."""
    statements = [tokens(item.statement) for item in items]
    finders: list[tuple[Rule, Finder]] = [(rule, FINDERS[type(rule)](statements, rule)) for rule in rules]
    for each in texts:
        text = tokens(each.text)
        for rule, finder in finders:
            for place, score in sorted(finder.find(text)):
                item = items[place]
                name, common = str(rule.__struct_config__.tag), shared(text, statements[place])
                yield ContaminationMatch(each.id, each.name, item.benchmark, item.id, name, round(score, 6), rule.drop, common)


def shared(text: Tokens, statement: Tokens) -> str:
    """Return the longest run of tokens that both have."""
    run = SequenceMatcher(None, text, statement, autojunk=False).find_longest_match()
    return " ".join(text[run.a : run.a + run.size])[:SHOWN]


def counts(found: Iterable[ContaminationMatch], items: Sequence[Problem], checked: Mapping[str, int]) -> dict[str, Any]:
    """Return the texts checked by name, and by benchmark its problems and, by rule and by any: those found and the study's that match."""
    ours: dict[tuple[str, str], set[str]] = defaultdict(set)
    theirs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in found:
        for rule in (each.rule, "any"):
            ours[each.benchmark, rule].add(each.id)
            theirs[each.benchmark, rule].add(each.item)
    sizes = Counter(item.benchmark for item in items)
    rows: dict[str, Any] = {name: {"items": sizes[name]} for name in sorted(sizes)}
    for name, rule in sorted(ours):
        rows[name][rule] = {"items": len(theirs[name, rule]), "problems": len(ours[name, rule])}
    return {"texts": dict(sorted(checked.items())), "benchmarks": rows}


class ExactFinder:
    """Statements by their tokens."""

    def __init__(self, statements: Sequence[Tokens], rule: Exact) -> None:
        self.places: Mapping[tuple[str, ...], list[int]] = _places(tuple(each) for each in statements)

    def find(self, text: Tokens) -> Iterable[tuple[int, float]]:
        """Return the statements that are equal to the text."""
        return [(place, 1.0) for place in self.places.get(tuple(text), ())] if text else []


class ContainsFinder:
    """Statements by their first tokens."""

    def __init__(self, statements: Sequence[Tokens], rule: Contains) -> None:
        self.statements, self.size = [tuple(each) for each in statements], rule.tokens
        self.places = _places(each[: self.size] for each in self.statements)

    def find(self, text: Tokens) -> Iterable[tuple[int, float]]:
        """Return the statements of at least `tokens` tokens that stand in the text."""
        whole, found = tuple(text), set()
        for start, gram in enumerate(_grams(text, self.size)):
            for place in self.places.get(gram, ()):
                statement = self.statements[place]
                if whole[start : start + len(statement)] == statement:
                    found.add(place)
        return [(place, 1.0) for place in found]


class NgramFinder:
    """Statements by each of their n-grams."""

    def __init__(self, statements: Sequence[Tokens], rule: Ngram) -> None:
        grams = [set(_grams(each, rule.n)) for each in statements]
        self.rule, self.sizes = rule, [len(each) for each in grams]
        self.places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, each in enumerate(grams):
            for gram in each:
                self.places[gram].append(place)

    def find(self, text: Tokens) -> Iterable[tuple[int, float]]:
        """Return the statements of which the text has the least share of n-grams."""
        found = Counter(place for gram in set(_grams(text, self.rule.n)) & self.places.keys() for place in self.places[gram])
        scores = ((place, count / self.sizes[place]) for place, count in found.items())
        return [(place, score) for place, score in scores if score >= self.rule.share]


class NearFinder:
    """Statements by their rarest shingles."""

    def __init__(self, statements: Sequence[Tokens], rule: Near) -> None:
        self.size = rule.shingle
        self.sets = SimilarSets([set(_grams(each, self.size)) for each in statements], rule.similarity)

    def find(self, text: Tokens) -> Iterable[tuple[int, float]]:
        """Return the statements of the least similarity; a text without a shingle is like none."""
        grams = set(_grams(text, self.size))
        return self.sets.like_set(grams) if grams else []


FINDERS: Mapping[type, Any] = {Exact: ExactFinder, Contains: ContainsFinder, Ngram: NgramFinder, Near: NearFinder}


def _grams(found: Tokens, size: int) -> Iterator[tuple[str, ...]]:
    """Yield each run of `size` tokens."""
    return zip(*(found[start:] for start in range(size)), strict=False)


def _places(keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return places
