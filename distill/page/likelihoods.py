"""How probable the students find given texts, as far as the claims of a study compare it."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

BASE_PARTS = ("seen", "heldout")


class Scored(msgspec.Struct, frozen=True):
    """Of a row of data/STUDY/likelihood.jsonl.gz (distill/likelihood/row.py), what a claim compares."""

    arm: str
    seed: int
    id: str
    part: str
    cluster: str
    measure: str
    text: str
    nats: float
    tokens: int
    probability: float | UnsetType = UNSET

    @property
    def value(self) -> float:
        """Return the figure that is compared: nats a token, or a probability."""
        return self.nats / self.tokens if self.probability is UNSET else self.probability


def needed(rules: Iterable[Mapping[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Return the (measure, part, arm, text) that rules on likelihoods read."""
    found = set[tuple[str, str, str, str]]()
    for rule in rules:
        if str(rule["kind"]).startswith("likelihood"):
            text = rule["arm"] if rule["measure"] == "chain" else ""
            parts = [rule["part"]] if "part" in rule else BASE_PARTS
            found |= {(rule["measure"], part, arm, text) for part in parts for arm in (rule["arm"], rule["comparator"])}
    return found


def lines(rows: Iterable[Scored], wanted: set[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    """Return a line for each measure, part, text, arm and seed that is wanted: its problems, their clusters and their values."""
    found: dict[tuple[str, str, str, str, int], list[Scored]] = {}
    for row in rows:
        if (row.measure, row.part, row.arm, row.text) in wanted:
            found.setdefault((row.measure, row.part, row.arm, row.text, row.seed), []).append(row)
    return [
        {"measure": measure, "part": part, "arm": arm, "text": text, "seed": seed,
         "ids": [row.id for row in own], "clusters": [row.cluster for row in own], "values": [row.value for row in own]}
        for (measure, part, arm, text, seed), own in sorted(found.items())
    ]  # fmt: skip
