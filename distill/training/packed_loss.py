"""The loss of a float32 llama, Qwen2 or Qwen3 with LoRA layers on a CPU: mlx-lm's mathematics in other operations, several times as fast.

- A batch is its examples end to end, without padding, cut in two parts of equal length, each on an MLX stream, so a core, of its own.
- Exponentials are polynomials (`distill.model.fast_math`).
- Attention skips the blocks of keys after the queries.
- The last block and the vocabulary see only the rows whose next token is trained on.
Import after `engine.start()`.
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

# MLX schedules work in the order of its walk over the graph; a wide walk keeps both streams busy. MLX reads this once, at its first use.
os.environ.setdefault("MLX_BFS_MAX_WIDTH", "400")

import mlx.core as mx
import numpy as np

from distill.model.fast_math import LOG2_E, LOWEST, exp2, sigmoid_denominator, softmax_terms
from distill.training.batches import Rows

QUERIES = 256  # of one attention product at most: their scores stay in a core's cache
LOGITS = 262144  # held at once
MIN_ROWS = 128  # of one product with the vocabulary: a row of 49,152 words takes 2.2 ms, of 16 rows 3.3 ms


class Chunk(NamedTuple):
    """Queries of one example in one part."""

    rows: slice  # of the part
    before: slice  # the example's keys in the part before: rows of that part
    keys: slice  # the example's keys in this part, up to the last query: rows of the part
    mask: mx.array  # (queries, keys), added to the scores


class Part(NamedTuple):
    """One core's share of a batch."""

    tokens: mx.array  # (rows,)
    rope: tuple[mx.array, mx.array]  # cosine and signed sine of each row's position, (rows, head)
    chunks: list[Chunk]
    trained: list[slice]  # the rows whose next token is trained on
    trained_chunks: list[Chunk]  # the chunks of those rows
    targets: mx.array  # (trained rows,)
    state: mx.array | None  # of each row, where the blocks below the first trained one were run before


class Batch(NamedTuple):
    """A batch and how many of its tokens are trained on."""

    parts: list[Part]
    trained: int  # tokens
    done: int  # blocks that `state` is the output of


def batch(model: Any, rows: Rows, done: int = 0, states: Sequence[mx.array] = ()) -> Batch:
    """Lay the examples end to end, the last token of each left out (nothing follows it), and cut them in two equal parts.

    `states` are the examples' outputs of the first `done` blocks, as `below` gives them.
    """
    rows = [(tokens, max(masked, 1)) for tokens, masked in rows]
    sizes = [len(tokens) - 1 for tokens, _ in rows]
    middle, rope = (sum(sizes) + 1) // 2, model.layers[0].self_attn.rope
    parts, starts = [], [0, *np.cumsum(sizes).tolist()]
    for low, high in pairwise(sorted({0, middle, sum(sizes)})):
        spans = [  # example, its first and its last row here
            (number, max(low - start, 0), min(high, end) - start)
            for number, (start, end) in enumerate(pairwise(starts))
            if start < high and end > low
        ]
        part = _part(rows, spans, max(low - starts[spans[0][0]], 0), low, rope)
        if done:
            part = part._replace(state=mx.concatenate([states[number][first:last] for number, first, last in spans]))
        parts.append(part)
    return Batch(parts, sum(len(tokens) - masked for tokens, masked in rows), done)


def below(model: Any, examples: Sequence[list[int]], count: int) -> list[mx.array]:
    """Return the output of the first `count` blocks for one or two examples, each on a core of its own: (tokens - 1, hidden)."""
    rope = model.layers[0].self_attn.rope
    parts = [_part([(tokens, 1)], [(0, 0, len(tokens) - 1)], 0, 0, rope) for tokens in examples]
    hidden = _embed(model, parts)
    for layer in model.layers[:count]:
        hidden = _block(layer, parts, hidden, False)
    return hidden


def _part(rows: Rows, spans: list[tuple[int, int, int]], missing: int, low: int, rope: Any) -> Part:
    """Return the part of the given spans; the first span's example has `missing` rows, the last ones, in the part before."""
    chunks: list[Chunk] = []
    trained_chunks: list[Chunk] = []
    trained: list[slice] = []
    tokens: list[int] = []
    targets: list[int] = []
    here = 0
    for number, first, last in spans:
        text, masked = rows[number]
        begin = max(first, min(masked - 1, last))  # the first row that is trained on
        before = slice(low - missing, low) if number == spans[0][0] else slice(0, 0)
        for kept, start in ((chunks, first), (trained_chunks, begin)):
            for at in range(start, last, QUERIES):
                stop = min(at + QUERIES, last)
                queries = slice(here + at - first, here + stop - first)
                kept.append(Chunk(queries, before, slice(here, queries.stop), _causal(at, stop)))
        if begin < last:
            trained.append(slice(here + begin - first, here + last - first))
        tokens += text[first:last]
        targets += text[begin + 1 : last + 1]
        here += last - first
    places = np.concatenate([np.arange(first, last) for _, first, last in spans])
    return Part(mx.array(tokens), _rope(places, rope), chunks, trained, trained_chunks, mx.array(targets, dtype=mx.int32), None)


