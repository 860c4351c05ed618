"""`make check S=x`: every fault of a study file, one line each, without running anything."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from distill.claims import defined
from distill.claims.reported_count_rules import CountedClaims
from distill.cli import command
from distill.cli.layout import BASE, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.corpus import splits
from distill.likelihood import parts
from distill.llm.budget import BudgetLimit
from distill.llm.endpoint_config import Endpoint
from distill.llm.role_client import Transcript
from distill.model import gguf_student, published_answers
from distill.pretraining import scratch_student, texts
from distill.records.correction import Correction
from distill.records.level import ANSWER
from distill.records.problem import OWN
from distill.sampling import jobs
from distill.sources import benchmark_sources, local_problems, recorded_chains, table_problems, table_traces
from distill.teacher import distiller, solver, teacher_kinds, verifier
from distill.training.recipe import Recipe
from stages import (
    audit,
    benchmarks,
    claims,
    contamination,
    curate,
    extract,
    fetch,
    grade,
    likelihood,
    llm_judge,
    overfit,
    report,
    student,
    summarise,
)
from tools.activation import Run
from tools.cost_model import Assumptions
from tools.params import names

ROLES = ("solve", "verify", "condense", "llm_judge")


class Arm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `arms`, as stage `curate` takes it."""

    level: str
    protocol: Literal["clean", "published"]
    corrected: bool
    n: Annotated[int, msgspec.Meta(ge=0)]


class Choice(NamedTuple):
    """A section whose type is named by one of its keys; `None`: where the key is not there."""

    key: str
    types: Mapping[Any, Any]


TEACHERS = {"symbolic": teacher_kinds.Symbolic, "recorded": teacher_kinds.Recorded}
RECORDED_LEVELS = {"recorded": teacher_kinds.RecordedLevels}
MAY_BE_EMPTY = {"contamination", "import_traces", "likelihood", "overfit", "pretraining"}  # {}: the study has none

# Section -> its type: those of every study, those of a study that trains, those that may be missing.
CORPUS: dict[str, Any] = {
    "arms": dict[str, Arm],
    "levels": Annotated[list[Annotated[str, msgspec.Meta(pattern=r"^\w[\w-]*\Z")]], msgspec.Meta(min_length=1)],
    "fetch": Choice("kind", {kind: schema for kind, (schema, _) in fetch.PROVIDERS.items()}),
    "extract": Choice("kind", {"given": local_problems.Params, "table": table_problems.Params, None: extract.Params}),
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
    "corrections": list[Correction],
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
    "claims": claims.Params,
    "report": report.Params,
}
OPTIONAL: dict[str, Any] = {"students": dict[str, dict[str, Any]], "reported_counts": CountedClaims, "estimate": Assumptions}


def main(name: str = "") -> None:
    """Print the faults of studies/NAME.yaml and exit 2, or say that it has none."""
    if not name:
        raise InputError("say which study: make check S=NAME; NAME is a file of studies/ without its ending")
    paths = layout(name)
    document = study_file.study(paths.study_file)
    found, good = sections(document)
    active = study_file.study(paths.params) if paths.params.exists() else {}
    found += references(good, active.get("arms", []) if name in active.get("corpora", []) else [])
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
                good[name] = msgspec.convert(document[name], _choose(document[name], kind), strict=True)
    return found, good


