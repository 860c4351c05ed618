"""The report's section on recorded answers: which files there are, accuracy by judge and denominator, agreement with the published judge.

It shows figures and file names, and no text of an answer or a problem.
"""

from collections.abc import Mapping
from typing import Any

from distill.core.markdown import grid

DENOMINATORS = {"all": "all recorded", "judged": "without the judge's errors", "solved": "of these, solved by the teacher"}
ACCURACY = (
    "Accuracy in % with its interval, on the same answers by the published judge and by our grader under each extraction profile. With all "
    "recorded answers in the denominator, one that the judge failed on, a blank and a truncated one are not correct. The last denominator "
    "of each arm is its authors' own."
)
AGREEMENT = (
    "Our grader against the published judge: agreement over the answers on which it gave a verdict, Cohen's kappa, and the judge's errors "
    "in both directions as far as our grader is right. Which of the two is right a person can decide from the page of disagreements, "
    "`disagreements.md` beside this page; it holds other people's texts and is not in git."
)


def section(recorded: Mapping[str, Any], judge: Mapping[str, Any]) -> str:
    """Return the section; "" for a student that ran here. `recorded` is of summary.json, `judge` llm_judge.json."""
    if not recorded:
        return ""
    parts = ["What was recorded, by arm; an arm without a file has no answers, and its claims rest on the printed counts.", files(recorded)]
    if judge["judge"] == "recorded":
        parts += [ACCURACY, accuracy(judge["arms"]), AGREEMENT, agreement(judge["arms"])]
    return "\n\n".join(parts)


def files(recorded: Mapping[str, Any]) -> str:
    """Return one row a file: what it holds, or why it is missing."""
    rows: list[list[object]] = []
    for arm, about in recorded.items():
        for file in about.get("files", []):
            dropped = "; ".join(f"{reason}: {count}" for reason, count in file["dropped"].items())
            verdicts = "; ".join(f"{word}: {count}" for word, count in file["verdicts"].items())
            rows.append([arm, file["benchmark"], file["path"], file["rows"], file["answers"], file["blank"], verdicts, dropped])
        for path, missing in about.get("missing", {}).items():
            rows.append([arm, missing["benchmark"], path, "", "", "", "", missing["reason"]])
        if not about:
            rows.append([arm, "", "none was published", "", "", "", "", ""])
    return grid(["arm", "benchmark", "file", "rows", "answers", "blank", "verdicts as written", "dropped, or why missing"], rows, left=3)


def accuracy(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row an arm, benchmark and denominator."""
    rows, judges = [], dict[str, None]()
    for arm, benchmarks in arms.items():
        for benchmark, found in benchmarks.items():
            for name, line in found["accuracy"].items():
                judges |= dict.fromkeys(line)
                n = next(iter(line.values()))["n"]
                rows.append([arm, benchmark, DENOMINATORS[name], n, *(interval(each) for each in line.values())])
    heads = ["published judge" if name == "published" else f"profile {name}" for name in judges]
    return grid(["arm", "benchmark", "denominator", "n", *heads], rows, left=3)


def agreement(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one row an arm, benchmark and profile: agreement, kappa, and the judge's errors in both directions if the grader is right."""
    rows = [
        [
            arm, benchmark, profile, line["decided"], "" if line.get("share") is None else f"{100 * line['share']:.1f}",
            "" if line.get("kappa") is None else f"{line['kappa']:.3f}", error(line.get("passed_wrong")), error(line.get("failed_right")),
        ]
        for arm, benchmarks in arms.items()
        for benchmark, found in benchmarks.items()
        for profile, line in found["agreement"].items()
    ]  # fmt: skip
    head = ["arm", "benchmark", "profile", "judged", "agreement, %", "kappa", "passed, not correct by the profile", "failed, correct by it"]
    return grid(head, rows, left=3)


def interval(line: Mapping[str, float]) -> str:
    """Write a share and its interval in percent."""
    return f"{100 * line['rate']:.1f} [{100 * line['low']:.1f}, {100 * line['high']:.1f}]"


def error(line: Mapping[str, float] | None) -> str:
    """Write a count of how many, and the share in percent with its interval."""
    return "" if line is None else f"{line['count']} of {line['n']}: {interval(line)}"
