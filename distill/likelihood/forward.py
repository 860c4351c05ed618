"""The forward pass: log-probabilities of given texts, batched. Import after `engine.start()`.

A question is read once, whatever is scored after it; questions of like length are read together, and so are continuations. Only scored
positions go through the vocabulary product.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models.cache import make_prompt_cache

from distill.model.fast_math import LOG2_E, LOWEST, exp2, sigmoid_denominator, softmax_terms, supports

ROWS = 128  # of one product with the vocabulary
NATS = 1 / LOG2_E
HIDDEN = mx.array(-1e9)  # a score of a key that a token does not see


class Branch(NamedTuple):
    """What follows a question."""

    tokens: list[int]
    first: int  # the first token that is scored


class Question(NamedTuple):
    """A prompt's tokens and all that is scored after it."""

    prompt: list[int]
    branches: list[Branch]


Scores = list[list[list[float]]]  # of each question, of each of its branches: nats of each scored token


class Attention(nn.Module):
    """Attention of several tokens a row with fewer exponentials than mlx-lm's."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention

    def __call__(self, x: mx.array, mask: mx.array, cache: Any) -> mx.array:
        """(rows, tokens, width) -> (rows, tokens, width); `mask` is true where a token sees a key, (rows, 1, tokens, keys)."""
        whole, (rows, tokens, _) = self.attention, x.shape
        keys, values = (_heads(project(x), whole.n_kv_heads) for project in (whole.k_proj, whole.v_proj))
        queries = whole.rope(_heads(whole.q_proj(x), whole.n_heads), offset=cache.offset) * (whole.scale * LOG2_E)
        keys, values = cache.update_and_fetch(whole.rope(keys, offset=cache.offset), values)
        scores = queries.reshape(rows, whole.n_kv_heads, -1, queries.shape[-1]) @ keys.swapaxes(-1, -2)  # a group's heads share its keys
        scores = mx.where(mask, scores.reshape(rows, whole.n_heads, tokens, -1), HIDDEN).reshape(scores.shape)
        weights = softmax_terms(scores)
        found = ((weights @ values) / weights.sum(-1, keepdims=True)).reshape(queries.shape)
        return whole.o_proj(found.transpose(0, 2, 1, 3).reshape(rows, tokens, -1))


class MLP(nn.Module):
    """A gated layer with fewer exponentials than mlx-lm's."""

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.mlp = mlp

    def __call__(self, x: mx.array) -> mx.array:
        """(..., width) -> (..., width)."""
        gate = self.mlp.gate_proj(x)
        return self.mlp.down_proj(gate / sigmoid_denominator(gate) * self.mlp.up_proj(x))


