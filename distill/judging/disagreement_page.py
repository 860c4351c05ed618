"""The page of disagreements between a published judge and the grader: for each, what a person needs to decide who is right."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from distill.core.markdown import code, escape, fence, grid
from distill.judging import published_judge
from distill.judging.probes import Problems
from distill.records.verdict import Verdict

NONE = "No answer of this study has a published verdict.\n"
INTRODUCTION = (
    "Each answer on which the published judge and our grader differ under at least one extraction profile: the problem, the gold answer, "
    "the final answer as the first profile finds it, both verdicts, and how the answer ends. The texts are other people's, cut to a fixed "
    "length."
)
SIDES = {"correct": "Passed by the judge, not correct under a profile", "incorrect": "Failed by the judge, correct under a profile"}


class Shown(NamedTuple):
    """What the page shows of each answer."""

    profiles: Sequence[str]
    known: Problems
    texts: Mapping[tuple[str, str, str], str]  # an answer by arm, benchmark and problem id
    limit: int  # characters


def page(study: str, found: Mapping[str, Any], rows: Sequence[Verdict], shown: Shown) -> str:
    """Return the page in Markdown; `rows` are the disagreements, `found` the judge's figures."""
    if not found["arms"]:
        return NONE
    parts = [f"# Disagreements with the published judge: {escape(study)}", INTRODUCTION]
    for arm, benchmarks in found["arms"].items():
        for benchmark, figures in benchmarks.items():
            own = [row for row in rows if (row.arm, row.benchmark) == (arm, benchmark)]
            parts += [f"## {escape(arm)}, {escape(benchmark)}", agreement(figures["agreement"])]
            for word, title in SIDES.items():
                listed = [row for row in own if row.published == word]
                parts += [f"### {title}: {len(listed)}", *(entry(row, shown) for row in listed)] if listed else []
    return "\n\n".join(parts) + "\n"


def entry(row: Verdict, shown: Shown) -> str:
    """Return one disagreement."""
    problem, text = shown.known[row.benchmark, row.id], shown.texts[row.arm, row.benchmark, row.id].rstrip()
    ours = ", ".join(f"{name}: {published_judge.outcome(row, name).replace('_', ' ')}" for name in shown.profiles)
    final = code(row.extracted) if row.extracted else "none"
    end = fence(f"... {text[-shown.limit :]}" if len(text) > shown.limit else text, shown.limit + 4)
    return (
        f"**{escape(row.id)}** ({code(problem.number)}): gold {code(problem.gold)}; final answer {final}; published: {row.published}; "
        f"{ours}\n\n{fence(problem.statement, shown.limit)}\n\n{end}"
    )


def agreement(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row a profile: agreement, kappa, and the judge's errors in both directions if the grader is right."""
    rows = [
        [profile, line["decided"], percent(line.get("share")), "" if line.get("kappa") is None else f"{line['kappa']:.3f}",
         error(line.get("passed_wrong")), error(line.get("failed_right"))]
        for profile, line in found.items()
    ]  # fmt: skip
    head = ["profile", "answers judged", "agreement, %", "kappa", "passed, not correct by the profile", "failed, correct by it"]
    return grid(head, rows)


def percent(share: float | None) -> str:
    """Write a share in percent."""
    return "" if share is None else f"{100 * share:.1f}"


def error(line: Mapping[str, float] | None) -> str:
    """Write a count of how many, the share in percent and its interval."""
    if line is None:
        return ""
    return f"{line['count']} of {line['n']}, {percent(line['rate'])} % [{percent(line['low'])}, {percent(line['high'])}]"
