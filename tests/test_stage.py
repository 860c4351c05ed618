"""A stage's shell: parameters are checked key by key, and every fault of the input ends in one line and a non-zero exit."""

import errno
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from distill.cli import command
from distill.cli.layout import Paths
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
    with pytest.raises(files.InputError, match="no arm 'r9'; arms here: r1; fix"):
        study_file.arm(study, "r9")


def test_an_unknown_study_lists_those_that_are_there(study: Path) -> None:
    with pytest.raises(files.InputError, match="no such study file; studies here: mini"):
        study_file.section(study.with_name("maxi.yaml"), "train", Params)


BROKEN = {
    "no YAML": (b"train: {", "while parsing a flow node"),
    "a list": (b"- 1", "expected sections, got list"),
    "no UTF-8": (b"\xff", "codec can't decode"),
    "lists in lists": (b"train: " + b"[" * 100_000, "line 1: lists and mappings nested more than 40 deep"),
    "mappings in mappings": (b"".join(b" " * n + b"a:\n" for n in range(60)), "line 41: lists and mappings nested more than 40 deep"),
    "aliases that multiply": (
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 9)) for n in range(97, 109)),
        "line 6: more than 100,000 values",
    ),
    "an alias of itself": (b"train: &a [*a]", r"line 1: alias '\*a' names nothing that ends above it"),
    "an alias of nothing": (b"train: *a", r"line 1: alias '\*a' names nothing"),
    "a Python object": (b"train: !!python/object/apply:os.system [date]", "line 1: tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
    "a tag on what it does not fit": (b"train: !!bool maybe", "line 1: tag 'tag:yaml.org,2002:bool' is not allowed"),
    "a date": (b"train: 2026-13-45", "line 1: '2026-13-45' is read as a timestamp by YAML; write a text in quotes"),
    "minutes": (b"train: 1:30.5", "line 1: '1:30.5' is read as another number by YAML"),
    "a number of 5,000 digits": (b"train: " + b"9" * 5000, "line 1: 9999999999999999999... has 5000 characters; allowed are 19"),
    "a list as key": (b"? [a, b]\n: 1", "line 1: key that is a sequence is no text"),
    "a mapping as key": (b"? {a: b}\n: 1", "line 1: key that is a mapping is no text"),
    "a number as key": (b"a: 1\n1: 2", "line 2: key '1' is no text"),
    "a truth value as key": (b"no: 1", "line 1: key 'no' is no text"),
    "a key of two lines": (b'"a\\nb": 1', r"line 1: key 'a\\nb' is no text of one line"),
    "a key that colours the terminal": (b'"\\e[2J": 1', r"line 1: key '\\x1b\[2J' is no text of one line"),
    "a section's key of another type": (b"train: {learning_rate: 1.0, iterations: [1], modules: all}", "Expected `int`, got `array`"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_study_file_is_one_line(data: bytes, message: str, study: Path) -> None:
    study.write_bytes(data)
    with pytest.raises(files.InputError, match=message) as fault:
        study_file.section(study, "train", Params)
    assert "\n" not in str(fault.value)


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
    "Ctrl-C": (KeyboardInterrupt(), 130, "train: interrupted; run it again to continue from what is kept in .work/\n"),
}


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("error", "code", "message"), ENDS.values(), ids=ENDS)
def test_a_fault_ends_in_one_line(error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.guarded("train", lambda: _raise(error))
    assert stop.value.code == code
    assert capsys.readouterr() == ("", message)


def test_a_fault_of_the_code_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        command.guarded("train", lambda: _raise(ZeroDivisionError()))


GOT: list[tuple[object, ...]] = []


def _of_a_study(paths: Paths) -> None:
    GOT.append((paths.study,))


def _of_a_cell(paths: Paths, arm: str, seed: int) -> None:
    GOT.append((paths.study, arm, seed, str(paths.adapter)))


WORDS = {
    "a study": (_of_a_study, ["mini"], ("mini",)),
    "a cell": (_of_a_cell, ["mini", "r1", "2"], ("mini", "r1", 2, "models/mini/adapters/r1-2")),
    "a path elsewhere": (_of_a_cell, ["mini", "r1", "2", "--path", "adapter=x/y"], ("mini", "r1", 2, "x/y")),
}


@pytest.mark.parametrize(("main", "words", "got"), WORDS.values(), ids=WORDS)
def test_main_gets_the_paths_and_coordinates(main: Callable[..., None], words: list[str], got: tuple[object, ...]) -> None:
    GOT.clear()
    command.run(main, words)
    assert [got] == GOT


REFUSED = {
    "too few": (["mini", "r1"], "the following arguments are required: seed"),
    "too many": (["mini", "r1", "1", "2"], "unrecognized arguments: 2"),
    "a seed that is no number": (["mini", "r1", "one"], "argument seed: invalid int value: 'one'"),
    "a study that is a path": (["../mini", "r1", "1"], "study '../mini': a name is letters, digits"),
    "an arm that is a path": (["mini", "a/b", "1"], "arm 'a/b': a name is letters, digits"),
    "a path of no such name": (["mini", "r1", "1", "--path", "adaptor=x"], "--path adaptor: no such path; the names are "),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_words_that_are_none_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    GOT.clear()
    with pytest.raises(SystemExit) as stop:
        command.run(_of_a_cell, words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert GOT == []


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
