"""Measure LoRA training and sampling on an accelerator: `python -m bench.gpu [--tiny] [--steps N]`; random weights, nothing is downloaded.

The shape is Qwen2.5-7B's (28 blocks of hidden 3584, 28 heads of 128, 4 of keys, intermediate 18944, vocabulary 152,064), in bfloat16 and
with its weights quantised to 4 bits. Training: batch 4 of 512 tokens, rank 8 on 16 blocks, as the paper does; sampling: batch 32, 256
tokens in, 128 out. The share of the matrix peak is that of a square product in bfloat16 measured here; the share of the bandwidth that of
a sum over an array, also measured here. Figures enter metrics/benchmarks.json only from a GPU: this command has run on none, on a CPU only
with --tiny, a shape that says whether it works and nothing about speed.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from bench.record import record
from stages.shared import engine

engine.start()

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optimizers  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm.models.cache import make_prompt_cache  # noqa: E402
from mlx_lm.models.qwen2 import Model, ModelArgs  # noqa: E402
from mlx_lm.tuner.trainer import default_loss  # noqa: E402
from mlx_lm.tuner.utils import linear_to_lora_layers  # noqa: E402

SHAPES = {
    "7b": {"hidden": 3584, "layers": 28, "intermediate": 18944, "heads": 28, "kv": 4, "vocabulary": 152064, "adapted": 16},
    "tiny": {"hidden": 128, "layers": 2, "intermediate": 256, "heads": 4, "kv": 2, "vocabulary": 512, "adapted": 2},
}
WORK = {  # examples and tokens of a training step; prompts, their tokens, and tokens written
    "7b": {"batch": 4, "length": 512, "prompts": 32, "prompt": 256, "written": 128, "square": 8192, "bytes": 2**31},
    "tiny": {"batch": 2, "length": 32, "prompts": 4, "prompt": 16, "written": 8, "square": 256, "bytes": 2**20},
}


def main(size: str, steps: int) -> None:
    """Measure both formats; print them, and record them where they come from a GPU at 7B's shape."""
    matrix, bandwidth = peak(WORK[size]["square"]), stream(WORK[size]["bytes"])
    figures: dict[str, Any] = {"matrix_tflops": matrix / 1e12, "bandwidth_gb_s": bandwidth / 1e9}
    for bits in (16, 4):
        model = build(SHAPES[size], bits)
        sampled = sample(model, WORK[size], bandwidth)
        figures[f"{bits}_bits"] = sampled | train(model, SHAPES[size], WORK[size], steps, matrix)
        del model
        mx.clear_cache()
    print(figures)
    if size == "7b" and mx.default_device() != mx.Device(mx.cpu):
        record("gpu", figures, device=str(mx.device_info().get("device_name", mx.default_device())))


def build(shape: dict[str, int], bits: int) -> Model:
    """Return a model of random weights, in bfloat16, its linear layers and embedding at 4 bits where asked."""
    config = {
        "model_type": "qwen2",
        "hidden_size": shape["hidden"],
        "num_hidden_layers": shape["layers"],
        "intermediate_size": shape["intermediate"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv"],
        "vocab_size": shape["vocabulary"],
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
    }
    model = Model(ModelArgs.from_dict(config))
    model.set_dtype(mx.bfloat16)
    if bits == 4:
        nn.quantize(model, group_size=64, bits=4)
    mx.eval(model.parameters())
    return model


def train(model: Model, shape: dict[str, int], work: dict[str, int], steps: int, matrix: float) -> dict[str, float]:
    """Return LoRA tokens a second and the share of the matrix peak, counting the products with the frozen weights."""
    weights = sum(shape["layers"] * size for size in block(shape)) + shape["hidden"] * shape["vocabulary"]
    model.freeze()
    linear_to_lora_layers(model, shape["adapted"], {"rank": 8, "scale": 20.0, "dropout": 0.0})
    optimizer = optimizers.Adam(1e-5)
    optimizer.init(model.trainable_parameters())
    tokens = mx.random.randint(0, shape["vocabulary"], (work["batch"], work["length"] + 1))
    bounds = mx.array([[1, work["length"]]] * work["batch"])
    gradient = nn.value_and_grad(model, default_loss)

    def step() -> None:
        (loss, _), found = gradient(model, tokens, bounds)
        optimizer.update(model, found)
        mx.eval(loss, model.trainable_parameters(), optimizer.state)

    seconds = timed(step, steps)
    done = work["batch"] * work["length"]
    # backwards goes through the vocabulary and the adapted blocks alone
    back = sum(shape["adapted"] * size for size in block(shape)) + shape["hidden"] * shape["vocabulary"]
    return {"train_tokens_s": done / seconds, "train_share_of_peak": 2 * (weights + back) * done / seconds / matrix}


def sample(model: Model, work: dict[str, int], bandwidth: float) -> dict[str, float]:
    """Return tokens written a second in a batch, greedily, and the share of the bandwidth that reading the weights each step takes."""
    size = sum(array.nbytes for _, array in tree_flatten(model.parameters())) - model.model.embed_tokens.weight.nbytes
    tokens = mx.random.randint(0, model.args.vocab_size, (work["prompts"], work["prompt"]))
    cache = make_prompt_cache(model)
    following = mx.argmax(model(tokens, cache=cache)[:, -1], axis=-1)
    mx.eval(following, [layer.state for layer in cache])

    def step() -> None:
        nonlocal following
        following = mx.argmax(model(following[:, None], cache=cache)[:, -1], axis=-1)
        mx.eval(following)

    seconds = timed(step, work["written"])
    return {"sample_tokens_s": work["prompts"] / seconds, "sample_share_of_bandwidth": size / seconds / bandwidth}


def block(shape: dict[str, int]) -> tuple[int, ...]:
    """Return the number of weights of a block's projections."""
    width, keys = shape["hidden"], shape["hidden"] // shape["heads"] * shape["kv"]
    return (2 * width * width, 2 * width * keys, 3 * width * shape["intermediate"])


def peak(size: int) -> float:
    """Return the operations a second of a square product in bfloat16."""
    a, b = (mx.random.normal((size, size)).astype(mx.bfloat16) for _ in range(2))
    mx.eval(a, b)
    return 2 * size**3 / timed(lambda: mx.eval(a @ b), 10)


def stream(size: int) -> float:
    """Return the bytes a second of reading an array once."""
    array = mx.ones((size // 4,))
    mx.eval(array)
    return size / timed(lambda: mx.eval(array.sum()), 10)


def timed(step: Callable[[], None], times: int) -> float:
    """Return the mean seconds of a step after two that are not counted."""
    step()
    step()
    begin = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - begin) / times


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a tiny shape, to try the command on a CPU")
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    main("tiny" if given.tiny else "7b", given.steps)
