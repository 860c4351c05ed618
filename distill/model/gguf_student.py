"""A student from a GGUF file of a llama or Qwen2 model: the folder that `mlx_lm.load` opens, with exactly the file's values.

`float32` widens them; `as_published` keeps what MLX's own layout holds exactly: blocks of 4 and 8 bits with their float16 scales.
"""

import json
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from distill.core.errors import InputError
from distill.model import engine, gguf_header, gguf_tokenizer, pinned_files
from distill.model.gguf_header import FORMATS, Header

MODULES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
BIASES = {"llama": (), "qwen2": ("attn_q", "attn_k", "attn_v")}  # architectures that are read, and which modules have a bias
BLOCK, BITS = 32, {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}


class Gguf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind gguf."""

    kind: str
    file: str  # its path in the wheel; without a package a path here or below JOB_MIRROR
    file_sha256: pinned_files.Sha256
    dtype: Literal["float32", "as_published"]
    template: Literal["file", "chatml"]  # the file's chat template, or ChatML, which adds no system turn of its own
    package: pinned_files.Name | UnsetType = UNSET  # of the package index; with version and sha256, or none of the three
    version: pinned_files.Version | UnsetType = UNSET
    sha256: pinned_files.Sha256 | UnsetType = UNSET  # of the wheel

    def __post_init__(self) -> None:
        if len({self.package is UNSET, self.version is UNSET, self.sha256 is UNSET}) > 1:
            raise ValueError("package, version and sha256 belong together; give all three or none")


def find(params: Gguf, work: Path) -> Path:
    """Return the file that a study names, checked; `work` is where a package's wheel is kept until the student is written."""
    if params.package and params.version and params.sha256:
        package = pinned_files.Package(params.package, params.version, params.sha256)
        return pinned_files.from_package(package, params.file, params.file_sha256, work)
    source = pinned_files.place(params.file)
    pinned_files.check({source: params.file_sha256})
    return source


def write(source: Path, folder: Path, dtype: str, template: str) -> int:
    """Convert the file into `folder`; return how many tensors it has."""
    header = gguf_header.read(source)
    config, names = _config(source, header), _names(source, header)
    engine.start()
    import mlx.core as mx

    gguf_tokenizer.write(source, header.metadata, folder, template)
    try:
        arrays = dict(mx.load(str(source)))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{source}: MLX cannot read it ({' '.join(str(error).split())})") from None
    weights: dict[str, Any] = {}
    for name, (module, part) in names.items():
        found = {each: arrays.pop(f"{name.rpartition('.')[0]}.{each}") for each in _parts(header.tensors[name].format, part)}
        if config["model_type"] == "llama" and (kind := name.split(".")[-2]) in ("attn_q", "attn_k"):
            heads = config["num_attention_heads" if kind == "attn_q" else "num_key_value_heads"]
            found = {each: _unpermuted(rows, heads) for each, rows in found.items()}
        if dtype == "float32":
            found = {part: _widened(found, part, header.tensors[name].format)}
        weights |= {f"{module}.{each}": rows for each, rows in found.items()}
    formats = {module: header.tensors[name].format for name, (module, _) in names.items()}
    quantization = {} if dtype == "float32" else _quantization(formats)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(sorted(weights.items())), {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config | quantization, indent=2, sort_keys=True) + "\n")
    _check(source, folder)
    return len(names)


