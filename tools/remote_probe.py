"""What DVC finds in a remote: a process of its own, which ends at the first error with its traceback; `tools.probing` starts it.

check NAME: read, write and remove a small object; prints each step that it has done.
hashes NAME: prints for each MD5 of standard input the MD5 of the content that the remote has under that name, `-` where it has none.
cut NAME: removes each object of standard input, `MD5 SIZE` a line, that is shorter there: what a broken transfer left; prints its name.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from typing import Any


def opened(name: str) -> tuple[Any, str]:
    """Return a remote's file system and the path in it."""
    from dvc.config import Config
    from dvc.fs import get_cloud_fs

    cls, settings, path = get_cloud_fs(Config.from_cwd(), name=name)
    return cls(**settings), path


def check(name: str) -> None:
    """Take the steps of a pull and of a push."""
    fs, path = opened(name)
    place = fs.join(path, "check", uuid.uuid4().hex)
    with contextlib.suppress(FileNotFoundError):
        _content(fs, place)
    print("read", flush=True)
    if fs.protocol in ("http", "https"):
        return
    if fs.exists(path):
        print("there", flush=True)
    fs.makedirs(fs.parent(place))
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "object")
        with open(file, "wb") as out:
            out.write(place.encode())
        fs.put_file(file, place)
    if _content(fs, place) != hashlib.md5(place.encode(), usedforsecurity=False).hexdigest():
        raise ValueError(f"{place}: read back other bytes than were written")
    fs.remove(place)
    print("written", flush=True)


def hashes(name: str) -> None:
    """Print what the remote has under each name."""
    fs, path = opened(name)
    for md5 in sys.stdin.read().split():
        try:
            print(md5, _content(fs, _place(fs, path, md5)), flush=True)
        except FileNotFoundError:
            print(md5, "-", flush=True)


def cut(name: str) -> None:
    """Remove objects that are shorter than they must be."""
    fs, path = opened(name)
    for md5, size in (line.split() for line in sys.stdin.read().splitlines()):
        place = _place(fs, path, md5)
        try:
            found = fs.info(place)["size"]
        except FileNotFoundError:
            continue
        if found is not None and found < int(size):
            fs.remove(place)
            print(md5, flush=True)


def _place(fs: Any, path: str, md5: str) -> str:
    return str(fs.join(path, "files", "md5", md5[:2], md5[2:]))


def _content(fs: Any, place: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "object")
        fs.get_file(place, file)  # as a pull does: by HTTP `open` calls every failure a missing file
        with open(file, "rb") as found:
            return hashlib.file_digest(found, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


COMMANDS: dict[str, Callable[[str], None]] = {"check": check, "hashes": hashes, "cut": cut}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](sys.argv[2])
