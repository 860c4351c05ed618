"""Where outputs come from: the commit, and DVC's hash of each folder with what dvc.lock says of it."""

import hashlib
import json
import subprocess
from pathlib import Path

from tools import lock


def of(*folders: Path) -> dict[str, str]:
    """Return the commit of this tree and the hash of each folder that is here."""
    committed, found = lock.outputs(lock.read(Path("dvc.lock"))), dict[str, str]()
    if lock.has_git():
        words = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
        found["commit"] = subprocess.run(words, capture_output=True, text=True).stdout.strip() or "none"
    for folder in folders:
        if folder.exists():
            here, there = md5(folder), committed.get(folder.as_posix(), ("", ""))[0]
            found[folder.as_posix()] = f"{here}, {'as in dvc.lock' if here == there else 'not as in dvc.lock'}"
    return found


def md5(folder: Path) -> str:
    """Return the hash that DVC gives to a folder: of the list of its files, each with its MD5."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")
    listed = [{"md5": _file_md5(folder / name), "relpath": name} for name in names]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _file_md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
