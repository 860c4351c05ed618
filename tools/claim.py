"""`make claim C=NAME [S=STUDY] [RUN=WORD]`: what the paper says, what was found, what that rests on, and how to compute it again.

RUN=1 computes the verdict again from stored figures, RUN=grade also every answer's verdict, RUN=sample also the answers, RUN=train also the
adapters, RUN=all every stage behind the claim: in a scratch clone of HEAD, and only the arms that the claim's rule names. The rest is taken
from the cache and the remote. What was computed is compared with HEAD's dvc.lock.
"""

import difflib
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import json

from distill.claims import claims_page, run_claims
from distill.claims.claim import Claim, ClaimResult, ClaimSettings, RunClaim
from distill.claims.reported_count_rules import CountedClaims
from distill.claims.verdicts import Rule
from distill.cli import command
from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.records.claim_record import ClaimRecord, Rationale
from tools import activation, claim_cells, claim_run, costs, lock, params, pipeline
from tools.pipeline import Cell


class Found(NamedTuple):
    """A claim of one of a study's ledgers, as it was judged."""

    study: str
    name: str
    stage: str  # claims | reported_counts
    claim: Claim
    rule: Rule
    result: ClaimResult
    settings: ClaimSettings
    figures: str  # where its figures stand

    @property
    def path(self) -> str:
        """The claim's key in the study file."""
        return f"{layout(self.study).study_file}: {self.stage}.ledger.{self.name}"


def main(name: str = "", study: str = "", word: str = "") -> None:
    """Print a claim, and with a word compute it again."""
    found = find(name, study)
    runs = [(each, chosen) for each in found if (chosen := to_run(each, word))] if word else []
    print("\n\n".join("\n".join(lines(each)) for each in found))
    if word and not runs:
        raise InputError(f"RUN={word}: dvc.lock keeps no run of study {found[0].study} to compare with: make study S={found[0].study}")
    for each, chosen in runs:
        again(each, chosen)


def find(name: str, study: str = "") -> list[Found]:
    """Return the claims of that name of one study, by its run and by its paper's counts; InputError with near names where there is none."""
    known = {each: ledgers(each) for each in ([study] if study else studies())}
    if study and not any(known[study].values()):
        here = ", ".join(studies()) or "none"
        raise InputError(
            f"{layout(study).claims}: no such file, study {study} was not run: make study S={study}; studies with results: {here}"
        )
    for found in known.values():
        if hits := [ledger[name] for ledger in found.values() if name in ledger]:
            return hits
    names = list(dict.fromkeys(each for found in known.values() for ledger in found.values() for each in ledger))
    near = difflib.get_close_matches(name, names, 3) or names
    raise InputError(
        f"no claim {name!r} in {', '.join(known)}; {'near' if len(near) < len(names) else 'claims'}: {', '.join(near)}: make claim C=NAME"
        if name
        else f"say which: make claim C=NAME; claims of {', '.join(known)}: {', '.join(names)}"
    )


def studies() -> list[str]:
    """Return the studies with results, those that params.yaml names first."""
    named = params.read()
    all_of = [*named.students, *named.papers, *sorted(path.stem for path in layout("x").study_file.parent.glob("*.yaml"))]
    return [name for name in dict.fromkeys(all_of) if any(path.exists() for path in (layout(name).claims, layout(name).reported_counts))]


def ledgers(study: str) -> dict[str, dict[str, Found]]:
    """Return a study's judged claims by the stage that judges them."""
    paths = layout(study)
    study_file.study(paths.study_file)  # an unknown study is an error that names those here
    return {"claims": _run(paths), "reported_counts": _counted(paths)}


def _run(paths: Paths) -> dict[str, Found]:
    if not paths.claims.exists():
        return {}
    settings = study_file.section(paths.study_file, "claims", run_claims.Params)
    records = json.decode(paths.claims.read_bytes(), type=dict[str, ClaimRecord])
    reasons = json.decode(paths.rationales.read_bytes(), type=dict[str, Rationale])
    return {
        name: Found(paths.study, name, "claims", claim, claim.rule, ClaimResult(records[name], reasons[name]), settings, str(paths.claims))
        for name, claim in settings.ledger.items()
        if name in records and name in reasons
    }


def _counted(paths: Paths) -> dict[str, Found]:
    if not paths.reported_counts.exists():
        return {}
    settings = study_file.section(paths.study_file, "reported_counts", CountedClaims)
    records = json.decode(paths.reported_counts.read_bytes(), type=dict[str, Any])["claims"]
    return {
        name: Found(
            paths.study, name, "reported_counts", settings.ledger[name], settings.ledger[name].rule,
            ClaimResult(json.decode(json.encode(records[name]), type=ClaimRecord), result.rationale), settings, str(paths.reported_counts),
        )
        for name, result in settings.results().items()
        if name in records
    }  # fmt: skip


