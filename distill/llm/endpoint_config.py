"""Servers of models and their prices: the section `endpoints` of a study file."""

import os
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.core.errors import InputError

Least = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model's tokens cost."""

    prompt: Least  # dollars per million prompt tokens
    completion: Least  # dollars per million completion tokens, reasoning included
    batch: Annotated[float, Meta(ge=0, le=1)]  # what the batch route costs of that: 0.5 = half
    dated: date  # when the price was read


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One OpenAI-compatible server and how it is treated."""

    base_url: str  # with or without the final /v1
    key_variable: str  # environment variable that holds the key; "" = the server asks for none
    key_page: str  # where a key is made; "" where none is asked for
    concurrency: Count  # calls in flight at most
    connect: Positive  # seconds to connect in
    timeout: Positive  # seconds without a byte after which a call counts as hung
    deadline: Positive  # seconds that one attempt may take in all
    attempts: Count  # of one call, those refused for their rate not counted
    backoff: Least  # seconds before the second attempt, doubled before each further one, each drawn from half of it to all of it
    backoff_most: Least  # seconds at most
    outage_timeout: Least  # seconds of nothing but failures after which the endpoint counts as down; a longer Retry-After is cut to that
    prices: dict[str, Price]  # by model

    def url(self) -> str:
        """Return the base that the `together` client wants, which adds /v1 itself."""
        return self.base_url.rstrip("/").removesuffix("/v1")

    def secret(self) -> str:
        """Return the key from the environment; an InputError says which variable is not set and where a key is made."""
        if not self.key_variable:
            return "none"
        if value := os.environ.get(self.key_variable, "").strip():
            return value
        raise InputError(
            f"{self.key_variable} is not set, which {self.base_url} asks for; make a key at {self.key_page} and "
            f"`export {self.key_variable}=...`; nothing was sent, nothing was spent"
        )

    def price(self, model: str) -> Price:
        """Return a model's price; an InputError where the study file has none."""
        if model not in self.prices:
            known = ", ".join(sorted(self.prices)) or "none"
            raise InputError(f"{self.base_url}: no price of model '{model}'; priced: {known}; add it under prices: (0.0 where it is free)")
        return self.prices[model]
