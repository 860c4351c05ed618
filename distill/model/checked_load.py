"""Loads a student, an adapter and a tokenizer with their libraries; a damaged or foreign file is an InputError of one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
from tokenizers import Tokenizer

from distill.core.errors import InputError
from distill.core.files import read_json

DAMAGED = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)  # what mlx-lm raises, by where it stops


@contextmanager
def _one_line(path: Path, what: str, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(" .:")
        raise InputError(
            f"{path}: {what}: {said}; delete the folder and run `dvc pull`, or `dvc repro` for the stage that makes it"
        ) from None


def load_model(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return a student's model and config as mlx-lm loads them."""
    from mlx_lm.utils import load_model

    with _one_line(folder, "no student that can be loaded", DAMAGED):
        model, config = load_model(folder)
    return model, config


def load_adapters(model: Any, folder: str) -> None:
    """Attach an adapter to a model as mlx-lm does."""
    from mlx_lm.utils import load_adapters

    with _one_line(Path(folder), "no adapter of this student", DAMAGED):
        load_adapters(model, folder)


def load_tokenizer(path: Path) -> Tokenizer:
    """Return a tokenizer."""
    with _one_line(path, "no tokenizer that can be loaded", (Exception,)):  # what `tokenizers` raises has no other class
        return Tokenizer.from_file(str(path))


def read_settings(path: Path) -> dict[str, Any]:
    """Return a JSON file that holds one object."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, got a {type(document).__name__}; run `dvc pull`")
    return document


def rendering(folder: Path) -> Any:
    """Return a block in which a chat template's error is an InputError."""
    return _one_line(folder, "the chat template fails", (jinja2.TemplateError,))
