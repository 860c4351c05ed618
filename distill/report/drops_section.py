"""The section on problems left out: one row a step, with the reasons."""

from collections.abc import Mapping
from typing import Any

from distill.core.markdown import grid

ABOUT = (
    "Every problem that a step leaves out, by reason. Each row adds up: input less what is left out is output, and these come from the "
    "files of different stages. Steps with equal counts share a row. Of a claim, the output counts clusters of near-duplicates."
)


def section(found: Mapping[str, Any]) -> str:
    """Return the section."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for each in found["steps"]:
        key = (each["stage"], each.get("benchmark", ""), each["input"], tuple(each["drops"].items()), each["output"])
        groups.setdefault(key, []).append(each["of"])
    rows = [
        [
            stage,
            ", ".join(names),
            benchmark,
            "; ".join(f"{reason}: {count:,}" for reason, count in drops) or "none",
            f"{start:,}",
            f"{end:,}",
        ]
        for (stage, benchmark, start, drops, end), names in groups.items()
    ]
    return f"{ABOUT}\n\n{grid(['stage', 'of', 'benchmark', 'left out', 'input', 'output'], rows, left=4)}"
