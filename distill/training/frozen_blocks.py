"""The rows that enter the first trained block, by example: what lies below is frozen, so they are the same in every epoch.

An example's rows are computed from that example alone, so they are the same bits whether they were kept or are computed again, in any
batch, and in a run that was resumed. Import after `engine.start()`.
"""

from array import array
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from distill.training import packed_loss
from distill.training.batches import Rows

KEPT = 2**31  # bytes of one run; further examples are computed anew each time


class FrozenBlocks:
    """The frozen blocks below the first trained one, and their output for the examples seen first."""

    def __init__(self, model: Any, limit: int = KEPT) -> None:
        self.model, self.free = model, limit
        trained = (number for number, layer in enumerate(model.layers) if tree_flatten(layer.trainable_parameters()))
        self.count = next(trained, len(model.layers) - 1)  # blocks; 0: nothing is frozen, nothing is kept
        self.kept: dict[bytes, mx.array] = {}  # by the example's tokens

    def batch(self, rows: Rows) -> packed_loss.Batch:
        """Return a batch for `packed_loss.loss`, which goes on from the frozen blocks' output where there are any."""
        if not self.count:
            return packed_loss.batch(self.model, rows)
        keys = [array("i", tokens).tobytes() for tokens, _ in rows]
        found = {key: self.kept[key] for key in keys if key in self.kept}
        missing = list({key: tokens for key, (tokens, _) in zip(keys, rows, strict=True) if key not in found}.items())
        for at in range(0, len(missing), 2):
            pair = missing[at : at + 2]
            states = packed_loss.below(self.model, [tokens for _, tokens in pair], self.count)
            for (key, _), state in zip(pair, states, strict=True):
                found[key] = state
                if state.nbytes <= self.free:
                    self.kept[key], self.free = state, self.free - state.nbytes
        return packed_loss.batch(self.model, rows, self.count, [found[key] for key in keys])
