"""The card of an exported adapter: what it is, how to load it, what it was trained on and how, what was measured, and what is not known.

Every figure is one of the study's metrics. Texts of the study file are escaped: a card is a page that others open.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from huggingface_hub import ModelCardData

from distill.core.markdown import code, escape, grid
from distill.export import measured
from distill.export.terms import OWN, Base, Terms

LIBRARIES = {"peft": "peft", "merged": "transformers"}
KINDS = {
    "peft": "A LoRA adapter for PEFT",
    "merged": "A student with its LoRA adapter merged in",
    "gguf": "A GGUF file of a student with its LoRA adapter merged in",
}
LOAD = """from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder; of a repository: huggingface_hub.snapshot_download("OWNER/REPO")
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained({base}, dtype="{dtype}")"""
USE = {
    "peft": "from peft import PeftModel\n" + LOAD + "\nmodel = PeftModel.from_pretrained(model, folder)",
    "merged": LOAD,
    "gguf": """from llama_cpp import Llama

model = Llama("{name}.gguf", n_ctx=0)
print(model.create_chat_completion([{{"role": "user", "content": "..."}}], temperature=0)["choices"][0]["message"]["content"])""",
}


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """What a card is made of."""

    study: str
    arm: str
    seed: int
    form: str  # peft, merged or gguf
    terms: Terms | None
    base: Base
    bits: int  # a weight of the student; 16 or more: it is not quantised
    dtype: str  # of the weights in the folder, as torch names it
    row: Mapping[str, Any]  # of section `arms`
    manifest: Mapping[str, Any]  # of the adapter
    run: Mapping[str, Any]  # its training.json
    summary: measured.Arms  # empty: nothing was judged
    likelihood: measured.Arms  # empty: nothing was scored
    confidence: float  # of every interval
    limits: list[str]
    provenance: Mapping[str, str]

    @property
    def name(self) -> str:
        """STUDY-ARM-SEED."""
        return f"{self.study}-{self.arm}-{self.seed}"


def card(about: Adapter) -> str:
    """Return the card: the YAML head that the hub reads, and the page."""
    return f"---\n{head(about).to_yaml()}\n---\n\n" + "\n\n".join(_page(about)) + "\n"


def head(about: Adapter) -> ModelCardData:
    """Return the head."""
    terms = about.terms
    return ModelCardData(
        language=terms.language if terms else None,
        license=terms.licence.lower() if terms else None,
        base_model=about.base.origin or (terms.base_model if terms else None) or None,
        datasets=(terms.datasets or None) if terms else None,
        library_name=LIBRARIES.get(about.form),
        pipeline_tag="text-generation",
        tags=["lora", "knowledge-distillation", "chain-of-thought", *(["gguf"] if about.form == "gguf" else [])],
        model_name=about.name,
        eval_results=list(measured.index(about.study, about.arm, about.summary, about.confidence)) or None,
    )


def _page(about: Adapter) -> Iterator[str]:
    """Yield the paragraphs of the page."""
    yield f"# {about.name}"
    yield (
        f"{KINDS[about.form]}: arm {code(about.arm)}, seed {about.seed}, of study {code(about.study)} of distill-repro, a pipeline that "
        "reproduces papers on chain-of-thought distillation: a small language model is fine-tuned on the written reasoning of a teacher."
    )
    yield "## How to use it"
    base = "folder"
    if about.form == "peft":
        base = f'f"{{folder}}/{OWN}"' if about.base.own else f'"{about.base.name}", revision="{about.base.revision}"'
    yield f"```python\n{USE[about.form].format(base=base, dtype=about.dtype, name=about.name)}\n```"
    yield " ".join(filter(None, [_weights(about), "Ask it as it was trained: with the chat template of its tokenizer."]))
    yield "## Data"
    yield _data(about)
    yield "## Recipe"
    yield grid(["setting", "value"], sorted(_flat(about.manifest["train"])), left=2)
    yield grid(["figure of the run", "value"], _flat(about.run))
    yield "## Results"
    yield from measured.tables(about.arm, about.summary, about.likelihood, about.confidence)
    yield "## Limits"
    yield limits(about.limits)
    yield "## Licence and provenance"
    yield licence(about.terms.licence if about.terms else "")
    yield grid(["what", "which"], about.provenance.items(), left=2)


def _weights(about: Adapter) -> str:
    """Say what the weights in the folder are, or those of the base."""
    if about.form != "peft":
        return f"The student has {about.bits} bits a weight; here they are dequantised, with the adapter added." if about.bits < 16 else ""
    where = f"The base lies in {code(OWN)}, because transformers reads it from no repository." if about.base.own else ""
    return " ".join(filter(None, [where, about.base.note]))


def _data(about: Adapter) -> str:
    row, made = about.row, about.terms.datasets if about.terms else []
    count = f"the first {row['n']} examples of the arm's order" if row["n"] else "all examples"
    texts = ", with corrected problem texts" if row["corrected"] else ""
    source = f" Made of {', '.join(map(code, made))}." if made else ""
    command = f"`make export S={about.study} A={about.arm} TO=data`"
    protocol = code(str(row["protocol"]))
    return (
        f"Level {code(str(row['level']))} of the teacher's work, {count}, protocol {protocol}{texts}.{source} The corpus itself: {command}."
    )


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of mappings in each other, keys joined by a point."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def limits(lines: list[str]) -> str:
    """Return what a study says that it cannot show."""
    return "\n".join(f"- {escape(line)}" for line in lines) or "The study names none; that is not to say that there are none."


def licence(name: str) -> str:
    """Return the sentence on the licence."""
    return f"Licence: {name} (SPDX)." if name else "The study file states no licence: ask before you use it."
