"""What may not be committed: a large file outside the embedded remote, a large or damaged remote, credentials, a registry's name."""

import re
import subprocess
import sys
from pathlib import Path

from tools import lock
from tools import remote as objects

FILE_LIMIT = 2_000_000  # bytes of one file outside remote/
OBJECT = re.compile(r"remote/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")
REMOTE_LIMIT = 30_000_000  # bytes of remote/ together
# Requirements are pinned by hash: where a user's pip or uv fetches them is the user's own setting.
CREDENTIALS = re.compile(
    rb"^\s*(?:password|passphrase|token|session_token|access_key_id|secret_access_key)\s*=|://[^/@\s:]*:(?!\d+(?:/|\s))[^@\s]*@", re.M
)
REGISTRY = re.compile(rb"\b(?:pypi|pythonhosted|anaconda|npmjs)\.(?:org|com|io)\b|--(?:extra-)?index-url")


def faults(paths: list[str], root: Path = Path()) -> list[str]:
    """Return one line for each thing among `paths` that may not be committed."""
    found, remote = [], 0
    for path in paths:
        file = root / path
        if not file.is_file():
            continue  # deleted here, still in the index
        size = file.stat().st_size
        if path.startswith("remote/"):
            remote += size
            if OBJECT.fullmatch(path) and (content := objects.damaged(file)):
                found.append(f"{path}: damaged, the MD5 of its content is {content}; put it back: git checkout HEAD -- {path}")
        elif path == ".dvc/config" and CREDENTIALS.search(file.read_bytes()):
            found.append(f"{path}: holds credentials; move them to .dvc/config.local, and change them if they were pushed")
        elif size > FILE_LIMIT:
            found.append(f"{path}: {size:,} bytes, allowed are {FILE_LIMIT:,}; make it an output that DVC keeps")
        elif match := REGISTRY.search(file.read_bytes()):
            found.append(f"{path}: names a package registry ({match[0].decode()}); leave the choice to the user's settings")
    if remote > REMOTE_LIMIT:
        found.append(f"remote/: {remote:,} bytes, allowed are {REMOTE_LIMIT:,}; run `dvc gc -w -c` or keep fewer outputs")
    return found


def main() -> None:
    """Check every file that git tracks or would add."""
    if not lock.has_git():
        sys.exit("check_repo: it checks what git holds: install git, and run it in a clone")
    listed = subprocess.run(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], capture_output=True, text=True, check=True)
    if found := faults(sorted(set(filter(None, listed.stdout.split("\0"))))):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
