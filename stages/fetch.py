"""Bring a study's raw material into one folder, with a manifest of sizes and hashes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from stages.competition.problems import exams
from stages.competition.scan import scan
from stages.competition.typeset import typeset
from stages.extraction import given, manifest
from stages.extraction.download import Download, download
from stages.shared import files, stage
from stages.shared.files import Fault


class Competition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="competition"):
    """The invented competition, printed here."""

    seed: int
    first_year: int
    last_year: int
    problems: dict[str, int]
    scanned_years: list[int]
    scan_dpi: int
    scan_skew: float
    scan_noise: float


def main(study: str, raw: str) -> None:
    """Fill the raw folder, whole or not at all."""
    kind = stage.section(study, "fetch", dict[str, Any]).get("kind")
    if kind not in PROVIDERS:
        raise Fault(f"{study}: section 'fetch': kind is {kind!r}; allowed: {', '.join(PROVIDERS)}")
    schema, provide = PROVIDERS[kind]
    params = stage.section(study, "fetch", schema)
    with files.replacing(Path(raw)) as folder:
        folder.mkdir()
        entries = provide(params, folder, Path(".work", Path(study).stem, "fetch"))
        manifest.write(folder, entries)
    stage.closing("fetch", len(entries), len(entries))


def print_competition(params: Competition, folder: Path, _: Path) -> list[manifest.Entry]:
    """Print one PDF a year and section; the scanned years without a text layer."""
    years = range(params.first_year, params.last_year + 1)
    if strange := sorted(set(params.scanned_years) - set(years)):
        raise Fault(f"fetch.scanned_years: {strange[0]} is not printed; allowed: {params.first_year} to {params.last_year}")
    entries = []
    for exam in tqdm(exams(params.seed, years, params.problems), desc="fetch", unit="exam", file=sys.stderr):
        path = folder / f"{exam.year}-{exam.section}.pdf"
        typeset(exam, path)
        if exam.year in params.scanned_years:
            printed = path.rename(folder / "printed.tmp")
            scan(printed, path, params.scan_dpi, params.scan_skew, params.scan_noise, path.stem)
            printed.unlink()
        entries.append(manifest.entry(path, len(exam.items)))
    return entries


PROVIDERS: dict[str, tuple[type[Any], Callable[[Any, Path, Path], list[manifest.Entry]]]] = {
    "competition": (Competition, print_competition),
    "download": (Download, download),
    "given": (given.Source, given.bring),
}


if __name__ == "__main__":
    stage.run(main)
