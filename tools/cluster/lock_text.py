"""dvc.lock as text: one block a cell, as DVC wrote it, so that blocks of several clones make up one file, byte for byte."""

import re
from collections.abc import Iterable, Mapping

HEAD = "schema: '2.0'\nstages:\n"
NAME = re.compile(r"^  (\S[^\n]*):\n", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Return cell -> its block, in the order of the file.

    >>> parse("schema: '2.0'\\nstages:\\n  a:\\n    cmd: x\\n  b@c-1:\\n    cmd: y\\n")
    {'a': '  a:\\n    cmd: x\\n', 'b@c-1': '  b@c-1:\\n    cmd: y\\n'}
    """
    if not text:
        return {}
    if not text.startswith(HEAD):
        raise ValueError(f"dvc.lock begins with {text[: len(HEAD)]!r}; expected {HEAD!r}")
    starts = list(NAME.finditer(text, len(HEAD)))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {match[1]: text[match.start() : end] for match, end in zip(starts, ends, strict=True)}


def join(blocks: Mapping[str, str]) -> str:
    """Return the text of a dvc.lock."""
    return HEAD + "".join(blocks.values()) if blocks else ""


def block(cell: str, entry: str) -> str:
    """Return the block of a cell from its entry of the run-cache, which DVC writes without the cell's name.

    >>> block("a", "cmd: x\\nouts:\\n- path: y\\n")
    '  a:\\n    cmd: x\\n    outs:\\n    - path: y\\n'
    """
    return f"  {cell}:\n" + "".join(f"    {line}\n" for line in entry.splitlines())


def in_serial_order(before: Iterable[str], after: Mapping[str, str], serial: Iterable[str]) -> dict[str, str]:
    """Return the blocks of `after` as a serial run orders them: cells of `before` keep their place, new ones follow as they run.

    >>> list(in_serial_order(["a"], {"d": "", "a": "", "c": "", "b": ""}, ["b", "a", "c", "d"]))
    ['a', 'b', 'c', 'd']
    """
    order = dict.fromkeys([*before, *serial, *after])
    return {name: after[name] for name in order if name in after}
