"""Which objects of the DVC remote are not what their names say, and to which outputs they belong.

An object's name is the MD5 of its content. DVC, with the remote's option `verify`, refuses a damaged object, but calls it a missing one and
does not name its output. Of a remote in a folder all objects are looked at, before the pull; of one on a server those that a pull did not
bring.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from distill.cli.layout import layout
from distill.core.errors import InputError
from tools import lock, probing

CACHE = Path(".dvc", "cache", "files", "md5")
CACHED = ("data", "models")  # the folders whose outputs DVC keeps; of others it keeps the pages that are not in git
NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Object(NamedTuple):
    """One object that an output of dvc.lock needs."""

    md5: str  # a folder's ends in .dir
    output: str  # models/mini/student
    file: str  # in the output; "" for the output itself

    @property
    def path(self) -> Path:
        """The object's path in a remote or in a cache."""
        return Path(self.md5[:2], self.md5[2:])

    @property
    def place(self) -> str:
        """The output and the file in it."""
        return f"output {self.output}" + (f", file {self.file}" if self.file else "")


def folder() -> Path | None:
    """Return the folder of the default remote's objects; None where that remote is elsewhere than in a local folder."""
    url = probing.settings(probing.default()).get("url", "")
    return None if not url or "://" in url else Path(".dvc", url).resolve() / "files" / "md5"


def damaged(path: Path) -> str:
    """Return the MD5 of an object where that is not its name; "" where it is."""
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return "" if found == (path.parent.name + path.name).removesuffix(".dir") else found


def objects(folders: Collection[Path], outputs: Collection[str]) -> Iterator[Object]:
    """Yield the objects of these outputs of dvc.lock; those in a folder as far as its list is found, whole, in one of the folders."""
    for output, (md5, _) in lock.outputs(lock.read(Path("dvc.lock"))).items():
        if output not in outputs or not NAME.fullmatch(md5):
            continue
        whole = Object(md5, output, "")
        yield whole
        lists = [path for each in folders if md5.endswith(".dir") and (path := each / whole.path).is_file() and not damaged(path)]
        for entry in json.loads(lists[0].read_bytes()) if lists else []:
            yield Object(entry["md5"], output, entry["relpath"])


def outputs_of(studies: Collection[str]) -> list[str]:
    """Return the outputs of these studies that DVC keeps."""
    paths = {path: Path(path).parts for path in lock.outputs(lock.read(Path("dvc.lock")))}
    pages = {page.as_posix() for study in studies for page in (layout(study).page, layout(study).disagreements)}
    return [path for path, parts in paths.items() if path in pages or (len(parts) > 2 and parts[0] in CACHED and parts[1] in studies)]


def faults(outputs: Collection[str], absent: bool = False) -> list[str]:
    """Return a line for each damaged object of these outputs in the remote; with `absent`, for each that is not to be found at all."""
    place = folder()
    if place is None:
        return _faults_of_server(outputs) if absent else []
    found = []
    for each in objects([place, CACHE], outputs):
        path = place / each.path
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        remedy = f"put it back: git checkout HEAD -- {shlex.quote(str(shown))}"
        if path.is_file() and not absent and (content := damaged(path)):
            found.append(f"{shown}: damaged, the MD5 of its content is {content} ({each.place}); {remedy}")
        elif absent and not path.is_file() and not (CACHE / each.path).is_file():
            found.append(f"{shown}: no such object, in .dvc/cache neither ({each.place}); {remedy}, or compute it: make repro")
    return list(dict.fromkeys(found))


def _faults_of_server(outputs: Collection[str]) -> list[str]:
    """Return a line for each object that is not in the cache, and why the remote could not give it."""
    name = probing.default()
    needed = {each.md5: each for each in objects([CACHE], outputs) if not (CACHE / each.path).is_file()}
    if not name or not needed:
        return []
    found = []
    for line in probing.ask("hashes", name, needed):
        md5, content = line.split()
        where = f"{probing.settings(name)['url']}/files/md5/{needed[md5].path.as_posix()}"
        if content == "-":
            found.append(f"{where}: no such object ({needed[md5].place}); push it from a clone that has it, or compute it: make repro")
        elif content != md5.removesuffix(".dir"):
            remedy = "remove it there and push it from a clone that has it"
            found.append(f"{where}: damaged, the MD5 of its content is {content} ({needed[md5].place}); {remedy}")
    return found


def check_verified() -> None:
    """Raise InputError where DVC would take an object for what its name says without a look at its content."""
    name = probing.default()
    if name and probing.settings(name).get("verify", "").lower() != "true":
        way = f".venv/bin/dvc remote modify --local {name} verify true"
        raise InputError(
            f"remote {name} is without `verify`, so that a changed object of it would be taken for the true one; switch it on: {way}"
        )


def remove_cut(outputs: Collection[str]) -> list[str]:
    """Remove objects of these outputs that a broken transfer left in a remote; DVC would leave them as they are. Return their names."""
    name, place = probing.default(), folder()
    sizes = {each.md5: (CACHE / each.path).stat().st_size for each in objects([CACHE], outputs) if (CACHE / each.path).is_file()}
    if not name or place or not sizes or probing.settings(name)["url"].startswith("http"):
        return []
    return probing.ask("cut", name, [f"{md5} {size}" for md5, size in sizes.items()])


def missing(output: str) -> bool:
    """Return whether an object of an output is not in this clone's .dvc/cache."""
    needed = list(objects([CACHE], [output]))
    return any(not (CACHE / each.path).is_file() for each in needed)
