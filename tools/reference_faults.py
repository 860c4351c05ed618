"""The faults between sections: what one names and another does not hold."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.claims import defined
from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.likelihood import parts
from distill.model import published_answers
from distill.records.level import ANSWER
from distill.records.problem import OWN
from distill.sampling import jobs
from distill.sources import recorded_chains
from tools import value_faults
from tools.params import names

ROLES = ("solve", "verify", "condense", "llm_judge")


def references(good: Mapping[str, Any], active_arms: Iterable[str]) -> list[str]:
    """Return the faults between sections, of those that have none of their own."""
    checks = (
        _names(good),
        _students(good),
        _arms(good, active_arms),
        value_faults.within(good),
        _claims(good),
        _likelihood(good),
        _benchmarks(good),
        _overrides(good),
        value_faults.split_sizes(good),
        _models(good),
    )
    return [fault for check in checks for fault in check]


def _students(good: Mapping[str, Any]) -> Iterator[str]:
    """What a recorded student says that it is a recording of."""
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
