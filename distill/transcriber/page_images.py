"""The pages of PDFs as pictures, drawn in worker processes under the limits of the extraction, and kept until their calls are stored."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from distill.core.errors import InputError
from distill.extraction import ocr, page_jobs, page_reader
from distill.extraction.page_jobs import Job, Limits


class Sheet(NamedTuple):
    """One page of a PDF."""

    source: str  # the file, from the raw folder
    number: int  # from 1
    path: Path
    sha256: str  # of the file

    def name(self, dpi: int) -> str:
        """Return what decides the picture: the file's bytes, the page and its size; not the version of what draws it."""
        return f"pdf:{self.sha256}#page={self.number}&dpi={dpi}"

    def file(self, folder: Path, dpi: int) -> Path:
        """Return where its picture is kept."""
        return folder / f"{self.sha256[:16]}-{self.number}-{dpi}.png"


def sheets(raw: Path, limits: Limits) -> list[Sheet]:
    """Return every page of every PDF below a folder, in the order of their names."""
    paths = sorted(path for path in raw.rglob("*") if path.suffix.lower() == ".pdf")
    if not paths:
        raise InputError(f"{raw}: no PDF there, so no page to transcribe; write `transcribe: {{}}`")
    sizes = page_jobs.run(partial(page_reader.count, most=limits.pages), [Job(path, -1) for path in paths], limits)
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return [
        Sheet(path.relative_to(raw).as_posix(), number, path, hashes[path])
        for path in paths
        for number in range(1, sizes[Job(path, -1)] + 1)
    ]


def draw(wanted: Sequence[Sheet], dpi: int, folder: Path, limits: Limits) -> None:
    """Draw the pages that `folder` does not hold."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {Job(each.path, each.number - 1): each.file(folder, dpi) for each in wanted}
    jobs = [job for job, file in files.items() if not file.exists()]
    page_jobs.run(partial(_draw, dpi=dpi, files=files), jobs, limits, "draw")


def _draw(job: Job, dpi: int, files: Mapping[Job, Path]) -> None:
    whole = files[job].with_suffix(".tmp")
    whole.write_bytes(picture(job, dpi, "PNG"))
    whole.replace(files[job])


def picture(job: Job, dpi: int, form: str) -> bytes:
    """Return a page as a grey picture, PNG or WEBP."""
    with page_reader.opened(job.path) as document:
        grey = ocr.render(document[job.number], str(job), dpi)
    found = BytesIO()
    Image.fromarray(grey).save(found, form, **({"quality": 40} if form == "WEBP" else {"optimize": True}))
    return found.getvalue()


def url(file: Path) -> str:
    """Return a kept picture as the data: URL that an endpoint takes."""
    return f"data:image/png;base64,{b64encode(file.read_bytes()).decode('ascii')}"
