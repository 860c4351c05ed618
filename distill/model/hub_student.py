"""A student from a snapshot of the hub: its config, tokenizer and safetensors, checked, and no file that could run code.

A 16-bit one is quantised here where the study asks for it, by mlx-lm's own function.
"""

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import msgspec
from safetensors import SafetensorError, safe_open

from distill.core.errors import InputError
from distill.core.files import read_json
from distill.model import engine
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from distill.model.model_io import WEIGHTS

INDEX = "model.safetensors.index.json"
NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")
FILES = (*WEIGHTS, INDEX, *VOCABULARY)


Bits = Literal[2, 3, 4, 5, 6, 8, 16]  # of a weight


class Quantize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the linear layers and the embeddings of a 16-bit student are quantised: bits a weight, weights that share a scale."""

    bits: Literal[2, 3, 4, 5, 6, 8]
    group_size: Literal[32, 64, 128]


def copy(source: Path, folder: Path, quantize: Quantize | None = None, bits: Bits | None = None) -> int:
    """Check a snapshot, copy a student's files from it into `folder`, quantised where asked; return how many files were read.

    `bits` are those that the study says the published weights have; another number is an InputError.
    """
    files = sorted({file for pattern in FILES for file in source.glob(pattern)})
    check(source, {file.name for file in files})
    check_bits(source, 16 if quantize else bits)
    for file in files:
        if not quantize or file.name in VOCABULARY:
            shutil.copyfile(file, folder / file.name)
    if quantize:
        write_quantised(source, folder, quantize)
    return len(files)


def check_bits(source: Path, wanted: Bits | None) -> None:
    """Raise an InputError unless the published weights have as many bits as the study says."""
    config = read_json(source / "config.json")
    quantised: dict[str, Any] = config.get("quantization") or config.get("quantization_config") or {}
    if wanted == 16 and quantised:
        how = quantised.get("quant_method") or f"{quantised.get('bits')} bits"
        raise InputError(
            f"{source / 'config.json'}: the weights are quantised already ({how}), wanted are 16 bits: take the 16-bit repository, "
            "or remove student.quantize and student.bits"
        )
    if wanted not in (None, 16) and quantised.get("bits") != wanted:
        found = f"{quantised.get('bits')} bits" if quantised else "not quantised"
        raise InputError(
            f"{source / 'config.json'}: the weights are {found}, student.bits says {wanted}: take the {wanted}-bit repository, "
            "or quantise a 16-bit one here with student.quantize"
        )


def write_quantised(source: Path, folder: Path, quantize: Quantize) -> None:
    """Write the weights and config of a 16-bit snapshot, quantised."""
    engine.start()
    import mlx.nn as nn
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model

    model, config = load_model(source, lazy=True)
    with redirect_stdout(io.StringIO()):  # it prints the bits a weight
        model, config = quantize_model(model, config, quantize.group_size, quantize.bits)
    layers = [layer for _, layer in model.named_modules()]
    if left := sum(isinstance(layer, nn.Linear) for layer in layers):
        raise InputError(
            f"{source}: {left} linear layers have a width that student.quantize.group_size, {quantize.group_size}, does not divide: "
            "take a smaller one"
        )
    save_model(folder, model, donate_model=True)
    save_config(config, folder / "config.json")


def check(source: Path, names: set[str]) -> None:
    """Raise an InputError unless the snapshot has whole weights, a tokenizer with a chat template, and needs no code of its own."""
    shards = {name for name in names if name.endswith(".safetensors")}
    wanted = set(read_json(source / INDEX)["weight_map"].values()) if INDEX in names else shards or {"model.safetensors"}
    if missing := sorted({*NEEDED, *wanted} - names):
        raise InputError(
            f"{source}: no {missing[0]} here; a student needs {', '.join(NEEDED)} and safetensors; download the whole snapshot"
        )
    if code := read_json(source / "config.json").get("model_file"):
        raise InputError(f"{source / 'config.json'}: the model needs code of its own, {code}, which is never run; take another student")
    for name in sorted(shards):
        try:
            safe_open(source / name, framework="numpy")
        except SafetensorError as error:
            raise InputError(f"{source / name}: not a whole safetensors file ({error}); delete it and download it again") from None
    ChatTokenizer(source)
