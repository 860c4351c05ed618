"""Pretrain a small Qwen2 from scratch, data-parallel over processes of one BLAS thread each.

Run as ``python -m distill.pretraining.pretrain_worker WORK`` once per rank, with MLX_RANK and MLX_HOSTFILE set. WORK holds plan.json and
tokens.npz, and receives checkpoint.safetensors (to resume from) and model.safetensors (the result). The loss is on the completion only.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from distill.model import engine

engine.start()

import mlx.core as mx  # noqa: E402  (after the BLAS is loaded)
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optimizers  # noqa: E402
import numpy as np  # noqa: E402
from mlx.utils import tree_flatten, tree_unflatten  # noqa: E402
from mlx_lm.models import qwen2  # noqa: E402
from tqdm import tqdm  # noqa: E402

CHUNK = 1024  # texts that are sorted by length together
CHECKPOINT = 200  # steps between checkpoints
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Texts:
    """Token sequences of one kind: ``tokens`` (total,), ``ends`` (n + 1,) offsets, ``starts`` (n,) first completion token of each."""

    def __init__(self, store: Any, kind: str) -> None:
        self.tokens, self.ends, self.starts = (store[f"{kind}_{name}"] for name in ("tokens", "ends", "starts"))

    def forever(self, random: np.random.Generator) -> Iterator[int]:
        """Yield every index once per epoch, in a new order each epoch."""
        while True:
            yield from random.permutation(len(self.starts)).tolist()


def batches(plan: dict[str, Any], kinds: dict[str, Texts]) -> Iterator[list[tuple[np.ndarray, int]]]:
    """Yield one batch a step: (tokens, first completion token) sequences of like lengths, at most `batch` tokens with padding."""
    random = np.random.default_rng(plan["seed"])
    streams = {name: texts.forever(random) for name, texts in kinds.items()}
    first, last = plan["drills"]
    step = 0
    while step < plan["steps"]:
        drills = round(CHUNK * (first + (last - first) * step / plan["steps"]))
        chosen = []
        for name, count in (("drills", drills), ("problems", CHUNK - drills)):
            texts = kinds[name]
            for i in islice(streams[name], count):
                chosen.append((texts.tokens[texts.ends[i] : texts.ends[i + 1]], int(texts.starts[i])))
        groups = grouped(chosen, plan["batch"], plan["ranks"])
        for k in random.permutation(len(groups)):
            yield groups[k]
        step += len(groups)


def grouped(texts: list[tuple[np.ndarray, int]], size: int, ranks: int) -> list[list[tuple[np.ndarray, int]]]:
    """Cut texts, longest first, into batches of at most `size` tokens with padding, each a multiple of `ranks` rows."""
    texts = sorted(texts, key=lambda text: -len(text[0]))
    groups = []
    while texts:
        rows = max(size // len(texts[0][0]) // ranks, 1) * ranks
        group, texts = texts[:rows], texts[rows:]
        groups.append(group + group[: -len(group) % ranks])  # the last group: no rank without a row
    return groups


def padded(batch: list[tuple[np.ndarray, int]]) -> tuple[mx.array, mx.array, mx.array]:
    """Return inputs (B, T), targets (B, T) and the completion mask (B, T) of a batch."""
    width = max(len(tokens) for tokens, _ in batch)
    block = np.zeros((len(batch), width), np.int32)
    mask = np.zeros((len(batch), width - 1), np.float32)
    for row, (tokens, start) in enumerate(batch):
        block[row, : len(tokens)] = tokens
        mask[row, start - 1 : len(tokens) - 1] = 1.0
    return mx.array(block[:, :-1]), mx.array(block[:, 1:]), mx.array(mask)


def loss(model: nn.Module, inputs: mx.array, targets: mx.array, mask: mx.array) -> mx.array:
    """Return the mean cross-entropy of the completion tokens, nats."""
    entropy = nn.losses.cross_entropy(model(inputs), targets)
    return (entropy * mask).sum() / mask.sum()


def schedule(plan: dict[str, Any]) -> Callable[[mx.array], mx.array]:
    """Return the factor on the learning rates at a step: linear warm-up, flat, linear to the floor."""
    steps, flat = plan["steps"], plan["steps"] * plan["flat"]

    def factor(step: mx.array) -> mx.array:
        fall = 1.0 - (1.0 - plan["floor"]) * (step - flat) / (steps - flat)
        return mx.minimum((step + 1) / plan["warmup"], mx.clip(fall, plan["floor"], 1.0))

    return factor


def make_optimizer(plan: dict[str, Any]) -> optimizers.MultiOptimizer:
    """Return Muon for the projection matrices and Adam for embeddings, norms and biases."""
    factor = schedule(plan)
    muon = optimizers.Muon(lambda step: plan["muon"] * factor(step), momentum=0.95, weight_decay=plan["weight_decay"])
    adam = optimizers.Adam(lambda step: plan["adam"] * factor(step), betas=[0.9, 0.98], bias_correction=True)

    def is_projection(path: str, weight: mx.array) -> bool:
        return weight.ndim == 2 and any(name in path for name in PROJECTIONS)

    return optimizers.MultiOptimizer([muon, adam], [is_projection])


def train(work: Path, until: int = sys.maxsize) -> None:
    """Train to the last step (or to `until`, then checkpoint), from the checkpoint where there is one; rank 0 writes."""
    plan = json.loads((work / "plan.json").read_text())
    group = mx.distributed.init(strict=plan["ranks"] > 1, backend="ring") if plan["ranks"] > 1 else None
    rank = group.rank() if group else 0
    store = np.load(work / "tokens.npz")
    kinds = {name: Texts(store, name) for name in ("problems", "drills")}
    mx.random.seed(plan["seed"])
    model = qwen2.Model(qwen2.ModelArgs.from_dict(plan["config"]))
    optimizer = make_optimizer(plan)
    optimizer.init(model.trainable_parameters())
    first = resume(work / "checkpoint.safetensors", model, optimizer)
    gradient = nn.value_and_grad(model, loss)
    bar = tqdm(total=plan["steps"], initial=first, unit="step", desc="pretraining", disable=rank > 0, file=sys.stderr, mininterval=5)
    for step, batch in enumerate(islice(batches(plan, kinds), plan["steps"])):
        if step < first:
            continue
        value, grads = gradient(model, *padded(batch[rank :: plan["ranks"]]))
        if group:
            grads = nn.average_gradients(grads, group)
        grads, _ = optimizers.clip_grad_norm(grads, plan["clip"])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
        if not np.isfinite(value.item()):
            raise SystemExit(f"pretraining: loss is {value.item()} at step {step}; lower the learning rates of section 'student'")
        bar.update()
        bar.set_postfix(loss=f"{value.item():.3f}", refresh=False)
        if rank == 0 and ((step + 1) % CHECKPOINT == 0 or step + 1 == until):
            save(work / "checkpoint.safetensors", model, optimizer, step + 1)
        if step + 1 == until < plan["steps"]:
            return
    if rank == 0:
        write(work / "model.safetensors", dict(tree_flatten(model.parameters())), {"format": "mlx"})


def save(path: Path, model: nn.Module, optimizer: optimizers.Optimizer, step: int) -> None:
    """Write weights, optimizer state and step."""
    arrays = {f"model.{name}": value for name, value in tree_flatten(model.parameters())}
    arrays |= {f"state.{name}": value for name, value in tree_flatten(optimizer.state)}
    write(path, arrays, {"step": str(step)})


def write(path: Path, arrays: dict[str, mx.array], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all."""
    temporary = path.with_name("partial." + path.name)
    mx.save_safetensors(str(temporary), arrays, metadata)
    os.replace(temporary, path)


def resume(path: Path, model: nn.Module, optimizer: optimizers.Optimizer) -> int:
    """Load a checkpoint where there is one; return the step to continue from."""
    if not path.exists():
        return 0
    arrays, metadata = mx.load(str(path), return_metadata=True)
    model.load_weights([(name[6:], value) for name, value in arrays.items() if name.startswith("model.")])
    optimizer.state = tree_unflatten([(name[6:], value) for name, value in arrays.items() if name.startswith("state.")])
    return int(metadata["step"])


if __name__ == "__main__":
    train(Path(sys.argv[1]))
