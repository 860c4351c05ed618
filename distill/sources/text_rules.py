"""Rules that make one level's text out of another: patterns of the study file, applied in its order to a table's texts.

The patterns are the study's own and trusted; the texts are not. No pattern sees a text of more than LONGEST characters, so that one whose
time grows as the square of the text is done in seconds; a pattern must have no repetition within a repetition.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta

LONGEST = 20_000  # characters
Pattern = Annotated[str, Meta(min_length=1)]


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    pattern: Pattern  # of Python's `re`

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from None


class Replace(_Rule, frozen=True, tag="replace"):
    """Every match is replaced."""

    by: str  # "" removes it; \\1 is the first group, as `re.sub` takes it


class Lines(_Rule, frozen=True, tag="lines"):
    """The text is the pattern's matches, one a line: of each the last group that matched, without groups all of it."""

    least: Annotated[int, Meta(ge=1)]  # a text with fewer has no text at this level


Rule = Replace | Lines


def apply(rules: Sequence[Rule], text: str) -> str:
    """Return what the rules make of a text; "" where one finds too little, or the text is too long for them.

    >>> apply([Lines("<<([^<>]*)>>|(?m:^#### .*)", 2)], "So 2*3=<<2*3=6>>6 pens.\\n#### 6")
    '2*3=6\\n#### 6'
    """
    if len(text) > LONGEST:
        return ""
    for rule in rules:
        pattern = _compiled(rule.pattern)
        if isinstance(rule, Replace):
            text = pattern.sub(rule.by, text)
        else:
            found = [match[match.lastindex or 0].strip() for match in pattern.finditer(text)]
            text = "\n".join(found) if len(found) >= rule.least else ""
    return text.strip()


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
