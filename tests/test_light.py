"""mlx-lm without transformers: what the stages take from it works, in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests import tiny_model as toy
from tests.pipeline import ROOT

CHECK = """
import sys
from pathlib import Path
from distill.model import engine
from distill.model import light
engine.start()
light.start()
from distill.sampling import decode
from distill.training import lora
from distill.model.model_io import Student, adapted
model, config = adapted(Path(sys.argv[1]), None, True, fuse=True)
print(len(decode.decode(model, [[1, 2, 3]], frozenset(), 5, decode.greedy)[0]))
print(sorted({"transformers", "huggingface_hub"} & sys.modules.keys()))
import transformers
print(bool(transformers.AutoTokenizer.from_pretrained))
"""


def test_the_stages_need_neither_and_both_can_be_imported_later(tmp_path: Path) -> None:
    folder = toy.make(tmp_path / "student")
    done = subprocess.run([sys.executable, "-c", CHECK, str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.split("\n")[:3], done.returncode) == (["5", "[]", "True"], 0), done.stderr


def test_what_is_imported_already_stays() -> None:
    words = (
        "import transformers, mlx_lm; from stages.learning import light; light.start(); print(mlx_lm.utils.snapshot_download.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("huggingface_hub"), done.stderr
