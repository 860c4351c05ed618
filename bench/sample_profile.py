"""Where a decoding step's time goes: `python -m bench.sample_profile [STUDY] [ROWS] [KEYS]`, where the study's float32 student is computed.

Each part of `distill.sampling` is run alone for all layers, at ROWS answers that see KEYS tokens each: CPU milliseconds a step, medians of
`ROUNDS`; the step as a whole beside them. Writes section `sample_profile` of the record.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.record import record
from distill.cli.layout import layout
from distill.model import engine

ROUNDS = 5


def main(study: str = "gsm8k", rows: str = "64", keys: str = "300") -> None:
    """Time every part; print and record the milliseconds."""
    found = profile(layout(study).student, int(rows), int(keys))
    print(json.dumps(found, indent=1))
    record("sample_profile", {"study": study, "rows": int(rows), "keys": int(keys), "ms_a_step": found})


def profile(student: Path, rows: int, keys: int) -> dict[str, float]:
    """Return the CPU milliseconds of each part for all layers, and of the whole step."""
    engine.start()
    import mlx.core as mx
    from mlx_lm.models.cache import BatchKVCache

    from distill.model.fast_math import LOG2_E, softmax_terms
    from distill.model.model_io import adapted
    from distill.sampling import decode, fast_decode

    model = fast_decode.replace_layers(adapted(student, None, True, fuse=True)[0])
    first, layers, vocabulary = model.layers[0].self_attn.attention, model.layers, model.args.vocab_size
    groups, heads, width = first.n_kv_heads, first.n_heads, first.k_proj.weight.shape[0] // first.n_kv_heads
    x = mx.random.normal((rows, 1, first.q_proj.weight.shape[1]))
    queries = fast_decode._padded(mx.random.normal((rows, groups, heads // groups, width)))
    head, offset = mx.random.normal((rows, heads, 1, width)), mx.array([keys - 1] * rows)
    scores = mx.random.normal((rows, groups, queries.shape[2], keys))
    hidden, mask = mx.random.normal((rows, 1, layers[0].mlp.mlp.gate_proj.weight.shape[0])), mx.ones((rows, 1, 1, keys), dtype=mx.bool_)
    logits, caches = mx.random.normal((rows, vocabulary)) * 8, [BatchKVCache([0] * rows) for _ in layers]
    for cache in caches:
        cache.update_and_fetch(*(mx.random.normal((rows, groups, keys - 1, width)) for _ in range(2)))
    draw = decode.sampler(0.7, 0.95, range(rows), 1)

    def step() -> mx.array:
        for cache in caches:
            cache.trim(cache._idx - keys + 1)
        return decode.greedy(model(mx.ones((rows, 1), dtype=mx.int32), cache=caches)[:, -1], [], 0)

    parts: dict[str, Sequence[Callable[[], Any]]] = {
        "projections of attention": [
            lambda a=layer.self_attn.attention: (a.q_proj(x), a.k_proj(x), a.v_proj(x), a.o_proj(head.reshape(rows, 1, -1)))
            for layer in layers
        ],
        "rotation": [lambda a=layer.self_attn.attention: a.rope(head, offset=offset) for layer in layers],
        "scores": [lambda c=cache: c.keys[..., :keys, :] @ (queries * LOG2_E).swapaxes(-1, -2) for cache in caches],
        "softmax": [lambda: softmax_terms(mx.where(mask, scores, fast_decode.HIDDEN)) for _ in layers],
        "values": [lambda c=cache: (scores @ c.values[..., :keys, :]) / scores.sum(-1, keepdims=True) for cache in caches],
        "gated layer": [lambda m=layer.mlp: m(x) for layer in layers],
        "of it, products": [lambda m=layer.mlp.mlp: (m.gate_proj(x), m.up_proj(x), m.down_proj(hidden)) for layer in layers],
        "norms": [lambda b=layer: (b.input_layernorm(x), b.post_attention_layernorm(x)) for layer in layers],
        "vocabulary": [lambda: model.model.embed_tokens.as_linear(x)],
        "greedy": [lambda: decode.greedy(logits, [], 0)],
        "drawn, top-p 0.95": [lambda: draw(logits, list(range(rows)), 0)],
        "whole greedy step": [step],
    }
    mx.eval(x, queries, head, offset, scores, hidden, mask, logits, [cache.state for cache in caches])
    return {name: round(_milliseconds(calls, mx.eval), 2) for name, calls in parts.items()}


def _milliseconds(calls: Sequence[Callable[[], Any]], evaluate: Callable[[Any], None]) -> float:
    spent = []
    for _ in range(ROUNDS + 1):  # the first warms up
        start = time.process_time()
        for call in calls:
            evaluate(call())
        spent.append((time.process_time() - start) * 1000)
    return median(spent[1:])


if __name__ == "__main__":
    main(*sys.argv[1:])
