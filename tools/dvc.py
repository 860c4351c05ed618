"""`python -m tools.dvc ...`: DVC, without three pieces of work that DVC 3.67 does once for each cell.

- After a cell it parses the whole of dvc.lock and prints it again, with a reader of YAML in pure Python that keeps comments: over a second
  at a hundred cells, two minutes of a run. Here the entry of the finished cell alone is printed, by DVC's own printer, and takes its place
  in the text: the same file, byte for byte, replaced in one step, so that a kill leaves the old lock or the new one and no half of one.
  A lock that holds anything but stages goes DVC's way.
- It parses the study file for each cell, and dvc.yaml and dvc.lock twice a run. Here a file is read as often, and its text parsed once.
- It takes four locks for a cell, one inside the other, on the same paths, and writes its file of locks eight times. Here a lock on paths
  that this process has locked already is not taken again.
"""

import logging
import os
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

HEAD = "schema: '2.0'\nstages:\n"
ENTRY = re.compile(r"^ {2}(?=[^ ?])", re.MULTILINE)  # a line that begins an entry; a key too long for one line begins with a question mark


def entries(text: str) -> dict[str, str] | None:
    """Split a lock into the text of each stage's entry, by the line that begins it; None where it is not of that form alone."""
    if not text.startswith(HEAD) or not text.endswith("\n"):
        return None
    body = text[len(HEAD) :]
    starts = [match.start() for match in ENTRY.finditer(body)]
    if not starts or starts[0] or re.search(r"^(?: ?\S| {2}\?|$(?!\Z))", body, re.MULTILINE):
        return None
    parts = [body[start:end] for start, end in zip(starts, [*starts[1:], len(body)], strict=True)]
    return {part.partition("\n")[0]: part for part in parts}


def put(path: Path, printed: str) -> bool | None:
    """Put the entries of a printed lock into the lock at `path`; False if they stand there already, None if it is DVC's to write."""
    old = entries(path.read_text(encoding="utf-8")) if path.is_file() and not path.is_symlink() else None
    new = entries(printed)
    if old is None or new is None:
        return None
    if all(old.get(key) == part for key, part in new.items()):
        return False
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(HEAD + "".join((old | new).values()), encoding="utf-8")
    os.replace(temporary, path)
    return True


def once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return DVC's parser of YAML, which parses no text twice, comments left out; each call returns a copy of its own."""
    known: dict[str, bytes] = {}

    def parse_yaml(text: str, path: Any, typ: str = "safe") -> Any:
        if typ != "safe":
            return parse(text, path, typ=typ)
        if text not in known:
            known[text] = pickle.dumps(parse(text, path, typ=typ), pickle.HIGHEST_PROTOCOL)
        return pickle.loads(known[text])

    return parse_yaml


Lock = Callable[..., AbstractContextManager[None]]


def nested(take: Lock) -> Lock:
    """Return DVC's lock of paths, which is not taken where a lock around it, of this process and folder, holds them all; one to write holds
    one to read."""
    held: list[tuple[str, set[str], set[str]]] = []

    @contextmanager
    def rwlock(tmp_dir: str, fs: Any, cmd: str, read: Sequence[str], write: Sequence[str], hardlink: bool) -> Iterator[None]:
        own = [(reads, writes) for folder, reads, writes in held if folder == tmp_dir]
        writes = set[str]().union(*(writes for _, writes in own))
        reads = writes.union(*(reads for reads, _ in own))
        if writes.issuperset(write) and reads.issuperset(read):
            yield
            return
        with take(tmp_dir, fs, cmd, read, write, hardlink):
            held.append((tmp_dir, set(read), set(write)))
            try:
                yield
            finally:
                held.pop()

    return rwlock


def main() -> int:
    """Run DVC on the words of the command line."""
    from dvc import cli, rwlock
    from dvc.dvcfile import Lockfile
    from dvc.stage.serialize import to_lockfile
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml, dumps_yaml

    whole = Lockfile.dump_stages

    def dump_stages(self: Any, stages: Any, **options: Any) -> None:
        data = {name: entry for stage in stages for name, entry in to_lockfile(stage, **options).items()}
        written = put(Path(self.path), dumps_yaml({"schema": "2.0", "stages": data})) if data else None
        if written is None:
            whole(self, stages, **options)
        elif written:
            logging.getLogger("dvc.dvcfile").info("Updating lock file '%s'", self.relpath)
            self.repo.scm_context.track_file(self.relpath)

    Lockfile.dump_stages = dump_stages
    _yaml.parse_yaml = strictyaml.parse_yaml = once(_yaml.parse_yaml)
    rwlock.rwlock = nested(rwlock.rwlock)
    return int(cli.main())


if __name__ == "__main__":
    raise SystemExit(main())
