"""Measure the trainer against `mlx_lm.lora`: `python -m bench.train [--rounds N]`, after `dvc pull` of a corpus and a student.

Five sides train the same examples with the same hyper-parameters, a process each, one after the other, round by round with the
round's seed: `stock` is mlx-lm's command as pip installs it (MLX's reference BLAS), `same_blas` the same command on our BLAS (one
thread, as it is pinned), `two_threads` the same with two, `ours` this project's trainer (two streams of one thread each). `mini` is the
embedded student and its corpus r1; `half` four layers of the shape of Qwen2.5-0.5B, random, float32, with mini's vocabulary of 512, one
example of 256 tokens a step. Speed is that of the steps after the first report, validation and start-up apart; a token is one that the
loss is taken on. The validation loss after the last step is our evaluation of each side's adapter, over the whole set. mlx-lm also
trains on what the chat template writes after the end token and on one token of padding a row (its loss takes the bound `length` as
included), so `same_tokens` is `same_blas` with our tokens and bounds: its loss is ours within noise.
mlx-lm's step is compiled where there is a g++, as by default; ours is not.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.record import record

ROOT = Path(__file__).parents[1]
SIDES = ("stock", "same_blas", "two_threads", "same_tokens", "ours")
SETTINGS = {  # iterations, of which each report has; the first report is left out
    "mini": {"batch_size": 4, "iterations": 40, "report": 10, "warmup": 10},
    "half": {"batch_size": 1, "iterations": 6, "report": 2, "warmup": 0},
    "smollm": {"batch_size": 4, "iterations": 8, "report": 2, "warmup": 0, "layers": -1},  # of bench.train_peft, as the next
    "smollm-half": {"batch_size": 4, "iterations": 8, "report": 2, "warmup": 0, "layers": 15},
}


def main(rounds: int, names: list[str]) -> None:
    """Run every side in turn; print a table and record medians and ratios."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            work = Path(folder, name)
            prepare(name, work)
            runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            for seed in range(1, rounds + 1):
                for side in SIDES:
                    runs[side].append(run(side, name, work, seed))
                    print(name, seed, side, runs[side][-1], file=sys.stderr)
            figures |= summary(name, runs)
    record("train", figures)


def prepare(name: str, work: Path, student: Path = ROOT / "models/mini/student", corpus: Path = ROOT / "data/mini/corpus/r1") -> None:
    """Write the student, the corpus and mlx-lm's settings of a benchmark into `work`."""
    work.mkdir(parents=True, exist_ok=True)
    if name == "half":
        subprocess.run([sys.executable, "-m", "bench.train", "--half", str(work), str(student)], cwd=ROOT, check=True)
        student, corpus = work / "student", work / "corpus"
    recipe = yaml.safe_load((ROOT / "studies/mini.yaml").read_text())["train"]
    size = SETTINGS[name]
    settings = {
        "model": str(student),
        "data": str(corpus),
        "train": True,
        "batch_size": size["batch_size"],
        "iters": size["iterations"],
        "num_layers": size.get("layers", recipe["layers"]),
        "optimizer": recipe["optimizer"],
        "optimizer_config": {recipe["optimizer"]: {"betas": list(recipe["betas"]), "eps": recipe["epsilon"]}},
        "learning_rate": recipe["learning_rate"],
        "lr_schedule": {
            "name": "cosine_decay",
            "warmup": size["warmup"],
            "arguments": [recipe["learning_rate"], size["iterations"] - size["warmup"]],
        },
        "lora_parameters": {"rank": recipe["rank"], "scale": recipe["scale"], "dropout": recipe["dropout"]},
        "mask_prompt": recipe["mask_prompt"],
        "max_seq_length": recipe["max_seq_length"],
        "val_batches": 1,
        "steps_per_report": size["report"],
        "steps_per_eval": 10**9,
        "save_every": 10**9,
    }
    (work / "settings.yaml").write_text(yaml.safe_dump(settings))


