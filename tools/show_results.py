"""What `make repro` shows of its studies: the results, the claims and where the report is."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tabulate import tabulate

from distill.claims import claims_page
from distill.cli.layout import layout
from distill.core.cells import BASE
from distill.records.claim_record import ClaimRecord
from distill.records.problem import OWN


def main(*words: str) -> None:
    """Print the outcome of every study that params.yaml runs; with the word `where`, just the reports' paths."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for name in params["students"]:
        if not words:
            _results(name, params["arms"])
        report = Path("report", name, "report.md")
        print(f"report: {report}" if report.exists() else f"report: {report} is not there yet; `make repro` writes it")


def _results(name: str, arms: list[str]) -> None:
    summary, claims = Path("metrics", name, "summary.json"), Path("metrics", name, "claims.json")
    if summary.exists():
        print(f"\n{name}: accuracy in % [interval], mean over seeds; figures: {summary}\n{results(_read(summary), arms, _own(name))}\n")
    if claims.exists():
        print(f"{name}: claims; figures: {claims}\n{verdicts(claims.read_bytes())}\n")


def _own(name: str) -> str:
    """Return what a study's own problems are called here: the study's name, where they come as rows and not from a competition's exams."""
    file = layout(name).study_file
    extract = yaml.safe_load(file.read_text(encoding="utf-8")).get("extract") if file.exists() else {}
    return name if isinstance(extract, dict) and "kind" in extract else OWN


def results(summary: dict[str, Any], arms: list[str], own: str = OWN) -> str:
    """Return the table of arms, in the report's order: arms.ARM.BENCHMARK.SPLIT.{accuracy, low, high} and arms.ARM.words of a summary.

    The study's own problems stand under the name `own`.
    """
    rows, found = [], summary["arms"]
    benchmarks = sorted({name for values in found.values() for name, value in values.items() if isinstance(value, dict)})
    columns = [(name, "heldout" if name == OWN else "all") for name in sorted(benchmarks, key=lambda name: name != OWN)]
    for arm, values in ((arm, found[arm]) for arm in (BASE, *arms) if arm in found):
        cells = [_interval(values.get(name, {}).get(split)) for name, split in columns]
        rows.append([arm, *cells, values.get("words", "")])
    heads = [f"{own}, held out" if name == OWN else name for name, _ in columns]
    table = tabulate(rows, headers=["arm", *heads, "words"], floatfmt=".1f")
    teacher = summary.get("teacher", {}).get("accuracy")
    return table if teacher is None else f"{table}\nteacher: {100 * teacher:.1f} on the study's own problems"


def _interval(cell: dict[str, float] | None) -> str:
    return f"{100 * cell['accuracy']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]" if cell else "-"


def verdicts(claims: bytes) -> str:
    """Return the table of claims from the text of claims.json."""
    columns: claims_page.Columns = {
        "verdict": claims_page.verdict, "paper": lambda record: claims_page.figure(record.published),
        "ours": lambda record: claims_page.figure(record.ours), "p (Holm)": lambda record: claims_page.p_value(record.p_holm),
    }  # fmt: skip
    return claims_page.table("claim", msgspec.json.decode(claims, type=dict[str, ClaimRecord]), columns)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


if __name__ == "__main__":
    main(*sys.argv[1:])
