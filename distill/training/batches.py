"""The examples of a corpus as tokens, and the order in which training takes them."""

import hashlib
import math
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from distill.core.errors import InputError
from distill.core.files import iterate_records
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import Example
from distill.training.recipe import Recipe

Rows = Sequence[tuple[list[int], int]]  # of each example: its tokens, and how many of them, from the first, are not trained on


class Dropped(NamedTuple):
    """What was left out of a corpus file for its length, by the student's tokenizer."""

    examples: int
    of: int
    tokens: int
    of_tokens: int

    def counts(self) -> dict[str, Any]:
        """Return the counts, as training.json has them."""
        return {"examples": self.of, "longer_than_max_seq_length": self.examples, "tokens_lost": self.tokens / self.of_tokens}


class _Compact(Sequence[tuple[list[int], int]]):
    """Rows of four bytes a token: 94,000 examples as lists would take gigabytes."""

    def __init__(self) -> None:
        self.rows: list[tuple[array[int], int]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: Any) -> Any:
        tokens, masked = self.rows[row]
        return tokens.tolist(), masked


def read_rows(file: Path, tokenizer: ChatTokenizer, recipe: Recipe) -> Rows:
    """Return the rows of `fitting`."""
    return fitting(file, tokenizer, recipe)[0]


def fitting(file: Path, tokenizer: ChatTokenizer, recipe: Recipe) -> tuple[Rows, Dropped]:
    """Tokenize a corpus file. An example longer than `max_seq_length` is an InputError, or left out and counted, and never cut.

    To leave out more than half of the file is an InputError: what is left would be another corpus than the study names.
    """
    rows, limit = _Compact(), recipe.max_seq_length
    examples = dropped = tokens_seen = tokens_lost = longest = 0
    for example in iterate_records(file, Example):
        tokens, prompt = tokenizer.example(example.messages)
        examples, tokens_seen, longest = examples + 1, tokens_seen + len(tokens), max(longest, len(tokens))
        if len(tokens) <= limit:
            rows.rows.append((array("i", tokens), prompt if recipe.mask_prompt else 0))
        elif recipe.over_long == "error":
            raise InputError(
                f"{file}: problem {example.id} has {len(tokens)} tokens, allowed are {limit}: "
                "raise train.max_seq_length, leave the example out of the corpus, or set train.over_long to drop"
            )
        else:
            dropped, tokens_lost = dropped + 1, tokens_lost + len(tokens)
    if not examples:
        raise InputError(f"{file}: no examples; see what curate dropped")
    if 2 * dropped > examples:
        raise InputError(
            f"{file}: {dropped} of {examples} examples ({tokens_lost / tokens_seen:.0%} of the tokens) are longer than "
            f"train.max_seq_length, {limit}: more than half must not be dropped; raise it (the longest has {longest} tokens; "
            "train.per_arm sets it for one arm), or train on shorter work"
        )
    return rows, Dropped(dropped, examples, tokens_lost, tokens_seen)


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
