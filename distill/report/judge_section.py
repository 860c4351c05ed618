"""The report's section on the LLM judge: what it was asked, how far it agrees with the grader, and which wrong answers it accepts."""

from collections.abc import Mapping
from typing import Any

from distill.core.markdown import code, escape, grid

PLANTED = {
    "gold": "the gold answer (right)", "wrong": "a near miss", "swapped": "another problem's gold answer", "blank": "nothing, or no value",
    "claim": "a claim to be right, or orders to the judge", "all": "all that are wrong",
}  # fmt: skip


def section(found: Mapping[str, Any], link: str) -> str:
    """Return the section; "" where no model is asked (a published judge: see `recorded_section`). `link` leads to the metric."""
    if found["judge"] in ("none", "recorded"):
        return ""
    decided = ", ".join(f"{escape(name)}: {count}" for name, count in found["decided"].items())
    parts = [
        f"The grader could not decide {found['ungradable']} answers; for {found['settled']} of these the verdict of {code(found['judge'])} "
        f"counts above. It was asked about {found['asked']} of them, equal ones once ({decided}); {found['left_out']} were blank or too "
        "long to ask about. It read the problem, the gold answer and the final answer, not the reasoning. "
        f"Figures: [llm_judge.json]({link}).",
        agreement(found.get("agreement")),
        planted(found),
    ]
    return "\n\n".join(part for part in parts if part)


def agreement(found: Mapping[str, Any] | None) -> str:
    """Return the table of grader against judge over the answers drawn to compare them, with kappa."""
    if not found:
        return ""
    rows = [[f"the grader says {outcome}", *counts.values()] for outcome, counts in found["grader"].items()]
    head = ["answers", *(f"the judge says {name}" for name in next(iter(found["grader"].values())))]
    share = "It decided none of them"
    if "share" in found:
        kappa = "not defined, one verdict throughout" if found["kappa"] is None else f"{found['kappa']:.3f}"
        share = f"Of the {found['decided']} that it decided it agrees on {100 * found['share']:.1f} %; Cohen's kappa is {kappa}"
    known = f"{found['as_the_key_has_it']} of the {found['answers']} answers are written as the key has them."
    return f"{grid(head, rows)}\n\n{share}. {known}"


def planted(found: Mapping[str, Any]) -> str:
    """Return the table of planted answers that the judge called correct."""
    rows = []
    for kind, n in found["probes"].items():
        rate = 1 - found["false_negative_rate"] if kind == "gold" else found["false_positive_rate"][kind]
        high = "" if kind == "gold" else f"{100 * found['false_positive_high'][kind]:.1f}"
        rows.append([PLANTED[kind], n, f"{100 * rate:.1f}", high])
    return grid(["planted", "answers", "called correct, %", "upper end of the interval, %"], rows) if rows else ""
