"""Where the files of a study lie: every path of the pipeline, once.

No stage lists this package among its dependencies in dvc.yaml: it decides where a file lies, never what is in it. A test runs the whole
pipeline and compares every file that a stage opens with what dvc.yaml declares.
"""

import re
from pathlib import Path

import msgspec

from distill.core.cells import BASE as BASE
from distill.core.errors import InputError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of one study, and of one arm and seed where a stage runs once for each; relative to the repository root.

    `corpus`, `adapter` and `completion` are those of the arm and the seed; a folder in the plural holds those of all.
    """

    study: str
    study_file: Path
    params: Path  # which studies, arms and seeds run
    work: Path  # partial results and logs: ignored by git and DVC, never an output
    prompts: Path
    templates: Path  # Vega-Lite templates of the plots
    # data
    raw: Path  # the source's files and their manifest
    problems: Path
    extracted: Path  # each item as read from its page
    benchmarks: Path  # NAME.jsonl: the evaluation sets, the study's own evaluated problems among them
    recorded_traces: Path
    traces: Path
    verified: Path
    levels: Path
    transcripts: Path  # ROLE.jsonl.gz: every call to a model
    split: Path
    contamination: Path  # problems of the benchmarks among the study's own
    corpora: Path
    corpus: Path
    pretraining: Path
    completions: Path
    completion: Path
    verdicts: Path  # the grader's
    judgements: Path  # the LLM judge's
    resolved: Path  # the verdicts that summaries and claims read
    other_graders: Path  # outcomes by other graders than the study's own
    likelihood: Path  # log-likelihoods of given texts
    transcriptions: Path  # what a vision model read of the pages
    review: Path  # each item's reading against its transcription, and who looked at it
    # models
    student: Path
    adapters: Path
    adapter: Path
    # metrics
    extract_metrics: Path
    teacher_metrics: Path
    levels_metrics: Path
    cost_metrics: Path
    contamination_metrics: Path
    audit_metrics: Path
    overfit_metrics: Path
    grade_metrics: Path
    judge_metrics: Path
    float32_metrics: Path  # written by tools/compare_float32.py, by no stage
    headline: Path  # the figures that a reader looks for first; the only file that `dvc metrics` shows
    summary: Path
    training: Path
    claims: Path
    claims_page: Path
    reported_counts: Path
    reported_counts_page: Path
    other_graders_metrics: Path
    multiverse: Path  # each claim under other defensible choices
    drops: Path  # the problems lost, by stage and reason
    likelihood_metrics: Path
    transcribe_metrics: Path
    review_metrics: Path
    # plots
    plots: Path  # NAME.csv: one tidy table a plot
    curves: Path
    overfit_curve: Path
    svg: Path
    multiverse_curve: Path
    likelihood_table: Path
    # report
    rationales: Path  # why each verdict is what it is, in words
    report: Path
    disagreements: Path  # of a published judge with the grader
    audit_page: Path
    page: Path  # the study as one file for a browser
    review_page: Path  # its items to be looked at; written by tools/review.py, by no stage


def layout(study: str, arm: str = "", seed: int | None = None) -> Paths:
    """Return the paths of a study; InputError where a name is not one.

    >>> str(layout("mini", "r1", 2).adapter), str(layout("mini", "base").completion)
    ('models/mini/adapters/r1-2', 'data/mini/completions/base.jsonl.gz')
    """
    for what, name in (("study", study), ("arm", arm)):
        if name and not NAME.fullmatch(name):
            raise InputError(f"{what} {name!r}: a name is letters, digits, _, . and -, and begins with none of the last two")
    data, models, metrics, plots, report = (Path(top, study) for top in ("data", "models", "metrics", "plots", "report"))
    cell = arm if arm == BASE or seed is None else f"{arm}-{seed}"
    return Paths(
        study=study,
        study_file=Path("studies", f"{study}.yaml"),
        params=Path("params.yaml"),
        work=Path(".work", study),
        prompts=Path("prompts"),
        templates=Path("plots", "templates"),
        raw=data / "raw",
        problems=data / "problems.jsonl",
        extracted=data / "extracted.jsonl",
        benchmarks=data / "benchmarks",
        recorded_traces=data / "recorded_traces.jsonl",
        traces=data / "traces.jsonl",
        verified=data / "verified.jsonl",
        levels=data / "levels.jsonl.gz",
        transcripts=data / "transcripts",
        split=data / "split.jsonl",
        contamination=data / "contamination.jsonl",
        corpora=data / "corpus",
        corpus=data / "corpus" / arm,
        pretraining=data / "pretraining.jsonl.gz",
        completions=data / "completions",
        completion=data / "completions" / f"{cell}.jsonl.gz",
        verdicts=data / "verdicts.jsonl.gz",
        judgements=data / "judgements.jsonl",
        resolved=data / "resolved.jsonl.gz",
        other_graders=data / "other_graders.jsonl.gz",
        likelihood=data / "likelihood.jsonl.gz",
        transcriptions=data / "transcriptions.jsonl",
        review=data / "review.jsonl",
        student=models / "student",
        adapters=models / "adapters",
        adapter=models / "adapters" / cell,
        extract_metrics=metrics / "extract.json",
        teacher_metrics=metrics / "teacher.json",
        levels_metrics=metrics / "levels.json",
        cost_metrics=metrics / "llm_cost.json",
        contamination_metrics=metrics / "contamination.json",
        audit_metrics=metrics / "audit.json",
        overfit_metrics=metrics / "overfit.json",
        grade_metrics=metrics / "grade.json",
        judge_metrics=metrics / "llm_judge.json",
        float32_metrics=metrics / "float32.json",
        headline=metrics / "headline.json",
        summary=metrics / "summary.json",
        training=metrics / "training.json",
        claims=metrics / "claims.json",
        claims_page=metrics / "claims.md",
        reported_counts=metrics / "reported_counts.json",
        reported_counts_page=metrics / "reported_counts.md",
        other_graders_metrics=metrics / "other_graders.json",
        multiverse=metrics / "multiverse.json",
        drops=metrics / "drops.json",
        likelihood_metrics=metrics / "likelihood.json",
        transcribe_metrics=metrics / "transcribe.json",
        review_metrics=metrics / "review.json",
        plots=plots / "tables",
        curves=plots / "tables" / "curves.csv",
        overfit_curve=plots / "overfit.csv",
        svg=plots / "svg",
        multiverse_curve=plots / "multiverse.csv",
        likelihood_table=plots / "likelihood.csv",
        rationales=report / "rationales.json",
        report=report / "report.md",
        disagreements=report / "disagreements.md",
        audit_page=report / "audit.md",
        page=report / "index.html",
        review_page=report / "review.html",
    )
