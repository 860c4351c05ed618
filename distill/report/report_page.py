"""The report as one page of Markdown; its links lead from its own folder."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from distill.core.study_file import Arm
from distill.records.claim_record import ClaimRecord, Rationale
from distill.report import judge_section, tables
from distill.report.plots import Plot
from distill.report.report_inputs import Key, Summary, Training

READING = (
    "Accuracy in %, the mean over problems of the mean over seeds, with its interval over problems; the standard deviation is that of the "
    "seeds' accuracies, in points. Every problem asked is in the denominator: no answer, a truncated and an ungradable one count as not "
    "correct. Splits follow each arm's own corpus, so an arm with fewer examples has more held-out problems; the ledger compares arms on "
    "the problems that they have in common. Words and tokens are means of an answer on the held-out competition (on everything, where "
    "there is no competition)."
)
GAINED = (
    "What an arm gains over the base on the same problems of the competition, paired, by whether the arm was trained on them: a gain "
    "that is there on those alone is recall."
)
SAMPLED = (
    "Held-out problems drawn by hash of their ids, so that nobody chose them; the first sample of the first seed. What a student wrote "
    "stands as it wrote it."
)
NO_SAMPLE = "This study holds out no competition problem, or shows none."
METRICS = (  # what, file in the metrics folder, stage
    ("results, problems asked", "summary.json", "summarise"), ("claims", "claims.json", "claims"), ("teacher", "teacher.json", "verify"),
    ("levels", "levels.json", "condense"), ("extraction", "extract.json", "extract"), ("long run", "overfit.json", "overfit"),
    ("training", "train", "train"),
)  # fmt: skip


class Says(msgspec.Struct, frozen=True):
    """Of a claim in the study file, what the page states."""

    says: str  # the paper
    source: str
    by_construction: str
    note: str


class Ledger(msgspec.Struct, frozen=True):
    """Of section `claims`, what the page states."""

    alpha: float
    power: float
    confidence: float
    ledger: dict[str, Says]


class Run(NamedTuple):
    """What a page is made of."""

    study: str
    arms: dict[str, Arm]
    seeds: list[int]
    confidence: float  # of the accuracies' intervals
    limits: list[str]
    said: Ledger
    summary: Summary
    claims: dict[str, ClaimRecord]
    grounds: dict[str, Rationale]
    trainings: dict[Key, Training]
    teacher: dict[str, Any]
    levels: dict[str, Any]
    extraction: dict[str, Any]
    judge: dict[str, Any]


class Places(NamedTuple):
    """Where the things lie that the page links to."""

    study: str
    params: str
    data: str
    metrics: str
    grounds: str
    tidy: str

    def seen_from(self, page: Path) -> "Places":
        """Return the same places as links of a page."""
        return Places(*(Path(os.path.relpath(place, page.parent)).as_posix() for place in self))


def write(run: Run, drawn: list[Plot], examples: str, to: Places) -> str:
    """Return the page; `to` holds its links, `examples` the rationales."""
    gained = tables.gains(run.summary, run.confidence)
    parts = {
        "Results": "\n\n".join([READING, tables.results(run.summary, run.confidence), *([GAINED, gained] if gained else [])]),
        "Claims": claims(run),
        "Plots": "\n\n".join(picture(plot, to.tidy) for plot in drawn),
        "What ran": f"{tables.arms(run.arms, run.trainings)}\n\nProblems asked of each student:\n\n{tables.asked(run.summary)}",
        "Teacher and extraction": audits(run),
        "The same problem, several students": f"{SAMPLED}\n\n{examples}" if examples else NO_SAMPLE,
        "The model judge": judge_section.section(run.judge, f"{to.metrics}/judge.json"),
        "Limits": "\n".join(f"- {limit}" for limit in run.limits),
        "Where each number comes from": origins(to),
    }
    sections = [f"## {title}\n\n{text}" for title, text in parts.items() if text]
    return "\n\n".join([f"# Report of {run.study}", opening(run), *sections]) + "\n"


def opening(run: Run) -> str:
    """Say what ran, in a few lines."""
    arms, seeds = ", ".join(run.arms), ", ".join(map(str, run.seeds))
    count = f"{len(run.arms)} arms ({arms}) with {len(run.seeds)} seeds each ({seeds}), {len(run.trainings)} adapters"
    lines = [f"Study `{run.study}`: the base student and {count}."]
    if isinstance(right := run.teacher.get("accuracy"), float):
        lines.append(f"The teacher is right on {100 * right:.1f} % of the problems.")
    return " ".join([*lines, "This page is generated: its numbers are read from the files named at its end."])


def claims(run: Run) -> str:
    """Return the ledger: a table, and below it each claim with what was found and how it was judged."""
    tests = sum(line.p is not None for line in run.claims.values())
    rule = (
        f"Two-sided tests, Holm over {tests} of them, alpha {run.said.alpha:g}. Accuracies and their differences are in 0..1 here. "
        "n counts independent units: clusters of problems, or seeds. The rules were written into the study file."
    )
    lines = []
    for name, line in run.claims.items():
        said, grounds = run.said.ledger[name], run.grounds[name]
        lines += [
            f"- **{name}**: {tables.verdict(line)}",
            f"  - the paper says: {said.says} ({said.source})",
            f"  - found: {grounds.reason}",
            f"  - judged by: {grounds.rule}",
            *([f"  - power: {power}"] if (power := tables.power(line, run.said.power)) else []),
            *([f"  - by construction: {said.by_construction}"] if said.by_construction else []),
            *([f"  - note: {said.note}"] if said.note else []),
        ]
    return "\n\n".join([tables.claims(run.claims, run.said.confidence), rule, "\n".join(lines)])


def picture(plot: Plot, tidy: str) -> str:
    """Return one plot with its reading and its table."""
    return f"### {plot.heading}\n\n![{plot.heading}]({tidy}/svg/{plot.name}.svg)\n\n{plot.reading} ([{plot.source}]({tidy}/{plot.source}))"


def audits(run: Run) -> str:
    """Return the audit tables of the teacher, of its levels and of the extraction."""
    return "\n\n".join([
        "The teacher, over all problems extracted:", tables.audit(run.teacher),
        "Its reasoning at each level (texts, and mean words of a text):", tables.levels(run.levels),
        "Extraction from the PDFs:", tables.audit(run.extraction),
    ])  # fmt: skip


def origins(to: Places) -> str:
    """Return the table of the files that the page is made from."""
    rows = [
        ["arms, limits, what the paper says", f"[{_name(to.study)}]({to.study})", "written by hand"],
        ["arms and seeds that ran", f"[{_name(to.params)}]({to.params})", "written by hand"],
        *([what, f"[{name}]({to.metrics}/{name})", f"`dvc repro {stage}`"] for what, name, stage in METRICS),
        ["what was found, and how it was judged", f"[{_name(to.grounds)}]({to.grounds})", "`dvc repro claims`"],
        ["plots", f"[{_name(to.tidy)}/*.csv]({to.tidy})", "`dvc repro summarise overfit report`"],
        ["rationales", f"{_name(to.data)}/completions, verdicts.jsonl.gz (`dvc pull`)", "`dvc repro sample grade`"],
    ]
    return tables.grid(["on this page", "file", "made by"], rows, left=3)


def _name(link: str) -> str:
    """Return a link as a path from the root of the repository."""
    return re.sub(r"^(\.\./)+", "", link)
