"""LoRA training: mlx-lm's layers and optimisers; our batches, evaluation, choice of adapter and resuming.

A float32 llama, Qwen2 or Qwen3 on a CPU takes `packed_loss` and our own loop. Every other model takes mlx-lm's loss and loop:
`trainer.train` runs from one evaluation to the next, and evaluation is ours. mlx-lm's draws validation batches from the generator of the
training order, drops every short batch, truncates, and keeps the last adapter.
Import after `engine.start()`. It takes 0.85 s, 0.75 s of them for transformers, which mlx-lm imports at its top.
"""

import io
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import accumulate, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_lm.tuner import trainer
from mlx_lm.tuner.utils import linear_to_lora_layers
from msgspec import UNSET
from tqdm import tqdm

from distill.core.errors import InputError
from distill.model.fast_math import unsuited
from distill.training import packed_loss
from distill.training.batches import Rows, batch_order
from distill.training.frozen_blocks import FrozenBlocks
from distill.training.recipe import Recipe, learning_rates

PAD_MULTIPLE = 32  # mlx-lm compiles a step for each width that it meets: so they are few
VALIDATION_TOKENS = 2048  # evaluated together by the packed loss


class Point(NamedTuple):
    """The curve at one evaluation, or at one of the reports between."""

    iteration: int
    train_loss: float | None  # mean over the steps since the point before; None at the start
    validation_loss: float | None  # mean over all trained tokens of the validation set; None at a report


class Run:
    """A training run: the model, the optimiser, the curve so far and the best adapter so far."""

    def __init__(self, model: Any, recipe: Recipe) -> None:
        rates = mx.array(learning_rates(recipe))
        common = {"betas": list(recipe.betas), "eps": recipe.epsilon, "bias_correction": recipe.bias_correction}
        decay = {"weight_decay": recipe.weight_decay} if recipe.optimizer == "adamw" else {}
        kind = {"adam": optim.Adam, "adamw": optim.AdamW}[recipe.optimizer]
        self.model, self.recipe = model, recipe
        self.unsuited = "train.grad_checkpoint is true" if recipe.grad_checkpoint else unsuited(model)  # why the loss is not packed
        self.frozen = FrozenBlocks(model)  # of the packed loss
        self.optimizer = kind(learning_rate=lambda step: rates[step], **common, **decay)
        self.optimizer.init(model.trainable_parameters())
        self.points: list[Point] = []
        self.best: dict[str, mx.array] = {}
        self.tokens = 0  # trained on so far

    @property
    def packed(self) -> bool:
        """Whether the packed loss is used."""
        return not self.unsuited

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.points[-1].iteration if self.points else 0

    @property
    def chosen(self) -> Point:
        """The trained point of the lowest validation loss, the earliest of equals; the untrained start is not one."""
        evaluated = [point for point in self.points[1:] if point.validation_loss is not None]
        return min(evaluated, key=lambda point: point.validation_loss or 0.0)

    @property
    def last_validation_loss(self) -> float:
        """The validation loss of the last evaluation."""
        return next(loss for *_, loss in reversed(self.points) if loss is not None)

    def adapter(self) -> dict[str, mx.array]:
        """Return the trainable weights by name."""
        return dict(tree_flatten(self.model.trainable_parameters()))

    def add(self, point: Point, tokens: int) -> None:
        """Record one evaluation, and keep the adapter if it is the best."""
        if not math.isfinite(point.validation_loss or 0) or not math.isfinite(point.train_loss or 0):
            raise InputError(
                f"loss at iteration {point.iteration} is not finite (training {point.train_loss}, validation {point.validation_loss}); "
                f"lower train.learning_rate ({self.recipe.learning_rate}) or fix the corpus"
            )
        self.points.append(point)
        self.tokens += tokens
        if point.iteration and point.validation_loss is not None and self.chosen is point:
            self.best = self.adapter()

    def save(self, path: Path, key: str) -> None:
        """Write the whole state to one file, atomically."""
        state = {
            "adapter": self.model.trainable_parameters(),
            "optimizer": self.optimizer.state,
            "best": tree_unflatten(list(self.best.items())),
        }
        about = {"key": key, "points": json.dumps(self.points), "tokens": str(self.tokens)}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.safetensors")
        mx.save_safetensors(str(temporary), dict(tree_flatten(state)), about)
        os.replace(temporary, path)

    def load(self, path: Path, key: str) -> bool:
        """Load the state that was saved under the same key; False where there is none."""
        if not path.exists():
            return False
        arrays, about = mx.load(str(path), return_metadata=True)
        if about["key"] != key:
            return False
        state = tree_unflatten(list(arrays.items()))
        self.model.update(state["adapter"])
        self.optimizer.state = state["optimizer"]
        self.best, self.tokens = dict(tree_flatten(state["best"])), int(about["tokens"])
        self.points = [Point(*point) for point in json.loads(about["points"])]
        return True


