"""Reading `mini`'s pages, ours against one page after another: `python -m bench.extract` writes section `extract`.

- ours: every page by the stage's worker processes, one a core, their start included;
- one: the same pages in one process without limits, its readers loaded by its first page.

Both read a year with scanned pages and a year without, keep nothing, and must find the same lines.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.record import record
from distill.core import study_file
from distill.extraction import page_jobs, page_reader
from distill.extraction.page_jobs import Job
from distill.extraction.page_reader import Settings
from stages.extract import Params

STUDY, RAW = Path("studies/mini.yaml"), Path("data/mini/raw")
YEARS = ("2012", "2013")
PACKAGES = ("pypdfium2", "rapidocr", "onnxruntime", "opencv-python-headless", "numpy")


def main(rounds: str = "3") -> None:
    """Read by both in turn, `rounds` times; record the medians."""
    params = study_file.section(STUDY, "extract", Params)
    jobs = [
        Job(path, page)
        for year in YEARS
        for path in sorted(RAW.glob(f"{year}*.pdf"))
        for page in range(page_reader.count(Job(path, -1), 99))
    ]
    if not jobs:
        sys.exit(f"bench.extract: no PDF of {', '.join(YEARS)} in {RAW}; run `make repro` or `make pull` first")
    seconds: dict[str, list[float]] = {"ours": [], "one": []}
    for number in range(int(rounds)):
        results: dict[str, dict[Job, Any]] = {}
        for side in ("ours", "one") if number % 2 else ("one", "ours"):
            with tempfile.TemporaryDirectory() as kept:
                read = partial(page_reader.read, settings=Settings(params.ocr, params.ocr_dpi, params.min_text_chars, Path(kept)))
                start = time.perf_counter()
                results[side] = page_jobs.run(read, jobs, params.limits) if side == "ours" else {job: read(job) for job in jobs}
                seconds[side].append(time.perf_counter() - start)
        assert results["ours"] == results["one"]
    scanned = sum(page.reader == "ocr" for page in results["ours"].values())
    found: dict[str, Any] = {
        "vs_sequential": median(one / ours for one, ours in zip(seconds["one"], seconds["ours"], strict=True)),
        "pages": len(jobs),
        "pages_ocr": scanned,
        "rounds": int(rounds),
    } | {f"{side}_pages_per_s": len(jobs) / median(taken) for side, taken in seconds.items()}
    print(found)
    record("extract", found, packages=PACKAGES)


if __name__ == "__main__":
    main(*sys.argv[1:])
