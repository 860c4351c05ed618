"""Scored texts of a small study, with known figures."""

from collections.abc import Iterable

from msgspec import UNSET

from distill.likelihood.row import MEASURES, Likelihood
from distill.stats.summary import Settings

SETTINGS = Settings(confidence=0.9, resamples=200, seed=5)
LEVELS = {"base": -2.0, "r1": -1.0, "r6": -1.5}  # nats a token, held out
SEEN = 0.25  # further gain of an arm on what it was trained on
TOKENS = 4


def rows(arms: Iterable[str] = ("r1", "r6"), seeds: Iterable[int] = (1, 2), problems: int = 8) -> list[Likelihood]:
    """Return rows of base and arms on problems of parts seen, heldout and transfer; r6 has no chain of its own."""
    found = []
    for arm, own in [("base", [0]), *((arm, list(seeds)) for arm in arms)]:
        for seed in own:
            for measure in MEASURES:
                for part in ("seen", "heldout", "transfer") if measure in ("answer_direct", "answer_sampled") else ("seen", "heldout"):
                    texts = [text for text in arms if text == "r1" and arm in ("base", text)] if measure == "chain" else [""]
                    found += [_row(arm, seed, measure, part, text, number) for text in texts for number in range(problems)]
    return found


def value(arm: str, seed: int, part: str, number: int) -> float:
    """Return nats a token: the arm's level, a spread over problems, of the gains too, and 0.01 a seed."""
    gain = 0 if arm == "base" else 0.02 * (2 * (number % 2) - 1) + 0.01 * seed + (SEEN if part == "seen" else 0)
    return LEVELS[arm] - 0.1 * (number % 4) + gain


def _row(arm: str, seed: int, measure: str, part: str, text: str, number: int) -> Likelihood:
    sampled, nats = measure == "answer_sampled", value(arm, seed, part, number)
    probability = (0.1 if arm == "base" else 0.3) + 0.01 * number
    benchmark = "transfer" if part == "transfer" else "competition"
    return Likelihood(
        arm=arm, seed=seed, benchmark=benchmark, id=f"{part}-{number}", part=part, cluster=f"{part}-{number}", measure=measure,  # type: ignore[arg-type]
        text=text, nats=TOKENS * nats, tokens=TOKENS, opening_nats=-3.0 if arm == "base" else -0.5, opening_tokens=2, end_nats=-0.25,
        probability=probability if sampled else UNSET, probability_ended=probability / 2 if sampled else UNSET,
        samples=1 if sampled else UNSET,
    )  # fmt: skip
