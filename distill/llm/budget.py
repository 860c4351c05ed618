"""What calls cost: the price of tokens, the most that a call can cost, and the limit that is never passed."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distill.llm.endpoint_config import Price

NANO = 10**9  # money is counted in whole nano-dollars, so that sums are exact


class BudgetLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `budget`: what all calls of a store may cost, over all its runs."""

    dollars: Annotated[float, Meta(ge=0)] | None  # null = no limit
    tokens: Annotated[int, Meta(ge=0)] | None  # prompt and completion together; null = no limit

    def allows(self, cost: "Cost") -> bool:
        """Tell whether so much may be spent."""
        return (self.dollars is None or cost.nano <= self.dollars * NANO) and (self.tokens is None or cost.tokens <= self.tokens)


class Cost(msgspec.Struct, frozen=True):
    """What something costs, or may cost."""

    tokens: int  # prompt and completion together
    nano: int  # nano-dollars

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.tokens + other.tokens, self.nano + other.nano)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.tokens - other.tokens, self.nano - other.nano)

    @property
    def dollars(self) -> float:
        """Return it in dollars."""
        return self.nano / NANO


class Ledger(msgspec.Struct, frozen=True):
    """What all calls of a store cost so far; the limit holds for the total."""

    billed: Cost  # by the usage that the server reported
    reserved: Cost  # the maximum of what is in flight, or ended without a reported usage, until it is released

    @property
    def total(self) -> Cost:
        """Return both together."""
        return self.billed + self.reserved

    def __str__(self) -> str:
        return f"${self.billed.dollars:.4f} billed, ${self.reserved.dollars:.4f} reserved"


def prompt_bound(body: Mapping[str, Any]) -> int:
    """Return an upper bound of the prompt tokens of a request's body: one per UTF-8 byte (a token of a byte-level vocabulary holds at least
    one), and 64 per turn and for the template's own; images come on top."""
    parts = [content if isinstance(content, str) else content[0]["text"] for content in (each["content"] for each in body["messages"])]
    return 64 + sum(64 + len(part.encode()) for part in parts)


def cost(price: Price, prompt: int, completion: int, batch: bool = False) -> Cost:
    """Return what so many tokens cost, rounded up to a nano-dollar."""
    nano = (prompt * price.prompt + completion * price.completion) * (NANO / 1e6) * (price.batch if batch else 1.0)
    return Cost(prompt + completion, math.ceil(nano - 1e-6))


def paid(price: Price, usage: tuple[int | None, int | None], batch: bool = False) -> Cost | None:
    """Return what a usage (prompt and completion tokens) costs, or None where the server told none."""
    prompt, completion = usage
    return None if prompt is None or completion is None else cost(price, prompt, completion, batch)


def max_cost(price: Price, body: Mapping[str, Any], batch: bool = False, images: int = 0) -> Cost:
    """Return what a request costs at most: the bound of its prompt, the tokens of its images, and all of max_tokens."""
    return cost(price, prompt_bound(body) + images, body["max_tokens"], batch)
