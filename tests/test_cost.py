"""The cost of the calls: what the transcripts hold, at the study's prices, the same for who paid and who replays."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.llm import transcripts
from distill.llm.endpoint_config import Price
from distill.llm.request import Response
from distill.llm.usage_report import together, usage
from stages import condense, llm_cost, solve, verify
from tests import teachers
from tests.chatscript import Script
from tests.chatserver import serving

PATHS = layout("new")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def corpus(paths: Paths) -> None:
    solve.main(paths)
    verify.main(paths)
    condense.main(paths)


def costs(paths: Paths) -> dict[str, dict[str, float]]:
    llm_cost.main(paths)
    found: dict[str, dict[str, float]] = json.loads(paths.cost_metrics.read_text())
    return found


def test_the_cost_is_what_the_server_billed_and_the_same_by_batches(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"lines": 50, "megabytes": 1, "poll": 0.0, "rounds": 6}
    teachers.problems(30)
    with serving(Script(answers="tests.teachers:answer", rate=0.2, faults=("500", "429")), root / "log") as server:
        study = teachers.study(root, server.url, verify={"asks": "all"})
        corpus(study)
        told = costs(study)
        answered = [each for each in server.events() if each.event == "answered"]
    assert told["together"]["calls"] == len(answered)
    assert told["together"]["prompt_tokens"] == sum(each.prompt_tokens for each in answered)
    assert told["together"]["completion_tokens"] == sum(each.completion_tokens for each in answered)
    dollars = sum(each.prompt_tokens * 3.0 + each.completion_tokens * 7.0 for each in answered) / 1e6
    assert told["together"]["dollars"] == pytest.approx(dollars, abs=1e-6)
    assert sum(told[role]["calls"] for role in ("solve", "verify", "condense")) == told["together"]["calls"]
    billed = f"{dollars:.4f} billed, $0.0000 reserved"
    assert f"llm_cost: with all that came in vain, the call store counts ${billed}" in capsys.readouterr().err
    made = {path: path.read_bytes() for path in (PATHS.traces, PATHS.verified, PATHS.levels)}

    corpus(study)  # replayed: nobody is there to ask
    assert costs(study) == told

    (root / ".work/new/calls.sqlite").unlink()
    with serving(Script(answers="tests.teachers:answer", polls=0, lines=0.2, line_faults=("500", "missing")), root / "log-2") as server:
        study = teachers.study(
            root, server.url, verify={"asks": "all", "batch": limits}, solve={"batch": limits}, condense={"batch": limits}
        )
        corpus(study)
        halved = costs(study)
        assert not server.asked()
    assert halved["together"]["dollars"] == pytest.approx(dollars / 2, abs=1e-6)
    assert {path: path.read_bytes() for path in made} == made  # by either route the same corpus


def test_calls_in_a_batch_are_not_sent_by_the_chat_route(root: Path) -> None:
    teachers.problems(9)
    limits = {"lines": 50, "megabytes": 1, "poll": 0.0, "rounds": 3}
    with serving(Script(answers="tests.teachers:answer", files=(("poll", ("401",)),)), root / "log") as server:
        with pytest.raises(InputError, match="cannot ask about a batch"):
            solve.main(teachers.study(root, server.url, solve={"batch": limits}))
        with pytest.raises(InputError, match=r"is one of 9 in batches .* set solve\.batch"):
            solve.main(teachers.study(root, server.url))
        assert not server.asked()
        solve.main(teachers.study(root, server.url, solve={"batch": limits}))
        assert not server.asked()
        assert sum(each.event == "line" for each in server.events()) == 9


def test_failures_and_answers_without_usage_are_counted() -> None:
    price = Price(prompt=3.0, completion=7.0, batch=0.5, dated=date(2026, 1, 2))
    rows = [
        Response("a", "", "stop", "m", 10, 20, ""),
        Response("", "r", "stop", "m", 10, 20, ""),
        Response("a", "", "length", "m", 10, 20, ""),
        Response("a", "", "stop", "m", None, None, ""),
    ]
    row = usage(rows, price, False)
    assert (row.calls, row.failed, row.uncounted) == (4, {"blank": 1, "length": 1}, 1)
    assert (row.prompt_tokens, row.completion_tokens, row.dollars) == (30, 60, pytest.approx((30 * 3.0 + 60 * 7.0) / 1e6))
    assert together([row])["failed"] == 2


def test_a_study_without_a_model_costs_nothing_and_strange_transcripts_are_a_fault(root: Path) -> None:
    study_file.study.cache_clear()
    mini = msgspec.structs.replace(PATHS, study_file=teachers.ROOT / "studies/mini.yaml")
    for role in ("solve", "verify", "condense"):
        transcripts.write(PATHS.transcripts / f"{role}.jsonl.gz", [])
    counts = ("calls", "failed", "prompt_tokens", "completion_tokens", "uncounted", "dollars")
    assert costs(mini) == {"together": dict.fromkeys(counts, 0)}
    with pytest.raises(InputError, match="asks no model"):
        usage([Response("a", "", "stop", "m", 1, 1, "")], None, False)
