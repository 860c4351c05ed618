"""LoRA training: mlx-lm's layers and optimisers; our batches, evaluation, choice of adapter and resuming.

On a CPU a float32 Qwen2 takes the loss of `packed`, in a loop of our own. Everything else takes mlx-lm's loss and step: `trainer.train`
is called from one evaluation to the next without a validation set. Left to itself it draws validation batches from the generator of the
training order, drops every short batch, truncates, and keeps the last adapter.
Import after `engine.start()`.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import accumulate, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_lm.tuner import trainer
from mlx_lm.tuner.utils import linear_to_lora_layers
from tqdm import tqdm

from distill.core.errors import InputError
from distill.training import packed_loss
from distill.training.packed_loss import Rows

if TYPE_CHECKING:
    from stages.train import Params

MULTIPLE = 32  # mlx-lm compiles a step for each width that it meets: so they are few
TOGETHER = 2048  # tokens of the validation set that are evaluated together on a CPU


class Point(NamedTuple):
    """The curve at one evaluation."""

    iteration: int
    train_loss: float | None  # mean over the steps since the point before; None at the start
    validation_loss: float  # mean over all trained tokens of the validation set


class Run:
    """A training run: the model, the optimiser, the curve so far and the best adapter so far."""

    def __init__(self, model: Any, recipe: "Params", iterations: int) -> None:
        rates = mx.array(learning_rates(recipe, iterations))
        common = {"betas": list(recipe.betas), "eps": recipe.epsilon, "bias_correction": recipe.bias_correction}
        decay = {"weight_decay": recipe.weight_decay} if recipe.optimizer == "adamw" else {}
        kind = {"adam": optim.Adam, "adamw": optim.AdamW}[recipe.optimizer]
        self.model, self.recipe, self.iterations = model, recipe, iterations
        self.packed = not recipe.grad_checkpoint and packed_loss.suits(model)
        self.optimizer = kind(learning_rate=lambda step: rates[step], **common, **decay)
        self.optimizer.init(model.trainable_parameters())
        self.points: list[Point] = []
        self.best: dict[str, mx.array] = {}
        self.tokens = 0  # trained on so far

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.points[-1].iteration if self.points else 0

    @property
    def chosen(self) -> Point:
        """The trained point of the lowest validation loss, the earliest of equals; the untrained start is not one."""
        return min(self.points[1:], key=lambda point: point.validation_loss)

    def adapter(self) -> dict[str, mx.array]:
        """Return the trainable weights by name."""
        return dict(tree_flatten(self.model.trainable_parameters()))

    def add(self, point: Point, tokens: int) -> None:
        """Record one evaluation, and keep the adapter if it is the best."""
        if not math.isfinite(point.validation_loss) or not math.isfinite(point.train_loss or 0):
            raise InputError(
                f"loss at iteration {point.iteration} is not finite (training {point.train_loss}, validation {point.validation_loss}); "
                f"lower train.learning_rate ({self.recipe.learning_rate}) or mend the corpus"
            )
        self.points.append(point)
        self.tokens += tokens
        if point.iteration and self.chosen is point:
            self.best = self.adapter()

    def save(self, path: Path, key: str) -> None:
        """Keep the whole state in one file, atomically."""
        groups = {"adapter": self.adapter(), "best": self.best, "optimizer": dict(tree_flatten(self.optimizer.state))}
        arrays = {f"{group}/{name}": array for group, named in groups.items() for name, array in named.items()}
        about = {"key": key, "points": json.dumps(self.points), "tokens": str(self.tokens)}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.safetensors")
        mx.save_safetensors(str(temporary), arrays, about)
        os.replace(temporary, path)

    def load(self, path: Path, key: str) -> bool:
        """Take up the state kept under the same key; False when there is none."""
        if not path.exists():
            return False
        arrays, about = mx.load(str(path), return_metadata=True)
        if about["key"] != key:
            return False
        groups: dict[str, dict[str, mx.array]] = {"adapter": {}, "best": {}, "optimizer": {}}
        for name, array in arrays.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = array
        self.model.load_weights(list(groups["adapter"].items()), strict=False)
        self.optimizer.state = tree_unflatten(list(groups["optimizer"].items()))
        self.best, self.tokens = groups["best"], int(about["tokens"])
        self.points = [Point(*point) for point in json.loads(about["points"])]
        return True


def attach(model: Any, recipe: "Params", seed: int) -> dict[str, Any]:
    """Freeze the model, put LoRA layers drawn from `seed` into it; return the adapter_config.json that mlx-lm loads."""
    mx.random.seed(seed)
    model.freeze()
    keys = {} if recipe.modules == "all" else {"keys": list(recipe.modules)}
    config = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout} | keys
    linear_to_lora_layers(model, recipe.layers, config, use_dora=False)
    if not tree_flatten(model.trainable_parameters()):
        raise InputError(f"train.modules {recipe.modules} and train.layers {recipe.layers} choose no layer of this student")
    if recipe.grad_checkpoint:
        trainer.grad_checkpoint(model.layers[0])
    mx.eval(model.parameters())
    return {"fine_tune_type": "lora", "num_layers": recipe.layers, "lora_parameters": config}


def fit(run: Run, train: Rows, valid: Rows, seed: int, state: Path, key: str) -> None:
    """Train to the end, evaluating on all of `valid` at the start, after each `eval_every` iterations and at the end."""
    every = run.recipe.eval_every
    if not run.load(state, key):
        run.add(Point(0, None, validate(run, valid)), 0)
    with tqdm(total=run.iterations, initial=run.iteration, unit=" iterations", desc="train", disable=None) as bar:
        while run.iteration < run.iterations:
            steps = min(every - run.iteration % every, run.iterations - run.iteration)
            loss, tokens = advance(run, train, seed, steps, state.with_name("last.safetensors"), bar)
            run.add(Point(run.iteration + steps, loss, validate(run, valid)), tokens)
            run.save(state, key)
            bar.set_postfix(loss=f"{loss:.3f}", validation=f"{run.points[-1].validation_loss:.3f}")


def advance(run: Run, train: Rows, seed: int, steps: int, scratch: Path, bar: Any) -> tuple[float, int]:
    """Train for `steps` iterations; return the mean loss of their batches and the tokens trained on."""
    return _packed_steps(run, train, seed, steps, bar) if run.packed else _steps(run, train, seed, steps, scratch, bar)


def _packed_steps(run: Run, train: Rows, seed: int, steps: int, bar: Any) -> tuple[float, int]:
    """Train with the loss of `packed`, the graph of each step made while the one before is computed."""
    parts = run.recipe.accumulation
    order = batch_order(len(train), run.recipe.batch_size, seed, run.iteration * parts)
    gradient = nn.value_and_grad(run.model, packed_loss.loss)
    losses: list[mx.array] = []
    tokens = 0
    for _ in range(steps):
        total: Any = None
        for rows in islice(order, parts):
            given = packed_loss.batch(run.model, [train[row] for row in rows])
            (loss, _), new = gradient(run.model, given)
            total = new if total is None else tree_map(mx.add, total, new)
            losses.append(loss)
            tokens += given.trained
        run.optimizer.update(run.model, tree_map(lambda part: part / parts, total) if parts > 1 else total)
        mx.async_eval(run.model.trainable_parameters(), run.optimizer.state, losses)  # the next step's graph is made meanwhile
        if len(losses) > parts:
            mx.eval(losses[-1 - parts])
        bar.update()
    return mx.stack(losses).mean().item(), tokens


def _steps(run: Run, train: Rows, seed: int, steps: int, scratch: Path, bar: Any) -> tuple[float, int]:
    """Train with mlx-lm's own loop and loss."""
    recipe, parts = run.recipe, steps * run.recipe.accumulation
    start = run.iteration * recipe.accumulation
    order = batch_order(len(train), recipe.batch_size, seed, start)

    def batches(comm_group: Any, **_: Any) -> Iterator[tuple[mx.array, mx.array]]:
        for number, rows in enumerate(order):
            bar.update(int(number > 0 and number % recipe.accumulation == 0))
            mx.random.seed(seed << 32 | start + number)  # dropout's: a batch's own, so that resuming changes nothing
            yield _padded([train[row] for row in rows[comm_group.rank() :: comm_group.size()]])

    reports: list[dict[str, Any]] = []
    callback = trainer.TrainingCallback()
    callback.on_train_loss_report = reports.append
    args = trainer.TrainingArgs(
        batch_size=recipe.batch_size,
        iters=parts,
        val_batches=0,
        steps_per_report=parts,
        steps_per_eval=parts + 1,
        steps_per_save=parts + 1,
        max_seq_length=recipe.max_seq_length,
        adapter_file=str(scratch),
        grad_checkpoint=False,  # already put in, once
        grad_accumulation_steps=recipe.accumulation,
        clear_cache_threshold=0,
    )
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(io.StringIO()):  # its own progress panel
        trainer.train(run.model, run.optimizer, train, None, args, trainer.default_loss, batches, callback)
    bar.update(run.iteration + steps - bar.n)
    return reports[-1]["train_loss"], int(reports[-1]["trained_tokens"])


