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


def _cell(value: object) -> str:
    """Write a cell; a text of a study file or a metric may hold what ends a cell."""
    return "" if value is None else escape(str(value)).replace("|", "\\|")
