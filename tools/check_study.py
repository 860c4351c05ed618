"""`make check S=x`: every fault of a study file, one line each, without running anything."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from distill.claims import run_claims
from distill.claims.reported_count_rules import CountedClaims
from distill.cli import command
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.corpus import splits
from distill.export.terms import Terms
from distill.extraction.general import exam_folder
from distill.extraction.corrections import Row
from distill.llm.budget import BudgetLimit
from distill.llm.endpoint_config import Endpoint
from distill.llm.role_client import Transcript
from distill.model import gguf_student, published_answers
from distill.multiverse import choices
from distill.pretraining import scratch_student, texts
from distill.sampling import jobs
from distill.sources import benchmark_sources, local_problems, recorded_chains, table_problems, table_traces
from distill.teacher import distiller, solver, teacher_kinds, verifier
from distill.training.recipe import Recipe
from distill.transcriber.transcriber import Transcriber
from stages import (
    audit,
    benchmarks,
    contamination,
    curate,
    extract,
    fetch,
    grade,
    likelihood,
    llm_judge,
    overfit,
    page,
    report,
    student,
    summarise,
)
from tools import reference_faults
from tools.activation import Run
from tools.cost_model import Assumptions
from tools.section_faults import Choice, choose, walk


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `arms`, as stage `curate` takes it."""

    level: str
    protocol: Literal["clean", "published"]
    corrected: bool
    n: Annotated[int, msgspec.Meta(ge=0)]


TEACHERS = {"symbolic": teacher_kinds.Symbolic, "recorded": teacher_kinds.Recorded}
RECORDED_LEVELS = {"recorded": teacher_kinds.RecordedLevels}
MAY_BE_EMPTY = {
    "contamination",
    "import_traces",
    "likelihood",
    "multiverse",
    "overfit",
    "pretraining",
    "transcribe",
}  # {}: the study has none

# Section -> its type: those of every study, those of a study that trains, those that may be missing.
CORPUS: dict[str, Any] = {
    "arms": dict[str, Arm],
    "levels": Annotated[list[Annotated[str, msgspec.Meta(pattern=r"^\w[\w-]*\Z")]], msgspec.Meta(min_length=1)],
    "fetch": Choice("kind", {kind: schema for kind, (schema, _) in fetch.PROVIDERS.items()}),
    "extract": Choice(
        "kind", {"exams": exam_folder.Params, "given": local_problems.Params, "table": table_problems.Params, None: extract.Params}
    ),
    "benchmarks": dict[str, benchmark_sources.Competition | benchmark_sources.Repository | benchmark_sources.Hub | benchmark_sources.Local],
    "import_traces": Choice("kind", {"chains": recorded_chains.Chains, "table": table_traces.Params}),
    "endpoints": dict[str, Endpoint],
    "budget": BudgetLimit,
    "transcripts": dict[str, Transcript],
    "solve": Choice("teacher", TEACHERS | {"chat": solver.ModelSolver}),
    "verify": Choice("teacher", TEACHERS | {"chat": verifier.ModelVerifier}),
    "condense": Choice("teacher", TEACHERS | RECORDED_LEVELS | {"chat": distiller.ModelDistiller}),
    "split": splits.Params,
    "contamination": contamination.Params,
    "curate": curate.Params,
    "corrections": list[Row],
    "transcribe": Transcriber,
    "audit": audit.Params,
    "sample": benchmarks.Asked,
    "run": Run,
}
STUDENT = Choice(
    "kind",
    {
        "scratch": scratch_student.Params,
        "hub": student.Hub,
        "gguf": gguf_student.Gguf,
        "folder": student.Folder,
        "recorded": published_answers.Recorded,
    },
)
STUDENTS: dict[str, Any] = {
    "pretraining": texts.Params,
    "student": STUDENT,
    "train": Recipe,
    "overfit": overfit.Params,
    "sample": jobs.Params,
    "likelihood": likelihood.Params,
    "grade": grade.Params,
    "llm_judge": Choice("kind", llm_judge.KINDS),
    "summarise": summarise.Params,
    "claims": run_claims.Params,
    "multiverse": choices.Params,
    "report": report.Params,
    "page": page.Params,
}
OPTIONAL: dict[str, Any] = {
    "students": dict[str, dict[str, Any]], "reported_counts": CountedClaims, "estimate": Assumptions, "export": Terms,
}  # fmt: skip


def main(name: str = "") -> None:
    """Print the faults of studies/NAME.yaml and exit 2, or say that it has none."""
    if not name:
        raise InputError("say which study: make check S=NAME; NAME is a file of studies/ without its ending")
    paths = layout(name)
    document = study_file.study(paths.study_file)
    found, good = sections(document)
    active = study_file.study(paths.params) if paths.params.exists() else {}
    found += reference_faults.references(good, active.get("arms", []) if name in active.get("corpora", []) else [])
    if found:
        print("\n".join(f"{paths.study_file}: {command.shown(' '.join(fault.split()))}" for fault in found), file=sys.stderr)
        sys.exit(2)
    print(f"{paths.study_file}: ok, {len(document)} sections, {len(good['arms'])} arms")


def sections(document: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the faults of the sections, each for itself, and the typed sections that have none."""
    run = document.get("run")
    trains = "student" in document or (isinstance(run, dict) and run.get("students") is True)
    needed = CORPUS | (STUDENTS if trains else {})
    known = CORPUS | STUDENTS | OPTIONAL
    empty = "; write {} where the study has none"
    found = [f"no section '{name}'{empty if name in MAY_BE_EMPTY else ''}" for name in needed if name not in document]
    found += [f"unknown section '{name}'; allowed: {', '.join(known)}" for name in document if name not in known]
    good: dict[str, Any] = {}
    for name, kind in (known | needed).items():
        if name in MAY_BE_EMPTY and document.get(name, ...) == {}:
            good[name] = None
        elif name in document:
            faults = list(walk(document[name], kind, str(name)))
            found += faults
            if not faults:
                good[name] = msgspec.convert(document[name], choose(document[name], kind), strict=True)
    for name, value in good.get("students", {}).items():
        found += walk(value, STUDENT, f"students.{name}")
    return found, good


if __name__ == "__main__":
    command.guarded("check", lambda: main(*sys.argv[1:2]))
