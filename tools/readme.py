"""`python -m tools.readme`: write the results of the real student and of the embedded study into README.md, between two markers."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from distill.claims import claims_page
from distill.claims.claim import Claim
from distill.core import study_file
from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.core.files import read_json, write_text
from distill.core.markdown import grid
from distill.records.claim_record import ClaimRecord
from distill.records.problem import OWN
from distill.report import report_inputs, tables
from distill.report.report_inputs import Intervals
from tools.activation import Run

START, END = "<!-- results -->", "<!-- /results -->"
STUDY = Path("studies", "mini.yaml")
REAL = Path("studies", "gsm8k.yaml")
MEASURES = {  # heading: measure and part of likelihood.json
    "gold solution, held out, nats a token": ("chain_common", "heldout"),
    "P(gold answer) after own work, held out": ("answer_sampled", "heldout"),
    "on SVAMP": ("answer_sampled", "svamp"),
    "on MultiArith": ("answer_sampled", "multiarith"),
}


class Claims(msgspec.Struct, frozen=True):
    """Of section `claims`: what the paper says."""

    ledger: dict[str, Claim]


def main() -> None:
    """Rewrite README.md in the current folder."""
    path = Path("README.md")
    text = path.read_text(encoding="utf-8")
    write_text(path, filled(text, block(Path())))


def filled(text: str, results: str) -> str:
    """Return the text with `results` between its markers."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise InputError(f"README.md: expected {START} once, and after it {END} once; put them back")
    before, rest = text.split(START)
    return f"{before}{START}\n{results}\n{END}{rest.split(END)[1]}"


def block(root: Path) -> str:
    """Return the result tables of the studies that lie in `root`."""
    return "\n\n".join([*real(root), *embedded(root)])


def real(root: Path) -> list[str]:
    """Return what is said of the real pretrained student."""
    study, metrics = root / REAL, root / "metrics" / REAL.stem
    arms = study_file.section(study, "run", Run).arms
    summary = report_inputs.summary(metrics / "summary.json", arms)
    measured = read_json(metrics / "likelihood.json")["arms"]
    rows: list[list[object]] = []
    for arm in (BASE, *arms):
        own = summary.figures(arm, OWN, "heldout")
        accuracy = "" if own is None else f"{100 * own.accuracy:.1f}"
        rows.append([arm, *(_measured(measured[arm][measure][part]) for measure, part in MEASURES.values()), accuracy])
    records = report_inputs.read(metrics / "claims.json", dict[str, ClaimRecord])
    said: dict[str, list[str]] = {}
    for name, record in records.items():
        tested = "" if record.p_holm is None else f" {claims_page.effect(record)}, p = {claims_page.p_value(record.p_holm)}"
        said.setdefault(claims_page.verdict(record), []).append(f"`{name}`{tested}")
    return [
        f"**A real student, `{REAL.stem}`**: SmolLM2-135M-Instruct, trained on GSM8K's solutions (`cot`; `cot-n40`: a quarter of them), "
        "on their equations or answers alone; in brackets the gain over the base.",
        grid(["arm", *MEASURES, "correct, held out, %"], rows),
        grid(
            ["verdict", "claims: effect [95 % interval], p by Holm"],
            [[verdict, "; ".join(names)] for verdict, names in said.items()],
            left=2,
        ),
        f"`make claim S={REAL.stem} C=NAME` gives the paper's words and the rule. All of it: [report](report/{REAL.stem}/report.md).",
    ]


def _measured(figures: Mapping[str, float]) -> str:
    gain = f" ({figures['gain']:+.3f} [{figures['gain_low']:+.3f}, {figures['gain_high']:+.3f}])" if "gain" in figures else ""
    return f"{figures['mean']:.3f}{gain}"


def embedded(root: Path) -> list[str]:
    """Return what is said of the embedded study."""
    study, metrics = root / STUDY, root / "metrics" / STUDY.stem
    arms = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["arms"]
    summary = report_inputs.summary(metrics / "summary.json", arms)
    records = report_inputs.read(metrics / "claims.json", dict[str, ClaimRecord])
    claims = study_file.section(study, "claims", Claims).ledger
    confidence = study_file.section(study, "summarise", Intervals).confidence
    columns: claims_page.Columns = {
        "here": claims_page.verdict,
        "our figure": lambda record: claims_page.figure(record.ours),
        "p (Holm)": lambda record: claims_page.p_value(record.p_holm),
    }
    said = {claims[name].says: record for name, record in records.items()}
    return [
        f"**The embedded study, `{STUDY.stem}`**: a student of 0.85 M parameters, pretrained here, five seeds.",
        tables.results(summary, confidence),
        claims_page.table("the paper says", said, columns),
        "Accuracies in %, means over seeds; the figures of claims are in 0..1. "
        + "".join(map(_trend, records.values()))
        + f"All of it, with plots, rules and limits: [report](report/{STUDY.stem}/report.md).",
    ]


def _trend(record: ClaimRecord) -> str:
    """Say of a fall that its test is one of the trend, and how many of its steps rise."""
    steps = record.secondary
    return (
        f"A fall is tested as a trend; steps that rise: {steps['rising_steps']} of {len(steps['steps'])}. "
        if "rising_steps" in steps
        else ""
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as fault:
        sys.exit(f"readme: {fault}")
