"""The pins of the grader's packages equal the lock files, and another version is one line."""

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml

from distill.answers import versions
from distill.core.errors import InputError

ROOT = Path(__file__).parents[1]
PINS: dict[str, str] = yaml.safe_load(versions.PIN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-cuda.txt"])
def test_pins_are_those_of_the_lock_files(name: str) -> None:
    locked = dict(re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
    assert {key: locked[key] for key in PINS} == PINS


def test_every_package_that_math_verify_brings_is_pinned() -> None:
    brought = {"math-verify"}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    while found := {name for name, users in _users(lines).items() if users & brought} - brought:
        brought |= found
    assert brought == set(PINS)


def _users(lines: str) -> dict[str, set[str]]:
    parts = re.split(r"^([\w-]+)==.*$", lines, flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall(r"^ +#(?: +via)? +([\w-]+)$", body, re.MULTILINE)) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_installed_versions_are_the_pinned_ones() -> None:
    versions.check_installed()


def test_another_version_or_none_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(
        InputError, match=r"answers/versions.yaml: sympy is pinned to 1.14.0, installed is 9.9; run `make setup`, or pin 9.9"
    ):
        versions.check(PINS, lambda name: "9.9" if name == "sympy" else PINS[name])

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    with pytest.raises(InputError, match=r"math-verify is pinned to 0.9.0, installed is nothing"):
        versions.check(PINS, missing)
