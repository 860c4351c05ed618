"""What a report is made from: the run's metrics and tidy tables, checked when read."""

import csv
import shlex
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from distill.core import files
from distill.core.errors import InputError

T = TypeVar("T")
BASE = "base"
COMPETITION = "competition"
Key = tuple[str, int]  # (arm, seed)


class Figures(msgspec.Struct, frozen=True):
    """An accuracy in 0..1 with its interval over n problems; sd over seeds."""

    accuracy: float
    low: float
    high: float
    n: int
    sd: float | None
    gain: float | None = None  # over the base on the same problems; None of the base, and where that has fewer than two of them
    gain_low: float | None = None
    gain_high: float | None = None


class Training(msgspec.Struct, frozen=True):
    """One adapter's training."""

    iterations: int
    best_iteration: int
    trainable_parameters: int
    trained_tokens: int


class LongRun(msgspec.Struct, frozen=True):
    """The long run's turn."""

    best_iteration: int
    best_loss: float
    last_loss: float
    iterations: int


class Summary(NamedTuple):
    """metrics/STUDY/summary.json."""

    arms: list[str]  # the base first, then as params.yaml has them
    document: dict[str, Any]

    def benchmarks(self) -> list[str]:
        """Return the benchmarks that were asked, the competition first."""
        found = {name for arm in self.arms for name, value in self.document["arms"][arm].items() if isinstance(value, dict)}
        return sorted(found, key=lambda name: (name != COMPETITION, name))

    def figures(self, arm: str, benchmark: str, split: str) -> Figures | None:
        """Return an arm's figures; None where the split has no problems."""
        line = self.document["arms"][arm].get(benchmark, {}).get(split)
        return None if line is None else _convert(line, Figures, f"summary.json: arms.{arm}.{benchmark}.{split}")

    def mean(self, arm: str, name: str) -> float:
        """Return an arm's mean words or tokens."""
        return _convert(self.document["arms"][arm].get(name), float, f"summary.json: arms.{arm}.{name}")


def read(path: Path, kind: type[T]) -> T:
    """Read a JSON document as `kind`."""
    return _convert(files.read_json(path), kind, str(path))


def summary(path: Path, arms: list[str]) -> Summary:
    """Read the summary; it must hold the base and just the arms that params.yaml names."""
    document = read(path, dict[str, dict[str, Any]])
    found, wanted = set(document.get("arms", {})), {BASE, *arms}
    if found != wanted:
        lacks, stale = ", ".join(sorted(wanted - found)) or "none", ", ".join(sorted(found - wanted)) or "none"
        raise InputError(f"{path}: arms missing: {lacks}; arms that params.yaml does not name: {stale}; run `dvc repro summarise`")
    return Summary([BASE, *arms], document)


def trainings(folder: Path, arms: list[str], seeds: list[int]) -> dict[Key, Training]:
    """Read the metrics of each cell that params.yaml names; a missing or an unlisted file is an InputError."""
    cells = {(arm, seed): folder / f"{arm}-{seed}.json" for arm in arms for seed in seeds}
    found = {path for path in folder.glob("*") if not path.name.startswith(".")}
    if stale := sorted(found - set(cells.values())):
        names = shlex.join(map(str, stale))
        raise InputError(
            f"{folder}: {len(stale)} of {len(found)} files belong to no arm and seed of params.yaml; remove them: rm -r {names}"
        )
    if missing := sorted(set(cells.values()) - found):
        raise InputError(f"{missing[0]}: {len(missing)} of {len(cells)} cells missing; run `dvc repro train`, or mend params.yaml")
    return {cell: read(path, Training) for cell, path in cells.items()}


def table(path: Path, row: type[T]) -> tuple[list[dict[str, str]], list[T]]:
    """Read a tidy CSV as it stands (texts, as DVC hands them to a template) and as records."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            texts = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` for the stage that makes it") from None
    try:
        return texts, msgspec.convert(texts, list[row], strict=False)  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}; run `dvc repro` for the stage that makes it") from None


def _convert(value: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; run `dvc repro` for the stage that makes it") from None