def _heads(x: mx.array, heads: int) -> mx.array:
    """(rows, tokens, heads x head) -> (rows, heads, tokens, head)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def prepared(model: Any) -> Any:
    """Put the layers of this module into a plain float32 llama or Qwen2 on a CPU; return the model, any other as it is."""
    if supports(model):
        for layer in model.layers:
            layer.self_attn, layer.mlp = Attention(layer.self_attn), MLP(layer.mlp)
    return model


def score(model: Any, questions: Sequence[Question], batch_tokens: int) -> Scores:
    """Return the log-probability of every scored token given all before it, in the order of the questions."""
    found: Scores = [[[] for _ in question.branches] for question in questions]
    for places in cut([len(question.prompt) for question in questions], batch_tokens):
        cache = prefill(model, [questions[place].prompt for place in places])
        rows = [(row, place, number) for row, place in enumerate(places) for number in range(len(questions[place].branches))]
        lengths = [len(questions[place].branches[number].tokens) for _, place, number in rows]
        for part in cut(lengths, batch_tokens):
            chosen = [rows[each] for each in part]
            branches = [questions[place].branches[number] for _, place, number in chosen]
            lasts = [questions[place].prompt[-1] for _, place, _ in chosen]
            nats = follow(model, cache, [row for row, _, _ in chosen], lasts, branches)
            for (_, place, number), values in zip(chosen, nats, strict=True):
                found[place][number] = values
    return found


def cut(lengths: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Yield the places of texts of like length, the longest first, whose tokens with padding are at most `limit`, or one longer text."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    while order:
        size = max(1, limit // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]


def prefill(model: Any, prompts: Sequence[list[int]]) -> list[Any]:
    """Return the cache of all but the last token of each prompt; shorter ones are padded on the left."""
    width = max(map(len, prompts))
    padding = [width - len(prompt) for prompt in prompts]
    cache = [type(layer).merge([layer] * len(prompts)) for layer in make_prompt_cache(model)]
    for layer in cache:
        layer.prepare(left_padding=padding)
    if width > 1:
        model.model(mx.array([[0] * pad + prompt[:-1] for pad, prompt in zip(padding, prompts, strict=True)]), cache=cache)
        mx.eval([layer.state for layer in cache])
    return cache


def follow(model: Any, cache: list[Any], rows: list[int], lasts: list[int], branches: Sequence[Branch]) -> list[list[float]]:
    """Score branches after the prompts in `rows` of the cache, which stays as it is."""
    width = max(len(branch.tokens) for branch in branches)
    inputs = [[last, *branch.tokens[:-1]] + [0] * (width - len(branch.tokens)) for last, branch in zip(lasts, branches, strict=True)]
    hidden = model.model(mx.array(inputs), cache=[copied(layer, rows) for layer in cache])
    scored = [(row, at) for row, branch in enumerate(branches) for at in range(branch.first, len(branch.tokens))]
    states = hidden[mx.array([row for row, _ in scored]), mx.array([at for _, at in scored])]
    targets = mx.array([branches[row].tokens[at] for row, at in scored])
    values = iter(
        np.concatenate([token_nats(model, states[at : at + ROWS], targets[at : at + ROWS]) for at in range(0, len(scored), ROWS)])
    )
    return [[float(next(values)) for _ in range(branch.first, len(branch.tokens))] for branch in branches]


def copied(layer: Any, rows: list[int]) -> Any:
    """Return a cache of the chosen rows of a cache, one more than once where it is named so."""
    other = copy.copy(layer)
    other.filter(rows)
    return other


def token_nats(model: Any, states: mx.array, targets: mx.array) -> Any:
    """Return the log-probabilities of targets after final states, (rows, width) -> (rows,)."""
    whole = model.model.embed_tokens.as_linear(states) if model.args.tie_word_embeddings else model.lm_head(states)
    logits = whole.astype(mx.float32) * LOG2_E
    top = logits.max(-1, keepdims=True)
    total = exp2(mx.maximum(logits - top, LOWEST)).sum(-1, keepdims=True)
    right = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return np.array(((right - top - mx.log2(total)) * NATS)[:, 0])


def score_texts(model: Any, texts: Sequence[tuple[list[int], list[int], int]], batch_tokens: int) -> list[list[float]]:
    """Return the nats of each token of texts after prompts, (prompt, tokens, first scored token); those before the first are 0.

    Equal prompts are read once, equal texts after them scored once.
    """
    firsts: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {}
    for prompt, tokens, first in texts:
        branches = firsts.setdefault(tuple(prompt), {})
        branches[tuple(tokens)] = min(first, branches.get(tuple(tokens), first))
    questions = [
        Question(list(prompt), [Branch(list(tokens), at) for tokens, at in branches.items()]) for prompt, branches in firsts.items()
    ]
    found = {
        (tuple(question.prompt), tuple(branch.tokens)): [0.0] * branch.first + values
        for question, scores in zip(questions, score(model, questions, batch_tokens), strict=True)
        for branch, values in zip(question.branches, scores, strict=True)
    }
    return [found[tuple(prompt), tuple(tokens)] for prompt, tokens, _ in texts]
