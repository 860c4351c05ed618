"""A teacher's work out of a table: one worked solution a row, whole or as rules make it, or several generations, of which one is taken."""

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.core.errors import InputError
from distill.records.recorded_trace import RecordedTrace, never_closes
from distill.sources import tables, text_rules
from distill.sources.table_problems import row_id, text


class Solution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="solution"):
    """One text a row: a person's worked solution."""

    column: str
    rules: list[text_rules.Rule] | UnsetType = UNSET  # applied in this order; absent: the text as it is
    whole: Literal[True] | UnsetType = UNSET  # no text breaks off, whatever its end looks like. Absent: each text tells


class Generations(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="generations"):
    """Several texts of a model a row, with flags beside them."""

    column: str
    take: Literal["verified", "complete", "first"]  # the first that is complete and verified, the first that is complete, or the first
    complete: str | UnsetType = UNSET  # column of flags: the text is whole. Absent: its text tells
    verified: str | UnsetType = UNSET  # column of flags: somebody found its answer right


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="table"):
    """Section `import_traces` of a study whose recorded work is a table."""

    files: Annotated[list[str], Meta(min_length=1)]  # patterns of names in the raw folder
    levels: Annotated[dict[str, Solution | Generations], Meta(min_length=1)]  # a level of the study: where its texts are
    id: str | UnsetType = UNSET  # column of the problem's id; absent: the row's number, as in section `extract`


def read(raw: Path, params: Params, problems: Container[str], counts: Counter[str]) -> Iterator[RecordedTrace]:
    """Yield the texts of the given problems in the order of the table; count rows without one by reason, generations by their state."""
    for name, level in params.levels.items():
        if isinstance(level, Generations) and level.take == "verified" and level.verified is UNSET:
            raise InputError(f"section 'import_traces': levels.{name}: take is verified, and no column `verified` is named")
    columns = [column for level in params.levels.values() for column in _columns(level)]
    named = [*columns, *([params.id] if params.id is not UNSET else [])]
    for file, number, row in tables.of_folder(raw, params.files, named):
        where = f"{raw / file}: row {number}"
        name = row_id(row, params.id, number, where)
        if name not in problems:
            counts["rows of no problem"] += 1
            continue
        for key, source in params.levels.items():
            if isinstance(source, Generations):
                found, finish = _taken(row, source, key, where, counts)
            else:
                found, finish = _solution(row, source, key, counts)
            if found:
                counts[f"{key}: texts"] += 1
                yield RecordedTrace(name, key, "", number - 1, found, finish)


def _columns(source: Solution | Generations) -> list[str]:
    flags = () if isinstance(source, Solution) else (source.complete, source.verified)
    return [source.column, *(flag for flag in flags if flag is not UNSET)]


def _solution(row: tables.Row, source: Solution, level: str, counts: Counter[str]) -> tuple[str, str | UnsetType]:
    """Return a row's solution as the level's rules make it, and how it ends; "" where there is none."""
    if not (whole := text(row, source.column)):
        counts[f"{level}: no text"] += 1
    found = text_rules.apply(source.rules or [], whole)
    if whole and not found:
        counts[f"{level}: nothing that its rules find"] += 1
    return found, "stop" if source.whole else UNSET


def _taken(row: tables.Row, source: Generations, level: str, where: str, counts: Counter[str]) -> tuple[str, str | UnsetType]:
    """Return the generation that the study takes and how it ends; "" where there is none such."""
    texts = [each if isinstance(each, str) else "" for each in _list(row, source.column, where)]
    complete, verified = (_flags(row, column, len(texts), where) for column in (source.complete, source.verified))
    whole = [flag is not False and not never_closes(each) for each, flag in zip(texts, complete, strict=True)]
    counts.update(
        {
            f"{level}: generations": len(texts),
            f"{level}: generations that never close their thinking": sum(map(never_closes, texts)),
            f"{level}: generations flagged incomplete": complete.count(False),
            f"{level}: generations flagged wrong": verified.count(False),
        }
    )
    for each, is_whole, flag, right in zip(texts, whole, complete, verified, strict=True):
        if each.strip() and {"first": True, "complete": is_whole, "verified": is_whole and right is True}[source.take]:
            return each, ("stop" if flag else UNSET) if is_whole else "length"
    counts[f"{level}: no generation that is {source.take}" if texts else f"{level}: no generation"] += 1
    return "", UNSET


def _flags(row: tables.Row, column: str | UnsetType, length: int, where: str) -> list[bool | None]:
    """Return the flags of a row's generations; None where a flag is not known."""
    if column is UNSET or row[column] is None:
        return [None] * length
    flags = [None if each is None else bool(each) for each in _list(row, column, where)]
    if len(flags) != length:
        raise InputError(f"{where}: column '{column}' has {len(flags)} flags, and there are {length} generations")
    return flags


def _list(row: tables.Row, column: str, where: str) -> list[Any]:
    value = row[column]
    if value is not None and not isinstance(value, list):
        raise InputError(f"{where}: column '{column}' holds {type(value).__name__}; expected a list, one entry a generation")
    return value or []
