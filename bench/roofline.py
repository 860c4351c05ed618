"""Say how far a training cell is from this machine's limit: `python -m bench.roofline [ARM] [SEED]`, after that cell was trained here.

Counted are the operations that the mathematics needs, a multiplication and an addition as two: forwards and backwards through the frozen
projections, the four products of each adapter's pair, causal attention, and the vocabulary where a token is trained on; no padding, no
masked half, no gradient of a frozen weight. Bytes are those of the weights read once a pass and of the activations kept for the gradient,
written and read once. The peak is a product of 1024 x 1024 on every core at once, with one BLAS thread a core as in training.
"""

import json
import sys
import time
from itertools import islice

from bench.record import record
from distill.cli.layout import layout
from distill.core import study_file
from distill.core.files import read_json
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.training.batches import batch_order, read_rows
from distill.training.recipe import Recipe

engine.start()

import mlx.core as mx  # noqa: E402

SIZE = 1024  # of the square product
WIDTHS = 24  # numbers of `hidden` kept a token and block for the gradient, the three of the gated layer apart


def main(arm: str = "r1", seed: int = 1) -> None:
    """Print and record what the cell's steps and evaluations need, and which share of the peak its run reached."""
    paths = layout("mini", arm, seed)
    recipe = study_file.section(paths.study_file, "train", Recipe)
    shape, tokenizer = read_json(paths.student / "config.json"), ChatTokenizer(paths.student)
    rows, valid = (read_rows(paths.corpus / f"{part}.jsonl", tokenizer, recipe) for part in ("train", "valid"))
    order = batch_order(len(rows), recipe.batch_size, seed)
    seen = [rows[row] for batch in islice(order, recipe.iterations * recipe.accumulation) for row in batch]
    evaluations = 1 + -(-recipe.iterations // recipe.eval_every)
    forward = evaluations * sum(operations(shape, recipe.rank, *row, 1) for row in valid)
    total = forward + sum(operations(shape, recipe.rank, *row, 3) for row in seen)
    kept = sum(len(tokens) for tokens, _ in seen) * (WIDTHS * shape["hidden_size"] + 3 * shape["intermediate_size"])
    bytes_moved = 4 * (2 * kept * shape["num_hidden_layers"] + 2 * weights(shape) * recipe.iterations)
    peak = product()
    log = paths.work / "log" / f"train-{arm}-{seed}.json"
    if not log.exists():
        sys.exit(f"roofline: no {log}: the cell was not trained here; `dvc repro --force --single-item train@mini-{arm}-{seed}`")
    seconds = json.loads(log.read_text())["seconds"]
    figures = {
        "cell": f"{arm}-{seed}",
        "gemm_peak_gflops": peak / 1e9,
        "needed_gflop": total / 1e9,
        "needed_gbytes": bytes_moved / 1e9,
        "seconds": seconds,
        "least_seconds": total / peak,
        "achieved_share": total / peak / seconds,
    }
    print(json.dumps(figures, indent=2))
    record("limits", figures)


def weights(shape: dict[str, int]) -> int:
    """Return the number of weights in the products of a forward pass, the vocabulary's left out."""
    width, inner, blocks = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    keys = width // shape["num_attention_heads"] * shape["num_key_value_heads"]
    return blocks * (2 * width * width + 2 * width * keys + 3 * width * inner)


def operations(shape: dict[str, int], rank: int, tokens: list[int], masked: int, passes: int) -> float:
    """Return the operations of an example: `passes` is 1 for the loss alone, 3 with the gradient."""
    width, inner, blocks, rows = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"], len(tokens) - 1
    keys = width // shape["num_attention_heads"] * shape["num_key_value_heads"]
    sides = blocks * (2 * (width + width) + 2 * (width + keys) + 3 * (width + inner))
    frozen = rows * weights(shape) + (len(tokens) - max(masked, 1)) * width * shape["vocab_size"]
    pairs = rows * rank * sides
    attention = blocks * rows * rows * width  # two products, half of the square each
    return 2.0 * (frozen * (2 if passes == 3 else 1) + passes * (pairs + attention))


def product() -> float:
    """Return the operations a second of square products on both cores, the best of several."""
    streams = [mx.default_stream(mx.default_device()), mx.new_stream(mx.cpu)]
    sides = [mx.random.normal((SIZE, SIZE)) for _ in range(4)]
    mx.eval(sides)
    best = float("inf")
    for _ in range(8):
        begin = time.perf_counter()
        mx.eval([mx.matmul(sides[i], sides[i + 2], stream=stream) for i, stream in enumerate(streams) for _ in range(4)])
        best = min(best, time.perf_counter() - begin)
    return 2 * 4 * 2 * SIZE**3 / best


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
