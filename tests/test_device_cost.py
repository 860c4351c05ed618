"""The estimated cost of study openr1: the figures of the page are the function's, and the function knows the student."""

import pytest
import yaml

from bench import device_cost
from distill.core.files import read_json
from tests.pipeline import ROOT

FILE = read_json(ROOT / device_cost.FILE)
PAGE = (ROOT / "docs" / "openr1.md").read_text(encoding="utf-8")
H100, H20, MAC = device_cost.DEVICES


def test_the_committed_figures_are_the_functions_with_the_measured_share() -> None:
    found = device_cost.figures(FILE["low_share"])
    assert {name: dict(rows) for name, rows in FILE["hours"].items()} == {
        device: {name: pytest.approx(hours, abs=1e-6) for name, hours in rows.items()} for device, rows in found.items()
    }
    assert read_json(ROOT / "metrics" / "benchmarks.json")["limits"]["achieved_share"] == FILE["low_share"]


def test_the_page_shows_them() -> None:
    assert device_cost.table(FILE["hours"]) in PAGE
    assert all(f"| {name} | {size:.0f} |" in PAGE for name, size in FILE["memory_gb"].items())


def test_the_adapter_is_the_papers_share_of_the_student() -> None:
    adapter, student = device_cost.trainable()
    assert (adapter, student) == (87_293_952, 8_190_735_360)  # the second is the published model's
    assert f"{100 * adapter / (adapter + student):.2f}" == "1.05"


def test_training_follows_the_operations_and_sampling_the_bytes() -> None:
    solution, answer = device_cost.TRAINING[0], device_cost.TRAINING[2]
    assert device_cost.train_hours(solution, H20, 0.4) / device_cost.train_hours(solution, H100, 0.4) == pytest.approx(
        H100.tflops / H20.tflops
    )
    twice = solution._replace(tokens=2 * solution.tokens, prompt=2 * solution.prompt)
    assert 2.0 < device_cost.train_hours(twice, H100, 0.4) / device_cost.train_hours(solution, H100, 0.4) < 2.1  # attention grows faster
    assert device_cost.train_hours(answer, H100, 0.4) < device_cost.train_hours(solution, H100, 0.4)
    gsm8k = device_cost.SAMPLING[-1]._replace(rows=8)
    assert device_cost.sample_hours(gsm8k, H100) / device_cost.sample_hours(gsm8k, H20) == pytest.approx(H20.gb_s / H100.gb_s)
    full = device_cost.SAMPLING[-1]._replace(rows=2000)  # so many rows that operations bind
    assert device_cost.sample_hours(full, MAC) / device_cost.sample_hours(full, H20) == pytest.approx(H20.tflops / MAC.tflops)


def test_the_work_is_the_studys() -> None:
    study = yaml.safe_load((ROOT / "studies" / "openr1.yaml").read_text(encoding="utf-8"))
    train, sample = study["train"], study["sample"]
    assert train["iterations"] * train["batch_size"] * train["accumulation"] == device_cost.TAKEN
    assert train["rank"] == device_cost.RANK
    answers = {questions.name.split("`")[1]: questions.answers for questions in device_cost.SAMPLING}
    for name, count in answers.items():
        keys = study["benchmarks"][name]
        assert count == (keys["first"] or keys["rows"]) * sample["per_benchmark"].get(name, {}).get("samples", sample["samples"])
