"""docs/adapters.md as written, on a tiny student: its command and its Python load an adapter that `train` wrote."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from distill.cli.layout import layout
from stages import train
from tests import tiny_model as toy

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student and its adapter where the page has those of mini."""
    root = tmp_path_factory.mktemp("adapters")
    student, adapter = toy.make(root / "models/mini/student"), root / "models/mini/adapters/r1-1"
    toy.corpus(root / "corpus")
    study = Path(toy.study(root))
    paths = msgspec.structs.replace(layout("toy", "r1", 1), study_file=study, student=student, corpus=root / "corpus", adapter=adapter)
    train.main(paths, "r1", 1)
    return root


def run(folder: Path, *words: str) -> str:
    """Run Python in the folder, without a network."""
    environment = os.environ | {"MLX_DISABLE_COMPILE": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_of_the_page_answers_with_the_adapter(folder: Path) -> None:
    command = re.search(r"\.venv/bin/mlx_lm\.generate (.+?)\n\n", PAGE, re.DOTALL)
    assert command
    words = shlex.split(command[1].replace("\\\n", " "))
    assert "--adapter-path" in words
    few = ["8" if word == "640" else word for word in words]
    printed = run(folder, "-m", "mlx_lm", "generate", *few)
    assert "Generation: " in printed
    place = few.index("--adapter-path")
    plain = run(folder, "-m", "mlx_lm", "generate", *few[:place], *few[place + 2 :])
    assert printed.split("==========")[1] != plain.split("==========")[1]


def test_the_python_of_the_page_runs(folder: Path) -> None:
    code = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert code
    assert run(folder, "-c", code[1].replace("max_tokens=640", "max_tokens=8")).strip()
