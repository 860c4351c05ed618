"""The versions of the packages that determine a verdict: those of versions.yaml, or an InputError."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from distill.core.errors import InputError

PIN = Path(__file__).with_name("versions.yaml")


@cache
def check_installed() -> None:
    """Compare what is installed with the pins, once a process."""
    check(yaml.safe_load(PIN.read_text(encoding="utf-8")), version)


def check(pins: Mapping[str, str], installed: Callable[[str], str]) -> None:
    """Raise an InputError that names the first package of another version than its pin."""
    for name, pin in pins.items():
        try:
            here = installed(name)
        except PackageNotFoundError:
            here = "nothing"
        if here != pin:
            ways = f"run `make setup`, or pin {here} there and grade again"
            raise InputError(f"{PIN.parent.name}/{PIN.name}: {name} is pinned to {pin}, installed is {here}; {ways}")
