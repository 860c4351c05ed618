"""Markdown pages: tables, and text of others that may hold anything."""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate


def grid(head: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Return a Markdown table; all columns but the first `left` are aligned to the right."""
    align = ["left" if column < left else "right" for column in range(len(head))]
    cells = [[_cell(value) for value in row] for row in rows]
    return tabulate(cells, [_cell(name) for name in head], tablefmt="pipe", disable_numparse=True, colalign=align if cells else None)


def escape(text: str) -> str:
    """Return a foreign text for a Markdown page, on one line: it opens no HTML, no link and no image.

    >>> escape("a < b, <img src=x onerror=y>, ![x](http://y)")
    'a < b, &lt;img src=x onerror=y>, ![x]\\\\(http://y)'
    """
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", " ".join(text.split())).replace("](", "]\\(")


def fence(text: str, limit: int) -> str:
    """Return an untrusted text as a code block that it cannot end."""
    shown = text if len(text) <= limit else f"{text[:limit]}\n... (cut here, {len(text):,} characters in all)"
    mark = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", shown))])
    return f"{mark}text\n{_plain(shown)}\n{mark}"


def code(text: str) -> str:
    """Return a short text as a code span that it cannot end."""
    line = " ".join(_plain(text).split())
    mark = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{mark} {line} {mark}" if "`" in line or not line else f"{mark}{line}{mark}"


def _plain(text: str) -> str:
    """Show control characters but line ends and tabs as �: they may hide what a text says."""
    return "".join(char if char in "\n\t" or char.isprintable() else "�" for char in text)


def _cell(value: object) -> str:
    """Write a cell; a text of a study file or a metric may hold what ends a cell."""
    return "" if value is None else escape(str(value)).replace("|", "\\|")
