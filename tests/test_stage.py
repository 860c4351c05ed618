"""A stage's shell: parameters are checked key by key, and every fault of the input ends in one line and a non-zero exit."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from distill.cli import command
from distill.core import files, study_file

ROOT = Path(__file__).parents[1]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    learning_rate: float
    iterations: int
    modules: str | list[str]


GOOD = (
    "train: {learning_rate: 1.0e-4, iterations: 200, modules: all}\narms:\n  r1: {level: r1, protocol: clean, corrected: false, n: 500}\n"
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_section_is_typed(study: Path) -> None:
    assert study_file.section(study, "train", Params) == Params(1e-4, 200, "all")
    assert study_file.arm(study, "r1") == study_file.Arm("r1", "clean", False, 500)


FAULTS = {
    "missing key": ("iterations: 200, ", "", ["missing required field `iterations`", "keys here: learning_rate, iterations, modules"]),
    "misspelt key": ("iterations", "iteration", ["unknown field `iteration`", "keys here: learning_rate, iterations, modules"]),
    "ill-typed key": ("200", "'200'", ["Expected `int`, got `str` - at `$.iterations`"]),
    "a float that YAML reads as text": ("1.0e-4", "1e-4", ["Expected `float`, got `str`", "write floats as 1.0e-4"]),
    "a fraction of an integer": ("200", "0.5", ["Expected `int`, got `float`"]),
    "an empty section": ("{learning_rate: 1.0e-4, iterations: 200, modules: all}", "", ["Expected `object`, got `null`"]),
}


@pytest.mark.parametrize(("old", "new", "parts"), FAULTS.values(), ids=FAULTS)
def test_a_bad_section_names_file_section_and_key(old: str, new: str, parts: list[str], study: Path) -> None:
    study.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(files.InputError) as fault:
        study_file.section(study, "train", Params)
    assert str(fault.value).startswith(f"{study}: section 'train': ")
    assert [part for part in parts if part not in str(fault.value)] == []
    assert "\n" not in str(fault.value)


def test_a_missing_section_lists_those_that_are_there(study: Path) -> None:
    with pytest.raises(files.InputError, match="no section 'grade'; sections here: train, arms"):
        study_file.section(study, "grade", Params)


def test_an_unknown_arm_lists_those_that_are_there(study: Path) -> None:
    with pytest.raises(files.InputError, match="no arm 'r9'; arms here: r1; mend"):
        study_file.arm(study, "r9")


def test_an_unknown_study_lists_those_that_are_there(study: Path) -> None:
    with pytest.raises(files.InputError, match="no such study file; studies here: mini"):
        study_file.section(study.with_name("maxi.yaml"), "train", Params)


BROKEN = {"no YAML": (b"train: {", "not YAML: "), "a list": (b"- 1", "expected sections, got list"), "no UTF-8": (b"\xff", "not YAML: ")}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_study_file_is_one_line(data: bytes, message: str, study: Path) -> None:
    study.write_bytes(data)
    with pytest.raises(files.InputError, match=message) as fault:
        study_file.section(study, "train", Params)
    assert "\n" not in str(fault.value)


def _call(main: Callable[..., None], words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["/somewhere/stages/train.py", *words])
    with pytest.raises(SystemExit) as stop:
        command.run(main)
    assert isinstance(stop.value.code, int)
    return stop.value.code


def _raising(error: BaseException) -> Callable[..., None]:
    def main(study: str) -> None:
        raise error

    return main


ENDS = {
    "a fault of the input": (files.InputError("mini.yaml: no arm 'r9'"), 2, "train: mini.yaml: no arm 'r9'\n"),
    "a full disk": (
        OSError(errno.ENOSPC, "No space left on device"),
        2,
        "train: No space left on device; free some space and run it again\n",
    ),
    "a full disk at a file": (
        OSError(errno.ENOSPC, "No space left on device", "a/b"),
        2,
        "train: No space left on device: a/b; free some space and run it again\n",
    ),
    "a missing file": (FileNotFoundError(errno.ENOENT, "No such file", "x.pdf"), 2, "train: No such file: x.pdf\n"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "train: interrupted; run it again to go on from what is kept in .work/\n"),
}


@pytest.mark.parametrize(("error", "code", "message"), ENDS.values(), ids=ENDS)
def test_a_fault_ends_in_one_line(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(_raising(error), ["mini"], monkeypatch) == code
    assert capsys.readouterr() == ("", message)


def test_a_fault_of_the_code_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "mini"])
    with pytest.raises(ZeroDivisionError):
        command.run(_raising(ZeroDivisionError()))


def _two(study: str, out: str) -> None:
    raise AssertionError


def _many(study: str, out: str, *inputs: str) -> None:
    raise AssertionError


COUNTS = {
    "too few": (_two, ["a"], "train: expected 2 arguments, got 1: python -m stages.train STUDY OUT\n"),
    "too many": (_two, ["a", "b", "c"], "train: expected 2 arguments, got 3: python -m stages.train STUDY OUT\n"),
    "too few of many": (_many, ["a"], "train: expected at least 2 arguments, got 1: python -m stages.train STUDY OUT INPUTS...\n"),
}


@pytest.mark.parametrize(("main", "words", "message"), COUNTS.values(), ids=COUNTS)
def test_the_number_of_arguments_is_checked(
    main: Callable[..., None], words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(main, words, monkeypatch) == 2
    assert capsys.readouterr().err == message


def test_main_gets_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, ...]] = []
    monkeypatch.setattr(sys, "argv", ["train.py", "a", "b", "c"])
    command.run(lambda study, *rest: got.append((study, *rest)))
    assert got == [("a", "b", "c")]


CLOSINGS = {
    "nothing dropped": ((3, 3, None), "split: read 3, wrote 3, dropped 0\n"),
    "reasons in order": (
        (9, 4, {"unsolved": 3, "blank": 2, "truncated": 0}),
        "split: read 9, wrote 4, dropped 5 (blank: 2, unsolved: 3)\n",
    ),
}


@pytest.mark.parametrize(("counts", "line"), CLOSINGS.values(), ids=CLOSINGS)
def test_the_closing_line_counts_by_reason(
    counts: tuple[int, int, dict[str, int] | None], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command.closing("split", *counts)
    assert capsys.readouterr().err == line
