"""What a study measured of an arm, as a card shows it: accuracies and likelihoods on problems that it was not trained on."""

from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import EvalResult

from distill.core.cells import BASE
from distill.core.markdown import grid

Arms = Mapping[str, Any]  # `arms` of summary.json or of likelihood.json


def index(study: str, arm: str, summary: Arms, confidence: float) -> Iterator[EvalResult]:
    """Yield an arm's accuracies for a card's head.

    They go into model-index, because `.eval_results` are for the hub's own benchmarks, whole, which no study here asks.
    """
    for benchmark, split, cell in _cells(summary, arm):
        yield EvalResult(
            task_type="text-generation",
            dataset_type=f"{study}-{benchmark}",
            dataset_name=f"{benchmark}, as study {study} asks it",
            dataset_split=split,
            metric_type="accuracy",
            metric_name="accuracy, mean over the arm's seeds",
            metric_value=cell["accuracy"],
            metric_args={"low": cell["low"], "high": cell["high"], "confidence": confidence, "problems": cell["n"]},
        )


def tables(arm: str, summary: Arms, likelihood: Arms, confidence: float) -> Iterator[str]:
    """Yield the tables of accuracies and of likelihoods, with what they are."""
    base = {(benchmark, split): f"{100 * cell['accuracy']:.1f}" for benchmark, split, cell in _cells(summary, BASE)}
    rows = [
        [benchmark, split, cell["n"], _percent(cell, "accuracy", "low", "high"), _percent(cell, "gain"), base.get((benchmark, split))]
        for benchmark, split, cell in _cells(summary, arm)
    ]
    texts = [
        [measure, part, cell["n"], f"{cell['mean']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]", _nats(cell)]
        for measure, parts in likelihood.get(arm, {}).items()
        for part, cell in parts.items()
        if part != "seen"
    ]
    if not rows and not texts:
        yield "Nothing was measured of this arm."
        return
    yield f"The figures are the arm's, means over its seeds, of which this is one; intervals of {100 * confidence:g} % in brackets."
    if rows:
        yield grid(["benchmark", "split", "problems", "accuracy, %", "gain over the base, points", "base, %"], rows, left=2)
    if texts:
        yield "How probable given texts are, in nats a token (`answer_sampled`: a probability):"
        yield grid(["measure", "part", "problems", "mean", "gain over the base"], texts, left=2)


def _cells(arms: Arms, arm: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield benchmark, split and figures: of the held-out problems where a benchmark has such a split, else of all."""
    for benchmark, splits in arms.get(arm, {}).items():
        if isinstance(splits, Mapping) and (split := "heldout" if "heldout" in splits else "all") in splits:
            yield benchmark, split, splits[split]


def _percent(cell: Mapping[str, Any], key: str, low: str = "gain_low", high: str = "gain_high") -> str | None:
    if key not in cell:
        return None
    sign = "+" if key == "gain" else ""
    return "{:{sign}.1f} [{:{sign}.1f}, {:{sign}.1f}]".format(*(100 * cell[each] for each in (key, low, high)), sign=sign)


def _nats(cell: Mapping[str, Any]) -> str | None:
    return f"{cell['gain']:+.3f} [{cell['gain_low']:+.3f}, {cell['gain_high']:+.3f}]" if "gain" in cell else None