def _causal(first: int, last: int) -> mx.array:
    """Return the mask that hides from the queries `first` to `last` the keys after them."""
    return mx.array(np.where(np.arange(last) > np.arange(first, last)[:, None], np.float32(-1e9), np.float32(0)))


def _rope(places: Any, rope: Any) -> tuple[mx.array, mx.array]:
    rates = rope.base ** (-np.arange(0, rope.dims, 2) / rope.dims)
    angles = places[:, None] * rates
    cosine, sine = np.cos(angles), np.sin(angles)
    return mx.array(np.hstack([cosine, cosine]), mx.float32), mx.array(np.hstack([-sine, sine]), mx.float32)


def loss(model: Any, given: Batch) -> tuple[mx.array, mx.array]:
    """Return the mean cross-entropy over the batch's trained tokens, nats, and their number."""
    hidden = _embed(model, given.parts)
    layers = model.layers
    for layer in layers[given.done :]:
        hidden = _block(layer, given.parts, hidden, layer is layers[-1])
    losses = []
    for part, state, kernels in zip(given.parts, hidden, _kernels(), strict=False):
        if part.trained:
            with mx.stream(kernels.stream):
                losses.append(_entropy(kernels, model, state, part.targets))
    return sum(losses[1:], losses[0]) / given.trained, mx.array(given.trained)


def _embed(model: Any, parts: list[Part]) -> list[mx.array]:
    """Return what enters the first block that is still to run."""
    hidden = []
    for part, kernels in zip(parts, _kernels(), strict=False):
        with mx.stream(kernels.stream):
            hidden.append(model.model.embed_tokens(part.tokens) if part.state is None else part.state)
    return hidden


def _block(layer: Any, parts: list[Part], hidden: list[mx.array], last: bool) -> list[mx.array]:
    """Run one transformer block over the parts; the last block gives only the rows that are trained on."""
    attention, mlp, out = layer.self_attn, layer.mlp, []
    here: tuple[mx.array, mx.array] | None = None
    groups = attention.n_kv_heads
    for part, state, kernels in zip(parts, hidden, _kernels(), strict=False):
        with mx.stream(kernels.stream):
            normed = layer.input_layernorm(state)
            keys, values = (_heads(project(normed), groups) for project in (attention.k_proj, attention.v_proj))
            keys = kernels.rope(attention.k_norm(keys) if "k_norm" in attention else keys, *part.rope)
            before, here = here, (keys, values)
            chunks = part.trained_chunks if last else part.chunks
            if not chunks:
                out.append(state[:0])
                continue
            queries = _heads(attention.q_proj(normed), attention.n_heads)
            queries = attention.q_norm(queries) if "q_norm" in attention else queries
            queries = kernels.rope(queries, *part.rope) * (attention.scale * LOG2_E)
            seen = mx.concatenate([_attend(kernels, chunk, queries, keys, values, before) for chunk in chunks])
            if last:
                state = mx.concatenate([state[rows] for rows in part.trained])
            state = state + attention.o_proj(seen)
            normed = layer.post_attention_layernorm(state)
            gated = kernels.swiglu(mlp.gate_proj(normed), mlp.up_proj(normed))[0]
            out.append(state + mlp.down_proj(gated))
    return out


def _heads(rows: mx.array, heads: int) -> mx.array:
    """(rows, heads x head) -> (heads, rows, head)."""
    return rows.reshape(rows.shape[0], heads, -1).transpose(1, 0, 2)


def _attend(kernels: "Kernels", chunk: Chunk, queries: mx.array, keys: mx.array, values: mx.array, before: Any) -> mx.array:
    """Return the attention of a chunk, (queries, heads x head)."""
    keys, values = keys[:, chunk.keys], values[:, chunk.keys]
    if chunk.before.stop > chunk.before.start:
        keys, values = (mx.concatenate([old[:, chunk.before], new], axis=1) for old, new in zip(before, (keys, values), strict=True))
    heads, groups, size = queries.shape[0], keys.shape[0], queries.shape[2]
    stacked = queries[:, chunk.rows].reshape(groups, -1, size)  # a group's heads one after another: they share its keys
    found = kernels.attend(stacked, keys, values, chunk.mask)[0]
    return found.reshape(heads, -1, size).transpose(1, 0, 2).reshape(-1, heads * size)


