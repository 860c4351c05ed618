"""Study `openr1` from fetch to report, small: the study file's own protocol on invented rows in the data set's columns and a tiny student.

With JOB_MIRROR set also on real text: the stand-ins for the data set, and the benchmarks of the mirror.
"""

import csv
import hashlib
import importlib
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.cli import command
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.files import read_json, read_records
from distill.model import engine
from distill.model.model_io import weights
from distill.records.completion import Completion
from distill.records.example import Example
from distill.records.verdict import Verdict
from distill.sampling import batch_decoder
from tests import qwen3_student
from tests.pipeline import ROOT, Cell, cells
from tools import compare_float32

engine.start()
import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402

ARMS = ["solution", "solution-n1000", "solution-n10000", "r1", "r1-any", "answer"]
ASKED = {"aime20": 4, "aime20-direct": 4, "aime20-thinking": 4, "aime": 6, "math500": 3, "gsm8k": 3}  # problems
PROBLEMS = 40
Row = dict[str, Any]


def problem(number: int) -> str:
    return f"A shop has {number + 20} boxes of {number % 7 + 3} pens and sells {number % 5 + 1} of the boxes. How many pens are left?"


def row(number: int) -> Row:
    """Return a row in the data set's columns: a person's solution and R1's traces, the first of some wrong, or cut off while thinking."""
    boxes, pens = number + 20 - (number % 5 + 1), number % 7 + 3
    gold = boxes * pens
    good = f"<think>\nThere are {boxes} boxes left, and {boxes} times {pens} is {gold}.\n</think>\n\nThere are \\boxed{{{gold}}} pens."
    wrong = good.replace(str(gold), str(gold + 1))
    traces = {0: [wrong, good], 1: ["<think>\nThere are many boxes, and", good], 2: [wrong]}.get(number % 8, [good, wrong])
    return {
        "problem": problem(number), "answer": str(gold), "problem_type": "Algebra", "question_type": "math-word-problem",
        "solution": f"After the sale there are ${boxes}$ boxes, so ${boxes} \\cdot {pens} = {gold}$ pens, that is $\\boxed{{{gold}}}$.",
        "source": "olympiads" if number % 2 else "amc_aime", "uuid": f"uuid-{number:03}", "generations": traces,
        "is_reasoning_complete": ["</think>" in trace for trace in traces], "correctness_math_verify": [trace == good for trace in traces],
    }  # fmt: skip


def data_set() -> list[Row]:
    """Return the rows: one without an answer, one whose solution is too long for the student, one that a benchmark asks."""
    rows = [row(number) for number in range(PROBLEMS)]
    rows[7] |= {"answer": None}
    rows[9] |= {"solution": rows[9]["solution"] + " Check it." * 80}
    rows[11] |= {"problem": benchmark_row(1)["problem"]}
    return rows


def benchmark_row(number: int) -> Row:
    text = f"Find the remainder when the sum of the first {number + 30} odd numbers is divided by {number + 11}, and add {number} to it."
    return {"id": number, "unique_id": f"u{number}", "subject": "Algebra", "problem": text, "question": text, "answer": f"{number:03}"}


def benchmark(name: str) -> list[Row]:
    rows = [benchmark_row(number) for number in range(1, 7)]
    return [row | {"answer": f"So it is #### {row['id']}"} for row in rows] if name == "gsm8k" else rows


def mirror(folder: Path, sections: Row, rows: list[Row], asked: dict[str, list[Row]]) -> None:
    """Write the data set, the student and the benchmarks as a mirror of the hub; pin the benchmarks' files in the study's sections."""
    source, student = sections["fetch"], sections["student"]
    data = folder / source["repository"] / source["revision"] / "data"
    data.mkdir(parents=True)
    for part, some in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        (data / f"train-{part:05}-of-00002.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    for section in ("extract", "import_traces"):
        sections[section]["files"] = ["data/train-*.jsonl"]
    source["files"] = ["data/train-*.jsonl"]
    qwen3_student.write(folder / student["repository"] / student["revision"], shards=True)
    for name, of_benchmark in asked.items():
        keys, number = sections["benchmarks"][name], len(of_benchmark)
        path = f"{name}.jsonl"
        file = folder / keys["repository"] / keys["revision"] / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in of_benchmark))
        first = min(keys["first"], number)
        sections["benchmarks"][name] = keys | {
            "path": path, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "rows": number, "first": first,
        }  # fmt: skip


