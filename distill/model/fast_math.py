"""What training and decoding of a float32 llama, Qwen2 or Qwen3 on a CPU share: exponentials out of additions and multiplications.

MLX's CPU backend takes 10 to 17 ns for an exponential and 0.1 to 0.2 ns for an addition. Import after `engine.start()`.
"""

import math
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models import llama, qwen2, qwen3

LOG2_E = math.log2(math.e)


def supports(model: Any) -> bool:
    """Return whether decoding may take the layers of `distill.sampling.fast_decode`: as `unsuited`, and no norm of queries and keys."""
    return not unsuited(model) and type(model) is not qwen3.Model


def unsuited(model: Any) -> str:
    """Return why `model` is not a plain float32 llama, Qwen2 or Qwen3 in one process on a CPU, without dropout; "" where it is one."""
    if mx.default_device() != mx.Device(mx.cpu):
        return "it runs on a GPU"
    if type(model) not in (llama.Model, qwen2.Model, qwen3.Model):
        return f"its architecture {model.model_type} is none of llama, qwen2 and qwen3"
    if mx.distributed.init().size() > 1:
        return "there are several processes"
    if other := {str(array.dtype) for _, array in tree_flatten(model.parameters())} - {str(mx.float32)}:
        return f"weights are {', '.join(sorted(other))}"
    layers = [layer for _, layer in model.named_modules()]
    ropes = [layer for layer in layers if "rope" in type(layer).__name__.lower()]
    if not all(type(rope) is nn.RoPE and not rope.traditional and rope.scale == 1.0 for rope in ropes):
        return "its positions are scaled"
    if any(getattr(layer, "use_sliding", False) for layer in layers):
        return "its attention has a window"
    return "there is dropout" if any(layer._p_1 < 1 for layer in layers if isinstance(layer, nn.Dropout)) else ""


def _polynomial() -> list[mx.array]:
    """Return the coefficients, highest first, of 2^(x/2) on -1/2..1/2: Chebyshev's interpolation of degree 4."""
    series = np.polynomial.chebyshev.Chebyshev.interpolate(lambda x: 2.0 ** (x / 2), 4, [-0.5, 0.5])
    return [mx.array(value, mx.float32) for value in series.convert(kind=np.polynomial.Polynomial).coef[::-1].tolist()]


POLYNOMIAL = _polynomial()
ROUND = mx.array(1.5 * 2**23, mx.float32)  # a float this large holds a whole number in its low bits
LOWEST, HIGHEST, EXPONENT = mx.array(-120.0), mx.array(120.0), mx.array(23)


def exp2(x: mx.array) -> mx.array:
    """Return 2 ** x for -126 < x < 127 with a relative error below 5e-7.

    It is a polynomial of x's distance to the nearest whole number, whose bits are the exponent.
    """
    large = x + ROUND
    rest = x - (large - ROUND)
    value = POLYNOMIAL[0] * rest + POLYNOMIAL[1]
    for coefficient in POLYNOMIAL[2:]:
        value = value * rest + coefficient
    bits = mx.view(value * value, mx.int32) + mx.left_shift(mx.view(large, mx.int32), EXPONENT)
    return mx.view(bits, mx.float32)


def softmax_terms(scores: mx.array) -> mx.array:
    """Return the terms of a base-2 softmax over the last axis, the largest 1; they are not divided by their sum."""
    return exp2(mx.maximum(scores - scores.max(-1, keepdims=True), LOWEST))


def sigmoid_denominator(x: mx.array) -> mx.array:
    """Return 1 + e ** -x."""
    return 1.0 + exp2(mx.minimum(mx.maximum(x * -LOG2_E, LOWEST), HIGHEST))
