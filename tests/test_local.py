"""A local teacher: the real client against mlx_lm's own server, from problems to levels.

Two models: one that repeats a few replies and is made here, and the embedded study's student where `dvc pull` has brought it.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from distill.cli.layout import layout
from distill.core import files
from distill.core.files import read_json, read_records
from distill.records.level import ANSWER, Level
from distill.records.trace import Trace
from distill.records.verified import Verified
from stages import condense, solve, verify
from tests import markov_model, teachers
from tests.pipeline import ROOT
from tests.tiny_model import LEVELS

PATHS = layout("new")
STUDENT = ROOT / "models" / "mini" / "student"
COUNT = 50
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
REPLIES = [f"{' '.join(WORDS[start:])}\nAnswer: 42" for start in range(12)] + ["Verdict CORRECT"] * 4
# A model of this size follows no instruction: it gets the problem as it was trained to read it, and the level as a word.
PROMPTS = {
    "solve": "# user\n{{problem}}",
    "verify": "# user\n{{problem}} {{gold}} {{answer}}",
    "condense": "# user\n{{problem}} {{level}}\n" + "".join(f"# {level}\n{level}\n" for level in LEVELS),
}


class Local(NamedTuple):
    """A server and what to expect of its model."""

    url: str
    golds: list[str] | None  # of the problems; None: their own
    temperature: float  # of the solver
    max_tokens: int


@pytest.fixture(scope="module", params=["made here", "the embedded student"])
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    if request.param == "made here":
        model = markov_model.make(tmp_path_factory.mktemp("parrot"), REPLIES)
        with markov_model.serving(model) as url:
            yield Local(url, ["42"] * 40 + ["43"] * 10, 1.0, 60)
    elif not (STUDENT / "model.safetensors").exists():
        pytest.skip("models/mini/student is not here; `dvc pull` brings it")
    else:
        with markov_model.serving(STUDENT) as url:
            yield Local(url, None, 0.0, 400)


def test_fifty_problems_end_to_end(local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problems = teachers.problems(COUNT)
    if local.golds:
        asked = zip(problems, local.golds, strict=True)
        files.write_records(PATHS.problems, [msgspec.structs.replace(problem, gold=gold) for problem, gold in asked])
    study = teachers.study(tmp_path, local.url, **roles(local))
    for role, text in PROMPTS.items():
        Path("prompts", role, "1.md").write_text(text)
    solve.main(study)
    verify.main(study)
    condense.main(study)
    every_problem_is_accounted_for(local)


def roles(local: Local) -> dict[str, Any]:
    """Return what the toy study says otherwise for a local model."""
    hot = teachers.SAMPLING | {"temperature": 1.0, "top_p": 1.0, "max_tokens": local.max_tokens}
    named = {"model": "default_model", "sampling": hot}  # what mlx_lm.server calls the model that it was started with
    free = {"prompt": 0.0, "completion": 0.0, "batch": 1.0, "dated": "2026-11-01"}
    endpoint = teachers.ENDPOINT | {"timeout": 120.0, "deadline": 300.0, "prices": {"default_model": free}}
    return {
        "endpoints": {"here": endpoint},
        "solve": named | {"sampling": hot | {"temperature": local.temperature}},
        "verify": named | {"asks": "all", "sampling": hot | {"max_tokens": 40}},
        "condense": named | {"attempts": 2, "sampling": hot | {"max_tokens": 100}},
    }


def every_problem_is_accounted_for(local: Local) -> None:
    traces = read_records(PATHS.traces, Trace)
    assert len(traces) == COUNT
    assert {trace.teacher for trace in traces} == {"default_model"}
    assert {trace.finish for trace in traces} <= {"stop", "length"}
    verified = read_records(PATHS.verified, Verified)
    verdicts = Counter(row.verdict for row in verified)
    found = read_json(PATHS.teacher_metrics)
    assert found["verdicts"] == dict(verdicts)
    assert verdicts.total() == COUNT
    assert verdicts["correct"] > 5
    answered = sum(1 for trace in traces if trace.finish == "stop" and trace.answer)
    assert found["model"]["asked"] == answered == sum(row.model != "" for row in verified)
    levels = read_records(PATHS.levels, Level)
    made = Counter(level.level for level in levels)
    counted = read_json(PATHS.levels_metrics)
    assert made["r1"] == made[ANSWER] == verdicts["correct"]
    for above, level in pairwise(LEVELS):
        lost = sum(count for name, count in counted[level].items() if name.startswith("dropped_"))
        assert made[level] + lost == made[above]
    assert made["r2"] > 0
    for before, after in pairwise(levels):
        assert before.id != after.id or before.words > after.words
    if local.golds:
        assert verdicts["incorrect"] <= 10
        assert all(level.text.endswith("\nAnswer: 42") or level.text == "Answer: 42" for level in levels)
