"""What a study sets of the training of an adapter, and the learning rates that follow from it."""

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Positive = Annotated[float, Meta(gt=0)]


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one arm sets differently."""

    batch_size: Count | UnsetType = UNSET
    accumulation: Count | UnsetType = UNSET
    max_seq_length: Count | UnsetType = UNSET
    grad_checkpoint: bool | UnsetType = UNSET
    merge: bool | UnsetType = UNSET


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
    over_long: Literal["error", "drop"]
    chat_template: dict[str, bool | str]
    grad_checkpoint: bool
    eval_every: Count
    float32: bool
    merge: bool
    report_every: Count | UnsetType = UNSET  # iterations between further points of the training loss; absent: at evaluations only
    per_arm: dict[str, Override] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.report_every is not UNSET and self.eval_every % self.report_every:
            raise ValueError(f"report_every is {self.report_every}; it divides eval_every, {self.eval_every}")


def of_arm(recipe: Recipe, arm: str) -> Recipe:
    """Return the recipe of one arm: its own values in place of those of all arms."""
    own = (recipe.per_arm or {}).get(arm, Override())
    return msgspec.structs.replace(recipe, per_arm=UNSET, **msgspec.to_builtins(own))


def determining(recipe: Recipe) -> dict[str, Any]:
    """Return the values that determine an adapter's bytes; the two that stand at 'nothing special' are left out."""
    values: dict[str, Any] = msgspec.to_builtins(recipe)
    for name, neutral in (("over_long", "error"), ("chat_template", {})):
        if values[name] == neutral:
            del values[name]
    return values


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
