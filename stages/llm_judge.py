"""A model judges what the grader could not decide, and is judged itself: by what the grader decided, and by planted answers.

It is shown a problem, its gold answer and a final answer, never a chain of thought; a blank or a truncated answer is never asked about.
resolved.jsonl.gz holds the verdicts that summaries and claims read: the grader's, and in place of `ungradable` the model's where the study
lets them count. verdicts.jsonl.gz stays the grader's, and judgements.jsonl has every decision with the model's words.

Of recorded answers with published verdicts, the published judge is compared with the grader instead, under each extraction profile: its
word never counts, and a page shows every disagreement.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from distill.answers.answer_key import golds_with_notes
from distill.cli import command
from distill.cli.layout import Paths
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.judging import disagreement_page, model_judge, published_judge
from distill.judging.disagreement_page import Shown
from distill.judging.judge_metrics import figures
from distill.judging.judgement import Judgement, resolve
from distill.judging.model_judge import ModelJudge
from distill.judging.probes import Key
from distill.judging.published_judge import PublishedJudge
from distill.llm import role_client, transcripts
from distill.llm.usage_report import read_usage
from distill.records.completion import Completion
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict


class Extraction(msgspec.Struct, frozen=True):
    """Of section `grade`: the extraction profiles, the first of which gives the outcome."""

    profiles: list[str]


class Off(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """Section `llm_judge` where no model is asked."""


KINDS: dict[Any, type[Any]] = {"none": Off, "chat": ModelJudge, "recorded": PublishedJudge}


def main(paths: Paths) -> None:
    """Read the grader's verdicts; write the judgements, the verdicts that count, the calls and how far the judge is to be trusted."""
    kind = study_file.section(paths.study_file, "llm_judge", dict[str, Any]).get("kind")
    if kind not in list(KINDS):  # it may be a list, which has no hash
        raise InputError(f"{paths.study_file}: section 'llm_judge': kind is {kind!r}; allowed: {', '.join(KINDS)}")
    params = study_file.section(paths.study_file, "llm_judge", KINDS[kind])
    calls = paths.transcripts / "llm_judge.jsonl.gz"
    graded = files.read_records(paths.verdicts, Verdict)
    found: dict[str, Any] = {"judge": "none", "ungradable": ungradable(graded)}
    rows: list[Judgement] = []
    counted = graded
    if isinstance(params, ModelJudge):
        rows, more = by_model(paths, params, graded, calls)
        counted = resolve(graded, rows) if params.counts else graded
        found |= {"judge": params.model, "settled": found["ungradable"] - ungradable(counted)} | more
    else:
        transcripts.write(calls, [])
    text = disagreement_page.NONE
    if isinstance(params, PublishedJudge):
        rows, more, text = by_published(paths, params, graded)
        found |= {"judge": "recorded"} | more
    files.write_text(paths.disagreements, text)
    files.write_records(paths.judgements, rows)
    files.write_records(paths.resolved, counted)
    files.write_json(paths.judge_metrics, found)
    command.closing("llm_judge", len(graded), len(rows))


def by_model(paths: Paths, params: ModelJudge, graded: Sequence[Verdict], calls: Path) -> tuple[list[Judgement], dict[str, Any]]:
    """Ask a model, and keep its calls as transcripts; return its judgements and its figures."""
    known = read_problems(sorted(paths.benchmarks.glob("*.jsonl")), paths.extracted)
    cases, left_out = model_judge.plan(graded, known, params)
    prompt = model_judge.load_prompt(params)
    with role_client.opened(paths.study_file, paths.work, "llm_judge", params) as client:
        rows = list(client.run(lambda: (model_judge.judge(params, prompt, case) for case in cases)))
        client.write_transcripts(calls)
        price = client.endpoint.price(params.model)
    usage = read_usage(calls, price, params.batch is not None)
    return rows, {"left_out": left_out, **figures(rows, params.confidence), "cost": msgspec.to_builtins(usage)}


def by_published(paths: Paths, params: PublishedJudge, graded: Sequence[Verdict]) -> tuple[list[Judgement], dict[str, Any], str]:
    """Compare the published judge with the grader; return the disagreements, the figures and the page that shows them."""
    profiles = study_file.section(paths.study_file, "grade", Extraction).profiles
    known = read_problems(sorted(paths.benchmarks.glob("*.jsonl")), paths.extracted)
    found = published_judge.figures(graded, profiles, params)
    differing = published_judge.disagreements(graded, profiles)
    texts = {
        (arm, c.benchmark, c.id): c.text
        for arm, seed in sorted({(row.arm, row.seed) for row in differing})
        for c in files.iterate_records(paths.completions / f"{arm}-{seed}.jsonl.gz", Completion)
    }
    rows = [
        Judgement(
            "published", row.arm, row.benchmark, row.id, known[row.benchmark, row.id].gold, row.extracted, row.outcome,
            "correct" if row.published == "correct" else "wrong", "", "", "", "",
        )
        for row in differing
    ]  # fmt: skip
    return rows, found, disagreement_page.page(paths.study, found, differing, Shown(profiles, known, texts, params.text_end))


def ungradable(verdicts: Sequence[Verdict]) -> int:
    """Count the verdicts that leave an answer undecided."""
    return sum(verdict.outcome == "ungradable" for verdict in verdicts)


def read_problems(paths: Sequence[Path], extracted: Path) -> dict[Key, Problem]:
    """Return the problems by (benchmark, id), their gold answers with the notes on form that the grader uses."""
    known = {(problem.benchmark, problem.id): problem for path in paths for problem in files.read_records(path, Problem)}
    golds = golds_with_notes({name: problem.gold for name, problem in known.items()}, files.read_records(extracted, ExtractedItem))
    return {name: msgspec.structs.replace(problem, gold=golds[name]) for name, problem in known.items()}


if __name__ == "__main__":
    command.run(main)