def lines(found: Found) -> Iterator[str]:
    """Yield what is printed of a claim."""
    record, rationale = found.result
    claim = found.claim
    by_construction = claim.by_construction if isinstance(claim, RunClaim) else ""
    published = "" if record.published is None else f"; its figure {claims_page.figure(record.published)}"
    ours = "" if record.ours is None else f"; comparable with the paper's figure: {claims_page.figure(record.ours)}"
    counted = "by the counts that the paper reports" if found.stage == "reported_counts" else f"study {found.study}"
    parts = {
        "the paper says": f"{claim.says} ({claim.source}{published})",
        "verdict": claims_page.verdict(record) + (f", by {record.basis}" if record.basis else ""),
        "found": rationale.reason,
        "effect": f"{claims_page.effect(record)}{_confidence(record, found.settings)}{ours}" if record.effect is not None else "",
        "n": "" if record.n is None else str(record.n),
        "test": claims_page.test(record),
        "power": claims_page.power(record, found.settings.power),
        "rule": f"{rationale.rule} ({found.path})",
        "by construction": by_construction,
        "note": claim.note,
    }
    yield f"{found.name}: {counted}"
    yield from _listed(parts)
    cells = every_cell(found)
    behind = behind_of(found, cells)
    yield "data behind it"
    yield from _listed({"figures": f"{found.figures}: {found.name}"} | dict(data(behind)))
    if not recorded(behind):
        yield f"dvc.lock does not keep this run: nothing to compare with; make study S={found.study} computes it"
        return
    yield f"computed again, in CPU time ({costs.ABOUT})"
    yield from _listed({f"RUN={word}": _cost(claim_cells.since(behind, word), found.study) for word in claim_cells.words_for(behind)})


def _confidence(record: ClaimRecord, settings: ClaimSettings) -> str:
    return "" if record.low is None else f", {100 * settings.confidence:g} % interval"


def _listed(parts: dict[str, str]) -> list[str]:
    return [f"  {name:16}{text}" for name, text in parts.items() if text]


def every_cell(found: Found) -> list[Cell]:
    """Return the cells of dvc.yaml for the claim's study: as params.yaml has it, or as its section `run` would."""
    if found.stage == "reported_counts":
        return pipeline.cells(active={"papers": [found.study], "corpora": [], "students": []})
    return pipeline.cells(active=None if found.study in params.read().students else activation.settings(found.study))


def behind_of(found: Found, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that a claim rests on."""
    of_study = [cell for cell in cells if cell.item["study"] == found.study]
    arms = study_file.study(layout(found.study).study_file).get("arms", {})
    return claim_cells.behind(of_study, found.stage, found.rule, claim_cells.arms_of(found.rule, arms))


def data(behind: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    """Yield each stage with those of its outputs that a later one reads, the last stage first; then how to get what is not here."""
    read = [dep for cell in behind for dep in cell.deps]
    outs = {cell.name: [out for out in cell.outs if claim_cells.joined(read, [out])] for cell in behind}
    for stage in dict.fromkeys(cell.stage for cell in reversed(behind)):
        if here := [out for cell in behind if cell.stage == stage for out in outs[cell.name]]:
            yield stage, braced(here)
    every = [out for each in outs.values() for out in each]
    if absent := [out for out in every if not Path(out).exists()]:
        target = "pull" if recorded(behind) else "study"
        yield "not here", f"{len(absent)} of these {len(every)} outputs: make {target} S={behind[0].item['study']}"


def braced(paths: Sequence[str]) -> str:
    """Write paths as a shell would take them.

    >>> braced(["a/r1-1.gz", "a/r1-2.gz"]), braced(["a/b"])
    ('a/r1-{1,2}.gz', 'a/b')
    """
    if len(paths) == 1:
        return paths[0]
    start = _same(paths)
    end = min(_same([path[::-1] for path in paths]), min(map(len, paths)) - start)
    middles = ",".join(path[start : len(path) - end] for path in paths)
    return f"{paths[0][:start]}{{{middles}}}{paths[0][len(paths[0]) - end :]}"


def _same(texts: Sequence[str]) -> int:
    """Return how many characters all texts begin with."""
    return sum(1 for _ in itertools.takewhile(lambda chars: len(set(chars)) == 1, zip(*texts, strict=False)))


def recorded(cells: Sequence[Cell]) -> bool:
    """Return whether dvc.lock keeps the run of the last of these cells."""
    return cells[-1].name in (lock.read(Path("dvc.lock")).get("stages") or {})


def _cost(chosen: Sequence[Cell], study: str) -> str:
    stages = ", ".join(dict.fromkeys(cell.stage for cell in chosen))
    return f"{costs.total(chosen, study)}: {len(chosen)} {'cells' if len(chosen) > 1 else 'cell'} ({stages})"


def to_run(found: Found, word: str) -> list[Cell]:
    """Return the cells that RUN=WORD computes; none of a run that dvc.lock does not keep."""
    behind = behind_of(found, every_cell(found))
    chosen = claim_cells.since(behind, word)
    if not chosen:
        raise InputError(f"RUN={word}: {found.name} rests on no such stage; here: {', '.join(claim_cells.words_for(behind))}")
    return chosen if recorded(behind) else []


def again(found: Found, chosen: Sequence[Cell]) -> None:
    """Compute cells in a scratch clone, compare the outputs and say what the claim is there."""
    cells = every_cell(found)
    of_study = [cell for cell in cells if cell.item["study"] == found.study]
    total, text = claim_run.run(found.study, [cell.name for cell in chosen], claim_cells.stored(chosen, of_study), Path(found.figures))
    document = json.decode(text, type=dict[str, Any])
    fresh = (document["claims"] if found.stage == "reported_counts" else document)[found.name]
    stored = {key: value for key, value in found.result.record.figures().items() if key != "secondary"}
    if moved := {key: (value, fresh.get(key)) for key, value in stored.items() if fresh.get(key) != value}:
        print(
            f"claim: {found.figures} of this tree is not HEAD's: {', '.join(f'{key} {a} here, {b} there' for key, (a, b) in moved.items())}"
        )
    count = "1 stage" if len(chosen) == 1 else f"{len(chosen)} stages"
    print(f"claim: equal: all {total} outputs of {count} were computed again and have the hashes of HEAD's dvc.lock")
    print(f"claim: {found.name}: {fresh['verdict']}")


if __name__ == "__main__":
    command.guarded("claim", lambda: main(*sys.argv[1:4]))
