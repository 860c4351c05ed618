"""The report as one page of Markdown; its links are relative to its own folder."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from distill.core.cells import Cell
from distill.core.markdown import escape
from distill.core.study_file import Arm
from distill.report import drops_section, judge_section, multiverse_section, recorded_section, tables
from distill.report.plots import Plot
from distill.report.report_inputs import Summary, Training

ACCURACY = (
    "Accuracy is in %: the mean over problems of the mean over seeds, with its interval over problems; the standard deviation is that of "
    "the seeds' accuracies, in points. Every problem asked counts in the denominator: a missing, a truncated and an ungradable answer are "
    "not correct. Splits follow each arm's own corpus, so an arm with fewer examples has more held-out problems; the claims compare arms "
    "on the problems that they have in common. Words and tokens are the means of an answer on the held-out competition, or on everything "
    "where there is no competition."
)
GAINS = (
    "The gain of each arm over the base on the problems of the competition that both have in common, paired: those held out for both, as "
    "in the claims, and those that the arm was trained on. A gain on the problems trained on alone is recall. "
    "The interval's bootstrap has other draws than that of the claims."
)
EXAMPLES = (
    "The held-out problems are drawn by a hash of their ids, so that nobody chose them. Each student's first sample with its first seed is "
    "shown as the student wrote it."
)
NO_EXAMPLES = "This study holds out no competition problem, or shows none."


class Content(NamedTuple):
    """What a page is made of."""

    study: str
    arms: dict[str, Arm]
    seeds: list[int]
    confidence: float  # of the accuracies' intervals
    limits: list[str]
    claims: str  # the claims' own page, without its heading
    summary: Summary
    trainings: dict[Cell, Training]
    teacher: dict[str, Any]
    levels: dict[str, Any]
    extraction: dict[str, Any]
    judge: dict[str, Any]
    audit: Path  # the audit's own page
    drops: dict[str, Any]
    multiverse: dict[str, Any]  # {} where the study has no other choices
    likelihood: str = ""  # the section on likelihoods; "" where none are scored


class Source(NamedTuple):
    """A file that the page is made from."""

    what: str
    path: Path
    made_by: str  # the stage; "" where it is written by hand
    in_git: bool = True


def write(content: Content, drawn: list[Plot], examples: str, sources: list[Source], svg: Path, judge: Path, page: Path) -> str:
    """Return the text of `page`; `svg` is the folder of the plots, `judge` the metric of the LLM judge."""
    gains = tables.gains(content.summary, content.confidence)
    parts = {
        "Results": "\n\n".join([ACCURACY, tables.results(content.summary, content.confidence), *([GAINS, gains] if gains else [])]),
        "Likelihood": content.likelihood,
        "Recorded answers": recorded_section.section(content.summary.recorded, content.judge),
        "Claims": content.claims,
        "Claims under other choices": multiverse_section.section(content.multiverse),
        "Plots": "\n\n".join(picture(plot, svg, page) for plot in drawn),
        "Arms and training": "\n\n".join(
            [tables.arms(content.arms, content.trainings), "Problems asked of each student:", tables.asked(content.summary)]
        ),
        "Problems left out": drops_section.section(content.drops),
        "Teacher and extraction": audits(content, page),
        "Example answers": f"{EXAMPLES}\n\n{examples}" if examples else NO_EXAMPLES,
        "LLM judge": judge_section.section(content.judge, link(judge, page)),
        "Limitations": "\n".join(f"- {escape(limit)}" for limit in content.limits),
        "Source files": origins(sources, page),
    }
    sections = [f"## {title}\n\n{text}" for title, text in parts.items() if text]
    return "\n\n".join([f"# Report of {escape(content.study)}", opening(content), *sections]) + "\n"


def opening(content: Content) -> str:
    """Say what ran, in a few lines."""
    arms, seeds = ", ".join(content.arms), ", ".join(map(str, content.seeds))
    count = f"{len(content.arms)} arms ({arms}) with {len(content.seeds)} seeds each ({seeds}), {len(content.trainings)} adapters"
    ran = f"the base student and {count}" if not content.summary.recorded else f"the recorded answers of others' students, {arms}"
    lines = [f"Study `{content.study}`: {ran}."]
    if isinstance(right := content.teacher.get("accuracy"), float):
        lines.append(f"The teacher solves {100 * right:.1f} % of the problems.")
    return escape(" ".join([*lines, "This page is generated: every number is read from the files listed at its end."]))


def picture(plot: Plot, svg: Path, page: Path) -> str:
    """Return one plot with its caption and a link to its table."""
    image = link(svg / f"{plot.name}.svg", page)
    return f"### {plot.heading}\n\n![{plot.heading}]({image})\n\n{escape(plot.caption)} ([{plot.source.name}]({link(plot.source, page)}))"


def audits(content: Content, page: Path) -> str:
    """Return the tables of the teacher, of its levels and of the extraction, and a link to the audit."""
    return "\n\n".join([
        f"Duplicates, leaks, placeholders and suspect texts are counted in the [audit]({link(content.audit, page)}).",
        "The teacher, over all extracted problems:", tables.audit(content.teacher),
        "Its reasoning at each level (number of texts, and mean words of a text):", tables.levels(content.levels),
        "Extraction from the PDFs:", tables.audit(content.extraction),
    ])  # fmt: skip


def origins(sources: list[Source], page: Path) -> str:
    """Return the table of the files that the page is made from."""
    rows = []
    for what, path, stage, in_git in sources:
        name = path.as_posix()
        shown = f"[{name}]({link(path, page)})" if in_git else f"`dvc pull {name}`"
        rows.append([what, shown, f"`dvc repro {stage}`" if stage else "written by hand"])
    return tabulate(rows, ["on this page", "file", "made by"], tablefmt="pipe", disable_numparse=True)  # links, which `grid` would escape


def link(path: Path, page: Path) -> str:
    """Return a link from a page to a file."""
    return Path(os.path.relpath(path, page.parent)).as_posix()