class Checkpointed(nn.Module):
    """A block whose activations are computed again in the backward pass; its parameters keep their names.

    mlx-lm's own helper patches the block's class, for every model of the process.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name, value in {**vars(block), **block}.items():
            setattr(self, name, value)
        self._checkpointed = nn.utils.checkpoint(block)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run the block."""
        return self._checkpointed(*inputs, **named)


def attach(model: Any, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Freeze the model, put LoRA layers drawn from `seed` into it; return the adapter_config.json that mlx-lm loads."""
    mx.random.seed(seed)
    model.freeze()
    keys = {} if recipe.modules == "all" else {"keys": list(recipe.modules)}
    config = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout} | keys
    linear_to_lora_layers(model, recipe.layers, config, use_dora=False)
    if not tree_flatten(model.trainable_parameters()):
        raise InputError(f"train.modules {recipe.modules} and train.layers {recipe.layers} choose no layer of this student")
    if recipe.grad_checkpoint:
        blocks = {id(layer) for layer in model.layers}
        wrapped = [(name, Checkpointed(module)) for name, module in model.named_modules() if id(module) in blocks]
        model.update_modules(tree_unflatten(wrapped))
    mx.eval(model.parameters())
    return {"fine_tune_type": "lora", "num_layers": recipe.layers, "lora_parameters": config}


def fit(run: Run, train: Rows, valid: Rows, seed: int, state: Path, key: str) -> None:
    """Train to the end, evaluating on all of `valid` at the start, after each `eval_every` iterations and at the end."""
    every, iterations = run.recipe.eval_every, run.recipe.iterations
    kept = f"; the output of the {run.frozen.count} frozen blocks below is kept" if run.frozen.count else ""
    print(f"train: {f'loss and loop of mlx-lm: {run.unsuited}' if run.unsuited else f'packed loss, two streams{kept}'}", file=sys.stderr)
    if not run.load(state, key):
        run.add(Point(0, None, validate(run, valid)), 0)
    with tqdm(total=iterations, initial=run.iteration, unit=" iterations", desc="train", disable=None) as bar:
        while run.iteration < iterations:
            steps = min(every - run.iteration % every, iterations - run.iteration)
            start = run.iteration
            losses, tokens = advance(run, train, seed, steps, state.with_name("last.safetensors"), bar)
            for number, part in enumerate(losses[:-1], 1):
                run.add(Point(start + number * _report_every(run, steps), part, None), 0)
            loss = losses[-1]
            run.add(Point(start + steps, loss, validate(run, valid)), tokens)
            run.save(state, key)
            bar.set_postfix(loss=f"{loss:.3f}", validation=f"{run.last_validation_loss:.3f}")


def _report_every(run: Run, steps: int) -> int:
    """Return the iterations of a point of the training loss, at most `steps`."""
    every = run.recipe.report_every
    return steps if every is UNSET else min(every, steps)


def advance(run: Run, train: Rows, seed: int, steps: int, scratch: Path, bar: Any) -> tuple[list[float], int]:
    """Train for `steps` iterations; return the mean loss of the batches of each report among them, and the tokens trained on."""
    return _packed_steps(run, train, seed, steps, bar) if run.packed else _mlx_lm_steps(run, train, seed, steps, scratch, bar)


def _packed_steps(run: Run, train: Rows, seed: int, steps: int, bar: Any) -> tuple[list[float], int]:
    """Train with the packed loss; the graph of each step is built while the one before is computed."""
    parts = run.recipe.accumulation
    order = batch_order(len(train), run.recipe.batch_size, seed, run.iteration * parts)
    gradient = nn.value_and_grad(run.model, packed_loss.loss)
    losses: list[mx.array] = []
    tokens = 0
    for _ in range(steps):
        total: Any = None
        for rows in islice(order, parts):
            batch = run.frozen.batch([train[row] for row in rows])
            (loss, _), new = gradient(run.model, batch)
            total = new if total is None else tree_map(mx.add, total, new)
            losses.append(loss)
            tokens += batch.trained
        run.optimizer.update(run.model, tree_map(lambda part: part / parts, total) if parts > 1 else total)
        mx.async_eval(run.model.trainable_parameters(), run.optimizer.state, losses)
        if len(losses) > parts:
            mx.eval(losses[-1 - parts])
        bar.update()
    size = _report_every(run, steps) * parts
    return [mx.stack(losses[first : first + size]).mean().item() for first in range(0, len(losses), size)], tokens


def _mlx_lm_steps(run: Run, train: Rows, seed: int, steps: int, scratch: Path, bar: Any) -> tuple[list[float], int]:
    """Train with mlx-lm's own loop and loss."""
    recipe, parts = run.recipe, steps * run.recipe.accumulation
    start = run.iteration * recipe.accumulation
    order = batch_order(len(train), recipe.batch_size, seed, start)

    def batches(**_: Any) -> Iterator[tuple[mx.array, mx.array]]:
        for number, rows in enumerate(order):
            bar.update(int(number > 0 and number % recipe.accumulation == 0))
            mx.random.seed(seed << 32 | start + number)  # of dropout: each batch has its own, so that resuming changes nothing
            yield _padded([train[row] for row in rows])

    reports: list[dict[str, Any]] = []
    callback = trainer.TrainingCallback()
    callback.on_train_loss_report = reports.append
    args = trainer.TrainingArgs(
        batch_size=recipe.batch_size,
        iters=parts,
        val_batches=0,
        steps_per_report=_report_every(run, steps) * recipe.accumulation,
        steps_per_eval=parts + 1,
        steps_per_save=parts + 1,
        max_seq_length=recipe.max_seq_length,
        adapter_file=str(scratch),
        grad_checkpoint=False,  # `attach` did it
        grad_accumulation_steps=recipe.accumulation,
        clear_cache_threshold=0,
    )
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(io.StringIO()):  # its own progress panel
        trainer.train(run.model, run.optimizer, train, None, args, trainer.default_loss, batches, callback)
    bar.update(run.iteration + steps - bar.n)
    return [report["train_loss"] for report in reports], int(reports[-1]["trained_tokens"])


def validate(run: Run, valid: Rows) -> float:
    """Return the mean loss over every trained token of `valid`, examples of like length together, none left out."""
    rows = sorted(valid, key=lambda row: len(row[0]))
    ends = list(accumulate(len(tokens) for tokens, _ in rows))
    size = run.recipe.batch_size
    groups = groupby(range(len(rows)), key=lambda row: ends[row] // VALIDATION_TOKENS if run.packed else row // size)
    total, count = 0.0, 0
    run.model.eval()
    for _, group in groups:
        batch = [rows[row] for row in group]
        if run.packed:
            loss, tokens = packed_loss.loss(run.model, run.frozen.batch(batch))
        else:
            loss, tokens = trainer.default_loss(run.model, *_padded(batch))
        total += loss.item() * tokens.item()
        count += tokens.item()
    return total / count


def _padded(rows: Rows) -> tuple[mx.array, mx.array]:
    """Pad all to one width; mlx-lm's loss includes both bounds, so the last is the last token's place."""
    width = 1 + PAD_MULTIPLE * math.ceil((max(len(tokens) for tokens, _ in rows) - 1) / PAD_MULTIPLE)
    tokens = [tokens + [0] * (width - len(tokens)) for tokens, _ in rows]
    return mx.array(tokens), mx.array([(masked, len(tokens) - 1) for tokens, masked in rows])