def study() -> Row:
    """Return the study file with smaller sizes; everything else is as committed."""
    sections: Row = yaml.safe_load((ROOT / "studies" / "openr1.yaml").read_text(encoding="utf-8"))
    for name, n in (("solution-n1000", 8), ("solution-n10000", 16)):
        sections["arms"][name]["n"] = n
    sections["split"] |= {"train": 26, "valid": 6}
    sections["train"] |= {"iterations": 2, "eval_every": 2, "report_every": 1, "batch_size": 2, "max_seq_length": 400}
    sections["train"]["per_arm"]["r1"] |= {"max_seq_length": 600, "accumulation": 2}
    sections["train"]["per_arm"]["r1-any"] |= {"max_seq_length": 600, "accumulation": 2}
    sections["sample"] |= {"max_tokens": 8, "batch_size": 8, "refill_window": 8}
    for own in sections["sample"]["per_benchmark"].values():
        own |= {"max_tokens": 8} if "max_tokens" in own else {}
    sections["sample"]["per_benchmark"]["aime20-thinking"] |= {"samples": 2}
    sections["summarise"] |= {"resamples": 200}
    sections["claims"] |= {"resamples": 200}
    return sections


def run(cell: Cell) -> None:
    words = shlex.split(cell.cmd)
    main = importlib.import_module(cell.module).main
    main(*command.arguments(main, cell.stage, words[words.index("-m") + 2 :]))


