"""A student's weights on disk, with or without an adapter; call `engine.start()` before loading them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from distill.model.checked_load import load_adapters, load_model

WEIGHTS = ("config.json", "model*.safetensors")


def folder_sha256(folder: Path, patterns: Sequence[str] = ("*",)) -> str:
    """Return the sha256 of the names and contents of a folder's files that match; none is an InputError."""
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if not files:
        raise InputError(f"{folder}: no {' or '.join(patterns)} here; run `dvc repro` for the stage that makes it, or `dvc pull`")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def weights(folder: Path, float32: bool, dequantize: bool = False) -> tuple[Any, dict[str, Any]]:
    """Load a student's model and config; `dequantize` gives quantised weights 16 bits, `float32` every weight 32."""
    import mlx.core as mx
    from mlx_lm.utils import dequantize_model

    model, config = load_model(folder)
    if float32 or (dequantize and "quantization" in config):
        model = dequantize_model(model)
        config = {key: value for key, value in config.items() if not key.startswith("quantization")}
    if float32:
        model.set_dtype(mx.float32)
        mx.eval(model.parameters())
        config = config | {"torch_dtype": "float32"}
    return model, config


def adapted(folder: Path, adapter: Path | None, float32: bool, fuse: bool, dequantize: bool = False) -> tuple[Any, dict[str, Any]]:
    """Load a student with an adapter; `fuse` adds the adapter's weights to the student's own (in float32 the same, and faster)."""
    import mlx.core as mx
    from mlx.utils import tree_unflatten

    model, config = weights(folder, float32, dequantize)
    if adapter is not None:
        load_adapters(model, str(adapter))
        if float32:
            model.set_dtype(mx.float32)
        if fuse:
            layers = [(name, layer.fuse()) for name, layer in model.named_modules() if hasattr(layer, "fuse")]
            model.update_modules(tree_unflatten(layers))
    mx.eval(model.parameters())
    model.eval()
    return model, config
