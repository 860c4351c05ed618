"""The data of a page: one JSON document, of which every figure is read from the run's metrics and verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pandas as pd
from msgspec import UNSET, UnsetType

from distill.core import files
from distill.core.cells import Cell
from distill.page import mathml
from distill.page.answers import Columns, Key, shorten
from distill.records.problem import OWN, Problem

LABELS = ("says", "source", "published", "tolerance", "note", "by_construction", "rule")


class Ledger(msgspec.Struct, frozen=True):
    """Of section `claims` of a study file, what a page shows and computes with."""

    vocabulary: str
    alpha: float
    power: float
    confidence: float
    resamples: int
    seed: int
    ledger: dict[str, dict[str, Any]]
    counts: dict[str, Any] | UnsetType = UNSET  # the printed counts that test what the run cannot


class Interval(msgspec.Struct, frozen=True):
    """Of section `summarise`."""

    confidence: float
    resamples: int
    seed: int


class Run(NamedTuple):
    """What a run left, as read."""

    study: str
    arms: dict[str, Any]
    cells: list[Cell]
    problems: list[Problem]  # those asked, in the order of the page
    answers: Columns
    claims: dict[str, Any]  # metrics/STUDY/claims.json
    rationales: dict[str, Any]
    ledger: Ledger
    intervals: Interval
    metrics: dict[str, Any]  # the page's further metrics by name; one that the run does not have is absent
    plots: list[dict[str, Any]]
    likelihoods: list[dict[str, Any]]
    crops: dict[int, Any]  # by the problems' places: width, height, and where the crop lies in the page's pixels
    limits: list[str]
    sources: list[tuple[str, str]]  # (file, what makes it)


def build(run: Run, clusters: Mapping[Key, str], max_chars: int) -> dict[str, Any]:
    """Return the document."""
    return {
        "study": run.study, "own": OWN, "arms": run.arms, "cells": [list(cell) for cell in run.cells],
        "problems": [problem(each, clusters[each.benchmark, each.id], max_chars) for each in run.problems],
        "answers": run.answers,
        "claims": [claim(name, values, run) for name, values in run.ledger.ledger.items() if name in run.claims],
        "tests": {key: getattr(run.ledger, key) for key in ("vocabulary", "alpha", "power", "confidence", "resamples", "seed")},
        "intervals": msgspec.structs.asdict(run.intervals), "metrics": run.metrics, "plots": run.plots, "limits": run.limits,
        "sources": run.sources, "likelihoods": run.likelihoods, "crops": run.crops, **counts(run.ledger),
    }  # fmt: skip


def problem(row: Problem, cluster: str, max_chars: int) -> dict[str, Any]:
    """Return a problem, its mathematics as MathML."""
    statement, gold = shorten(row.statement, max_chars), shorten(row.gold, max_chars)
    shown = mathml.pieces(gold)
    if "\\" in gold and shown == [gold] and (math := mathml.convert(gold)):
        shown = [{"math": math, "text": gold}]
    return {
        "benchmark": row.benchmark, "id": row.id, "section": row.section, "year": row.year, "number": row.number, "statement": statement,
        "gold": gold, "source": row.source, "page": row.page, "reader": row.reader, "cluster": cluster,
        "pieces": mathml.pieces(statement), "gold_pieces": shown,
    }  # fmt: skip


def claim(name: str, values: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Return a claim: what the paper says, its rule, its figures as in the ledger, and why its verdict is what it is."""
    stated = {key: values[key] for key in LABELS if key in values}
    if run.ledger.counts is not UNSET and name in run.ledger.counts["ledger"]:
        stated["counted"] = run.ledger.counts["ledger"][name]["rule"]
    return {"name": name, **stated, "ledger": run.claims[name], **{f"{k}_text": v for k, v in run.rationales[name].items()}}


def counts(ledger: Ledger) -> dict[str, Any]:
    """Return the printed counts, their settings, and how many tests are in their family; nothing of a study without."""
    if ledger.counts is UNSET:
        return {}
    tests = sum(claim["rule"]["kind"] in ("gain", "fall", "loss") for claim in ledger.counts["ledger"].values())
    return {"counts": {key: ledger.counts[key] for key in ("counts", "alpha", "power", "confidence")} | {"tests": tests}}


def order(problems: Sequence[Problem], table: pd.DataFrame) -> list[Problem]:
    """Return the problems that an answer is there of, the study's own first, by id."""
    asked = set(zip(table["benchmark"], table["id"], strict=True))
    found = {(row.benchmark, row.id): row for row in problems if (row.benchmark, row.id) in asked}
    return sorted(found.values(), key=lambda row: (row.benchmark != OWN, row.benchmark, row.id))


def metrics(folder: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the metrics that are there: NAME: the document of FILE."""
    return {name: files.read_json(folder / file) for name, file in names.items() if (folder / file).exists()}
