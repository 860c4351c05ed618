"""Which cells of dvc.yaml a claim rests on: all that lead to its verdict, without the cells of arms that its rule does not name."""

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

import msgspec

from distill.claims.verdicts import Rule
from distill.core.cells import BASE
from distill.core.errors import InputError
from tools.pipeline import Cell

ONLY_FOR = {"overfit": "long_run", "likelihood": "likelihood"}  # stage -> the kinds of rule that read it, by how they begin
LEVELS = {  # RUN=WORD -> the stages that it begins with
    "1": ("claims", "reported_counts"),
    "grade": ("grade",),
    "sample": ("sample", "sample-base", "likelihood"),
    "train": ("train", "overfit"),
    "all": (),  # whatever comes first
}


def arms_of(rule: Rule, known: Collection[str]) -> set[str]:
    """Return the arms that a rule names in any of its fields, the base among them."""
    values = [value for field in msgspec.structs.astuple(rule) for value in (field if isinstance(field, list | tuple) else [field])]
    return {value for value in values if isinstance(value, str) and value in {BASE, *known}}


def behind(cells: Sequence[Cell], last: str, rule: Rule, arms: Collection[str]) -> list[Cell]:
    """Return the cells that stage `last` of a claim rests on, itself among them, in data-flow order."""
    kind = str(rule.__struct_config__.tag)
    kept = [
        cell
        for cell in cells
        if cell.item.get("arm", BASE) in {BASE, *arms}
        and (cell.stage != "sample-base" or BASE in arms)
        and kind.startswith(ONLY_FOR.get(cell.stage, ""))
    ]
    found = {cell.name: cell for cell in kept if cell.stage == last}
    queue = list(found.values())
    while queue:
        needed = queue.pop().deps
        for cell in kept:
            if cell.name not in found and joined(needed, cell.outs):
                found[cell.name] = cell
                queue.append(cell)
    return [cell for cell in kept if cell.name in found]


def since(cells: Sequence[Cell], word: str) -> list[Cell]:
    """Return those of the cells behind a claim that RUN=WORD computes: of the word's stages, and all that depend on these."""
    if word not in LEVELS:
        raise InputError(f"RUN={word}: expected one of {', '.join(LEVELS)}; 1: the verdict from stored figures, all: every stage behind it")
    chosen: list[Cell] = []
    for cell in cells:
        if word == "all" or cell.stage in LEVELS[word] or any(joined(cell.deps, other.outs) for other in chosen):
            chosen.append(cell)
    return chosen


def words_for(cells: Sequence[Cell]) -> list[str]:
    """Return the words that compute different cells, the fewest cells first."""
    found: dict[tuple[str, ...], str] = {}
    for word in LEVELS:
        names = tuple(cell.name for cell in since(cells, word))
        if names:
            found.setdefault(names, word)
    return list(found.values())


def stored(chosen: Sequence[Cell], cells: Sequence[Cell]) -> list[str]:
    """Return the outputs of other cells that the chosen ones read."""
    names = {cell.name for cell in chosen}
    deps = [dep for cell in chosen for dep in cell.deps]
    return [out for cell in cells if cell.name not in names for out in cell.outs if joined(deps, [out])]


def joined(deps: Collection[str], outs: Collection[str]) -> bool:
    """Return whether one of the dependencies is an output, lies in one, or holds one."""
    parts = [PurePosixPath(dep) for dep in deps]
    return any(dep.is_relative_to(out) or PurePosixPath(out).is_relative_to(dep) for out in outs for dep in parts)
