"""mlx-lm without transformers and the hub's client, which it imports for tokenizers and downloads that no stage leaves to it.

They are most of the 0.75 seconds of its import, in each process of each cell. For processes that run one stage and nothing else: whoever
later wants mlx-lm's own tokenizers in the same process finds none.
"""

import sys
from collections.abc import Callable
from functools import wraps
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from distill.model import engine

NAMES = ("transformers", "transformers.tokenization_utils_base", "huggingface_hub")


class _Absent(ModuleType):
    """A module whose every public name is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"register": staticmethod(lambda *_, **__: None), "apply_chat_template": None})


def start() -> None:
    """Import mlx-lm with empty modules for these; nothing where it or one of them is imported already. Call `engine.start()` first."""
    if sys.modules.keys() & {"mlx_lm", *NAMES}:
        return
    for name in NAMES:
        sys.modules[name] = _Absent(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None)
    try:
        import mlx_lm.tuner  # noqa: F401
    finally:
        for name in NAMES:
            del sys.modules[name]


def alone(main: Callable[..., None]) -> Callable[..., None]:
    """Return a stage's `main` for a process that runs nothing else: it starts the engine and a light mlx-lm first."""

    @wraps(main)
    def run(*words: str) -> None:
        engine.start()
        start()
        main(*words)

    return run
