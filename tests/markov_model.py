"""A model that repeats a few replies, and mlx_lm's own server for a model folder: a local teacher in seconds."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests import tiny_model as toy
from tests.pipeline import ROOT

SIZE = 400  # of the vocabulary and of an embedding
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}"

# mlx_lm.server with our BLAS loaded first; it takes a free port and says which.
SERVE = """
import socket, sys
from distill.model import engine
engine.start()
from mlx_lm import server
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
print(port, flush=True)
sys.argv = ["mlx_lm.server", "--model", sys.argv[1], "--port", str(port), "--log-level", "ERROR"]
server.main()
"""


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """Run mlx_lm.server on loopback until the block ends; yield its address."""
    words = [sys.executable, "-c", SERVE, str(model)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            _wait(url, process)
            yield url
        finally:
            process.kill()


def _wait(url: str, process: "subprocess.Popen[str]") -> None:
    for _ in range(600):
        assert process.poll() is None, "mlx_lm.server did not start"
        try:
            with urlopen(f"{url}/health", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("mlx_lm.server did not answer")


def make(folder: Path, replies: Sequence[str]) -> Path:
    """Write a model that says one of `replies`, drawn at random, whatever it is asked: a table of which token follows which.

    Attention and MLP add nothing, an embedding is one-hot, and the head holds the logarithms of how often a token follows another.
    """
    toy.make(folder, hidden=SIZE, layers=1, vocabulary=SIZE)
    import mlx.core as mx
    import numpy as np

    config = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    settings = json.loads((folder / "tokenizer_config.json").read_text()) | {"chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = toy.tokenizer(SIZE, replies)
    tokenizer.save(str(folder / "tokenizer.json"))
    counts = np.full((SIZE, SIZE), 1e-9)
    for reply in replies:
        tokens = [tokenizer.token_to_id(START), *tokenizer.encode(reply).ids, tokenizer.token_to_id(END)]
        for before, after in itertools.pairwise(tokens):
            counts[after, before] += 1
    weights = mx.load(str(folder / "model.safetensors"))
    weights = {name: value * (not name.endswith(("o_proj.weight", "down_proj.weight"))) for name, value in weights.items()}
    weights["model.embed_tokens.weight"] = mx.eye(SIZE)
    weights["lm_head.weight"] = mx.array(np.log(counts / counts.sum(0)) / SIZE**0.5, dtype=mx.float32)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    return folder
