"""Files of a repository at one commit, over HTTPS or from a mirror; none is used whose size or sha256 is not the pinned one.

JOB_MIRROR names a mirror: a folder, or a base URL, with OWNER/REPO/COMMIT/PATH.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta
from tqdm import tqdm

from distill.core.errors import InputError
from distill.sources import manifest

MIRROR = "JOB_MIRROR"

Positive = Annotated[float, Meta(gt=0)]


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file as it must be."""

    path: str  # in the repository
    size: Annotated[int, Meta(ge=0)]  # bytes
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Download(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="download"):
    """Files of a repository, which lie under URL/REPOSITORY/COMMIT/PATH."""

    url: str
    repository: str
    commit: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]
    retries: Annotated[int, Meta(ge=0)]  # of a file, after a fault of the network or a wrong content
    timeout: Positive  # seconds without a byte
    files: list[File]


def download(params: Download, folder: Path, work: Path) -> list[manifest.Entry]:
    """Fill `folder` with the files, laid out as in the repository; `work` keeps what is there when a download is cut off."""
    _names(params.files)
    base = os.environ.get(MIRROR) or params.url
    if base.startswith(("http://", "https://")):
        _over_network(params, f"{base.rstrip('/')}/{params.repository}/{params.commit}", folder, work)
    else:
        _from_folder(params.files, Path(base, params.repository, params.commit), folder)
    return [manifest.Entry(file.path, file.size, file.sha256, 0) for file in params.files]


def _names(files: Sequence[File]) -> None:
    """Raise an InputError for a path that would leave the folder or is listed twice."""
    seen = {manifest.NAME}
    for file in files:
        parts = PurePosixPath(file.path)
        if parts.is_absolute() or ".." in parts.parts or str(parts) != file.path or file.path in seen:
            raise InputError(f"section 'fetch': path {file.path!r}: expected the path of a file in the repository, each once")
        seen.add(file.path)


def _from_folder(files: Sequence[File], source: Path, folder: Path) -> None:
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; {MIRROR} must name a folder, or a base URL, that holds OWNER/REPO/COMMIT/PATH")
    for file in _bar(files):
        if not (source / file.path).is_file():
            raise InputError(f"{source / file.path}: no such file; complete the mirror that {MIRROR} names, or unset it to download")
        _check(_copy(source / file.path, folder / file.path), file, str(source / file.path))


def _over_network(params: Download, base: str, folder: Path, work: Path) -> None:
    """Download what `work` does not hold yet, by hash; then copy all of it and clear `work`."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    urls = {file.sha256: f"{base}/{quote(file.path)}" for file in params.files}
    registry = {sha256: f"sha256:{sha256}" for sha256 in urls}
    keeper = pooch.create(path=work, base_url="", registry=registry, urls=urls, retry_if_failed=params.retries)
    http = pooch.HTTPDownloader(timeout=params.timeout, chunk_size=1 << 16)
    for file in _bar(params.files):

        def get(url: str, target: Any, _: Any, file: File = file) -> None:
            http(url, target, None)
            _check(Path(target), file, url)  # an InputError is a ValueError: pooch drops the file and tries again

        try:
            kept = keeper.fetch(file.sha256, downloader=get)
        except OSError as error:
            if error.errno:
                raise  # a full disk; errors of the network have no number
            raise InputError(
                f"{urls[file.sha256]}: {_reason(error)}; connect and run it again to go on with the files that are missing, "
                f"or set {MIRROR} to a folder, or a base URL, that holds OWNER/REPO/COMMIT/PATH"
            ) from None
        _copy(Path(kept), folder / file.path)
    shutil.rmtree(work)


def _bar(files: Sequence[File]) -> Any:
    """Yield the files under a progress bar that counts their bytes."""
    with tqdm(total=sum(file.size for file in files), desc="fetch", unit="B", unit_scale=True, file=sys.stderr) as bar:
        for file in files:
            yield file
            bar.update(file.size)


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, target))


def _check(path: Path, file: File, origin: str) -> None:
    """Raise an InputError unless the file at `path` is the pinned one."""
    found = manifest.entry(path)
    if (found.size, found.sha256) != (file.size, file.sha256):
        expected, got = f"{file.sha256} ({file.size} bytes)", f"{found.sha256} ({found.size} bytes)"
        raise InputError(
            f"{origin}: expected sha256 {expected}, got {got}; it is not used: run it again, or fix or change the mirror ({MIRROR})"
        )


def _reason(error: OSError) -> str:
    """Return what went wrong in the words of the innermost error that the text names."""
    return " ".join(str(error).split()).split("(Caused by ")[-1][:200].rstrip(")") or type(error).__name__
