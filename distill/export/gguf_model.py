"""A llama, Qwen2 or Qwen3 with its tokenizer as llama.cpp takes it: names and order of the tensors, and the metadata of a GGUF file.

mlx-lm's own exporter calls every tokenizer SentencePiece, so that a byte-level one cuts texts otherwise in llama.cpp; it knows no Qwen.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from distill.core.files import read_json
from distill.export import gguf_vocabulary
from distill.export.gguf_vocabulary import OTHERWISE
from distill.model.gguf_student import MODULES, WHOLE

QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}  # of Qwen3
NEEDED = (
    "max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "num_key_value_heads",
    "vocab_size", "rms_norm_eps",
)  # fmt: skip
PARTS = {"llama": MODULES, "qwen2": MODULES, "qwen3": MODULES | QK_NORMS}  # architectures that go


def check(folder: Path) -> None:
    """Raise an InputError where a student is none that goes."""
    config = read_json(folder / "config.json")
    kind, scaling = config.get("model_type"), config.get("rope_scaling") or config.get("rope_parameters", {}).get("rope_type", "default")
    if kind not in PARTS:
        raise InputError(f"{folder}: the architecture is {kind!r}; as GGUF go {', '.join(PARTS)}; {OTHERWISE}")
    if scaling != "default":
        raise InputError(f"{folder}: positions are scaled ({scaling}); {OTHERWISE}")
    if absent := [key for key in NEEDED if key not in config]:
        raise InputError(f"{folder / 'config.json'}: no {absent[0]}, which a GGUF file states; {OTHERWISE}")


def tensors(weights: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights (any arrays with `reshape` and `swapaxes`) under llama.cpp's names; llama's queries and keys in its order."""
    kind = config["model_type"]
    blocks, whole = {module: name for name, module in PARTS[kind].items()}, {module: name for name, module in WHOLE.items()}
    turned = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]} if kind == "llama" else {}
    found = {}
    for name, array in sorted(weights.items()):
        module, _, end = name.rpartition(".")
        _, _, rest = module.partition("model.layers.")
        layer, _, part = rest.partition(".")
        place = f"blk.{layer}.{blocks[part]}" if part in blocks else whole.get(module)
        if place is None or end not in ("weight", "bias"):
            raise InputError(f"{name} has no place in a {kind} of llama.cpp; {OTHERWISE}")
        found[f"{place}.{end}"] = _interleaved(array, turned[part.rpartition(".")[2]]) if part.rpartition(".")[2] in turned else array
    return found


def _interleaved(rows: Any, heads: int) -> Any:
    """Return the rows of queries or keys in the order of llama.cpp's llama, whose rotated pairs are neighbours."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def metadata(folder: Path, name: str, half: bool) -> dict[str, Any]:
    """Return the metadata of a student's folder: text, numbers, true or false, and lists of them; `half`: its matrices have 16 bits."""
    config = read_json(folder / "config.json")
    kind, heads = config["model_type"], config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    sizes = {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": head,
        "attention.value_length": head,
        "rope.dimension_count": head,
        "vocab_size": config["vocab_size"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config.get("rope_theta") or config.get("rope_parameters", {}).get("rope_theta", 10_000.0)),
    }
    about = {"general.architecture": kind, "general.name": name, "general.file_type": int(half)}
    return about | {f"{kind}.{key}": value for key, value in sizes.items()} | gguf_vocabulary.metadata(folder, config["vocab_size"])
