"""Transcribed items against printed ones: what each is on the page, what differs, and which to check."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from distill.corpus import duplicate_clusters
from distill.extraction import key_agreement, rank_suspects, text_similarity
from distill.extraction.exam_items import Item
from distill.extraction.transcription import Entry
from distill.records.extracted_item import FLAGS, ExtractedItem
from distill.records.problem import CODES, Problem

Again = Callable[[Sequence[tuple[str, Item]]], Sequence[str]]
Share = Annotated[float, Meta(gt=0, le=1)]
CLEAR = 0.9  # similarity from which a text is plainly that of an item, whatever its number
BANDS = (0.6, 0.8, 0.9, 0.95, 1.0)


class Datafile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transcription in YEAR.json files: the text of record."""

    folder: str
    sections: dict[str, str]
    rounds: int
    placeholder: str
    figure: str
    second_dpi: int
    near: Share
    suspects: int


class Printed(NamedTuple):
    """What the PDFs hold, by (year, section, number)."""

    items: dict[tuple[int, str, str], tuple[str, Item]]  # file's name and item
    keys: dict[tuple[int, str, str], str]


class Match(NamedTuple):
    """A transcribed item and the printed one."""

    entry: Entry
    where: tuple[int, str, str] | None  # of the printed item
    similarity: float


def identity(year: int, section: str, number: str) -> str:
    """Return an item's id: 2015-fs-07, 2015-tp-T1."""
    return f"{year}-{CODES[section]}-{number.zfill(2)}"


def reconcile(entries: Sequence[Entry], printed: Printed, params: Datafile, again: Again) -> tuple[list[Problem], list[ExtractedItem]]:
    """Return one problem a transcribed entry, byte for byte, and one extracted item a transcribed or printed item, both by id.

    `again` reads items a second time: a difference counts where both readings confirm it.
    """
    matches = [match(entry, printed, params.placeholder) for entry in entries]
    problems = sorted((_problem(found, printed) for found in matches), key=lambda problem: problem.id)
    whole = {problem.id: problem.statement for problem in problems if not re.search(params.placeholder, problem.statement)}
    cluster_of = duplicate_clusters.clusters(whole, params.near, duplicate_clusters.masked)
    differs, first = _differences(matches, printed, again)
    alike = {identity(*found.entry[:3]): found.similarity for found in matches}
    ranked = rank_suspects.ranked(differs, first, alike, params.suspects)
    readings = [_reading(found, printed, params, cluster_of, differs, ranked) for found in matches]
    claimed = {found.where for found in matches}
    readings += [_untranscribed(where, printed) for where in printed.items if where not in claimed]
    return problems, sorted(readings, key=lambda reading: reading.id)


def _differences(matches: Sequence[Match], printed: Printed, again: Again) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the differences of every item found, by id: those of both readings, and those of the first."""
    items = {identity(*found.entry[:3]): (found.entry.question, printed.items[found.where]) for found in matches if found.where}
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
    entry = found.entry
    source, item = printed.items[found.where] if found.where else ("", None)
    return Problem(
        id=identity(entry.year, entry.section, entry.number),
        benchmark="competition",
        section=entry.section,
        year=entry.year,
        number=entry.number,
        statement=entry.question,
        gold=entry.answer,
        source=source,
        page=item.page if item else 0,
        reader="transcription",
    )


def _reading(
    found: Match, printed: Printed, params: Datafile, cluster_of: dict[str, str], differs: dict[str, list[str]], ranked: dict[str, int]
) -> ExtractedItem:
    entry, where, similarity = found
    name = identity(entry.year, entry.section, entry.number)
    source, item = printed.items[where] if where else ("", None)
    key = printed.keys.get(where or (entry.year, entry.section, entry.number), "")
    agrees = key_agreement.agree(entry.answer, key)
    cluster = cluster_of.get(name, name)
    holds = {
        "placeholder": bool(re.search(params.placeholder, entry.question)),
        "needs_figure": bool(re.search(params.figure, entry.question, re.IGNORECASE)),
        "misnumbered": where is not None and where[2] != entry.number,
        "suspect_text": name in ranked,
        "suspect_answer": agrees is False,
        "duplicate": Counter(cluster_of.values())[cluster] > 1,
        "unprinted": where is None,
    }
    return ExtractedItem(
        id=name,
        source=source,
        page=item.page if item else 0,
        region=item.region if item else (0.0, 0.0, 0.0, 0.0),
        text=item.text if item else "",
        key=key,
        similarity=round(similarity, 4),
        differs=differs.get(name, []),
        agrees=agrees,
        cluster=cluster,
        rank=ranked.get(name, 0),
        flags=[flag for flag in FLAGS if holds.get(flag)],
    )


def _untranscribed(where: tuple[int, str, str], printed: Printed) -> ExtractedItem:
    source, item = printed.items[where]
    name = identity(*where)
    key = printed.keys.get(where, "")
    return ExtractedItem(name, source, item.page, item.region, item.text, key, 0.0, [], None, name, 0, ["untranscribed"])


def counted(problems: Sequence[Problem], readings: Sequence[ExtractedItem]) -> dict[str, int]:
    """Return what an audit reports: how much was found, how alike, what agrees, what is flagged."""

    def count(holds: Callable[[ExtractedItem], bool]) -> int:
        return sum(map(holds, readings))

    flags = Counter(flag for reading in readings for flag in reading.flags)
    real = [reading for reading in readings if not {"placeholder", "untranscribed"} & set(reading.flags)]
    own = [reading for reading in real if "misnumbered" not in reading.flags and reading.page]
    counts = {"problems": len(problems), "transcribed_real": len(real), "items": count(lambda reading: reading.page > 0)}
    counts |= {f"flag_{flag}": flags[flag] for flag in FLAGS}
    counts |= {f"similar_{round(100 * band):03}": sum(reading.similarity >= band for reading in own) for band in BANDS}
    transcribed = [reading for reading in readings if "untranscribed" not in reading.flags]
    counts |= {"key_agrees": sum(reading.agrees is True for reading in transcribed)}
    counts |= {"key_differs": sum(reading.agrees is False for reading in transcribed)}
    counts |= {"key_unread": sum(reading.agrees is None for reading in transcribed)}
    sizes = Counter(reading.cluster for reading in transcribed)
    return counts | {"clusters": sum(size > 1 for size in sizes.values())}
