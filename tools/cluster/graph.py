"""Which cells workers compute, and what each of them reads."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from tools.pipeline import Cell

ONE_OF_MANY = "seed"  # a stage with this coordinate has a cell for each arm and seed


def handed_out(cells: Sequence[Cell], stages: Mapping[str, Any]) -> list[Cell]:
    """Return the cells that workers compute: one of many of their stage, all outputs in DVC's cache.

    DVC's run-cache restores no other: a stage with an output in git runs again. `stages` are those of dvc.yaml.
    """
    return [cell for cell in cells if ONE_OF_MANY in cell.item and all_cached(stages[cell.stage])]


def all_cached(stage: Mapping[str, Any]) -> bool:
    """Return whether a stage of dvc.yaml has outputs, and DVC's cache keeps each.

    >>> all_cached({"outs": ["a", {"b": {"cache": False}}]}), all_cached({"outs": ["a"]})
    (False, True)
    """
    outs = [out for key in ("outs", "metrics", "plots") for out in stage.get(key, [])]
    return bool(outs) and not any(isinstance(out, dict) and _told(out).get("cache") is False for out in outs)


def _told(out: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(iter(out.values())) or {}
    return found


def upstream(cells: Sequence[Cell], of: Collection[Cell]) -> dict[str, list[str]]:
    """Return for each of some cells those whose outputs it reads: a dependency is an output, lies in one or holds some."""
    made = {out: cell.name for cell in cells for out in cell.outs}
    inside = defaultdict[str, list[str]](list)
    for out, name in made.items():
        for parent in PurePosixPath(out).parents:
            inside[str(parent)].append(name)

    def makers(dep: str) -> list[str]:
        path = PurePosixPath(dep)
        return [made[str(each)] for each in (path, *path.parents) if str(each) in made] + inside.get(dep, [])

    return {cell.name: list(dict.fromkeys(name for dep in cell.deps for name in makers(dep) if name != cell.name)) for cell in of}


def ready(needs: Mapping[str, Collection[str]], begun: Collection[str], missing: Collection[str]) -> list[str]:
    """Return the cells to begin now: of those that are missing, the ones not begun whose inputs are all there.

    >>> ready({"train": ["student"], "sample": ["train", "student"]}, [], ["train", "sample"])
    ['train']
    """
    return [name for name in missing if name not in begun and not any(need in missing for need in needs[name])]
