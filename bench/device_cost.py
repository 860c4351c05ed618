"""What study openr1 costs on devices that it was not run on, from operations and bytes: `python -m bench.device_cost [--write]`.

Nothing here was measured on a GPU or a Mac. Training is bound by operations: those that the mathematics needs (bench/roofline.py, with the
forward pass that gradient checkpointing repeats) over a share of the device's matrix peak. Sampling is bound by bytes: the 4-bit weights
once a step and every row's keys and values, over a share of the device's bandwidth; or by operations where those take longer. The low
share of training is the one that bench/roofline.py measured here on two CPU cores (metrics/benchmarks.json, limits.achieved_share); the
high one, and the share of the bandwidth, are assumptions. `--write` writes metrics/device_cost.json, which docs/openr1.md shows.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from distill.core.files import read_json, write_json

FILE = Path("metrics", "device_cost.json")
# Qwen3-8B's config.json
SHAPE = {
    "hidden_size": 4096, "num_hidden_layers": 36, "intermediate_size": 12288, "num_attention_heads": 32, "num_key_value_heads": 8,
    "vocab_size": 151936,
}  # fmt: skip
RANK = 32
HIGH_SHARE = 0.40  # of the matrix peak, in training: what well-tuned trainers report; assumed
BANDWIDTH_SHARE = 0.50  # in sampling; assumed
BYTES_A_WEIGHT = 4.5 / 8  # 4 bits, and 16 bits of scale and of bias for each 64 weights


class Device(NamedTuple):
    """Figures of the maker's data sheet."""

    name: str
    tflops: float  # 16-bit matrix products, dense
    gb_s: float  # memory bandwidth


DEVICES = (
    Device("H100 SXM", 989.0, 3350.0),
    Device("H20", 148.0, 4000.0),
    Device("M4 Max", 18.4, 546.0),  # 40 GPU cores; Apple states no operations: 40 x 128 lanes x 2 x 1.8 GHz
)


class Corpus(NamedTuple):
    """One adapter's training."""

    name: str
    examples: int  # taken in all iterations
    tokens: int  # of an example, on average; assumed
    prompt: int  # of these, not trained on


class Questions(NamedTuple):
    """One arm's answers to one benchmark."""

    name: str
    answers: int  # problems x samples
    tokens: int  # written for an answer, on average; assumed
    rows: int  # decoded together


TAKEN = 5625 * 16  # iterations x examples an iteration, as in studies/openr1.yaml
TRAINING = (
    Corpus("train `solution` (or one of its quantities)", TAKEN, 400, 100),
    Corpus("train `r1` (or `r1-any`)", TAKEN, 4000, 100),
    Corpus("train `answer`", TAKEN, 120, 100),
)
SAMPLING = (
    Questions("sample `aime20` (20 problems, 2,048 tokens at most)", 20, 2000, 20),
    Questions("sample `aime20-thinking` (20 x 4, 32,768 at most)", 80, 15000, 8),
    Questions("sample `aime` (90 x 4, 8,192 at most)", 360, 6500, 32),
    Questions("sample `math500`", 500, 3500, 32),
    Questions("sample `gsm8k`", 1319, 1800, 32),
)


def train_hours(corpus: Corpus, device: Device, share: float) -> float:
    """Return the hours of one adapter."""
    from bench.roofline import operations

    tokens = [0] * corpus.tokens
    one = operations(SHAPE, RANK, tokens, corpus.prompt, 3) + operations(SHAPE, RANK, tokens, corpus.prompt, 1)
    return corpus.examples * one / (device.tflops * 1e12 * share) / 3600


def sample_hours(questions: Questions, device: Device) -> float:
    """Return the hours of one arm's answers: steps of a batch, each as long as its bytes or its operations take."""
    from bench.roofline import weights

    products = weights(SHAPE) + SHAPE["hidden_size"] * SHAPE["vocab_size"]
    head = SHAPE["hidden_size"] // SHAPE["num_attention_heads"]
    cache = 2 * 2 * SHAPE["num_hidden_layers"] * SHAPE["num_key_value_heads"] * head  # bytes of keys and values, 16 bits, a token
    moved = products * BYTES_A_WEIGHT + questions.rows * cache * (questions.tokens / 2 + 150)
    step = max(moved / (device.gb_s * 1e9 * BANDWIDTH_SHARE), 2 * products * questions.rows / (device.tflops * 1e12 * HIGH_SHARE))
    return questions.answers / questions.rows * questions.tokens * step / 3600


def trainable() -> tuple[int, int]:
    """Return the adapter's parameters and the student's."""
    from bench.roofline import weights

    width, inner, blocks = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["num_hidden_layers"]
    keys = width // SHAPE["num_attention_heads"] * SHAPE["num_key_value_heads"]
    sides = 2 * (width + width) + 2 * (width + keys) + 3 * (width + inner)
    norms = blocks * (2 * width + 2 * width // SHAPE["num_attention_heads"]) + width
    return blocks * RANK * sides, weights(SHAPE) + 2 * width * SHAPE["vocab_size"] + norms


def memory_gb() -> dict[str, float]:
    """Return what a full batch needs at most: weights, adapter with gradient and optimiser, activations, keys and values."""
    adapter, student = trainable()
    width, blocks, vocabulary = SHAPE["hidden_size"], SHAPE["num_hidden_layers"], SHAPE["vocab_size"]
    tokens = 8 * 2048
    found = {}
    for name, weight, number in (("4 bits", BYTES_A_WEIGHT, 2), ("float32", 4.0, 4)):
        kept = blocks * tokens * width * number  # the input of each block; gradient checkpointing computes the rest again
        logits = 2 * tokens * vocabulary * number  # and their gradient
        found[f"train, {name}, 8 x 2,048 tokens"] = student * weight + 5 * 4 * adapter + kept + logits
        cache = 2 * number * blocks * SHAPE["num_key_value_heads"] * width // SHAPE["num_attention_heads"]
        found[f"sample, {name}, 32 x 8,192 tokens"] = student * weight + 32 * 8192 * cache
    return {name: size / 1e9 for name, size in found.items()}


def figures(low_share: float) -> dict[str, dict[str, list[float]]]:
    """Return by device and work the hours, of training at the high and the low share."""
    return {
        device.name: {corpus.name: [train_hours(corpus, device, share) for share in (HIGH_SHARE, low_share)] for corpus in TRAINING}
        | {questions.name: [sample_hours(questions, device)] for questions in SAMPLING}
        for device in DEVICES
    }


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Return the figures as Markdown, in hours."""
    lines = ["| hours | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    for name in next(iter(found.values())):
        cells = [" to ".join(_hours(value) for value in device[name]) for device in found.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _hours(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def main() -> None:
    """Print the table; with --write, write the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {FILE}")
    share = read_json(Path("metrics", "benchmarks.json"))["limits"]["achieved_share"]
    found = figures(share)
    if parser.parse_args().write:
        write_json(
            FILE,
            {"low_share": share, "high_share": HIGH_SHARE, "bandwidth_share": BANDWIDTH_SHARE, "hours": found, "memory_gb": memory_gb()},
        )
    print(table(found))
    print(json.dumps({"adapter": trainable()[0], "student": trainable()[1], "memory_gb": memory_gb()}))


if __name__ == "__main__":
    main()
