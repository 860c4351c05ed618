"""The layout's paths of a study below a test's folder."""

from pathlib import Path
from typing import Any

import msgspec

from distill.cli.layout import Paths, layout


def below(folder: Path, study: str = "toy", *coordinates: Any) -> Paths:
    """Return the paths of a study, and of an arm and a seed, each below a folder."""
    paths = layout(study, *coordinates)
    moved = {name: folder / value for name, value in msgspec.structs.asdict(paths).items() if isinstance(value, Path)}
    return msgspec.structs.replace(paths, **moved)
