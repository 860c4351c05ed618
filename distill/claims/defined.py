"""Whether a claim's rule names what the study defines: arms of its section `arms`, benchmarks that its students are asked."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from distill.core.cells import BASE


def faults(rules: Mapping[str, Any], arms: Collection[str], benchmarks: Collection[str]) -> Iterator[str]:
    """Yield a line for each arm or benchmark that a rule names and the study does not define."""
    for name, rule in rules.items():
        named = [getattr(rule, key) for key in ("arm", "comparator") if hasattr(rule, key)] + [*getattr(rule, "arms", [])]
        for arm in dict.fromkeys(named):
            if arm != BASE and arm not in arms:
                yield f"claims.ledger.{name}.rule: no arm '{arm}'; arms here: {', '.join(arms)}"
        if hasattr(rule, "benchmark") and rule.benchmark not in benchmarks:
            yield f"claims.ledger.{name}.rule: benchmark '{rule.benchmark}' is not asked; allowed: {', '.join(benchmarks)}"


def unscored(rules: Mapping[str, Any], parts: Collection[str]) -> Iterator[str]:
    """Yield a line for each part that a rule on likelihoods needs and the study does not score."""
    for name, rule in rules.items():
        for part in getattr(rule, "needs", list)():
            if part not in parts:
                yield f"claims.ledger.{name}.rule: likelihood.parts has no '{part}'; parts here: {', '.join(parts) or 'none'}"
