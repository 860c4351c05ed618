"""`python -m tools.speed`: write the figures of metrics/benchmarks.json into docs/speed.md, between two markers."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from stages.shared.files import Fault, write_text

START, END = "<!-- figures -->", "<!-- /figures -->"
PAGE, RECORD = Path("docs", "speed.md"), Path("metrics", "benchmarks.json")


def main() -> None:
    """Rewrite the page in the current folder."""
    text = PAGE.read_text(encoding="utf-8")
    write_text(PAGE, filled(text, block(json.loads(RECORD.read_bytes()))))


def filled(text: str, figures: str) -> str:
    """Return the page with `figures` between its markers."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise Fault(f"{PAGE}: expected {START} once, and after it {END} once; put them back")
    before, rest = text.split(START)
    return f"{before}{START}\n{figures}\n{END}{rest.split(END)[1]}"


def block(record: Mapping[str, Any]) -> str:
    """Return one table a section, under what it was measured on."""
    parts = []
    for name, section in record.items():
        about = section["measured"]
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        device = f", {about['device']}" if about.get("device") else ""
        parts.append(f"### {name}\n\n{about['machine']}, {about['cores']} cores{device}; {versions}; {about['date']}.")
        rows = list(flat({key: value for key, value in section.items() if key != "measured"}))
        parts.append(tabulate(rows, headers=["figure", "value"], tablefmt="pipe", disable_numparse=True, colalign=("left", "right")))
    return "\n\n".join(parts)


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each figure under its dotted key.

    >>> list(flat({"a": {"b": 1234.5, "c": 0.01234}, "n": 3}))
    [('`a.b`', '1,234'), ('`a.c`', '0.0123'), ('`n`', '3')]
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield f"`{prefix}`", ", ".join(figure(item) for item in value)
    else:
        yield f"`{prefix}`", figure(value)


def figure(value: Any) -> str:
    """Return a figure to three digits; a larger one in full."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    try:
        main()
    except Fault as fault:
        sys.exit(f"speed: {fault}")
