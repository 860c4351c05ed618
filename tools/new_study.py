"""`make new-study NAME=x`: begin a study from the template."""

import sys
from pathlib import Path

from distill.cli import command
from distill.cli.layout import layout
from distill.core.errors import InputError

TEMPLATE = Path("studies", "template.yaml")


def main(name: str = "") -> None:
    """Copy the template to studies/NAME.yaml, which must not exist."""
    if not name:
        raise InputError("say its name: make new-study NAME=x")
    path = layout(name).study_file
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
    except FileExistsError:
        raise InputError(f"{path}: exists already; take another name or delete it") from None
    print(f"{path}: edit it, then `make check S={name}` and `make study S={name}`")


if __name__ == "__main__":
    command.guarded("new-study", lambda: main(*sys.argv[1:2]))