def validate(run: Run, valid: Rows) -> float:
    """Return the mean loss over every trained token of `valid`, in batches of like length, none left out."""
    size = run.recipe.batch_size
    order = sorted(range(len(valid)), key=lambda row: len(valid[row][0]))
    if run.packed:
        return _packed_loss(run, [valid[row] for row in order])

    def batches(comm_group: Any, **_: Any) -> Iterator[tuple[mx.array, mx.array]]:
        starts = range(comm_group.rank() * size, len(order), comm_group.size() * size)
        return (_padded([valid[row] for row in order[start : start + size]]) for start in starts)

    return float(trainer.evaluate(run.model, valid, size, -1, run.recipe.max_seq_length, trainer.default_loss, batches, 0))


def _packed_loss(run: Run, valid: Rows) -> float:
    total, count, ends = 0.0, 0, list(accumulate(len(tokens) for tokens, _ in valid))
    for _, group in groupby(range(len(valid)), key=lambda row: ends[row] // TOGETHER):
        given = packed_loss.batch(run.model, [valid[row] for row in group])
        total += packed_loss.loss(run.model, given)[0].item() * given.trained
        count += given.trained
    return total / count


def batch_order(examples: int, size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
    """Yield the rows of each batch, for ever, from batch number `start` on.

    Every pass over the corpus has its own order, a hash of (seed, pass, place): equal for all arms of equal size, and for every version
    of every library. Where `size` does not divide the corpus, the last batch of a pass is short; no example is left out.
    """
    per_pass = math.ceil(examples / size)
    number = start
    while True:
        turn = number // per_pass
        order = sorted(range(examples), key=lambda row: hashlib.blake2b(f"{seed} {turn} {row}".encode()).digest())
        for part in range(number % per_pass, per_pass):
            yield order[part * size : (part + 1) * size]
        number = (turn + 1) * per_pass


def _padded(rows: Rows) -> tuple[mx.array, mx.array]:
    """Pad all to a width; mlx-lm's loss takes both bounds as included, so the last is the last token's place."""
    width = 1 + MULTIPLE * math.ceil((max(len(tokens) for tokens, _ in rows) - 1) / MULTIPLE)
    tokens = [tokens + [0] * (width - len(tokens)) for tokens, _ in rows]
    return mx.array(tokens), mx.array([(masked, len(tokens) - 1) for tokens, masked in rows])


def learning_rates(recipe: "Params", iterations: int) -> list[float]:
    """Return the learning rate of each iteration: a linear rise over `warmup` of them, then flat or a cosine to 0 after the last."""
    rates = []
    for iteration in range(iterations):
        if iteration < recipe.warmup:
            share = (iteration + 1) / (recipe.warmup + 1)
        elif recipe.schedule == "cosine":
            share = 0.5 * (1 + math.cos(math.pi * (iteration - recipe.warmup) / max(1, iterations - recipe.warmup)))
        else:
            share = 1.0
        rates.append(recipe.learning_rate * share)
    return rates


def write_adapter(folder: Path, weights: dict[str, mx.array], config: dict[str, Any]) -> None:
    """Write an adapter in bfloat16, as `mlx_lm.load(adapter_path=...)` takes it."""
    folder.mkdir(parents=True)
    narrow = {name: weights[name].astype(mx.bfloat16) for name in sorted(weights)}
    mx.save_safetensors(str(folder / "adapters.safetensors"), narrow, {"format": "mlx"})
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
