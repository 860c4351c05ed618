"""Decoding with a float32 llama or Qwen2 on a CPU: mlx-lm's mathematics with the exponentials of `distill.model.fast_math`.

MLX's own exponentials are about two fifths of a decoding step where the model is small. Import after `engine.start()`.

A product of many keys with the few queries of their group is a stack of small products, each of which OpenBLAS packs first. With the keys
as its left side it takes two thirds of the time; up to three queries a group give the same bits on either side.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models import llama, qwen2

from distill.model.fast_math import LOG2_E, sigmoid_denominator, softmax_terms, supports

HIDDEN = mx.array(-1e9)  # a score that no query sees


class Attention(nn.Module):
    """Their attention; of one token a row with fewer exponentials, else mlx-lm's."""

    def __init__(self, attention: llama.Attention | qwen2.Attention) -> None:
        super().__init__()
        self.attention = attention

    def __call__(self, x: mx.array, mask: mx.array | None = None, cache: Any = None) -> mx.array:
        """(rows, 1, width) -> (rows, 1, width); `mask` is true where a row's key is seen, (rows, 1, 1, keys)."""
        whole = self.attention
        if x.shape[1] > 1 or cache is None:
            return whole(x, mask, cache)
        rows, groups = x.shape[0], whole.n_kv_heads
        queries = whole.q_proj(x).reshape(rows, whole.n_heads, 1, -1)
        keys, values = (project(x).reshape(rows, groups, 1, -1) for project in (whole.k_proj, whole.v_proj))
        queries = whole.rope(queries, offset=cache.offset).reshape(rows, groups, whole.n_heads // groups, -1)
        keys, values = cache.update_and_fetch(whole.rope(keys, offset=cache.offset), values)
        scores = (keys @ _padded(queries * (whole.scale * LOG2_E)).swapaxes(-1, -2)).swapaxes(-1, -2)
        weights = softmax_terms(scores if mask is None else mx.where(mask, scores, HIDDEN))
        found = (weights @ values) / weights.sum(-1, keepdims=True)
        return whole.o_proj(found[:, :, : queries.shape[2]].reshape(rows, 1, -1))


def _padded(queries: mx.array) -> mx.array:
    """Return three queries of each group with one of zeros: OpenBLAS multiplies four columns of values in less time than three."""
    return mx.pad(queries, [(0, 0), (0, 0), (0, 1), (0, 0)]) if queries.shape[2] == 3 else queries


class MLP(nn.Module):
    """Their gated layer."""

    def __init__(self, mlp: llama.MLP | qwen2.MLP) -> None:
        super().__init__()
        self.mlp = mlp

    def __call__(self, x: mx.array) -> mx.array:
        """(..., width) -> (..., width)."""
        gate = self.mlp.gate_proj(x)
        return self.mlp.down_proj(gate / sigmoid_denominator(gate) * self.mlp.up_proj(x))


def replace_layers(model: Any) -> Any:
    """Put the layers of this module into a plain float32 llama or Qwen2 on a CPU; return the model, any other as it is."""
    if supports(model):
        for layer in model.layers:
            layer.self_attn, layer.mlp = Attention(layer.self_attn), MLP(layer.mlp)
    return model