def _entropy(kernels: "Kernels", model: Any, state: mx.array, targets: mx.array) -> mx.array:
    """Return the summed cross-entropy of rows against their next tokens."""
    state = model.model.norm(state)
    words = model.model.embed_tokens.weight if model.args.tie_word_embeddings else model.lm_head.weight
    step = max(MIN_ROWS, LOGITS // words.shape[0])
    parts = [kernels.entropy(state[at : at + step], targets[at : at + step], words)[0] for at in range(0, state.shape[0], step)]
    return sum(parts[1:], parts[0])


class Kernels:
    """Operations with hand-written gradients; a gradient runs on the stream of its operation, as MLX's own do."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.rope = self._bound(_rotate, _rotate_back)
        self.attend = self._bound(_attention, _attention_back)
        self.swiglu = self._bound(_swiglu, _swiglu_back)
        self.entropy = self._bound(_cross_entropy, _cross_entropy_back)

    def _bound(self, function: Callable[..., Any], gradient: Callable[..., Any]) -> Any:
        bound = mx.custom_function(function)

        @bound.vjp  # type: ignore[untyped-decorator]
        def back(primals: Any, cotangents: Any, outputs: Any) -> Any:
            with mx.stream(self.stream):
                return gradient(primals, cotangents, outputs)

        return bound


@cache
def _kernels() -> tuple[Kernels, Kernels]:
    return Kernels(mx.default_stream(mx.default_device())), Kernels(mx.new_stream(mx.cpu))


def _rotate(x: mx.array, cosine: mx.array, sine: mx.array) -> mx.array:
    half = x.shape[-1] // 2
    return x * cosine + mx.concatenate([x[..., half:], x[..., :half]], axis=-1) * sine


def _rotate_back(primals: Any, cotangent: mx.array, _: Any) -> Any:
    _, cosine, sine = primals
    return _rotate(cotangent, cosine, -sine), mx.zeros_like(cosine), mx.zeros_like(sine)


def _attention(queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array) -> tuple[mx.array, ...]:
    """(groups, heads of a group x queries, head) against (groups, keys, head); the scores' unit is a factor of two."""
    scores = queries @ keys.swapaxes(-1, -2)
    scores = (scores.reshape(keys.shape[0], -1, *mask.shape) + mask).reshape(scores.shape)
    weights = softmax_terms(scores)
    total = weights.sum(-1, keepdims=True)
    return (weights @ values) / total, weights, total


def _attention_back(primals: Any, cotangents: Any, outputs: Any) -> Any:
    queries, keys, values, mask = primals
    found, weights, total = outputs
    given = cotangents[0] / total
    scores = weights * (given @ values.swapaxes(-1, -2) - (given * found).sum(-1, keepdims=True))
    ln2 = math.log(2)
    back = scores.swapaxes(-1, -2) @ queries
    return (scores @ keys) * ln2, back * ln2, weights.swapaxes(-1, -2) @ given, mx.zeros_like(mask)


def _swiglu(gate: mx.array, up: mx.array) -> tuple[mx.array, ...]:
    share = 1.0 / sigmoid_denominator(gate)
    return gate * share * up, share


def _swiglu_back(primals: Any, cotangents: Any, outputs: Any) -> Any:
    gate, up = primals
    given, share = cotangents[0], outputs[1]
    silu = gate * share
    return given * up * (share + silu * (1.0 - share)), given * silu


def _cross_entropy(state: mx.array, targets: mx.array, words: mx.array) -> tuple[mx.array, mx.array]:
    """Return the summed loss and its gradient by `state`, which MLX computes only where it is used."""
    logits = (state * LOG2_E) @ words.T
    top = logits.max(-1, keepdims=True)
    weights = exp2(mx.maximum(logits - top, LOWEST))
    total = weights.sum(-1, keepdims=True)
    right = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return ((mx.log2(total) + top - right) * math.log(2)).sum(), (weights @ words) / total - words[targets]


def _cross_entropy_back(primals: Any, cotangents: Any, outputs: Any) -> Any:
    _, targets, words = primals
    return cotangents[0] * outputs[1], mx.zeros_like(targets), mx.zeros_like(words)
