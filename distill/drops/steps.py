"""What each step of a study leaves out, by reason, reconciled: input minus drops is output, each of the two from another file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

Counts = Mapping[str, Any]


class Step(Struct, frozen=True):
    """A step: `input` problems go in, `drops` are left out by reason, `output` come out."""

    stage: str
    of: str  # what of the stage's: an arm, a claim; "" where the stage has one denominator
    input: int
    drops: dict[str, int]
    output: int
    benchmark: str | UnsetType = UNSET  # absent where the step is on the study's own problems before they are asked


class Corpus(NamedTuple):
    """An arm's corpus."""

    counts: Counts  # its counts.json
    rows: int  # of train.jsonl and valid.jsonl
    published: bool  # rebuilt row by row from a published corpus


def step(stage: str, of: str, start: int, drops: Mapping[str, int], end: int) -> Step:
    """Return a step, without the reasons that lost nothing; ValueError where it does not add up."""
    lost = {reason: count for reason, count in sorted(drops.items()) if count}
    if start - sum(lost.values()) != end:
        named = ", ".join(f"{reason}: {count}" for reason, count in lost.items()) or "none"
        where = f"{stage} of {of}" if of else stage
        left = start - sum(lost.values())
        raise ValueError(f"{where}: {start} in, {start - left} dropped ({named}), {end} out: {left - end:+} unexplained")
    return Step(stage, of, start, lost, end)


def on(benchmark: str, made: Step) -> Step:
    """Return a step on the problems of a benchmark."""
    return replace(made, benchmark=benchmark)


def extract(counts: Counts, problems: int) -> Step:
    """From what the source prints or lists, by the extraction's own counts, to the problems of record."""
    if "expected" in counts:
        lost = {"not found on its page": counts["missing"], "no answer in its key": counts["dropped_no_answer"],
                "no page of answers": counts["dropped_no_key_page"], "dropped in review": counts.get("dropped_in_review", 0)}  # fmt: skip
        return step("extract", "", counts["expected"], lost, problems)
    if "transcribed_real" in counts:  # items on a page, and rows of the transcription that no page has
        start = counts["items"] + counts["flag_unprinted"]
        return step("extract", "", start, {"printed, not transcribed": counts["flag_untranscribed"]}, problems)
    lost = {name.removeprefix("dropped_").replace("_", " "): count for name, count in counts.items() if name.startswith("dropped_")}
    return step("extract", "", counts["problems"] + sum(lost.values()), lost, problems)


def verify(teacher: Counts, problems: int) -> Step:
    """From the problems to those of which the teacher's work is verified."""
    lost = {f"the teacher's work is {verdict}": count for verdict, count in teacher["verdicts"].items() if verdict != "correct"}
    return step("verify", "", problems, lost, teacher["verified_correct"])


def split(sides: Mapping[str, int], problems: int, heldout: int) -> Step:
    """From the problems to those held out; `sides` counts the split's rows, `heldout` is the audit's count."""
    return step("split", "", problems, {"for training": sides["train"], "for validation": sides["valid"]}, heldout)


def asked(left: Mapping[str, int], problems: int, rows: int) -> Step:
    """From the problems to those that every student is asked; `left` counts, by side, those that are not."""
    names = {"train": "for training, not drawn", "valid": "for validation, not drawn", "heldout": "held out, not drawn or not complete"}
    return step("benchmarks", "", problems, {name: left.get(side, 0) for side, name in names.items()}, rows)


def curate(arm: str, corpus: Corpus, problems: int) -> Step:
    """From the problems to an arm's training and validation examples; of a published corpus, from its rows."""
    lost = {"held out": corpus.counts["test"], **corpus.counts["dropped"]}
    start = corpus.counts["train"] + corpus.counts["valid"] + sum(lost.values()) if corpus.published else problems
    return step("curate", arm, start, lost, corpus.rows)


def train(arm: str, corpus: Counts, seeds: Mapping[str, Counts]) -> list[Step]:
    """From an arm's training examples to those that fit the student; none where a longer one is an error."""
    lost = {seed: figures["dropped"]["train"] for seed, figures in seeds.items() if "dropped" in figures}
    return [
        step(
            "train", f"{arm}, seed {seed}", corpus["train"],
            {"longer than max_seq_length": row["longer_than_max_seq_length"]}, row["examples"] - row["longer_than_max_seq_length"],
        )
        for seed, row in lost.items()
    ]  # fmt: skip


def answered(arm: str, asked: Mapping[str, int], not_recorded: Mapping[str, int], found: Mapping[str, int]) -> list[Step]:
    """From the problems asked, by benchmark, to those with a verdict."""
    return [
        on(benchmark, step("grade", arm, rows, {"no recorded answer": not_recorded.get(benchmark, 0)}, found.get(benchmark, 0)))
        for benchmark, rows in sorted(asked.items())
    ]
