"""Compare the two number formats of a study on the same questions: `python -m tools.compare_float32 STUDY ARM [SEED]` after `make study`.

The study's own answers of ARM (its float32 switch as committed) are set beside those of the other format: the arm is trained and sampled
again with the switch turned, in .work/STUDY/float32, and nothing of the study changes. ARM `base` is only sampled. A student that the study
quantises is taken as it was published, so that float32 is wholly unquantised. The figures in metrics/STUDY/float32.json are, by arm and
benchmark, how many answers differ: in text, in final answer (by the grader), in outcome.
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import yaml

from distill.answers.verify_pool import compare
from distill.cli import command
from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.cells import BASE
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_json, write_text
from distill.records.completion import Completion
from distill.records.verdict import Verdict
from stages import grade, sample, student, train

SWITCHED = ("train", "sample")  # sections with the key float32
Key = tuple[str, str, int]  # benchmark, problem, sample


def main(name: str = "", arm: str = "", seed: int = 1) -> None:
    """Train and sample ARM in the other format, compare, and add the figures to the metrics file."""
    if not name or not arm:
        raise InputError("say which study and arm: python -m tools.compare_float32 STUDY ARM [SEED]; ARM may be base")
    paths = layout(name, arm, None if arm == BASE else seed)
    cell = arm if arm == BASE else f"{arm}-{seed}"
    other = turned(paths, cell)
    if not other.student.exists():
        student.main(other)
    if arm != BASE:
        train.main(other, arm, seed)
    sample.main(other, arm, *([] if arm == BASE else [seed]))
    found = difference(paths, [paths.completion, other.completion])
    file = paths.float32_metrics
    write_json(file, (read_json(file) if file.exists() else {}) | {cell: found})
    print(f"{cell}: {found['all']['final_answers_differ']} of {found['all']['answers']} final answers differ; {file}", file=sys.stderr)


def turned(paths: Paths, cell: str) -> Paths:
    """Return the paths of the other format, its study file written; all others are the study's own."""
    sections, folder = study_file.study(paths.study_file), paths.work / "float32"
    values = {section: sections[section]["float32"] for section in SWITCHED}
    if len(set(values.values())) > 1:
        raise InputError(
            f"{paths.study_file}: float32 is {values['train']} in train and {values['sample']} in sample; set both to one value"
        )
    changed = {section: sections[section] | {"float32": not values[section]} for section in SWITCHED}
    base = paths.student
    if not values["train"] and "quantize" in sections["student"]:
        base = folder / "student"
        changed["student"] = {key: value for key, value in sections["student"].items() if key != "quantize"}
    file = folder / f"{paths.study}-{cell}.yaml"
    write_text(file, yaml.safe_dump(sections | changed, sort_keys=False))
    study_file.study.cache_clear()
    own = {"study_file": file, "work": folder, "student": base, "adapter": folder / cell, "completion": folder / f"{cell}.jsonl.gz"}
    return msgspec.structs.replace(paths, **own)


def difference(paths: Paths, files: list[Path]) -> dict[str, Any]:
    """Return the figures by benchmark, and of all; the study's own file comes first."""
    params, (golds, forms) = study_file.section(paths.study_file, "grade", grade.Params), grade.gold_answers(paths)
    texts = [{(each.benchmark, each.id, each.sample): each for each in read_records(file, Completion)} for file in files]
    if texts[0].keys() != texts[1].keys():
        raise InputError(f"{files[0]} and {files[1]} do not answer the same questions; run the study again, then this")
    graded = grade.grade({(str(place), 0): list(each.values()) for place, each in enumerate(texts)}, golds, params, forms)
    verdicts: list[dict[Key, Verdict]] = [{(v.benchmark, v.id, v.sample): v for v in graded if v.arm == str(place)} for place in (0, 1)]
    pairs = {key: (verdicts[0][key].extracted, verdicts[1][key].extracted) for key in texts[0]}
    unequal = {pair for pair in pairs.values() if pair[0] != pair[1]}
    equal = compare({pair for pair in unequal if all(pair)}, params.time_limit, params.memory_limit, params.workers)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTED, 0))
    for key, pair in pairs.items():
        first, second = (each[key].outcome for each in verdicts)
        row = {
            "answers": True, "texts_differ": texts[0][key].text != texts[1][key].text,
            "final_answers_differ": pair in unequal and equal.get(pair) is not True, "outcomes_differ": first != second,
            "correct": first == "correct", "correct_in_the_other": second == "correct",
        }  # fmt: skip
        for group in ("all", key[0]):
            for what, value in row.items():
                counts[group][what] += value
    return dict(counts)


COUNTED = ("answers", "texts_differ", "final_answers_differ", "outcomes_differ", "correct", "correct_in_the_other")


if __name__ == "__main__":
    study_name, arm_name, seed_number = [*sys.argv[1:4], *["", "", "1"][len(sys.argv) - 1 :]]
    command.guarded("compare_float32", lambda: main(study_name, arm_name, int(seed_number)))
