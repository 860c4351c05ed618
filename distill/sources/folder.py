"""A folder of files that somebody has: exams, keys and solutions as PDFs."""

import hashlib
import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.sources import manifest


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="folder"):
    """Section `fetch`."""

    path: str
    files: Annotated[list[str], Meta(min_length=1)]  # patterns of paths in the folder: "*.pdf" matches at every depth
    sha256: str  # of the names and hashes of these files, so that an edited folder is seen


def names(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the paths of the matching files in a folder; a link out of it is not followed."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; FROM and fetch.path name a folder with PDFs")
    here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    found = [name for name in here if any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)]
    if not found:
        others = ", ".join(here[:5]) or "nothing"
        raise InputError(f"{folder}: no file matches {', '.join(patterns)}; here: {others}; put the PDFs there, or fix fetch.files")
    return found


def digest(folder: Path, found: Sequence[str]) -> str:
    """Hash the names and contents of files."""
    lines = [f"{manifest.entry(folder / name).sha256} {name}\n" for name in found]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def copy(params: Source, folder: Path, _: Path) -> list[manifest.Entry]:
    """Copy the files into the raw folder, laid out as they are, after their hash is checked."""
    source = Path(params.path)
    found = names(source, params.files)
    if (now := digest(source, found)) != params.sha256:
        raise InputError(
            f"{source}: its {len(found)} files have sha256 {now}, fetch.sha256 is {params.sha256}; write that one there if they are right"
        )
    entries = []
    for name in found:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
        entries.append(msgspec.structs.replace(manifest.entry(target), file=name))
    return entries
