"""An adapter of mlx-lm as PEFT takes it: the same two matrices of each layer, turned, under PEFT's names.

mlx-lm adds scale * (x @ a @ b) to a layer's output, with a (inputs, rank) and b (rank, outputs); PEFT adds alpha / r * (x @ A.T @ B.T),
with A (r, inputs) and B (outputs, r). So A is a turned, B is b turned, r is the rank and alpha is scale * rank.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from distill.core.errors import InputError

PARTS = {"lora_a": "lora_A.weight", "lora_b": "lora_B.weight"}
IN_A_BLOCK = re.compile(r"(?:.+\.)?layers\.(\d+)\.(?:.+\.)?(\w+)")  # a module's name: number of the block, last word


def tensors(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return PEFT's tensors of those of an adapters.safetensors (any arrays with `ndim`, `shape` and `T`)."""
    found = {}
    for name, array in sorted(arrays.items()):
        module, _, part = name.rpartition(".")
        if part not in PARTS or array.ndim != 2:
            what = f"{part} of shape {tuple(array.shape)}"
            raise InputError(f"adapter: {name} is {what}; PEFT takes LoRA of linear layers: lora_a and lora_b; export it merged")
        if "embed" in module.rpartition(".")[2]:
            raise InputError(f"adapter: {name} is of an embedding, which PEFT stores in another way; export it merged")
        found[f"base_model.model.{module}.{PARTS[part]}"] = array.T
    return found


def config(adapter: Mapping[str, Any], names: Collection[str], base: str, revision: str, blocks: int) -> dict[str, Any]:
    """Return PEFT's adapter_config.json of mlx-lm's, of the names of its tensors, and of the base: its name, revision and blocks."""
    if (kind := adapter.get("fine_tune_type", "lora")) != "lora":
        raise InputError(f"adapter: fine_tune_type is {kind!r}; PEFT takes lora: export it merged")
    settings = adapter["lora_parameters"]
    alpha = settings["scale"] * settings["rank"]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "revision": revision or None,
        "r": settings["rank"],
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "lora_dropout": settings["dropout"],
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    } | targets({name.rpartition(".")[0] for name in names}, blocks)


def targets(modules: Collection[str], blocks: int) -> dict[str, Any]:
    """Return which layers have LoRA, in PEFT's keys: their last words, and the blocks where these are not all.

    Where the blocks have different layers, or a layer outside them has LoRA, every layer is named in full.

    >>> targets(["model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"], 2)
    {'target_modules': ['down_proj', 'up_proj'], 'layers_to_transform': [1], 'layers_pattern': 'layers'}
    >>> targets(["lm_head", "model.layers.0.mlp.up_proj"], 1)
    {'target_modules': ['lm_head', 'model.layers.0.mlp.up_proj']}
    """
    places = [(int(found[1]), found[2]) for name in modules if (found := IN_A_BLOCK.fullmatch(name))]
    layers, words = sorted({layer for layer, _ in places}), sorted({word for _, word in places})
    if len(places) < len(modules) or len(set(places)) < len(layers) * len(words):
        return {"target_modules": sorted(modules)}
    return {"target_modules": words} | ({} if len(layers) == blocks else {"layers_to_transform": layers, "layers_pattern": "layers"})
