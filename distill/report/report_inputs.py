"""What a report is made from: the run's metrics and tidy tables, checked when read."""

import csv
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from distill.core import files
from distill.core.cells import BASE, Cell
from distill.core.errors import InputError
from distill.records.problem import OWN

T = TypeVar("T")


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
    """The long run: where its validation loss is lowest, and where it ends."""

    best_iteration: int
    best_loss: float
    last_loss: float
    iterations: int


class Intervals(msgspec.Struct, frozen=True):
    """Of section `summarise` of a study file, what is reported."""

    confidence: float


class Summary(NamedTuple):
    """metrics/STUDY/summary.json."""

    arms: list[str]  # the base first, then as params.yaml has them
    document: dict[str, Any]

    def benchmarks(self) -> list[str]:
        """Return the benchmarks that were asked, the competition first."""
        found = {name for arm in self.arms for name, value in self.document["arms"][arm].items() if isinstance(value, dict)}
        return sorted(found, key=lambda name: (name != OWN, name))

    def figures(self, arm: str, benchmark: str, split: str) -> Figures | None:
        """Return an arm's figures; None where the split has no problems."""
        line = self.document["arms"][arm].get(benchmark, {}).get(split)
        return None if line is None else _convert(line, Figures, f"summary.json: arms.{arm}.{benchmark}.{split}")

    def mean(self, arm: str, name: str) -> float | None:
        """Return an arm's mean words or tokens; None where they are not known."""
        return _convert(self.document["arms"][arm].get(name), float | None, f"summary.json: arms.{arm}.{name}")

    @property
    def recorded(self) -> dict[str, Any]:
        """Return what the files of a recorded student hold, by arm; {} of a student that ran here."""
        found: dict[str, Any] = self.document.get("recorded", {})
        return found


def body(page: Path) -> str:
    """Return the text of a Markdown page below its heading."""
    if not page.exists():
        raise InputError(f"{page}: no such file; run `dvc repro` for the stage that makes it, or `dvc pull`")
    return page.read_text(encoding="utf-8").partition("\n\n")[2].strip()


def read(path: Path, kind: type[T]) -> T:
    """Read a JSON document as `kind`."""
    return _convert(files.read_json(path), kind, str(path))


def summary(path: Path, arms: list[str]) -> Summary:
    """Read the summary; it must hold the base and just the arms that params.yaml names, of a recorded student those with answers."""
    document = read(path, dict[str, dict[str, Any]])
    found, named = set(document.get("arms", {})), [BASE, *arms]
    _same(path, "arms", found, {arm for arm in named if arm in found} if "recorded" in document else set(named))
    return Summary([arm for arm in named if arm in found], document)


def trainings(path: Path, arms: list[str], seeds: list[int]) -> dict[Cell, Training]:
    """Read the training figures; they must be of just the arms and seeds that params.yaml names."""
    document = read(path, dict[str, dict[str, Training]])
    cells = {f"{arm}-{seed}": (arm, seed) for arm in arms for seed in seeds}
    _same(path, "adapters", {f"{arm}-{seed}" for arm, row in document.items() for seed in row}, set(cells))
    return {(arm, seed): document[arm][str(seed)] for arm, seed in cells.values()}


def _same(path: Path, what: str, found: set[str], wanted: set[str]) -> None:
    """Raise an InputError where a file is not of just the arms and seeds of params.yaml."""
    if found != wanted:
        missing, stale = ", ".join(sorted(wanted - found)) or "none", ", ".join(sorted(found - wanted)) or "none"
        raise InputError(f"{path}: {what} missing: {missing}; {what} that params.yaml does not name: {stale}; run `dvc repro summarise`")


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


def _convert(value: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; run `dvc repro` for the stage that makes it") from None
