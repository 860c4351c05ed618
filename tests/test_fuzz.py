"""A short run of bench/fuzz.py: hostile strings through the real pool of processes, watched by an audit hook."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from bench import fuzz
from bench.adversarial_answers import HOSTILE


def test_hostile_strings_cost_their_limit_at_most_and_touch_nothing(tmp_path: Path) -> None:
    found = fuzz.run(fuzz.texts(600, seed=3), tmp_path)
    assert found.outcomes.total() == 600
    assert found.outcomes["None"] > 100  # they reach the workers, and beyond
    assert [line for line in (*found.parent, *found.workers) if line["seen"]] == []
    assert max(line["seconds"] for line in found.parent) < 1.0
    assert max(line["seconds"] for line in found.workers) < fuzz.LIMIT + 0.1
    assert 50 < len(found.workers) <= found.asked <= len(found.workers) + len(HOSTILE)


def _connect(gold: str, answer: str) -> None:
    with socket.socket() as plug:
        plug.connect_ex(("127.0.0.1", 1))


TOUCHED: dict[str, tuple[Any, str]] = {
    "a file written": (lambda gold, answer: Path(gold).write_text(answer), "open "),
    "a file read": (lambda gold, answer: Path("/dev/null").read_text(), "open /dev/null"),
    "a command": (lambda gold, answer: os.system("true"), "os.system "),
    "the network": (_connect, "socket."),
}


@pytest.mark.parametrize(("judge", "event"), TOUCHED.values(), ids=TOUCHED)
def test_the_watch_sees_what_a_comparison_touches(judge: Any, event: str, tmp_path: Path) -> None:
    watch = fuzz.Watch(tmp_path / "log")
    watch.around(judge, str(tmp_path / "x"), "7")
    os.close(watch.file)
    (line,) = fuzz._lines(tmp_path / "log")
    assert any(seen.startswith(event) for seen in line["seen"]), line
