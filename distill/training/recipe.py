"""What a study sets of the training of an adapter, and the learning rates that follow from it."""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Positive = Annotated[float, Meta(gt=0)]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `train` of a study file."""

    iterations: Count
    batch_size: Count
    accumulation: Count
    optimizer: Literal["adam", "adamw"]
    betas: tuple[Share, Share]
    epsilon: Positive
    bias_correction: bool
    weight_decay: Annotated[float, Meta(ge=0)]
    learning_rate: Annotated[float, Meta(gt=0, le=1)]
    schedule: Literal["constant", "cosine"]
    warmup: Annotated[int, Meta(ge=0)]
    rank: Count
    scale: Positive
    dropout: Share
    layers: Annotated[int, Meta(ge=-1)]
    modules: Literal["all"] | list[str]
    mask_prompt: bool
    max_seq_length: Count
    grad_checkpoint: bool
    eval_every: Count
    float32: bool
    merge: bool


def learning_rates(recipe: Recipe) -> list[float]:
    """Return the learning rate of each iteration: a linear rise over `warmup` of them, then flat or a cosine to 0 after the last."""
    rates = []
    for iteration in range(recipe.iterations):
        if iteration < recipe.warmup:
            share = (iteration + 1) / (recipe.warmup + 1)
        elif recipe.schedule == "cosine":
            share = 0.5 * (1 + math.cos(math.pi * (iteration - recipe.warmup) / max(1, recipe.iterations - recipe.warmup)))
        else:
            share = 1.0
        rates.append(recipe.learning_rate * share)
    return rates
