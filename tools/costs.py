"""What stages take, as measured: metrics/artifact.json, which `python -m bench.stages` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tools.pipeline import Cell

RECORD = Path("metrics", "artifact.json")
ABOUT = f"means of the measured cells of {RECORD.as_posix()}; two cores take between half of it and all of it"


class Cost(msgspec.Struct, frozen=True):
    """What the cells of a stage took; of a stage that runs for each arm, those of one arm."""

    cells: int  # measured
    cpu_seconds: float  # mean
    megabytes: float  # the most of one process


class Record(msgspec.Struct, frozen=True):
    """metrics/artifact.json."""

    studies: dict[str, dict[str, Cost]]  # study -> key of a cell
    commands: dict[str, dict[str, float]]  # make target -> seconds, megabytes of disk
    measured: dict[str, Any]


def read(root: Path = Path()) -> Record:
    """Return what was measured."""
    return msgspec.json.decode((root / RECORD).read_bytes(), type=Record)


def key(cell: Cell) -> str:
    """Name the cells that take about the same: `train r1`, whatever its seed."""
    return " ".join(filter(None, (cell.stage, cell.item.get("arm", ""))))


def total(cells: Sequence[Cell], study: str, root: Path = Path()) -> str:
    """Say how long cells take together, and how many of them were never measured."""
    known = read(root).studies.get(study, {})
    seconds = sum(known[key(cell)].cpu_seconds for cell in cells if key(cell) in known)
    rest = [cell for cell in cells if key(cell) not in known]
    if len(rest) == len(cells):
        return "not measured"
    return duration(seconds) + (f", without {', '.join(dict.fromkeys(cell.stage for cell in rest))} (not measured)" if rest else "")


def duration(seconds: float) -> str:
    """Write a time to two or three digits.

    >>> duration(3.4), duration(250), duration(9000)
    ('3 s', '4 min', '2.5 h')
    """
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
