"""Compare exported adapters with MLX in the engines that they are for: `python -m bench.export_peers --packages FOLDER`.

It needs what the project does not: `pip install --target FOLDER torch peft`, and llama-cpp-python for GGUF; an engine that is missing is
named and left out. MLX computes the logits of five prompts, every position, from the student with its adapter beside it. The same tokens
go to transformers with PEFT, to transformers with the merged student, and to llama.cpp, all in float32. A figure is the largest difference
of a logit. `mini` is adapter r1-1, `gsm8k` adapter cot-1 (SmolLM2-135M), `qwen2_4bit` the adapter of mini on its student quantised to 4
bits, which MLX leaves quantised. A process each: MLX's BLAS and torch's do not meet. The figures go into metrics/export.json.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.record import PACKAGES, record

ROOT = Path(__file__).parents[1]
FILE = ROOT / "metrics" / "export.json"
NEEDED = {"peft": ("torch", "transformers", "peft"), "merged": ("torch", "transformers"), "gguf": ("llama_cpp",)}
VERSIONS = (*PACKAGES, "transformers", "torch", "peft", "llama-cpp-python")
PROMPTS = (
    "Find 65 percent of 280.",
    "A bag holds 7 red and 5 blue balls. How many balls?",
    "What is the units digit of 23^{51}?",
    "A shop sold 48 clips in April and half as many in May. How many did it sell in both months?",
    "Find the sum of the squares of the roots of x^2 - 12x + 10 = 0.",
)
ADAPTERS = {"mini": ("mini", "r1-1"), "gsm8k": ("gsm8k", "cot-1"), "qwen2_4bit": ("mini", "r1-1")}


def main(names: Sequence[str], packages: Sequence[str]) -> None:
    """Measure each adapter that is here; print and record."""
    sys.path.extend(packages)
    for name in names:
        study, cell = ADAPTERS[name]
        student, adapter = ROOT / "models" / study / "student", ROOT / "models" / study / "adapters" / cell
        if not (student.is_dir() and adapter.is_dir()):
            print(f"bench.export_peers: {name} left out, {student} or {adapter} is not here: make pull S={study}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            figures = differences(student, adapter, Path(folder), packages, bits=4 if name == "qwen2_4bit" else 0)
        print(name, figures)
        record(name, figures, path=FILE, packages=VERSIONS)


def differences(student: Path, adapter: Path, work: Path, packages: Sequence[str], bits: int = 0) -> dict[str, Any]:
    """Export an adapter in every form; return the largest difference of a logit from MLX's in each engine that is here.

    `bits`: the student is quantised to so many first.
    """
    run("ours", student, adapter, work, str(bits))
    with np.load(work / "ours.npz") as kept:
        ours = dict(kept)
    figures: dict[str, Any] = {"largest_logit": max(float(np.abs(logits).max()) for logits in ours.values())}
    for form in NEEDED:
        if absent := missing(form, packages):
            print(f"bench.export_peers: {form} left out, {' and '.join(absent)} not installed", file=sys.stderr)
            continue
        run(form, work / form, work, packages=packages)
        with np.load(work / f"{form}.npz") as found:
            figures[form] = max(float(np.abs(ours[key] - found[key]).max()) for key in ours)
    return figures


def missing(form: str, packages: Sequence[str]) -> list[str]:
    """Return the packages of an engine that are neither installed nor in one of the folders."""
    return [
        name
        for name in NEEDED[form]
        if importlib.util.find_spec(name) is None and not any((Path(folder) / name).is_dir() for folder in packages)
    ]


def run(side: str, *words: Path | str, packages: Sequence[str] = ()) -> None:
    """Run one side in a process of its own."""
    given = [word for folder in packages for word in ("--packages", folder)]
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-m", "bench.export_peers", *given, "--side", side, *map(str, words)], cwd=ROOT, env=offline, check=True
    )


def ours(student: Path, adapter: Path, work: Path, bits: int) -> None:
    """Write tokens, texts and MLX's logits, and the adapter in every form."""
    from distill.model import engine, hub_student

    engine.start()
    import mlx.core as mx

    from distill.export import writers
    from distill.export.terms import OWN, Base
    from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
    from distill.model.model_io import adapted
    from distill.records.example import Message

    if bits:
        source, student = student, work / "quantised"
        student.mkdir()
        hub_student.write_quantised(source, student, hub_student.Quantize(bits=4, group_size=32))
        for file in (source / name for name in VOCABULARY if (source / name).exists()):
            shutil.copy(file, student)
    model, _ = adapted(student, adapter, float32=not bits, fuse=False)
    tokenizer = ChatTokenizer(student)
    tokens = [tokenizer.prompt([Message("user", prompt)]) for prompt in PROMPTS]
    logits = {str(number): np.array(model(mx.array([row]))[0].astype(mx.float32)) for number, row in enumerate(tokens)}
    np.savez(work / "ours.npz", **logits)
    (work / "prompts.json").write_text(json.dumps({"tokens": tokens, "texts": [tokenizer.decode(row) for row in tokens]}))
    writers.peft(student, adapter, work / "peft", Base(OWN, "", "", ""), float32=True)
    writers.merged(student, adapter, work / "merged", float32=True)
    writers.gguf(student, adapter, work / "gguf", "model", float32=True)


def torch_side(form: str, folder: Path, work: Path) -> None:
    """Write the logits of transformers, with PEFT or of the merged student, as the cards load them."""
    import torch
    from transformers import AutoModelForCausalLM

    if form == "peft":
        from peft import PeftModel

        model = AutoModelForCausalLM.from_pretrained(folder / "student", dtype=torch.float32)
        model = PeftModel.from_pretrained(model, folder)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = json.loads((work / "prompts.json").read_text())["tokens"]
    with torch.no_grad():
        logits = {str(number): model.eval()(torch.tensor([row])).logits[0].numpy() for number, row in enumerate(tokens)}
    np.savez(work / f"{form}.npz", **logits)


def llama_cpp(folder: Path, work: Path) -> None:
    """Write llama.cpp's logits, keys and values in float32; it must cut the prompts' texts into the same tokens."""
    from llama_cpp import GGML_TYPE_F32, Llama

    kept = {"type_k": GGML_TYPE_F32, "type_v": GGML_TYPE_F32}
    model = Llama(str(folder / "model.gguf"), n_ctx=512, logits_all=True, verbose=False, n_threads=1, **kept)
    prompts, logits = json.loads((work / "prompts.json").read_text()), {}
    for number, (row, text) in enumerate(zip(prompts["tokens"], prompts["texts"], strict=True)):
        if (cut := model.tokenize(text.encode(), add_bos=False, special=True)) != row:
            raise SystemExit(f"llama.cpp cuts {text!r} into {cut}, expected {row}")
        model.reset()
        model.eval(row)
        logits[str(number)] = np.array(model.scores[: len(row)])
    np.savez(work / "gguf.npz", **logits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--packages", action="append", default=[], help="where torch, peft and llama_cpp lie")
    parser.add_argument("--only", choices=ADAPTERS, action="append")
    parser.add_argument("--side", nargs="+", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if not words.side:
        main(words.only or list(ADAPTERS), words.packages)
    elif words.side[0] == "ours":
        ours(*map(Path, words.side[1:4]), int(words.side[4]))
    else:
        sys.path.extend(words.packages)
        if words.side[0] == "gguf":
            llama_cpp(*map(Path, words.side[1:]))
        else:
            torch_side(words.side[0], *map(Path, words.side[1:]))
