"""The card of an arm's corpus: what it holds, how it was made, its counts, and what is not known."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from huggingface_hub import DatasetCardData

from distill.core.markdown import code, grid
from distill.export.model_card import licence, limits
from distill.export.terms import Terms

PARTS = {"train": "train", "valid": "validation", "test": "test"}  # file -> split, as the hub names it
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
ABOUT = (
    "The corpus of arm {arm} of study {study} of distill-repro, a pipeline that reproduces papers on chain-of-thought distillation: "
    "chats of a problem and a teacher's work at level {level}, which a student learns to write."
)
FIELDS = {"id": "the problem's", "messages": "turns of a chat, each with `role` and `content`"}


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """What a card is made of."""

    study: str
    arm: str
    terms: Terms | None
    row: Mapping[str, Any]  # of section `arms`
    counts: Mapping[str, Any]  # the corpus' counts.json
    limits: list[str]
    provenance: Mapping[str, str]

    @property
    def about(self) -> str:
        """What it is, in one sentence, as plain text."""
        return ABOUT.format(arm=self.arm, study=self.study, level=self.row["level"])


def card(corpus: Corpus) -> str:
    """Return the card: the YAML head that the hub reads, and the page."""
    return f"---\n{head(corpus).to_yaml()}\n---\n\n" + "\n\n".join(_page(corpus)) + "\n"


def head(corpus: Corpus) -> DatasetCardData:
    """Return the head."""
    terms, total = corpus.terms, sum(corpus.counts.get(part, 0) for part in PARTS)
    return DatasetCardData(
        language=[terms.language] if terms else None,
        license=terms.data_licence.lower() if terms else None,
        pretty_name=f"{corpus.study}-{corpus.arm}",
        size_categories=[next((name for limit, name in SIZES if total < limit), "n>1M")],
        source_datasets=(terms.datasets or ["original"]) if terms else None,
        task_categories=["text-generation"],
        tags=["knowledge-distillation", "chain-of-thought", "croissant"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{part}.jsonl"} for part, split in PARTS.items() if corpus.counts.get(part)],
            }
        ],
    )


def _page(corpus: Corpus) -> Iterator[str]:
    """Yield the paragraphs of the page."""
    row, terms = corpus.row, corpus.terms
    yield f"# {corpus.study}-{corpus.arm}"
    yield ABOUT.format(arm=code(corpus.arm), study=code(corpus.study), level=code(str(row["level"])))
    yield "`croissant.json` describes the files and the records in Croissant 1.1. A line is one example:"
    yield grid(["field", "meaning"], list(FIELDS.items()), left=2)
    yield "## How it was made"
    yield f"Protocol {code(str(row['protocol']))}: {_protocol(row)}."
    if terms and terms.datasets:
        yield f"Made of {', '.join(map(code, terms.datasets))}."
    yield grid(["count", "examples"], [(name, value) for name, value in _counts(corpus.counts)])
    yield "## Limits"
    yield limits(corpus.limits)
    yield "## Licence and provenance"
    yield licence(terms.data_licence if terms else "")
    yield grid(["what", "which"], list(corpus.provenance.items()), left=2)


def _protocol(row: Mapping[str, Any]) -> str:
    texts = "corrected problem texts" if row["corrected"] else "problem texts as published"
    work = "checked, verified work only" if row["protocol"] == "clean" else "a corpus as it was published, its flaws counted"
    count = f"at most {row['n']} training examples" if row["n"] else "all that there are"
    return f"{work}; {texts}; {count}"


def _counts(counts: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in counts.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {reason}", count) for reason, count in value.items())
        else:
            yield PARTS.get(name, name), value
