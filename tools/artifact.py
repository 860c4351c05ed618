"""`python -m tools.artifact`: write the figures of ARTIFACT.md, between its markers, from metrics, study files and measured costs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.claims import claims_page
from distill.claims.basis import NOT_RUN
from distill.cli import command
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import write_text
from distill.core.markdown import escape, grid
from tools import claim, claim_cells, compare_head, costs, params, pipeline

PAGE = Path("ARTIFACT.md")
WORDS = ("1", "grade", "sample", "train")  # of RUN
SOURCES = {
    "fetch": {
        "competition": "simulated: invented exams, typeset here", "download": "real: published files, pinned by hash",
        "dataset": "real: a pinned data set of the hub", "given": "yours",
    },
    "solve": {
        "symbolic": "simulated: an exact solver of these problem families", "recorded": "real: recorded, published work",
        "chat": "real: a model is asked",
    },
    "student": {
        "scratch": "pretrained here on a declared mix of texts", "gguf": "real: pretrained weights in a GGUF file",
        "hub": "real: pinned weights of the hub", "recorded": "real: its published answers",
    },
}  # fmt: skip


def main() -> None:
    """Rewrite the page in the current folder."""
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), blocks()))


def filled(text: str, parts: dict[str, str]) -> str:
    """Return the page with each part between its markers."""
    for name, part in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
            raise InputError(f"{PAGE}: expected {start} once, and after it {end} once; put them back")
        text = f"{text.partition(start)[0]}{start}\n{part}\n{end}{text.partition(end)[2]}"
    return text


def blocks() -> dict[str, str]:
    """Return the generated parts."""
    return {"claims": "\n\n".join(map(claims, claim.studies())), "steps": steps(), "sources": sources()}


def claims(study: str) -> str:
    """Return a study's claims: what to run, what to expect, and how long it takes."""
    rows, not_run, kept = [], [], True
    for stage, ledger in claim.ledgers(study).items():
        for name, found in ledger.items():
            record = found.result.record
            if record.verdict == NOT_RUN:
                not_run.append(f"`{name}`")
                continue
            behind = claim.behind_of(found, claim.every_cell(found))
            known = claim.recorded(behind)
            kept = kept and known
            times = [_time(claim_cells.since(behind, word), study) if known else "" for word in WORDS]
            by_counts = " (counts)" if stage == "reported_counts" else ""
            rows.append([f"`{name}`{by_counts}", claims_page.verdict(record), claims_page.effect(record), *times])
    head = ["claim (C=)", "expected verdict", "expected effect [interval]", *(f"RUN={word}" for word in WORDS)]
    about = "" if kept else f" Without a time: a run that `dvc.lock` does not keep; `make study S={study}` makes it."
    rest = f"\n\nNot run: {', '.join(not_run)}." if not_run else ""
    return f"### `make claim S={study} C=NAME RUN=WORD`\n\nCPU time of each word.{about}\n\n{grid(head, rows, left=2)}{rest}"


def _time(chosen: Sequence[pipeline.Cell], study: str) -> str:
    return costs.total(chosen, study) if chosen else "-"


def steps() -> str:
    """Return what each command takes: the measured ones, and the two that run every stage."""
    record = costs.read()
    rows = [[f"`{name}`", costs.duration(took["cpu_seconds"]), f"{took['disk_megabytes']:,.0f}"] for name, took in record.commands.items()]
    rows += [[f"`make {name}`: {what}", time, ""] for name, what, time in _whole()]
    peaks = {study: max(cost.megabytes for cost in cells.values()) for study, cells in record.studies.items()}
    memory = "; ".join(f"{study} {peak:,.0f} MB" for study, peak in peaks.items())
    about = record.measured
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return "\n\n".join((
        grid(["command", "CPU time", "disk, MB"], rows),
        f"Largest process: {memory}. Two processes at most work at a time.",
        f"Measured by `python -m bench.stages STUDY` and `python -m bench.clean_root` on {about['machine']}, {about['cores']} cores, "
        f"beside other jobs; {versions}; {about['date']}. Two idle cores need less: CPU times rise where others share the cores.",
        f"Tolerance: none on Linux x86-64 with AVX2, where each output has the hash of `dvc.lock`. Elsewhere an accuracy may differ by "
        f"{compare_head.TOLERANCE} (0..1), and `make repro` says by how much it does.",
    ))  # fmt: skip


def _whole() -> Iterator[tuple[str, str, str]]:
    """Yield the commands that run every stage of what params.yaml names, and their CPU time."""
    cells = pipeline.cells()
    for name, what, left_out in (("repro", "a fresh clone, all but the student", "student"), ("verify", "all of it", "")):
        parts = [
            (study, [cell for cell in cells if cell.item["study"] == study and cell.stage != left_out]) for study in params.read().students
        ]
        yield name, what, "; ".join(f"{study} {costs.total(chosen, study)}" for study, chosen in parts)


def sources() -> str:
    """Return what of each study is simulated and what is real."""
    rows = []
    for path in sorted(layout("x").study_file.parent.glob("*.yaml")):
        sections: dict[str, Any] = study_file.study(path)
        named = [(sections.get("fetch", {}).get("kind"), "fetch"), (sections.get("solve", {}).get("teacher"), "solve")]
        named += [((sections.get("student") or {}).get("kind"), "student")]
        rows.append([f"`{path.stem}`", *(escape(SOURCES[section].get(kind, str(kind or "none"))) for kind, section in named)])
    return grid(["study", "problems", "teacher", "base student"], rows, left=4)


if __name__ == "__main__":
    command.guarded("artifact", main)
