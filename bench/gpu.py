"""Measure LoRA training and sampling on an accelerator: `python -m bench.gpu [--tiny] [--rounds N]`; random weights, nothing is downloaded.

The shape is Qwen2.5-7B's (28 blocks of hidden 3584, 28 heads of 128, 4 of keys, intermediate 18944, vocabulary 152,064), in bfloat16 and
with its weights quantised to 4 bits. Sides run in one process on one model, in turn, round after round:

- train: our trainer beside mlx-lm's `trainer.train` with its own batches, both by section `train` of studies/job.yaml (batch 4, LoRA on
  16 blocks), on examples of 128 to 512 tokens, a quarter of them prompt; a token is one that the loss is taken on;
- sample: ours (continuous batching, `ROWS` at a time) beside our decoder in fixed batches and beside one prompt after another, greedily,
  on prompts of 64 to 256 tokens whose answers end at tokens that are one in `END` or at the limit; the loop takes every 16th prompt.

The share of the matrix peak is that of a square product in bfloat16 measured here, counting products with the weights; the share of the
bandwidth is that of a sum over an array measured here, counting the weights read once a step of one prompt alone. Figures enter
metrics/benchmarks.json only from a GPU: this command has run on none, on a CPU only with --tiny, a shape that says whether it works and
nothing about speed.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import msgspec

from bench.record import record
from distill.core import study_file
from distill.model import engine
from distill.training.recipe import Recipe

engine.start()

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm.generate import generate_step  # noqa: E402
from mlx_lm.models.qwen2 import Model, ModelArgs  # noqa: E402
from mlx_lm.tuner import trainer  # noqa: E402
from tqdm import tqdm  # noqa: E402

from distill.sampling import decode  # noqa: E402
from distill.training import lora  # noqa: E402

SHAPES = {
    "7b": {"hidden": 3584, "layers": 28, "intermediate": 18944, "heads": 28, "kv": 4, "vocabulary": 152064},
    "tiny": {"hidden": 128, "layers": 2, "intermediate": 256, "heads": 4, "kv": 2, "vocabulary": 512},
}
WORK = {  # shortest and longest example, steps a round; prompts, shortest and longest, tokens written at most; the two peaks' sizes
    "7b": {"example": (128, 512), "steps": 20, "prompts": 128, "prompt": (64, 256), "written": 512, "square": 8192, "bytes": 2**31},
    "tiny": {"example": (8, 32), "steps": 4, "prompts": 32, "prompt": (4, 16), "written": 24, "square": 256, "bytes": 2**20},
}
ROWS, STRIDE, END = 32, 16, 256  # rows decoded together; of the loop's prompts; tokens, of which one ends an answer
Rows = list[tuple[list[int], int]]


def main(size: str, rounds: int) -> None:
    """Measure both formats; print them, and record them where they come from a GPU at 7B's shape."""
    work = WORK[size]
    matrix, bandwidth = peak(work["square"]), stream(work["bytes"])
    figures: dict[str, Any] = {"matrix_tflops": matrix / 1e12, "bandwidth_gb_s": bandwidth / 1e9, "rounds": rounds}
    for bits in (16, 4):
        model = build(SHAPES[size], bits)
        figures[f"{bits}_bits"] = sampling(model, work, rounds, bandwidth) | training(model, SHAPES[size], work, rounds, matrix)
        print(bits, figures[f"{bits}_bits"], flush=True)
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
    mx.random.seed(1)
    model = Model(ModelArgs.from_dict(config))
    model.set_dtype(mx.bfloat16)
    if bits == 4:
        nn.quantize(model, group_size=64, bits=4)
    mx.eval(model.parameters())
    return model


def texts(count: int, lengths: tuple[int, int], vocabulary: int) -> list[list[int]]:
    """Return random token sequences of uneven length, the same at every call."""
    draw = Random(1)
    return [draw.choices(range(vocabulary), k=draw.randint(*lengths)) for _ in range(count)]