def run_all(root: Path, sections: Row, arms: list[str], folder: Path) -> None:
    """Run every cell of the study in `root`, in this process, as dvc.yaml says, with a mirror in `folder`."""
    for name in ("dvc.yaml", "stages", "plots/templates", "prompts"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    (root / "studies").mkdir()
    (root / "studies" / "openr1.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    params = {"papers": [], "corpora": ["openr1"], "students": ["openr1"], "arms": arms, "seeds": [1], "long_run": arms[0]}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("JOB_MIRROR", str(folder))
        patch.setattr(batch_decoder, "workers", lambda: 1)
        study_file.study.cache_clear()
        for cell in cells(root):
            run(cell)
    study_file.study.cache_clear()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree in which every cell of the study ran on invented rows."""
    root, sections = tmp_path_factory.mktemp("openr1"), study()
    folder = root / "mirror"
    mirror(folder, sections, data_set(), {name: benchmark(name) for name in ASKED})
    for name, count in ASKED.items():
        sections["benchmarks"][name]["first"] = count % 6
    run_all(root, sections, ARMS, folder)
    return root


def test_every_declared_output_is_there(tree: Path) -> None:
    outs = {out: cell.name for cell in cells(tree) for out in cell.outs}
    assert [out for out in outs if not (tree / out).exists()] == []


def corpus(tree: Path, arm: str) -> dict[str, str]:
    """Return the training texts of an arm by problem."""
    rows = read_records(tree / f"data/openr1/corpus/{arm}/train.jsonl", Example)
    return {row.id: row.messages[-1].content for row in rows}


def test_each_arm_has_its_own_texts(tree: Path) -> None:
    rows = {row["uuid"]: row for row in data_set()}
    solution, r1, first, answer = (corpus(tree, arm) for arm in ("solution", "r1", "r1-any", "answer"))
    assert all(text == rows[name]["solution"] for name, text in solution.items())
    assert all("</think>" in text and text.endswith(f"Answer: {rows[name]['answer']}") for name, text in r1.items())
    assert all(text == rows[name]["generations"][0] for name, text in first.items())
    assert all(text == f"Answer: {rows[name]['answer']}" for name, text in answer.items())
    assert [len(corpus(tree, arm)) for arm in ("solution-n1000", "solution-n10000")] == [8, 16]
    unverified = {name for name, row in rows.items() if not any(row["correctness_math_verify"])}
    assert unverified & r1.keys() == set()
    assert unverified & first.keys()
    assert {"uuid-007"} & (solution.keys() | r1.keys()) == set()


def test_a_benchmarks_problem_is_found_and_no_clean_arm_has_it(tree: Path) -> None:
    found = read_json(tree / "metrics/openr1/contamination.json")["benchmarks"]
    assert found["aime"]["exact"]["problems"] == 1
    assert "uuid-011" not in corpus(tree, "r1") | corpus(tree, "answer")


def test_the_student_is_quantised_and_the_papers_arm_merged(tree: Path) -> None:
    student = tree / "models/openr1/student"
    assert isinstance(weights(student, False)[0].layers[0].mlp.up_proj, nn.QuantizedLinear)
    assert read_json(student / "manifest.json")["params"]["quantize"] == {"bits": 4, "group_size": 64}
    merged = weights(tree / "models/openr1/adapters/solution-1/merged", False)[0]
    assert (type(merged.layers[0].mlp.up_proj), merged.layers[0].mlp.up_proj.weight.dtype) == (nn.Linear, mx.bfloat16)
    assert not (tree / "models/openr1/adapters/r1-1/merged").exists()


def test_what_is_too_long_is_counted(tree: Path) -> None:
    figures = read_json(tree / "metrics/openr1/training.json")
    assert figures["solution"]["1"]["dropped"]["train"]["longer_than_max_seq_length"] == ("uuid-009" in corpus(tree, "solution"))
    about = read_json(tree / "models/openr1/adapters/r1-1/manifest.json")["train"]
    assert (about["max_seq_length"], about["batch_size"], about["rank"], about["scale"]) == (600, 1, 32, 2.0)


def test_the_training_loss_is_there_as_it_is_and_smoothed(tree: Path) -> None:
    rows = list(csv.DictReader((tree / "plots/openr1/tables/curves.csv").read_text().splitlines()))
    own = [row for row in rows if row["arm"] == "solution"]
    assert [row["iteration"] for row in own] == ["0", "1", "2"]
    raw, smooth = ([float(row[name]) for row in own[1:]] for name in ("train_loss", "train_loss_smoothed"))
    assert smooth == pytest.approx([sum(raw[: end + 1]) / (end + 1) for end in range(2)], abs=1e-6)
    assert "training, smoothed" in (tree / "plots/openr1/svg/curves.svg").read_text()


def test_every_arm_is_asked_each_benchmark_in_its_own_way(tree: Path) -> None:
    samples = {"aime20-thinking": 2, "aime": 4}
    for name in ("base", *(f"{arm}-1" for arm in ARMS)):
        found = read_records(tree / f"data/openr1/completions/{name}.jsonl.gz", Completion)
        counts = {benchmark: sum(each.benchmark == benchmark for each in found) for benchmark in ASKED}
        assert counts == {benchmark: count * samples.get(benchmark, 1) for benchmark, count in ASKED.items()}
    summary = read_json(tree / "metrics/openr1/summary.json")["arms"]
    assert {"accuracy", "low", "high", "n", "pass_at_2", "pass_at_4"} <= summary["r1"]["aime"]["all"].keys()
    assert (summary["base"]["aime"]["all"]["n"], summary["base"]["aime20"]["all"]["n"]) == (6, 4)


def test_every_claim_is_judged(tree: Path) -> None:
    judged = read_json(tree / "metrics/openr1/claims.json")
    claims = yaml.safe_load((ROOT / "studies/openr1.yaml").read_text(encoding="utf-8"))["claims"]["ledger"]
    assert list(judged) == list(claims)
    assert {claim["verdict"] for claim in judged.values()} <= {"reproduced", "contradicted", "inconclusive"}
    assert (tree / "report/openr1/report.md").exists()


def test_both_number_formats_are_compared_on_the_same_questions(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    monkeypatch.setenv("JOB_MIRROR", str(tree / "mirror"))
    monkeypatch.setattr(batch_decoder, "workers", lambda: 1)
    study_file.study.cache_clear()
    compare_float32.main("openr1", "solution", 1)
    study_file.study.cache_clear()
    found = read_json(tree / "metrics/openr1/float32.json")["solution-1"]
    counts = {name: count * {"aime20-thinking": 2, "aime": 4}.get(name, 1) for name, count in ASKED.items()}
    assert {name: figures["answers"] for name, figures in found.items()} == counts | {"all": sum(counts.values())}
    assert all(max(each["outcomes_differ"], each["final_answers_differ"]) <= each["texts_differ"] for each in found.values())
    about = read_json(layout("openr1").work / "float32" / "solution-1" / "manifest.json")["train"]
    assert about["float32"] is True
    base = weights(layout("openr1").work / "float32" / "student", False)[0]
    assert isinstance(base.layers[0].mlp.up_proj, nn.Linear)  # as published, not the quantised one widened
    verdicts = [each for each in read_records(tree / "data/openr1/verdicts.jsonl.gz", Verdict) if each.arm == "solution"]
    assert found["all"]["correct"] == sum(each.outcome == "correct" for each in verdicts)


LIKE = Path("/work/shared/data/openr1-like")
REAL = {  # in the mirror: file, rows
    "aime": ("Wyyyb/CriticCoT/b4c461eac8093bbba91459f0c9136b8d72ef32a3/2024_scripts_bk/math_eval/dataset/aime/aime_22_23_24.jsonl", 90),
    "math500": ("rasbt/reasoning-from-scratch/f79c9cd0ae7d824aa4e9a9bc2ca4a85167f81958/ch03/01_main-chapter-code/math500_test.json", 500),
    "gsm8k": ("openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/test.jsonl", 1319),
}
AT_HAND = "JOB_MIRROR" in os.environ and LIKE.is_dir()


def real_rows(aime: list[Row]) -> list[Row]:
    """Return rows of both stand-ins in the data set's columns, some of each source, and those that are problems of AIME."""
    solved = [json.loads(line) for line in (LIKE / "problem_solution.jsonl").read_text().splitlines()]
    traced = [json.loads(line) for line in (LIKE / "r1_traces.jsonl").read_text().splitlines()]
    flags = [row | {"correctness_math_verify": row.get("string_equal_answer") or [True] * len(row["generations"])} for row in traced]
    empty = {"generations": [], "is_reasoning_complete": [], "correctness_math_verify": []}
    answers = {start(row): str(row["answer"]) for row in aime}
    answered = [empty | row for row in solved if row["answer"] is not None]
    contaminated = [empty | row | {"answer": answers[start(row)]} for row in solved if start(row) in answers]
    some = []
    for rows, column in ((answered, "solution"), (flags, "generations")):  # short ones, on a CPU, and some that are too long
        sizes = [len(row["problem"]) + max(map(len, [row[column]] if column == "solution" else row[column])) for row in rows]
        some += [row for row, size in zip(rows, sizes, strict=True) if size < SHORT][:60]
        some += [row for row, size in zip(rows, sizes, strict=True) if size > 3 * SHORT][:10]
    return some + contaminated


SHORT = 600  # characters, which are tokens of the tiny student in nearly all cases


def start(row: Row) -> str:
    """Return a statement's first letters and digits."""
    return "".join(character for character in row["problem"].lower() if character.isalnum())[:60]


def real_benchmarks(folder: Path) -> dict[str, list[Row]]:
    """Return the benchmarks' rows in the hub's columns."""
    found: dict[str, list[Row]] = {}
    for name, (path, count) in REAL.items():
        text = (folder / path).read_text(encoding="utf-8")
        rows = json.loads(text) if path.endswith(".json") else [json.loads(line) for line in text.splitlines()]
        assert len(rows) == count
        found[name] = rows
    return found | dict.fromkeys(("aime20", "aime20-direct", "aime20-thinking"), found["aime"])


@pytest.mark.skipif(not AT_HAND, reason="needs JOB_MIRROR and the stand-ins for the data set")
def test_real_text_of_both_readings(tmp_path: Path) -> None:
    sections, asked = study(), real_benchmarks(Path(os.environ["JOB_MIRROR"]))
    mirror(tmp_path / "mirror", sections, real_rows(asked["aime"]), asked)
    for name in ("aime", "math500", "gsm8k"):
        sections["benchmarks"][name]["first"] = 12 if name != "aime" else 0
    sections["split"] |= {"train": 110, "valid": 20}
    sections["train"] |= {"iterations": 2, "eval_every": 2, "report_every": 1, "max_seq_length": SHORT + 100}
    sections["train"]["per_arm"]["r1"] |= {"max_seq_length": SHORT + 100}
    sections["sample"]["per_benchmark"]["aime"] |= {"samples": 1}
    sections["sample"]["per_benchmark"]["aime20-thinking"] |= {"samples": 1}
    (tmp_path / "tree").mkdir()
    run_all(tmp_path / "tree", sections, ["solution", "r1"], tmp_path / "mirror")
    assert len(corpus(tmp_path / "tree", "solution")) > 40
    assert len(corpus(tmp_path / "tree", "r1")) > 20
    assert all("</think>" in text for text in corpus(tmp_path / "tree", "r1").values())
    assert read_json(tmp_path / "tree/metrics/openr1/contamination.json")["benchmarks"]["aime"]["any"]["items"] == 11
    assert read_json(tmp_path / "tree/metrics/openr1/summary.json")["arms"]["base"]["aime"]["all"]["n"] == 90
    dropped = read_json(tmp_path / "tree/metrics/openr1/training.json")["solution"]["1"]["dropped"]["train"]
    assert 0 < dropped["longer_than_max_seq_length"] < dropped["examples"] / 2
    assert 0 < dropped["tokens_lost"] < 1
