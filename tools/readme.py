"""`python -m tools.readme`: write the embedded study's results into README.md, between two markers, from its metrics."""

import sys
from pathlib import Path

import yaml

from stages.ledger.line import Line
from stages.report import Intervals
from stages.reporting import inputs, tables
from stages.reporting.page import Ledger
from stages.shared import stage
from stages.shared.files import Fault, write_text

START, END = "<!-- results -->", "<!-- /results -->"
STUDY = Path("studies", "mini.yaml")


def main() -> None:
    """Rewrite README.md in the current folder."""
    path = Path("README.md")
    text = path.read_text(encoding="utf-8")
    write_text(path, filled(text, block(Path())))


def filled(text: str, results: str) -> str:
    """Return the text with `results` between its markers."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise Fault(f"README.md: expected {START} once, and after it {END} once; put them back")
    before, rest = text.split(START)
    return f"{before}{START}\n{results}\n{END}{rest.split(END)[1]}"


def block(root: Path) -> str:
    """Return the result tables of the embedded study that lies in `root`."""
    study, metrics = root / STUDY, root / "metrics" / STUDY.stem
    arms = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["arms"]
    summary, claims = inputs.summary(metrics / "summary.json", arms), inputs.read(metrics / "claims.json", dict[str, Line])
    said, confidence = stage.section(study, "claims", Ledger), stage.section(study, "summarise", Intervals).confidence
    rows = [
        [said.ledger[name].says, tables.verdict(line), tables.figure(line.ours), tables.chance(line.p_holm)]
        for name, line in claims.items()
    ]
    parts = [
        tables.results(summary, confidence),
        tables.grid(["the paper says", "here", "our figure", "p (Holm)"], rows, left=2),
        "Accuracies in %, means over seeds; the figures of claims are in 0..1. "
        f"All of it, with plots, rules and limits: [report](report/{STUDY.stem}/report.md).",
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    try:
        main()
    except Fault as fault:
        sys.exit(f"readme: {fault}")
