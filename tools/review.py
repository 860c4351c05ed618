"""`make review S=NAME`: one offline page on which a person looks at a study's items; with FROM=file, put what it saved into the study file.

The stages up to the comparison with a transcriber are brought up to date before.
"""

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from distill.cli import command
from distill.cli.layout import Paths, layout
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.extraction import page_jobs
from distill.extraction.corrections import Row
from distill.extraction.page_jobs import Job
from distill.extraction.read_item import read_items
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.review import document
from distill.review.audit import Checked
from distill.review.document import Picture
from distill.transcriber import page_images
from stages.transcribe import Pages
from tools import activation, run_lock

DPI, LEAST_DPI = 100, 20  # of the pictures
MOST = 13_000_000  # bytes of all pictures: the page, where they are twice in base64, stays below 20 MB
SECTION = re.compile(r"^corrections:.*?(?=^[^\s-]|\Z)", re.MULTILINE | re.DOTALL)
HEAD = "corrections:            # reviewed; `make review` shows them and puts them here (docs/review.md)\n"


def main(name: str = "", file: str = "") -> None:
    """Put a saved file into the study, where one is given; make the page and say where it lies."""
    if not name:
        raise InputError("say which study: make review S=NAME; NAME is a file of studies/ without its ending")
    paths = layout(name)
    activation.settings(name)
    if file:
        put(paths.study_file, Path(file))
    with run_lock.exclusive(f"make review S={name}") as lock:
        activation.restore()
        with activation.activated(name):
            if code := run_lock.run_dvc(["repro", "--pull", f"review@{name}"], lock):
                sys.exit(code)
    write(paths)
    print(f"review: {paths.review_page.resolve().as_uri()}")


def write(paths: Paths) -> None:
    """Write the page of a study whose stages have run."""
    problems = files.read_records(paths.problems, Problem)
    items = read_items(files.read_records(paths.extracted, ExtractedItem), problems)
    rows = study_file.section(paths.study_file, "corrections", list[dict[str, Any]])
    checked = files.read_records(paths.review, Checked)
    made = document.build(paths.study, items, {problem.id: problem for problem in problems}, checked, rows)
    found, dpi = pictures(paths, document.pictures(made))
    files.write_text(paths.review_page, document.render(document.with_pictures(made, found, dpi)))


def pictures(paths: Paths, wanted: list[Picture], most: int = MOST) -> tuple[dict[Picture, bytes], int]:
    """Return the pages as pictures, smaller ones where they are many; none where a study has no pages."""
    names = {path.name: path for path in sorted(paths.raw.rglob("*")) if path.suffix.lower() == ".pdf"}
    places = {page: paths.raw / page[0] if (paths.raw / page[0]).is_file() else names.get(Path(page[0]).name) for page in wanted}
    jobs = {Job(path, page[1] - 1): page for page, path in places.items() if path}
    if not jobs:
        return {}, DPI
    limits, dpi = study_file.section(paths.study_file, "extract", Pages).limits, DPI
    while True:
        found = page_jobs.run(partial(page_images.picture, dpi=dpi, form="WEBP"), list(jobs), limits, "draw")
        size = sum(map(len, found.values()))
        if size <= most or dpi <= LEAST_DPI:
            return {page: found[job] for job, page in jobs.items()}, dpi
        dpi = max(LEAST_DPI, int(dpi * min(0.9, (most / size) ** 0.5)))


def put(study: Path, saved: Path) -> None:
    """Put the rows of a saved file in the place of a study's corrections; the rest of the study file stays as it is."""
    if not saved.is_file():
        raise InputError(f"{saved}: no such file; FROM names the file that the review page saved")
    study_file.section(saved, "corrections", list[Row])
    rows = study_file.section(saved, "corrections", list[dict[str, Any]])
    before, sections = study.read_text(encoding="utf-8"), study_file.study(study)
    lines = [
        f"  - {yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True).strip()}\n" for row in rows
    ]
    after, count = SECTION.subn(lambda _: (HEAD + "".join(lines) if rows else "corrections: []\n") + "\n", before)
    files.write_text(study, after)
    study_file.study.cache_clear()
    if count != 1 or study_file.study(study) != sections | {"corrections": rows}:
        files.write_text(study, before)
        raise InputError(f"{study}: its section 'corrections' cannot be replaced by a program; put the rows of {saved} there by hand")
    print(f"{study}: {len(rows)} rows of {saved}; `make study S={study.stem}` runs what depends on them")


if __name__ == "__main__":
    command.guarded("review", lambda: main(*sys.argv[1:3]))
