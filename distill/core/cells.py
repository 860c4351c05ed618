"""The cells of a run: the base student, and each arm with each seed that params.yaml names."""

from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import InputError

BASE = "base"  # the student without an adapter
Cell = tuple[str, int]  # (arm, seed); (BASE, 0)


def cell_paths(folder: Path, arms: Sequence[str], seeds: Sequence[int], suffix: str = "", *, base: bool) -> dict[Cell, Path]:
    """Return the file or folder of each cell, in the order of params.yaml; a missing or an unlisted one is an InputError."""
    cells: dict[Cell, Path] = {(BASE, 0): folder / f"{BASE}{suffix}"} if base else {}
    cells |= {(arm, seed): folder / f"{arm}-{seed}{suffix}" for arm in arms for seed in seeds}
    found = {path for path in folder.glob("*") if not path.name.startswith(".")}
    if unlisted := sorted(found - set(cells.values())):
        raise InputError(
            f"{unlisted[0]}: {len(unlisted)} of {len(found)} cells belong to no arm and seed of params.yaml; `make tidy` removes them"
        )
    if missing := sorted(set(cells.values()) - found):
        raise InputError(f"{missing[0]}: {len(missing)} of {len(cells)} cells missing; run `dvc repro`, or correct params.yaml")
    return cells
