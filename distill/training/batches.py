"""The examples of a corpus as tokens, and the order in which training takes them."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.errors import InputError
from distill.core.files import read_records
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import Example
from distill.training.recipe import Recipe

Rows = Sequence[tuple[list[int], int]]  # of each example: its tokens, and how many of them, from the first, are not trained on


def read_rows(file: Path, tokenizer: ChatTokenizer, recipe: Recipe) -> Rows:
    """Tokenize a corpus file; an example longer than `max_seq_length` is an InputError, never cut."""
    rows = []
    for example in read_records(file, Example):
        tokens, prompt = tokenizer.example(example.messages)
        if len(tokens) > recipe.max_seq_length:
            raise InputError(
                f"{file}: problem {example.id} has {len(tokens)} tokens, allowed are {recipe.max_seq_length}: "
                "raise train.max_seq_length, or leave the example out of the corpus"
            )
        rows.append((tokens, prompt if recipe.mask_prompt else 0))
    if not rows:
        raise InputError(f"{file}: no examples; see what curate dropped")
    return rows


def batch_order(examples: int, size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
    """Yield the rows of each batch, for ever, from batch number `start` on.

    Each pass over the corpus has its own order, a hash of (seed, pass, row): the same for all arms of equal size and for every version of
    every library. Where `size` does not divide the corpus, the last batch of a pass is short; no example is left out.
    """
    per_pass = math.ceil(examples / size)
    number = start
    while True:
        turn = number // per_pass
        order = sorted(range(examples), key=lambda row: hashlib.blake2b(f"{seed} {turn} {row}".encode()).digest())
        for part in range(number % per_pass, per_pass):
            yield order[part * size : (part + 1) * size]
        number = (turn + 1) * per_pass
