"""Files of a data set on the hub, at one commit."""

import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.sources import hub, manifest


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="dataset"):
    """Section `fetch`."""

    repository: str  # OWNER/NAME
    revision: str  # commit
    files: Annotated[list[str], Meta(min_length=1)]  # patterns of paths in the repository


def copy(params: Dataset, folder: Path, _: Path) -> list[manifest.Entry]:
    """Copy the files that match into the raw folder, laid out as in the repository."""
    source = hub.snapshot(params.repository, params.revision, params.files, "dataset")
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    entries = []
    for pattern in params.files:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            here = ", ".join(names[:9]) or "none"
            raise InputError(f"{source}: no file of {params.repository} matches '{pattern}'; files here: {here}; fix fetch.files")
        for name in matching:
            target = folder / name
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
            entries.append(msgspec.structs.replace(manifest.entry(target), file=name))
    return entries