def walk(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield every fault of a value that should be of a type: missing and unknown keys, and values of another type, at any depth."""
    chosen = _choose(value, kind)
    origin = get_origin(chosen)
    if isinstance(chosen, Choice):
        given = value.get(chosen.key) if isinstance(value, dict) else value
        yield f"{where}: {chosen.key} is {ascii(given)[:60]}; allowed: {', '.join(str(name) for name in chosen.types if name is not None)}"
    elif isinstance(chosen, type) and issubclass(chosen, msgspec.Struct) and isinstance(value, dict):
        yield from _struct(value, chosen, where)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, get_args(chosen)[1], f"{where}.{key}")
    elif origin is list and isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, get_args(chosen)[0], f"{where}[{place}]")
    else:
        yield from _converted(value, chosen, where)


def _choose(value: Any, kind: Any) -> Any:
    """Return the type that a mapping's tag names; the choice itself where it names none of them."""
    if get_origin(kind) in (Union, UnionType) and isinstance(value, dict):
        structs = [each for each in get_args(kind) if hasattr(each, "__struct_config__")]
        key = next((each.__struct_config__.tag_field for each in structs if each.__struct_config__.tag_field), "")
        kind = Choice(key, {each.__struct_config__.tag: each for each in structs}) if structs else kind
    if isinstance(kind, Choice) and isinstance(value, dict):
        name = value.get(kind.key)
        return kind.types.get(name, kind) if isinstance(name, str | NoneType) else kind
    return kind


def _struct(value: dict[str, Any], kind: type[msgspec.Struct], where: str) -> Iterator[str]:
    config, types = kind.__struct_config__, get_type_hints(kind, include_extras=True)
    keys = {field.encode_name: types[field.name] for field in msgspec.structs.fields(kind)}
    required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    found = [f"{where}: no key '{key}'" for key in required if key not in value]
    allowed = [config.tag_field, *keys] if config.tag_field else list(keys)
    if config.forbid_unknown_fields:
        found += [f"{where}: unknown key '{key}'; allowed: {', '.join(allowed)}" for key in value if key not in allowed]
    for key, each in keys.items():
        if key in value:
            found += walk(value[key], each, f"{where}.{key}")
    yield from found or _converted(value, kind, where)  # what the type checks of the whole


def _converted(value: Any, kind: Any, where: str) -> Iterator[str]:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        actual = f", got {value!r}" if isinstance(value, int | float) and ", got " not in str(error) else ""
        hint = "; write floats as 1.0e-4" if "`float`, got `str`" in str(error) else ""
        yield f"{where}: {error}{actual}{hint}"


def references(good: Mapping[str, Any], active_arms: Iterable[str]) -> list[str]:
    """Return the faults between sections, of those that have none of their own."""
    checks = (
        _names(good),
        _students(good),
        _arms(good, active_arms),
        _within(good),
        _claims(good),
        _likelihood(good),
        _benchmarks(good),
        _overrides(good),
        _split_sizes(good),
        _models(good),
    )
    return [fault for check in checks for fault in check]


def _students(good: Mapping[str, Any]) -> Iterator[str]:
    """The students that `student` may name, and what a recorded one says that it is a recording of."""
    for name, value in good.get("students", {}).items():
        yield from walk(value, STUDENT, f"students.{name}")
    recorded = good.get("student")
    if not isinstance(recorded, published_answers.Recorded):
        return
    for arm, files in recorded.arms.items():
        if "arms" in good and arm not in good["arms"]:
            yield f"student.arms: no arm '{arm}'; arms here: {', '.join(good['arms'])}"
        asked = (OWN, *good["sample"].benchmarks) if "sample" in good else ()
        yield from (f"student.arms.{arm}: benchmark '{each.benchmark}' is not asked; allowed: {', '.join(asked)}"
                    for each in files if asked and each.benchmark not in asked)  # fmt: skip
    if "run" in good and good["run"].seeds != [recorded.seed]:
        yield f"run.seeds: {good['run'].seeds}; a recorded student has one run: [{recorded.seed}]"


def _names(good: Mapping[str, Any]) -> Iterator[str]:
    """What becomes a path or a word of a shell command."""
    for section in ("arms", "benchmarks"):
        yield from names(section, good.get(section, {}))


def _arms(good: Mapping[str, Any], active: Iterable[str]) -> Iterator[str]:
    if "arms" not in good:
        return
    arms = good["arms"]
    named = [("run.arms", name) for name in good["run"].arms] if "run" in good else []
    named += [("report.arms", name) for name in good["report"].arms] if "report" in good else []
    named += [("params.yaml: arms", name) for name in active]
    for where, name in dict.fromkeys(named):
        if name not in arms:
            yield f"{where}: no arm '{name}'; arms here: {', '.join(arms)}"
    if BASE in arms:
        yield f"arms.{BASE}: that name is the student without an adapter; take another"
    for name, arm in arms.items():
        if "levels" in good and arm.level not in (*good["levels"], ANSWER):
            yield f"arms.{name}.level: no level '{arm.level}'; allowed: {', '.join((*good['levels'], ANSWER))}"
        chains = isinstance(good.get("import_traces"), recorded_chains.Chains)
        if chains and arm.protocol == "published" and "curate" in good and arm.level not in good["curate"].published:
            yield f"arms.{name}: protocol published needs curate.published.{arm.level}, the system prompt of that corpus"
    if "run" in good:
        yield from (f"run.{key}: must not be empty" for key in ("arms", "seeds") if not getattr(good["run"], key))
        if good.get("overfit") and good["overfit"].arm not in good["run"].arms:
            yield f"run.arms: no '{good['overfit'].arm}', which overfit.arm names"


def _claims(good: Mapping[str, Any]) -> Iterator[str]:
    if {"arms", "claims", "sample"} <= good.keys():
        rules = {name: claim.rule for name, claim in good["claims"].ledger.items()}
        yield from defined.faults(rules, good["arms"], (OWN, *good["sample"].benchmarks))


def _likelihood(good: Mapping[str, Any]) -> Iterator[str]:
    """Parts and the level that are scored, and the parts that claims are on."""
    params, benchmarks = good.get("likelihood"), good["sample"].benchmarks if "sample" in good else []
    if params and "sample" in good and (unknown := parts.unknown(params.parts, benchmarks)):
        allowed = ", ".join([parts.SEEN, parts.HELDOUT, *benchmarks])
        yield f"likelihood.parts: no part '{unknown[0]}'; allowed: {allowed}"
    if params and "levels" in good and params.common not in good["levels"]:
        yield f"likelihood.common: no level '{params.common}'; allowed: {', '.join(good['levels'])}"
    if "claims" in good and "likelihood" in good:
        rules = {name: claim.rule for name, claim in good["claims"].ledger.items()}
        yield from defined.unscored(rules, params.parts if params else ())


def _within(good: Mapping[str, Any]) -> Iterator[str]:
    """What keys of one section say of each other, and patterns."""
    sample, student, extract_ = (good.get(name) for name in ("sample", "student", "extract"))
    if isinstance(sample, jobs.Params) and sample.refill_window < sample.batch_size:
        yield f"sample.refill_window: {sample.refill_window} is less than sample.batch_size, {sample.batch_size}; it holds a batch or more"
    if isinstance(sample, jobs.Params) and sample.samples > 1 and not sample.temperature:
        yield f"sample.samples: {sample.samples} at temperature 0 are all the same; raise the temperature"
    if isinstance(student, scratch_student.Params):
        for key, parts in (("hidden", "heads"), ("heads", "kv_heads")):
            whole, part = getattr(student, key), getattr(student, parts)
            if whole % part:
                yield f"student.{key}: {whole} is no multiple of student.{parts}, {part}"
    for name, pattern in getattr(extract_, "names", {}).items():
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"extract.names.{name}: {pattern!r} is no regular expression: {error}"
    levels = good.get("levels", [])
    if twice := sorted({level for level in levels if levels.count(level) > 1}):
        yield f"levels: '{twice[0]}' is there twice; remove one"


def _benchmarks(good: Mapping[str, Any]) -> Iterator[str]:
    if "benchmarks" not in good or "sample" not in good:
        return
    asked = good["sample"].benchmarks
    for name in asked:
        if name not in good["benchmarks"]:
            yield f"sample.benchmarks: no benchmark '{name}'; benchmarks here: {', '.join(good['benchmarks']) or 'none'}"
    compared = good.get("contamination")
    for name in compared.against if compared else []:
        if name not in asked:
            yield f"contamination.against: benchmark '{name}' is not asked; allowed: {', '.join(asked) or 'none'}"


def _overrides(good: Mapping[str, Any]) -> Iterator[str]:
    """What one arm or one benchmark sets differently."""
    for name in (good["train"].per_arm or {}) if "train" in good else {}:
        if name not in good.get("arms", {name: None}):
            yield f"train.per_arm: no arm '{name}'; arms here: {', '.join(good['arms'])}"
    if isinstance(params := good.get("sample"), jobs.Params):
        try:
            jobs.check(params, [OWN, *params.benchmarks], "sample")
        except InputError as error:
            yield str(error)


def _split_sizes(good: Mapping[str, Any]) -> Iterator[str]:
    if "split" not in good:
        return
    sizes = good["split"]
    held = max(sizes.asked if isinstance(sizes.asked, int) else 0, sizes.heldout_least)
    total, needed = _problems(good.get("fetch")), sizes.train + sizes.valid + held
    if total is not None and needed > total:
        yield f"split: train {sizes.train}, valid {sizes.valid} and {held} held out are {needed} problems; fetch brings {total}"
    for key, side in (("seen", "train"), ("asked_valid", "valid")):
        if getattr(sizes, key) > getattr(sizes, side):
            yield f"split.{key}: {getattr(sizes, key)} is more than split.{side}, {getattr(sizes, side)}"
    for name, arm in good.get("arms", {}).items():
        if arm.protocol == "clean" and arm.n > sizes.train:
            yield f"arms.{name}: n {arm.n} is more than split.train, {sizes.train}"


def _problems(source: Any) -> int | None:
    """Return how many problems the fetch stage will bring; None where only it can tell."""
    if isinstance(source, fetch.Competition):
        return (source.last_year - source.first_year + 1) * sum(source.problems.values())
    if isinstance(source, local_problems.Source) and Path(source.path).is_file():
        try:
            return local_problems.complete(Path(source.path))
        except InputError:  # stage `extract` names the line
            return None
    return None


def _models(good: Mapping[str, Any]) -> Iterator[str]:
    for role in ROLES:
        model: Any = good.get(role)
        if not hasattr(model, "endpoint"):
            continue
        if "endpoints" in good and model.endpoint not in good["endpoints"]:
            yield f"{role}.endpoint: no endpoint '{model.endpoint}'; endpoints here: {', '.join(good['endpoints']) or 'none'}"
        elif "endpoints" in good and model.model not in good["endpoints"][model.endpoint].prices:
            yield f"{role}.model: endpoints.{model.endpoint}.prices has no '{model.model}'; add its price"
        if not Path(model.prompt).is_file():
            yield f"{role}.prompt: no such file: {model.prompt}"


if __name__ == "__main__":
    command.guarded("check", lambda: main(*sys.argv[1:2]))
