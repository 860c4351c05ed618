"""What a student makes of a given text: log-likelihoods of one problem, in nats of the student's tokens."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

MEASURES = ("chain", "chain_common", "answer_direct", "answer_after_chain", "answer_sampled")
Measure = Literal["chain", "chain_common", "answer_direct", "answer_after_chain", "answer_sampled"]
PROBABILITIES = ("answer_sampled",)  # measures in 0..1; the others are in nats a token


class Likelihood(Struct, frozen=True, forbid_unknown_fields=True):
    """One arm, seed, problem and measure (docs/likelihood.md)."""

    arm: str
    seed: int  # 0 for the base
    benchmark: str
    id: str
    part: str  # seen | heldout | a benchmark of the study
    cluster: str  # of duplicates
    measure: Measure
    text: str  # the arm whose own text is scored: of measure `chain`; else ""
    nats: float  # log-likelihood of the measured tokens: the chain, or the answer; over several samples the mean
    tokens: int  # that are measured
    opening_nats: float  # of the answer form's opening, after the chain or the question
    opening_tokens: int
    end_nats: float  # of the end of the turn, after the answer
    probability: float | UnsetType = UNSET  # of `answer_sampled`: mean over the samples of the answer's probability
    probability_ended: float | UnsetType = UNSET  # and of its probability with the end of the turn
    samples: int | UnsetType = UNSET

    @property
    def value(self) -> float:
        """Return the figure that is compared: nats a token, or a probability."""
        return self.nats / self.tokens if self.probability is UNSET else self.probability