def turns(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Run each side once uncounted, then in turn; return the amounts and seconds of each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            begin = time.perf_counter()
            amount = side()
            if number:
                found[name].append((amount, time.perf_counter() - begin))
    return found


def rates(found: dict[str, list[tuple[float, float]]], what: str) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the median rate of each side under its key, and the rates."""
    speeds = {name: [amount / seconds for amount, seconds in rows] for name, rows in found.items()}
    return {f"{what}_{name}_tokens_s": median(rows) for name, rows in speeds.items()}, speeds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over rounds of how many times faster ours is."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def training(model: Model, shape: dict[str, int], work: dict[str, Any], rounds: int, matrix: float) -> dict[str, float]:
    """Return trained tokens a second of both trainers, their ratio, and the share of the matrix peak that ours reaches."""
    recipe = study_file.section("studies/job.yaml", "train", Recipe)
    recipe = msgspec.structs.replace(recipe, layers=min(recipe.layers, shape["layers"]), iterations=work["steps"])
    rows: Rows = [(tokens, len(tokens) // 4) for tokens in texts(4 * work["steps"], work["example"], shape["vocabulary"])]
    lora.attach(model, recipe, 1)
    run = lora.Run(model, msgspec.structs.replace(recipe, iterations=10**6))

    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder, "adapters.safetensors")

        def ours() -> float:
            return lora.advance(run, rows, 1, work["steps"], adapter, tqdm(disable=True))[1]

        found = turns({"ours": ours, "stock": lambda: stock(run, rows, work["steps"], adapter)}, rounds)
    figures, speeds = rates(found, "train")
    weights = sum(shape["layers"] * size for size in block(shape)) + shape["hidden"] * shape["vocabulary"]
    # backwards goes through the vocabulary and the adapted blocks alone; of four tokens, three are trained on
    back = sum(recipe.layers * size for size in block(shape)) + shape["hidden"] * shape["vocabulary"]
    share = 2 * (weights + back) * figures["train_ours_tokens_s"] * 4 / 3 / matrix
    return figures | {"train_vs_stock": ratio(speeds["ours"], speeds["stock"]), "train_share_of_peak": share}


def stock(run: lora.Run, rows: Rows, steps: int, adapter: Path) -> float:
    """Train by mlx-lm's loop, loss and batches; return the tokens trained on."""
    done: list[int] = []
    callback = trainer.TrainingCallback()
    callback.on_train_loss_report = lambda report: done.append(report["trained_tokens"])
    args = trainer.TrainingArgs(
        batch_size=run.recipe.batch_size,
        iters=steps,
        val_batches=0,
        steps_per_report=steps,
        steps_per_eval=steps + 1,
        steps_per_save=steps + 1,
        max_seq_length=run.recipe.max_seq_length,
        adapter_file=str(adapter),
    )
    with redirect_stdout(io.StringIO()):  # its own progress panel
        trainer.train(run.model, run.optimizer, rows, None, args, training_callback=callback)
    return float(done[-1])


def sampling(model: Model, work: dict[str, Any], rounds: int, bandwidth: float) -> dict[str, float]:
    """Return tokens written a second, by continuous batching, in fixed batches and one prompt after another, and their ratios."""
    prompts = sorted(texts(work["prompts"], work["prompt"], model.args.vocab_size), key=len)
    eos_ids, limit = frozenset(range(0, model.args.vocab_size, END)), work["written"]

    def ours() -> float:
        return sum(map(len, decode.continuous_batching(model, prompts, eos_ids, limit, ROWS, decode.greedy)))

    def fixed() -> float:
        parts = [prompts[start : start + ROWS] for start in range(0, len(prompts), ROWS)]
        return sum(len(row) for part in parts for row in decode.decode(model, part, eos_ids, limit, decode.greedy))

    def loop() -> float:
        return sum(_one(model, prompt, eos_ids, limit) for prompt in prompts[STRIDE // 2 :: STRIDE])

    figures, speeds = rates(turns({"ours": ours, "fixed": fixed, "loop": loop}, rounds), "sample")
    size = sum(array.nbytes for _, array in tree_flatten(model.parameters())) - model.model.embed_tokens.weight.nbytes
    ratios = {f"sample_vs_{name}": ratio(speeds["ours"], speeds[name]) for name in ("fixed", "loop")}
    return figures | ratios | {"loop_share_of_bandwidth": size * figures["sample_loop_tokens_s"] / bandwidth}


def _one(model: Model, prompt: list[int], eos_ids: frozenset[int], limit: int) -> int:
    written = 0
    for token, _ in generate_step(mx.array(prompt), model, max_tokens=limit):
        written += 1
        if int(token) in eos_ids:
            break
    return written


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
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    main("tiny" if given.tiny else "7b", given.rounds)