def run(side: str, name: str, work: Path, seed: int, module: str = "bench.train", more: Sequence[str] = ()) -> dict[str, float]:
    """Train in a process of its own, by `module` with `more` words; return tokens and steps a second, memory and the validation loss."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLX_", "OPENBLAS_"))}
    begin = time.monotonic()
    command = [sys.executable, "-m", module, "--side", side, name, str(work), str(seed), *more]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - begin
    command = [sys.executable, "-m", "bench.train", "--loss", name, str(work)]
    loss = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads((work / "figures.json").read_text())
    return found | {"wall": wall, "validation_loss": float(loss.stdout.split()[-1])}


def summary(name: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Print the medians of a benchmark as a table; return them with the ratios of each round's speeds."""
    middle = {side: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for side, rows in runs.items()}
    print(f"{name:10} tokens/s  steps/s   MiB (MLX)  MiB (process)  validation loss  process s")
    for side, row in middle.items():
        print(
            f"{side:10} {row['tokens']:8.0f} {row['steps']:8.3f} {row['mlx_mib']:11.0f} {row['process_mib']:14.0f} "
            f"{row['validation_loss']:16.4f} {row['wall']:10.1f}"
        )
    suffix = "" if name == "mini" else f"_{name}"
    ratios = {
        f"vs_{side}{suffix}": statistics.median(a["tokens"] / b["tokens"] for a, b in zip(runs["ours"], runs[side], strict=True))
        for side in SIDES[:3]
    }
    print({key: round(value, 2) for key, value in ratios.items()})
    losses = {side: [row["validation_loss"] for row in rows] for side, rows in runs.items()}
    return ratios | {name: middle | {"validation_losses": losses, "rounds": len(runs["ours"])}}


def train(side: str, name: str, work: Path, seed: int) -> None:
    """Train one side here; write its figures and its adapter into `work`."""
    reports = ours(name, work, seed) if side == "ours" else stock(side, work, seed)
    import mlx.core as mx

    write_figures(name, work, reports, {"mlx_mib": mx.get_peak_memory() / 2**20})


