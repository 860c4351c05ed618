"""Transcribed items against printed ones: what each is on the page, what differs, and which to check."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from distill.extraction import duplicate_clusters, key_agreement, rank_suspects, text_similarity
from distill.extraction.exam_items import Item
from distill.extraction.transcription import Entry
from distill.records.extracted_item import FLAGS, ExtractedItem
from distill.records.problem import CODES, OWN, Problem

Where = tuple[int, str, str]  # year, section, number
Again = Callable[[Sequence[tuple[str, Item]]], Sequence[str]]
Share = Annotated[float, Meta(gt=0, le=1)]
CLEAR = 0.9  # similarity from which a text is plainly that of an item, whatever its number
BANDS = (0.6, 0.8, 0.9, 0.95, 1.0)

Size = Annotated[int, Meta(ge=0)]
Dpi = Annotated[int, Meta(ge=50, le=1200)]


class Datafile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transcription in YEAR.json files: the text of record."""

    folder: str
    sections: dict[str, str]
    rounds: Size
    placeholder: str
    figure: str
    second_dpi: Dpi
    near: Share
    suspects: Size


class Printed(NamedTuple):
    """What the PDFs print."""

    items: dict[Where, tuple[str, Item]]  # file's name and item
    keys: dict[Where, str]


class Match(NamedTuple):
    """A transcribed item and the printed one."""

    entry: Entry
    where: Where | None  # of the printed item
    similarity: float

    @property
    def id(self) -> str:
        """The transcribed item's id."""
        return identity(self.entry.year, self.entry.section, self.entry.number)


def identity(year: int, section: str, number: str) -> str:
    """Return an item's id: 2015-fs-07, 2015-tp-T1."""
    return f"{year}-{CODES[section]}-{number.zfill(2)}"


def reconcile(entries: Sequence[Entry], printed: Printed, params: Datafile, again: Again) -> tuple[list[Problem], list[ExtractedItem]]:
    """Return one problem a transcribed entry, byte for byte, and one extracted item a transcribed or printed item, both by id.

    `again` reads items a second time: a difference counts where both items confirm it.
    """
    matches = [match(entry, printed, params.placeholder) for entry in entries]
    problems = sorted((_problem(found, printed) for found in matches), key=lambda problem: problem.id)
    whole = {problem.id: problem.statement for problem in problems if not re.search(params.placeholder, problem.statement)}
    cluster_of = duplicate_clusters.clusters(whole, params.near, duplicate_clusters.masked)
    differs, first = _differences(matches, printed, again)
    alike = {found.id: found.similarity for found in matches}
    ranked = rank_suspects.ranked(differs, first, alike, params.suspects)
    items = [_item(found, printed, params, cluster_of, differs, ranked) for found in matches]
    claimed = {found.where for found in matches}
    items += [_untranscribed(where, printed) for where in printed.items if where not in claimed]
    return problems, sorted(items, key=lambda item: item.id)


def _differences(matches: Sequence[Match], printed: Printed, again: Again) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the differences of every item found, by id: those of both items, and those of the first."""
    items = {found.id: (found.entry.question, printed.items[found.where]) for found in matches if found.where}
    known = text_similarity.vocabulary(found.entry.question for found in matches)
    first = {name: text_similarity.differences(question, [item.text], known) for name, (question, (_, item)) in items.items()}
    doubtful = [name for name, tokens in first.items() if tokens]
    second = dict(zip(doubtful, again([items[name][1] for name in doubtful]), strict=True))
    both = {
        name: text_similarity.differences(items[name][0], [items[name][1][1].text, second[name]], known) if name in second else tokens
        for name, tokens in first.items()
    }
    return both, first


def match(entry: Entry, printed: Printed, placeholder: str) -> Match:
    """Find the printed item: the one at the entry's number, or one of the same test that is plainly its text."""
    own = (entry.year, entry.section, entry.number)
    if re.search(placeholder, entry.question):
        return Match(entry, None, 0.0)
    alike = text_similarity.similarity(entry.question, printed.items[own][1].text) if own in printed.items else 0.0
    if alike < CLEAR:
        others = [where for where in printed.items if where[:2] == own[:2] and where != own]
        found = [(text_similarity.similarity(entry.question, printed.items[where][1].text), where) for where in others]
        best, where = max(found, default=(0.0, own))
        if best >= CLEAR and best > alike + 0.2:
            return Match(entry, where, best)
    return Match(entry, own if own in printed.items else None, alike)


def _problem(found: Match, printed: Printed) -> Problem:
    year, section, number, question, answer = found.entry
    source, page = (printed.items[found.where][0], printed.items[found.where][1].page) if found.where else ("", 0)
    return Problem(found.id, OWN, section, year, number, question, answer, source, page, "transcription")


def _item(
    found: Match, printed: Printed, params: Datafile, cluster_of: dict[str, str], differs: dict[str, list[str]], ranked: dict[str, int]
) -> ExtractedItem:
    question, answer, where, name = found.entry.question, found.entry.answer, found.where, found.id
    source, item = printed.items[where] if where else ("", Item("", "", 0, (0.0, 0.0, 0.0, 0.0), ""))
    key = printed.keys.get(where or (found.entry.year, found.entry.section, found.entry.number), "")
    agrees = key_agreement.agree(answer, key)
    cluster = cluster_of.get(name, name)
    holds = {
        "placeholder": bool(re.search(params.placeholder, question)),
        "needs_figure": bool(re.search(params.figure, question, re.IGNORECASE)),
        "misnumbered": where is not None and where[2] != found.entry.number,
        "suspect_text": name in ranked,
        "suspect_answer": agrees is False,
        "duplicate": Counter(cluster_of.values())[cluster] > 1,
        "unprinted": where is None,
    }
    flags = [flag for flag in FLAGS if holds.get(flag)]
    similarity, rank = round(found.similarity, 4), ranked.get(name, 0)
    return ExtractedItem(
        name, source, item.page, item.region, item.text, key, similarity, differs.get(name, []), agrees, cluster, rank, flags
    )


def _untranscribed(where: Where, printed: Printed) -> ExtractedItem:
    source, item = printed.items[where]
    name = identity(*where)
    return ExtractedItem(
        name, source, item.page, item.region, item.text, printed.keys.get(where, ""), 0.0, [], None, name, 0, ["untranscribed"]
    )


def counted(problems: Sequence[Problem], items: Sequence[ExtractedItem]) -> dict[str, int]:
    """Return what an audit reports: how much was found, how alike, what agrees, what is flagged."""
    transcribed = [each for each in items if "untranscribed" not in each.flags]
    real = [each for each in transcribed if "placeholder" not in each.flags]
    similar = [each.similarity for each in real if "misnumbered" not in each.flags and each.page]
    flags, agree = Counter(flag for each in items for flag in each.flags), Counter(each.agrees for each in transcribed)
    counts = {"problems": len(problems), "transcribed_real": len(real), "items": sum(each.page > 0 for each in items)}
    counts |= {f"flag_{flag}": flags[flag] for flag in FLAGS}
    counts |= {f"similar_{round(100 * band):03}": sum(each >= band for each in similar) for band in BANDS}
    counts |= {"key_agrees": agree[True], "key_differs": agree[False], "key_unread": agree[None]}
    return counts | {"clusters": sum(size > 1 for size in Counter(each.cluster for each in transcribed).values())}
