"""What a raw folder should hold: file names with sizes and hashes, written by `fetch` and checked by whoever reads the folder."""

import hashlib
from pathlib import Path

import msgspec

from distill.core.errors import InputError
from distill.core.files import write_text

NAME = "manifest.json"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a raw folder."""

    file: str  # its path in the folder
    size: int  # bytes
    sha256: str
    problems: int  # printed in it; 0 where that is not known


def entry(path: Path, problems: int = 0) -> Entry:
    """Describe a file as it lies on disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Entry(path.name, path.stat().st_size, digest.hexdigest(), problems)


def write(folder: Path, entries: list[Entry]) -> None:
    """Write the manifest of a folder, one file a line."""
    lines = [msgspec.json.encode(each).decode() for each in sorted(entries, key=lambda each: each.file)]
    write_text(folder / NAME, "[\n" + ",\n".join(lines) + "\n]\n")


def read(folder: Path) -> list[Entry]:
    """Return a folder's entries after checking that every listed file is there, unchanged, and no other PDF is."""
    path = folder / NAME
    remedy = "run `dvc repro` for fetch, or `dvc pull`"
    if not path.exists():
        raise InputError(f"{path}: no such file; {remedy}")
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: not a manifest: {error}; {remedy}") from None
    for each in entries:
        if not (folder / each.file).exists():
            raise InputError(f"{folder / each.file}: no such file, but {NAME} lists it; {remedy}")
        found = entry(folder / each.file)
        if (found.size, found.sha256) != (each.size, each.sha256):
            was, now = f"{each.sha256[:12]} ({each.size} bytes)", f"{found.sha256[:12]} ({found.size} bytes)"
            raise InputError(f"{folder / each.file}: expected sha256 {was}, got {now}; {remedy}")
    if extra := sorted({other.relative_to(folder).as_posix() for other in folder.rglob("*.pdf")} - {each.file for each in entries}):
        raise InputError(f"{folder / extra[0]}: {NAME} does not list this file; remove it, or {remedy}")
    return entries
