"""The folders of an exported adapter: for PEFT, merged in the hub's layout, or as a GGUF file. Call `engine.start()` before."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm.utils import save_config, save_model

from distill.core.files import read_json, write_text
from distill.export import gguf_model, peft_adapter
from distill.export.terms import OWN, Base
from distill.model.chat_tokenizer import VOCABULARY
from distill.model.hub_student import FILES
from distill.model.model_io import weights
from distill.training.adapter import merge

ADAPTER = ("adapters.safetensors", "adapter_config.json")


def peft(student: Path, adapter: Path, out: Path, base: Base, float32: bool) -> None:
    """Write adapter_model.safetensors, adapter_config.json and the tokenizer; the base beside them where it is in no repository."""
    out.mkdir(parents=True, exist_ok=True)
    arrays = mx.load(str(adapter / ADAPTER[0]))
    config = read_json(student / "config.json")
    mx.save_safetensors(str(out / "adapter_model.safetensors"), peft_adapter.tensors(arrays), {"format": "pt"})
    about = peft_adapter.config(read_json(adapter / ADAPTER[1]), list(arrays), base.name, base.revision, config["num_hidden_layers"])
    write_text(out / ADAPTER[1], json.dumps(about, indent=2) + "\n")
    _copy(student, out, VOCABULARY)
    if base.own and "quantization" in config:
        model, plain = weights(student, float32, dequantize=True)
        save_model(out / OWN, model)
        save_config(plain, out / OWN / "config.json")
        _copy(student, out / OWN, VOCABULARY)
    elif base.own:
        (out / OWN).mkdir()
        _copy(student, out / OWN, FILES)


def merged(student: Path, adapter: Path, out: Path, float32: bool) -> None:
    """Write the student with the adapter merged into its weights, dequantised first where they are quantised.

    The product of the adapter's matrices is computed in float32, and rounded once where the weights have 16 bits.
    """
    with tempfile.TemporaryDirectory() as folder:
        wide = {name: array.astype(mx.float32) for name, array in mx.load(str(adapter / ADAPTER[0])).items()}
        mx.save_safetensors(str(Path(folder, ADAPTER[0])), wide, {"format": "mlx"})
        _copy(adapter, Path(folder), ADAPTER[1:])
        merge(student, Path(folder), float32)
        shutil.copytree(Path(folder, "merged"), out, dirs_exist_ok=True)


def gguf(student: Path, adapter: Path, out: Path, name: str, float32: bool) -> None:
    """Write NAME.gguf: matrices of 16 bits where the merged student has 16, else of 32; vectors of 32 bits, as llama.cpp wants them."""
    gguf_model.check(student)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        merged(student, adapter, Path(folder), float32)
        arrays = {key: array for file in sorted(Path(folder).glob("*.safetensors")) for key, array in mx.load(str(file)).items()}
        half = any(array.dtype != mx.float32 for array in arrays.values() if array.ndim > 1)
        found = gguf_model.tensors(arrays, read_json(Path(folder, "config.json")))
        wide = {key: array.astype(mx.float16 if half and array.ndim > 1 else mx.float32) for key, array in found.items()}
        about = gguf_model.metadata(Path(folder), name, half)
        mx.save_gguf(str(out / f"{name}.gguf"), wide, {key: _value(value) for key, value in about.items()})


def _value(value: Any) -> Any:
    """Return a value of metadata as MLX writes it: texts as they are, numbers with a type."""
    listed = value if isinstance(value, list) else [value]
    if isinstance(listed[0], str):
        return value
    kinds = {bool: mx.bool_, float: mx.float32, int: mx.int32 if isinstance(value, list) else mx.uint32}
    return mx.array(value, dtype=kinds[type(listed[0])])


def _copy(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    for file in sorted({file for pattern in patterns for file in source.glob(pattern)}):
        shutil.copyfile(file, target / file.name)