def write_figures(name: str, work: Path, reports: list[tuple[float, int]], more: dict[str, float]) -> None:
    """Write a side's speeds from each report's seconds and tokens, and the memory of this process."""
    late = reports[1:]
    seconds = sum(report[0] for report in late)
    figures = {
        "tokens": sum(report[1] for report in late) / seconds,
        "first_tokens": reports[0][1] / reports[0][0],
        "steps": SETTINGS[name]["report"] * len(late) / seconds,
        "process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }
    (work / "figures.json").write_text(json.dumps(figures | more))


def stock(side: str, work: Path, seed: int) -> list[tuple[float, int]]:
    """Run mlx-lm's own command; return each report's seconds and trained tokens."""
    if side != "stock":
        from distill.model import engine

        if side == "two_threads":
            os.environ |= {
                "MLX_BLAS": engine.openblas(),
                "OPENBLAS_NUM_THREADS": "2",
                "OPENBLAS_CORETYPE": engine.pins()["OPENBLAS_CORETYPE"],
            }
        engine.start()
        os.environ.pop("MLX_DISABLE_COMPILE", None)  # mlx-lm's default
    from mlx_lm import lora
    from mlx_lm.tuner.callbacks import TrainingCallback

    reports: list[tuple[float, int]] = []

    class Reports(TrainingCallback):  # type: ignore[misc]
        def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
            done = train_info["trained_tokens"] - sum(tokens for _, tokens in reports)
            reports.append((done / train_info["tokens_per_second"], done))

    if side == "same_tokens":
        _same_tokens(lora)
    lora.get_reporting_callbacks = lambda *_, **__: Reports()
    sys.argv = ["mlx_lm.lora", "--config", str(work / "settings.yaml"), "--seed", str(seed), "--adapter-path", str(work / "adapter")]
    lora.main()
    return reports


def _same_tokens(lora: Any) -> None:
    from functools import partial

    import mlx.core as mx
    import msgspec
    from mlx_lm.tuner import datasets, trainer

    from distill.model.chat_tokenizer import ChatTokenizer
    from distill.records.example import Message

    def process(self: Any, row: Any) -> tuple[list[int], int]:
        return ChatTokenizer(Path(self.tokenizer.name_or_path)).example(msgspec.convert(row["messages"], list[Message]))

    def loss(model: Any, tokens: Any, bounds: Any) -> Any:
        return trainer.default_loss(model, tokens, bounds - mx.array([0, 1]))

    datasets.ChatDataset.process = process
    lora.train = partial(lora.train, loss=loss)


def ours(name: str, work: Path, seed: int) -> list[tuple[float, int]]:
    """Run our trainer's steps; return each report's seconds and trained tokens."""
    run, train, config, lora = _ours(name, work, seed)
    from tqdm import tqdm

    from distill.training.adapter import write_adapter

    reports, size = [], SETTINGS[name]
    for _ in range(size["iterations"] // size["report"]):
        begin = time.perf_counter()
        (loss,), tokens = lora.advance(run, train, seed, size["report"], work / "last.safetensors", tqdm(disable=True))
        reports.append((time.perf_counter() - begin, tokens))
        run.points.append(lora.Point(run.iteration + size["report"], loss, 0.0))
    import shutil

    shutil.rmtree(work / "adapter", ignore_errors=True)
    write_adapter(work / "adapter", run.adapter(), config)
    return reports


def _ours(name: str, work: Path, seed: int, part: str = "train") -> tuple[Any, Any, Any, Any]:
    from distill.model import engine
    from distill.model.model_io import weights

    engine.start()
    from distill.training import lora

    recipe, student, rows = given(name, work, part)
    model, _ = weights(student, recipe.float32)
    config = lora.attach(model, recipe, seed)
    return lora.Run(model, recipe), rows, config, lora


def given(name: str, work: Path, part: str) -> tuple[Any, Path, Any]:
    """Return the recipe of a benchmark, the student's folder and the rows of a part of the corpus; it imports no MLX."""
    import msgspec

    from distill.model.chat_tokenizer import ChatTokenizer
    from distill.training.batches import read_rows
    from distill.training.recipe import Recipe

    settings = yaml.safe_load((work / "settings.yaml").read_text())
    recipe = msgspec.convert(yaml.safe_load((ROOT / "studies/mini.yaml").read_text())["train"], Recipe)
    own = {"batch_size": settings["batch_size"], "iterations": settings["iters"], "layers": settings["num_layers"]}
    recipe = msgspec.structs.replace(recipe, warmup=SETTINGS[name]["warmup"], **own)
    student = Path(settings["model"])
    return recipe, student, read_rows(Path(settings["data"], f"{part}.jsonl"), ChatTokenizer(student), recipe)


def loss(name: str, work: Path) -> None:
    """Print the loss of the adapter in `work` over the whole validation set."""
    run, rows, _, lora = _ours(name, work, 1, "valid")
    import mlx.core as mx

    adapter = mx.load(str(work / "adapter/adapters.safetensors"))
    run.model.load_weights([(key, value.astype(mx.float32)) for key, value in adapter.items()], strict=False)
    print(lora.validate(run, rows))


def half(work: Path, tokenizer: Path) -> None:
    """Write four random layers of Qwen2.5-0.5B's shape, and chats of 256 tokens, a fifth of them prompt."""
    from distill.model import engine
    from distill.model.chat_tokenizer import VOCABULARY

    engine.start()
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models.qwen2 import Model, ModelArgs

    folder = work / "student"
    folder.mkdir()
    config = json.loads((tokenizer / "config.json").read_text())
    config |= {"hidden_size": 896, "num_hidden_layers": 4, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2}
    (folder / "config.json").write_text(json.dumps(config))
    for name in VOCABULARY:
        if (tokenizer / name).exists():
            (folder / name).write_bytes((tokenizer / name).read_bytes())
    mx.random.seed(1)
    mx.save_safetensors(
        str(folder / "model.safetensors"), dict(tree_flatten(Model(ModelArgs.from_dict(config)).parameters())), {"format": "mlx"}
    )
    write_chats(work / "corpus", folder, (256, 40), {"train": 20, "valid": 4})


def write_chats(corpus: Path, student: Path, size: tuple[int, int], counts: dict[str, int]) -> None:
    """Write chats of drawn digits, each a token: `size` tokens in all, and digits of the question."""
    from random import Random

    from distill.core.files import write_records
    from distill.model.chat_tokenizer import ChatTokenizer
    from distill.records.example import Example, Message

    draw, tokens = Random(1), ChatTokenizer(student)

    def chat(number: int, length: int) -> Example:
        text = "".join(draw.choices("0123456789", k=size[1] + length))
        return Example(f"{number:03}", [Message("user", text[: size[1]]), Message("assistant", text[size[1] :])])

    length = size[0] - len(tokens.example(chat(0, 0).messages)[0])
    corpus.mkdir()
    for part, count in counts.items():
        write_records(corpus / f"{part}.jsonl", [chat(number, length) for number in range(count)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["mini", "half"], action="append")
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--loss", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--half", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.side:
        train(words.side[0], words.side[1], Path(words.side[2]), int(words.side[3]))
    elif words.loss:
        loss(words.loss[0], Path(words.loss[1]))
    elif words.half:
        half(*map(Path, words.half))
    else:
        main(words.rounds, words.only or ["mini", "half"])
