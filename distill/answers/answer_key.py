"""An answer key's own words on form: must be this decimal, reduced fraction, base optional; 0 or zero."""

import re
import sys
from collections.abc import Mapping, Sequence
from math import gcd
from typing import NamedTuple

from distill.records.extracted_item import ExtractedItem
from distill.records.problem import OWN

_NOTE = re.compile(
    r"[\s(]*\b(?:(?P<must>must\s*be|exact(?:\s+\w+)?\s+required)|improper(?: fraction)?|reduced fraction"
    r"|(?P<optional>(?:\W*[a-z]+\W*)optional))"
    r"[\w\s/,-]*[.)]*\s*$",
    re.IGNORECASE,
)
_FORMS = {  # words of a note: what the answer must look like, in plain notation
    "decimal": re.compile(r"[-+]?(?:\d[\d,]*)?\.\d+"),
    "fraction": re.compile(r"[-+(]*(\d+)\)?/\(?(\d+)\)*"),
    "pair": re.compile(r"\(.*\)"),
}


class Key(NamedTuple):
    """A gold answer and the form that the key demands: decimal, fraction, pair, or "" for any."""

    gold: str
    form: str


def read_key(text: str) -> Key:
    """Split a key's note from its answer.

    >>> read_key("40/41 Must be this/fraction.")
    Key(gold='40/41', form='fraction')
    """
    match = _NOTE.search(text)
    if not match or not match.start():
        return Key(text, "")
    note = match.group().casefold()
    form = "" if match["optional"] else next((form for form in _FORMS if form in note), "")
    return Key(text[: match.start()].strip(), form)


def noted(gold: str, key: str) -> str:
    """Return a gold answer with the note on form that the printed key has and the gold answer lacks; "must be this" is the gold's own form.

    >>> noted("0.75", "0.75 Must be this/decimal"), noted("32/53", "32/ 53 Must be this"), noted("7", "7 (degrees optional)")
    ('0.75 (must be this decimal)', '32/53 (must be this fraction)', '7')
    """
    if read_key(gold).form or not (match := _NOTE.search(key)) or not match.start() or match["optional"]:
        return gold
    own = next((form for form in _FORMS if meets(form, gold.strip())), "")
    form = read_key(key).form or own
    return f"{gold} (must be this {form})" if form and form == own else gold


def golds_with_notes(golds: Mapping[tuple[str, str], str], items: Sequence[ExtractedItem]) -> dict[tuple[str, str], str]:
    """Return the gold answers by (benchmark, id), those of the competition with the printed key's note on form.

    A transcription leaves the note out. It counts only where the key as extracted agrees with the gold answer otherwise.
    """
    keys = {(OWN, item.id): item.key for item in items if item.agrees}
    found = {name: noted(gold, keys[name]) for name, gold in golds.items() if name in keys}
    if count := sum(found[name] != golds[name] for name in found):
        print(f"grade: {count} of {len(golds)} gold answers with the key's note on form", file=sys.stderr)
    return {**golds, **found}


def meets(form: str, plain: str) -> bool:
    """Return whether an answer in plain notation has a form; a fraction must be in lowest terms."""
    if not form:
        return True
    match = _FORMS[form].fullmatch(plain)
    return match is not None and (form != "fraction" or gcd(int(match[1]), int(match[2])) == 1)
