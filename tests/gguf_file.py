"""GGUF files of tiny random models, written from the format's description alone, with the values that they stand for."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_model

HIDDEN, LAYERS, HEADS, GROUPS, INNER = 64, 2, 4, 2, 96
TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8, "Q4_K": 12, "BF16": 30}
Array = Any


def blocks(values: Array, kind: str) -> tuple[bytes, Array]:
    """Return the bytes of a tensor and the float32 values that they stand for."""
    if kind == "F32":
        return values.astype("<f4").tobytes(), values.astype(np.float32)
    if kind == "F16":
        return values.astype("<f2").tobytes(), values.astype("<f2").astype(np.float32)
    rows = values.reshape(-1, 32)
    low = rows.min(1, keepdims=True) if kind == "Q4_1" else np.zeros((len(rows), 1))
    span = {"Q4_0": np.abs(rows).max(1, keepdims=True) / 7, "Q4_1": (rows.max(1, keepdims=True) - low) / 15}
    scale = span.get(kind, np.abs(rows).max(1, keepdims=True) / 127).astype("<f2")
    low = low.astype("<f2")
    codes = np.round((rows - low) / scale.astype(np.float64))
    codes = np.clip(codes, *{"Q4_0": (-8, 7), "Q4_1": (0, 15), "Q8_0": (-127, 127)}[kind])
    found = codes.astype(np.float32) * scale.astype(np.float32) + low.astype(np.float32)
    if kind == "Q8_0":
        parts = [scale.view(np.uint8), codes.astype(np.int8).view(np.uint8)]
    else:
        nibbles = (codes + (8 if kind == "Q4_0" else 0)).astype(np.uint8)
        packed = nibbles[:, :16] | nibbles[:, 16:] << 4  # the first half of a block in the low bits
        parts = [scale.view(np.uint8), *([low.view(np.uint8)] if kind == "Q4_1" else []), packed]
    return np.hstack(parts).tobytes(), found.reshape(values.shape)


def string(text: str) -> bytes:
    """Return a string as GGUF has it."""
    return struct.pack("<Q", len(text.encode())) + text.encode()


def value(thing: Any) -> bytes:
    """Return a value of metadata with its type."""
    if isinstance(thing, str):
        return struct.pack("<I", 8) + string(thing)
    if isinstance(thing, bool):
        return struct.pack("<I?", 7, thing)
    if isinstance(thing, int):
        return struct.pack("<II", 4, thing)
    if isinstance(thing, float):
        return struct.pack("<If", 6, thing)
    inner = value(thing[0])[:4]
    return struct.pack("<I", 9) + inner + struct.pack("<Q", len(thing)) + b"".join(value(each)[4:] for each in thing)


def write(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, tuple[tuple[int, ...], str, bytes]], alignment: int = 32) -> Path:
    """Write a file of tensors (shape, type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(string(key) + value(thing) for key, thing in metadata.items())
    body = b""
    for name, (shape, kind, data) in tensors.items():
        body += b"\0" * (-len(body) % alignment)
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], TYPES[kind], len(body))
        body += data
    path.write_bytes(head + b"\0" * (-len(head) % alignment) + body)
    return path


def metadata(architecture: str, **changes: Any) -> dict[str, Any]:
    """Return the metadata of a tiny model; a change to None takes a key out."""
    learnt = json.loads(tiny_model.tokenizer(300).to_str())["model"]
    tokens = sorted(learnt["vocab"], key=learnt["vocab"].get)
    sizes = {"embedding_length": HIDDEN, "block_count": LAYERS, "feed_forward_length": INNER, "context_length": 512}
    sizes |= {"attention.head_count": HEADS, "attention.head_count_kv": GROUPS}
    found = {"general.architecture": architecture} | {f"{architecture}.{key}": size for key, size in sizes.items()}
    found |= {f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5, f"{architecture}.rope.freq_base": 10000.0}
    found |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": tokens}
    found |= {"tokenizer.ggml.merges": [" ".join(pair) for pair in learnt["merges"]]}
    found |= {"tokenizer.ggml.token_type": [3 if token in tiny_model.SPECIAL else 1 for token in tokens]}
    found |= {"tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_bos_token": False, "tokenizer.chat_template": tiny_model.TEMPLATE}
    return {key: thing for key, thing in (found | changes).items() if thing is not None}


def model(architecture: str, kind: str, words: str, tied: bool) -> tuple[dict[str, tuple[tuple[int, ...], str, bytes]], dict[str, Array]]:
    """Return the tensors of a random model, matrices of type `kind`, embeddings of type `words`, and its weights by their names in MLX."""
    draw = np.random.default_rng(8)
    shapes = {"attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN // 2, HIDDEN), "attn_v": (HIDDEN // 2, HIDDEN), "attn_output": (HIDDEN, HIDDEN)}
    shapes |= {"ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN), "ffn_down": (HIDDEN, INNER)}
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj"}
    names |= {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    tensors: dict[str, tuple[tuple[int, ...], str, bytes]] = {}
    weights: dict[str, Array] = {}

    def add(name: str, place: str, shape: tuple[int, ...], kind: str, heads: int = 0) -> None:
        data, found = blocks(draw.normal(0, 0.3, shape), kind)
        tensors[name] = (shape, kind, data)
        if heads:  # the file has row 2 i + j of a head where the model has row j x half + i
            rows = [
                head * (half := shape[0] // heads) + 2 * (row % (half // 2)) + row // (half // 2) for head, row in _rows(shape[0], heads)
            ]
            found = found[rows]
        weights[place] = found

    add("token_embd.weight", "model.embed_tokens.weight", (300, HIDDEN), words)
    add("output_norm.weight", "model.norm.weight", (HIDDEN,), "F32")
    if not tied:
        add("output.weight", "lm_head.weight", (300, HIDDEN), words)
    for layer in range(LAYERS):
        for name, place in (("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")):
            add(f"blk.{layer}.{name}.weight", f"model.layers.{layer}.{place}.weight", (HIDDEN,), "F32")
        for name, shape in shapes.items():
            turned = {"attn_q": HEADS, "attn_k": GROUPS}.get(name, 0) if architecture == "llama" else 0
            add(f"blk.{layer}.{name}.weight", f"model.layers.{layer}.{names[name]}.weight", shape, kind, turned)
            if architecture == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                add(f"blk.{layer}.{name}.bias", f"model.layers.{layer}.{names[name]}.bias", shape[:1], "F32")
    return tensors, weights


def _rows(count: int, heads: int) -> list[tuple[int, int]]:
    return [divmod(row, count // heads) for row in range(count)]
