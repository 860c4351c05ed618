"""fetch: a study's raw material in one folder, with a manifest of sizes and hashes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from tqdm import tqdm

from distill.cli import command
from distill.cli.layout import Paths
from distill.competition.competition_problems import exams
from distill.competition.scan import scan
from distill.competition.typeset import typeset
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.sources import folder as folders
from distill.sources import hub_files, local_problems, manifest
from distill.sources.download import Download, download

Seed = Annotated[int, Meta(ge=0)]
Year = Annotated[int, Meta(ge=1000, le=9999)]
Count = Annotated[int, Meta(ge=1)]
Dpi = Annotated[int, Meta(ge=50, le=1200)]


class Competition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="competition"):
    """The invented competition, typeset here."""

    seed: Seed
    first_year: Year
    last_year: Year
    problems: dict[str, Count]
    scanned_years: list[Year]
    scan_dpi: Dpi
    scan_skew: Annotated[float, Meta(ge=0, le=45)]
    scan_noise: Annotated[float, Meta(ge=0, le=1)]


def main(paths: Paths) -> None:
    """Fill the raw folder, whole or not at all."""
    kind = study_file.section(paths.study_file, "fetch", dict[str, Any]).get("kind")
    if kind not in list(PROVIDERS):  # it may be a list, which has no hash
        raise InputError(f"{paths.study_file}: section 'fetch': kind is {kind!r}; allowed: {', '.join(PROVIDERS)}")
    schema, provide = PROVIDERS[kind]
    params = study_file.section(paths.study_file, "fetch", schema)
    with files.replacing(paths.raw) as folder:
        folder.mkdir()
        entries = provide(params, folder, paths.work / "fetch")
        manifest.write(folder, entries)
    command.closing("fetch", len(entries), len(entries))


def typeset_competition(params: Competition, folder: Path, _: Path) -> list[manifest.Entry]:
    """Typeset one PDF a year and section; the scanned years without a text layer."""
    years = range(params.first_year, params.last_year + 1)
    if strange := sorted(set(params.scanned_years) - set(years)):
        raise InputError(f"fetch.scanned_years: {strange[0]} is no year of an exam; allowed: {params.first_year} to {params.last_year}")
    entries = []
    for exam in tqdm(exams(params.seed, years, params.problems), desc="fetch", unit="exam", file=sys.stderr):
        path = folder / f"{exam.year}-{exam.section}.pdf"
        typeset(exam, path)
        if exam.year in params.scanned_years:
            typeset_file = path.rename(folder / "typeset.tmp")
            scan(typeset_file, path, params.scan_dpi, params.scan_skew, params.scan_noise, path.stem)
            typeset_file.unlink()
        entries.append(manifest.entry(path, len(exam.items)))
    return entries


def downloaded(params: Download, folder: Path, work: Path) -> list[manifest.Entry]:
    """Bring pinned files; name the optional ones that cannot be had."""
    brought = download(params, folder, work)
    for path, reason in brought.missing.items():
        print(f"fetch: {path} is missing and optional: {reason}", file=sys.stderr)
    return [manifest.Entry(each.path, each.size, each.sha256, 0) for each in brought.found]


PROVIDERS: dict[str, tuple[type[Any], Callable[[Any, Path, Path], list[manifest.Entry]]]] = {
    "competition": (Competition, typeset_competition),
    "download": (Download, downloaded),
    "dataset": (hub_files.Dataset, hub_files.copy),
    "folder": (folders.Source, folders.copy),
    "given": (local_problems.Source, local_problems.copy),
}


if __name__ == "__main__":
    command.run(main)
