"""Batched decoding with mlx-lm's models and caches. Import after `engine.start()`.

On a CPU the time of a step grows with its rows: `decode` keeps to one batch, and rows that ended leave it. mlx-lm's own BatchGenerator
normalises and keeps every row's log-probabilities and rebuilds its cache whenever a row ends; without both the same text takes about three
quarters of the time. On an accelerator a step of few rows takes as long as one of many: `continuous_batching` lets BatchGenerator put the
next prompt in the place of a row that ended.
"""

from collections.abc import Callable, Sequence
from itertools import count, pairwise
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.generate import BatchGenerator
from mlx_lm.models.cache import make_prompt_cache

from distill.model.fast_math import LOG2_E, softmax_terms

Pick = Callable[[mx.array, list[int], int], mx.array]  # logits (rows, vocabulary), each row's place in the batch, step -> tokens (rows,)
PREFILL = 8  # prompts read together, at most, while others are continued
PIECE = 10**10  # operations that a further piece of prompts must save: its own cost and more; a small model never saves as many
CANDIDATES = 2048  # likeliest tokens among which the end of the nucleus is sought first: a tenth of the time of sorting all
BELOW_1 = 1 - 2**-22  # the largest draw: times a sum, it stays below that sum


def greedy(logits: mx.array, places: list[int], step: int) -> mx.array:
    """Take the likeliest token of each row."""
    return mx.argmax(logits, axis=-1)


def sampler(temperature: float, top_p: float, seeds: Sequence[int], limit: int) -> Pick:
    """Return a sampler whose row i draws from `seeds[i]` alone, whatever rows are beside it; top-p comes first, as in mlx-lm."""
    draws = mx.stack([mx.random.uniform(shape=(limit,), key=mx.random.key(seed)) for seed in seeds])  # (rows, steps)

    def pick(logits: mx.array, places: list[int], step: int) -> mx.array:
        scores = logits.astype(mx.float32) * LOG2_E
        weights = softmax_terms(scores / temperature)
        if top_p < 1:
            weights = weights * _nucleus(softmax_terms(scores), top_p)
        sums = mx.cumsum(weights, axis=-1)
        below = mx.minimum(draws[mx.array(places), step], BELOW_1)[:, None] * sums[:, -1:]
        return (sums <= below).sum(-1)

    return pick


def _nucleus(weights: mx.array, top_p: float) -> mx.array:
    """Return which tokens of each row are in the smallest set of likeliest tokens that holds `top_p` of the weight; ties are all in."""
    wanted = top_p * weights.sum(-1, keepdims=True)
    likeliest = mx.topk(weights, min(CANDIDATES, weights.shape[-1]))
    if (likeliest.sum(-1, keepdims=True) < wanted).any().item():
        likeliest = weights
    likeliest = mx.sort(likeliest)[:, ::-1]
    before = mx.cumsum(likeliest, axis=-1) - likeliest
    return weights >= mx.where(before < wanted, likeliest, mx.inf).min(-1, keepdims=True)


def decode(model: Any, prompts: Sequence[Sequence[int]], eos_ids: frozenset[int], limit: int, pick: Pick) -> list[list[int]]:
    """Continue each prompt until a token of `eos_ids` (kept) or `limit` new tokens; the batch is left-padded, its order is kept."""
    cache = _prefill(model, prompts)
    written: list[list[int]] = [[] for _ in prompts]
    places, done = list(range(len(prompts))), [False] * len(prompts)  # of the rows still in the batch
    tokens = mx.array([prompt[-1] for prompt in prompts])
    for step in range(limit):
        tokens = pick(model(tokens[:, None], cache=cache)[:, -1], places, step)
        for row, token in enumerate(tokens.tolist()):
            if not done[row]:
                written[places[row]].append(token)
                done[row] = token in eos_ids
        if all(done):
            break
        if sum(done) * 8 > len(done):  # a rebuilt cache costs about a step, so rows leave by the eighth
            keep = [row for row, ended in enumerate(done) if not ended]
            for layer in cache:
                layer.filter(keep)
            tokens, places, done = tokens[mx.array(keep)], [places[row] for row in keep], [False] * len(keep)
    return written


def continuous_batching(
    model: Any, prompts: Sequence[Sequence[int]], eos_ids: frozenset[int], limit: int, rows: int, pick: Pick
) -> list[list[int]]:
    """Continue each prompt as `decode` does, `rows` of them at a time, in the order given."""
    generator = BatchGenerator(
        model,
        max_tokens=limit,
        stop_tokens=[[token] for token in sorted(eos_ids)],
        completion_batch_size=rows,
        prefill_batch_size=min(PREFILL, rows),
    )
    samplers = None if pick is greedy else [_row_sampler(pick, place) for place in range(len(prompts))]
    numbers = generator.insert([list(prompt) for prompt in prompts], samplers=samplers)
    written: dict[int, list[int]] = {number: [] for number in numbers}
    while answers := generator.next_generated():
        for answer in answers:
            written[answer.uid].append(answer.token)
    generator.close()
    return [written[number] for number in numbers]


def _row_sampler(pick: Pick, place: int) -> Callable[[mx.array], mx.array]:
    """Return the sampler of one row, which is called once a step."""
    steps = count()
    return lambda logits: pick(logits, [place], next(steps))


def _prefill(model: Any, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Return the cache of all but the last token of each prompt; prompts that are equal are read once."""
    distinct = sorted(dict.fromkeys(map(tuple, prompts)), key=len)
    cache, *others = [_read(model, distinct[start:end]) for start, end in _pieces(list(map(len, distinct)), _operations(model))]
    for other in others:
        for layer, more in zip(cache, other, strict=True):
            layer.extend(more)
    rows = {prompt: row for row, prompt in enumerate(distinct)}
    order = [rows[tuple(prompt)] for prompt in prompts]
    if order != list(range(len(distinct))):
        for layer in cache:
            layer.filter(order)
    mx.eval([layer.state for layer in cache])
    return cache


def _operations(model: Any) -> int:
    """Return about how many operations a token takes: two for each weight of the layers."""
    return 2 * sum(array.size for _, array in tree_flatten([layer.parameters() for layer in model.layers]))


def _pieces(lengths: Sequence[int], operations: int) -> list[tuple[int, int]]:
    """Return where to cut prompts of ascending length into pieces that are padded and read together, for the fewest operations in all."""
    best = [(0, 0)]  # of the first n prompts: operations, start of the last piece
    for end in range(1, len(lengths) + 1):
        best.append(min((best[start][0] + (end - start) * lengths[end - 1] * operations + PIECE, start) for start in range(end)))
    cuts = [len(lengths)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return list(pairwise(cuts[::-1]))


def _read(model: Any, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Return the cache of all but the last token of each prompt, left-padded."""
    width = max(len(prompt) for prompt in prompts)
    padding = [width - len(prompt) for prompt in prompts]
    cache = [type(layer).merge([layer] * len(prompts)) for layer in make_prompt_cache(model)]
    for layer in cache:
        layer.prepare(left_padding=padding)
    if width > 1:
        heads = [[0] * pad + list(prompt[:-1]) for pad, prompt in zip(padding, prompts, strict=True)]
        model(mx.array(heads), cache=cache)
        mx.eval([layer.state for layer in cache])
    return cache
