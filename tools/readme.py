"""`python -m tools.readme`: write the embedded study's results into README.md, between two markers, from its metrics."""

import sys
from pathlib import Path

import msgspec
import yaml

from distill.claims import claims_page
from distill.claims.claim import Claim
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import write_text
from distill.records.claim_record import ClaimRecord
from distill.report import report_inputs, tables
from distill.report.report_inputs import Intervals

START, END = "<!-- results -->", "<!-- /results -->"
STUDY = Path("studies", "mini.yaml")


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
    """Return the result tables of the embedded study that lies in `root`."""
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
    parts = [
        tables.results(summary, confidence),
        claims_page.table("the paper says", said, columns),
        "Accuracies in %, means over seeds; the figures of claims are in 0..1. "
        + "".join(map(_trend, records.values()))
        + f"All of it, with plots, rules and limits: [report](report/{STUDY.stem}/report.md).",
    ]
    return "\n\n".join(parts)


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