def _config(source: Path, header: Header) -> dict[str, Any]:
    """Return the config.json that the metadata gives, its sizes held against the tensors."""
    about, tensors = header.metadata, header.tensors
    architecture = about.get("general.architecture")
    if architecture not in BIASES:
        raise InputError(f"{source}: the architecture is {architecture!r}; read are {', '.join(BIASES)}: take another student")

    def number(key: str, kind: type, default: Any = None) -> Any:
        found = about.get(f"{architecture}.{key}", default)
        if type(found) not in (kind,) or not 0 < found < 1 << 32:
            raise InputError(f"{source}: {architecture}.{key} is {found!r}, expected a positive {kind.__name__}; take a whole file")
        return found

    if (scaling := about.get(f"{architecture}.rope.scaling.type", "none")) != "none":
        raise InputError(f"{source}: positions are scaled ({architecture}.rope.scaling.type is {scaling}), which is not read")
    hidden, heads = number("embedding_length", int), number("attention.head_count", int)
    head = number("attention.key_length", int, number("rope.dimension_count", int, hidden // heads))
    config: dict[str, Any] = {
        "model_type": architecture,
        "architectures": [{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}[architecture]],
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": number("feed_forward_length", int),
        "num_hidden_layers": number("block_count", int),
        "num_attention_heads": heads,
        "num_key_value_heads": number("attention.head_count_kv", int, heads),
        "head_dim": head,
        "max_position_embeddings": number("context_length", int),
        "rms_norm_eps": _shortest(number("attention.layer_norm_rms_epsilon", float)),
        "rope_theta": _shortest(number("rope.freq_base", float, 10000.0)),
        "tie_word_embeddings": "output.weight" not in tensors,
        "vocab_size": tensors["token_embd.weight"].shape[0] if "token_embd.weight" in tensors else 0,
        "torch_dtype": "float32",
    }
    expected = {
        "token_embd.weight": (config["vocab_size"], hidden),
        "blk.0.attn_q.weight": (heads * head, hidden),
        "blk.0.attn_k.weight": (config["num_key_value_heads"] * head, hidden),
        "blk.0.ffn_up.weight": (config["intermediate_size"], hidden),
    }
    for name, shape in expected.items():
        if name not in tensors or tensors[name].shape != shape:
            found = tensors[name].shape if name in tensors else "not there"
            raise InputError(f"{source}: tensor {name} is {found}, by the metadata {shape}; take a whole file")
    if len(tokens := about.get("tokenizer.ggml.tokens") or ()) > config["vocab_size"]:
        raise InputError(f"{source}: {len(tokens)} tokens, but token_embd.weight has {config['vocab_size']} rows; take a whole file")
    if heads % config["num_key_value_heads"] or head % 2 or (architecture == "qwen2" and head * heads != hidden):
        raise InputError(f"{source}: {heads} heads of {head} in {config['num_key_value_heads']} groups, which no {architecture} has")
    return config


def _names(source: Path, header: Header) -> dict[str, tuple[str, str]]:
    """Return the module and the part (weight or bias) of each tensor; one without a place, or of another type, is an InputError."""
    about = header.metadata
    architecture, found = about["general.architecture"], dict[str, tuple[str, str]]()
    for name, tensor in header.tensors.items():
        if tensor.format not in FORMATS:
            raise InputError(f"{source}: tensor {name} is {tensor.format}; read are {', '.join(FORMATS)}: take another file of this model")
        block = re.fullmatch(r"blk\.(\d{1,6})\.(\w+)\.(weight|bias)", name)
        if block and block[2] in MODULES and int(block[1]) < about[f"{architecture}.block_count"]:
            place, kind, part = f"model.layers.{int(block[1])}.{MODULES[block[2]]}", block[2], block[3]
        else:
            kind, _, part = name.rpartition(".")
            place = WHOLE.get(kind, "")
        if not place or not (part == "weight" or kind in BIASES[architecture]):
            raise InputError(f"{source}: tensor {name} has no place in a {architecture} of {about[f'{architecture}.block_count']} blocks")
        if part == "bias" and tensor.format not in ("F32", "F16"):
            raise InputError(f"{source}: tensor {name} is {tensor.format}, expected F32 or F16")
        found[name] = (place, part)
    each = len(MODULES) + len(BIASES[architecture])
    wanted = about[f"{architecture}.block_count"] * each + 2 + ("output.weight" in header.tensors)
    if len(found) != wanted:
        raise InputError(f"{source}: {len(found)} tensors, {wanted} make a {architecture} of its size; take a whole file")
    return found


def _parts(format: str, part: str) -> tuple[str, ...]:
    """Return what MLX reads a tensor as."""
    return ("weight", "scales", "biases") if format in BITS else (part,)


def _unpermuted(rows: Any, heads: int) -> Any:
    """Undo llama.cpp's order of a head's rows: it has the halves of each rotated pair side by side."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _widened(found: dict[str, Any], part: str, format: str) -> Any:
    """Return the values in float32; scale x code + offset is rounded once, as ggml does."""
    import mlx.core as mx

    if format not in BITS:
        return found[part].astype(mx.float32)
    scales, offsets = (found[each].astype(mx.float32) for each in ("scales", "biases"))
    return mx.dequantize(found["weight"], scales, offsets, group_size=BLOCK, bits=BITS[format])


def _quantization(formats: dict[str, str]) -> dict[str, Any]:
    """Return the entry of config.json that says how many bits each module has."""
    bits = {module: BITS[format] for module, format in formats.items() if format in BITS}
    if not bits:
        return {}
    most = max(sorted(set(bits.values())), key=list(bits.values()).count)
    others = {module: {"group_size": BLOCK, "bits": each} for module, each in bits.items() if each != most}
    return {"quantization": {"group_size": BLOCK, "bits": most} | others}


def _shortest(value: float) -> float:
    """Return the shortest decimal of a float32: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def _check(source: Path, folder: Path) -> None:
    """Open the written folder as training does, without computing anything."""
    from mlx_lm.utils import load_model

    try:
        load_model(folder, lazy=True)
    except ValueError as error:
        raise InputError(f"{source}: its tensors make no model ({' '.join(str(error).split())[:200]}); take a whole file") from None
