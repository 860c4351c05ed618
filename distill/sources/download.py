"""Files of a repository at pinned commits, over HTTPS or from a mirror; none is used whose size or hash is not the pinned one.

A file is pinned by its sha256 or, where nobody took one, by the id that git gives its content. JOB_MIRROR names a mirror: a folder, or a
base URL, with OWNER/REPO/COMMIT/PATH.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType
from tqdm import tqdm

from distill.core.errors import InputError

MIRROR = "JOB_MIRROR"
RESERVED = "manifest.json"  # written beside the files

Positive = Annotated[float, Meta(gt=0)]
Commit = Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file as it must be: pinned by its sha256, or by its git blob id."""

    path: str  # in the repository
    size: Annotated[int, Meta(ge=0)] | UnsetType = UNSET  # bytes
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | UnsetType = UNSET
    blob: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")] | UnsetType = UNSET  # sha1 of "blob SIZE\0" and the content
    commit: Commit | UnsetType = UNSET  # where it is not the section's
    optional: bool = False  # true: where it cannot be had, the rest goes on

    def __post_init__(self) -> None:
        if (self.sha256 is UNSET) == (self.blob is UNSET):
            raise ValueError(f"{self.path}: expected either sha256 or blob, got {'neither' if self.blob is UNSET else 'both'}")
        if self.size is UNSET and self.blob is UNSET:
            raise ValueError(f"{self.path}: size is missing; only a file that is pinned by blob may lack it")


class Found(NamedTuple):
    """A file that was brought and is the pinned one."""

    path: str
    size: int
    sha256: str


class Brought(NamedTuple):
    """What there is now, and why optional files are not there."""

    found: list[Found]
    missing: dict[str, str]  # path -> reason


class Download(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="download"):
    """Files of a repository, each at URL/REPOSITORY/COMMIT/PATH."""

    url: str
    repository: str
    commit: Commit
    retries: Annotated[int, Meta(ge=0)]  # of a file, after a fault of the network or a wrong content
    timeout: Positive  # seconds without a byte
    files: list[File]


def download(params: Download, folder: Path, work: Path) -> Brought:
    """Fill `folder` with the files, laid out as in the repository; `work` keeps what is there when a download is cut off."""
    _names(params.files)
    base = os.environ.get(MIRROR) or params.url
    if base.startswith(("http://", "https://")):
        return _over_network(params, f"{base.rstrip('/')}/{params.repository}", folder, work)
    return _from_folder(params, Path(base, params.repository), folder)


def _names(files: Sequence[File]) -> None:
    """Raise an InputError for a path that would leave the folder or is listed twice."""
    seen = {RESERVED}
    for file in files:
        parts = PurePosixPath(file.path)
        if parts.is_absolute() or ".." in parts.parts or str(parts) != file.path or file.path in seen:
            raise InputError(f"files to download: path {file.path!r}: expected the path of a file in the repository, each once")
        seen.add(file.path)


def _from_folder(params: Download, source: Path, folder: Path) -> Brought:
    found, missing = [], {}
    for file in _bar(params.files):
        root = source / (file.commit or params.commit)
        if (root / file.path).is_file():
            found.append(_check(_copy(root / file.path, folder / file.path), file, str(root / file.path)))
        elif file.optional:
            missing[file.path] = f"not in the mirror that {MIRROR} names"
        elif not root.is_dir():
            raise InputError(f"{root}: no such folder; {MIRROR} must name a folder, or a base URL, that holds OWNER/REPO/COMMIT/PATH")
        else:
            raise InputError(f"{root / file.path}: no such file; complete the mirror that {MIRROR} names, or unset it to download")
    return Brought(found, missing)


def _over_network(params: Download, base: str, folder: Path, work: Path) -> Brought:
    """Download what `work` does not hold yet, by hash; then copy all of it and clear `work`."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    urls = {_pin(file): f"{base}/{file.commit or params.commit}/{quote(file.path)}" for file in params.files}
    registry = {_pin(file): f"sha256:{file.sha256}" if file.sha256 else None for file in params.files}  # of a blob id pooch knows nothing
    keeper = pooch.create(path=work, base_url="", registry=registry, urls=urls, retry_if_failed=params.retries)
    http = pooch.HTTPDownloader(timeout=params.timeout, chunk_size=1 << 16)
    found, missing = [], {}
    for file in _bar(params.files):

        def get(url: str, target: Any, _: Any, file: File = file) -> None:
            http(url, target, None)
            _check(Path(target), file, url)  # an InputError is a ValueError: pooch drops the file and tries again

        try:
            kept = Path(keeper.fetch(_pin(file), downloader=get))
        except OSError as error:
            if error.errno:
                raise  # a full disk; errors of the network have no number
            if file.optional:
                missing[file.path] = _reason(error)
                continue
            raise InputError(
                f"{urls[_pin(file)]}: {_reason(error)}; connect and run it again to go on with the files that are missing, "
                f"or set {MIRROR} to a folder, or a base URL, that holds OWNER/REPO/COMMIT/PATH"
            ) from None
        try:
            found.append(_check(_copy(kept, folder / file.path), file, str(kept)))
        except InputError:
            kept.unlink()  # damaged since an earlier run
            raise
    shutil.rmtree(work, ignore_errors=True)
    return Brought(found, missing)


def _pin(file: File) -> str:
    return file.sha256 or file.blob or ""


def _bar(files: Sequence[File]) -> Any:
    """Yield the files under a progress bar that counts their bytes, as far as their sizes are known."""
    with tqdm(total=sum(file.size or 0 for file in files), desc="fetch", unit="B", unit_scale=True, file=sys.stderr) as bar:
        for file in files:
            yield file
            bar.update(file.size or 0)


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, target))


def _check(path: Path, file: File, origin: str) -> Found:
    """Describe the file at `path`; an InputError unless it is the pinned one."""
    data = path.read_bytes()
    sha256, what = hashlib.sha256(data).hexdigest(), "sha256" if file.sha256 else "git blob"
    actual = sha256 if file.sha256 else hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    if actual != _pin(file) or file.size not in (UNSET, len(data)):
        expected = _pin(file) if file.size is UNSET else f"{_pin(file)} ({file.size} bytes)"
        got = f"{actual} ({len(data)} bytes)"
        raise InputError(
            f"{origin}: expected {what} {expected}, got {got}; it is not used: run it again, or fix or change the mirror ({MIRROR})"
        )
    return Found(file.path, len(data), sha256)


def _reason(error: OSError) -> str:
    """Return what went wrong in the words of the innermost error that the text names."""
    return " ".join(str(error).split()).split("(Caused by ")[-1][:200].rstrip(")") or type(error).__name__
