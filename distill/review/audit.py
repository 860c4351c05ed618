"""What a vision model read against what the extraction read, item by item, as a person's transcription is audited."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from distill.extraction import key_agreement, rank_suspects, reconcile, text_similarity
from distill.extraction.exam_items import Item
from distill.extraction.read_item import ReadItem, identity, parts
from distill.extraction.reconcile import Printed, Where
from distill.extraction.transcription import Entry
from distill.transcriber.transcription import Transcription

NEVER = "(?!)"  # no text of a transcriber is a placeholder
FLAGS = (
    "untranscribed",  # the transcriber has no text of it
    "unread",  # the transcriber has it, the reader has not
    "misnumbered",  # the transcriber has it under another number
    "suspect_text",  # numbers, signs or words differ
    "suspect_answer",  # the transcriber read another answer in the key
)


class Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item and its transcription."""

    id: str  # as in extracted.jsonl; an unread item has one too
    source: str
    page: int
    text: str  # as the transcriber read it; "" where it did not
    key: str  # likewise
    similarity: float  # of both texts, 0 to 1
    differs: list[str]  # -15 only the transcription has it, +51 only the reading
    rank: int  # among the suspect texts, from 1; 0 where it is none
    flags: list[str]  # of FLAGS


class Placed(NamedTuple):
    """A transcriber's rows at the items that they are of."""

    texts: dict[str, tuple[str, int, str]]  # source, page and text, by id
    answers: dict[str, str]
    unplaced: int  # answers of no item that is known


def audit(items: Sequence[ReadItem], exact: Collection[str], rows: Sequence[Transcription]) -> tuple[list[Checked], int]:
    """Return one row an item, read or transcribed, by id, and how many answers belong to no item; `exact` are those of a text layer."""
    placed = place(items, rows)
    texts = {name: text for name, (_, _, text) in placed.texts.items()}
    printed = Printed(
        {_where(item.id): (item.source, Item(item.section, item.number, item.page, item.box, item.text)) for item in items}, {}
    )
    ids = {_where(item.id): item.id for item in items}
    vocabulary = text_similarity.vocabulary(texts.values())
    alike, differs, other = dict[str, float](), dict[str, list[str]](), dict[str, bool]()
    for name, text in texts.items():
        found = reconcile.match(Entry(*_where(name), text, ""), printed, NEVER)
        alike[name], other[name] = found.similarity, found.where not in (None, _where(name))
        if found.where:
            read, sure = printed.items[found.where][1].text, ids[found.where] in exact
            known = vocabulary | text_similarity.vocabulary([read, read]) if sure else vocabulary
            differs[name] = text_similarity.differences(text, [read], known, sure)
    ranked = rank_suspects.ranked(differs, differs, alike, len(differs))
    checked = []
    for name, item in ({item.id: item for item in items} | {name: None for name in texts if _where(name) not in printed.items}).items():
        source, page, text = placed.texts.get(name, (item.source, item.page, "") if item else ("", 0, ""))
        answer = placed.answers.get(name, "")
        holds = {
            "untranscribed": not text,
            "unread": item is None,
            "misnumbered": other.get(name, False),
            "suspect_text": name in ranked,
            "suspect_answer": bool(item and answer) and key_agreement.agree(answer, item.key if item else "") is False,
        }
        flags = [flag for flag in FLAGS if holds[flag]]
        similarity = round(alike.get(name, 0.0), 4)
        checked.append(Checked(name, source, page, text, answer, similarity, differs.get(name, []), ranked.get(name, 0), flags))
    return sorted(checked, key=lambda each: each.id), placed.unplaced


def _where(name: str) -> Where:
    year, section, number = parts(name)
    return year, section, number


def place(items: Sequence[ReadItem], rows: Sequence[Transcription]) -> Placed:
    """Say which item each row is of: the one at its number in its file, the nearest where the file has several tests."""
    by_number: dict[tuple[str, str], list[ReadItem]] = defaultdict(list)
    for item in items:
        by_number[_file(item.source), item.number].append(item)
    found = Placed({}, {}, 0)
    last, unplaced = dict[str, str](), 0
    for row in rows:
        file = _file(row.source)
        if row.part == "answer":
            if name := _answered(row, by_number[file, row.number], items):
                found.answers.setdefault(name, row.text)
            unplaced += not name
        elif row.part == "problem":
            free = [item for item in by_number[file, row.number] if item.id not in found.texts]
            name = min(free, key=lambda item: (abs(item.page - row.page), item.id)).id if free else _unread(row, items, found.texts)
            found.texts[name] = (row.source, row.page, row.text)
            last[file] = name
        elif file in last:
            source, page, text = found.texts[last[file]]
            found.texts[last[file]] = (source, page, f"{text} {row.text}")
    return found._replace(unplaced=unplaced)


def _file(source: str) -> str:
    return PurePosixPath(source).name


def _answered(row: Transcription, here: Sequence[ReadItem], items: Iterable[ReadItem]) -> str:
    """Return the item that an answer is of: the last of its file before it, or the only one of its number; "" where there are several."""
    before = sorted((item for item in here if item.page <= row.page), key=lambda item: item.page)
    everywhere = [item.id for item in items if item.number == row.number]
    return before[-1].id if before else everywhere[0] if len(everywhere) == 1 else ""


def _unread(row: Transcription, items: Iterable[ReadItem], taken: Mapping[str, object]) -> str:
    """Return an id for an item that the reader did not find: that of its number in the nearest test, or one of its file and page."""
    near = sorted((item for item in items if _file(item.source) == _file(row.source)), key=lambda item: abs(item.page - row.page))
    name = identity(*parts(near[0].id)[:2], row.number) if near else ""
    return name if name and name not in taken else f"{PurePosixPath(row.source).stem}-p{row.page}-{row.number}"


def counted(checked: Sequence[Checked]) -> dict[str, int]:
    """Return how many items are flagged, in all and by flag."""
    flags = Counter(flag for each in checked for flag in each.flags)
    return {"flagged": sum(bool(each.flags) for each in checked)} | {f"flag_{flag}": flags[flag] for flag in FLAGS}
