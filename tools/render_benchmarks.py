"""`python -m tools.render_benchmarks`: write the figures of metrics/benchmarks.json into docs/speed.md, between two markers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from distill.cli import command
from distill.core.errors import InputError
from distill.core.files import write_text

RATIOS = {  # section and key -> ours, and what it is compared with
    "train.vs_stock": ("training an adapter of mini", "`mlx_lm.lora` as installed"),
    "train.vs_same_blas": ("training an adapter of mini", "`mlx_lm.lora` on our BLAS"),
    "train.vs_two_threads": ("training an adapter of mini", "`mlx_lm.lora` on our BLAS with two threads"),
    "train.vs_stock_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` as installed"),
    "train.vs_same_blas_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` on our BLAS"),
    "train.vs_two_threads_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` on our BLAS with two threads"),
    "train_peft.vs_peft_mini": ("training an adapter of mini", "PyTorch + PEFT, two threads"),
    "train_peft.vs_peft_smollm": ("training SmolLM2-135M, all blocks", "PyTorch + PEFT, two threads"),
    "train_peft.vs_peft_smollm-half": ("training SmolLM2-135M, last half of the blocks", "PyTorch + PEFT, two threads"),
    "train_peft.vs_peft_smollm-half_first": ("the same, first pass over the corpus", "PyTorch + PEFT, two threads"),
    "blas.vs_other": ("training an adapter of mini on the pinned OpenBLAS", "the same on the BLAS that `blas.library` names"),
    "sample.vs_sequential": ("sampling all of mini's questions", "`mlx_lm.generate`, one after another"),
    "sample.vs_batch": ("sampling all of mini's questions", "`mlx_lm.batch_generate`"),
    "sample_peers_gsm8k.vs_transformers": ("sampling GSM8K with SmolLM2-135M, float32, a CPU second", "transformers"),
    "sample_peers_gsm8k.vs_llama_cpp": ("sampling GSM8K with SmolLM2-135M, float32, a CPU second", "llama.cpp"),
    "sample_peers_mini.vs_transformers": ("sampling mini's questions, a CPU second", "transformers"),
    "sample_peers_mini.vs_llama_cpp": ("sampling mini's questions, a CPU second", "llama.cpp"),
    "grade.vs_math_verify": ("grading answers", "math-verify"),
    "extract.vs_sequential": ("reading exam pages", "the same, one page after another"),
    "teacher.vs_sequential": ("asking a teacher with 200 ms latency", "one call after another"),
}
START, END = "<!-- figures -->", "<!-- /figures -->"
PAGE, RECORD = Path("docs", "speed.md"), Path("metrics", "benchmarks.json")


def main() -> None:
    """Rewrite the page in the current folder."""
    text = PAGE.read_text(encoding="utf-8")
    write_text(PAGE, filled(text, block(json.loads(RECORD.read_bytes()))))


def filled(text: str, figures: str) -> str:
    """Return the page with `figures` between its markers."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise InputError(f"{PAGE}: expected {START} once, and after it {END} once; put them back")
    before, rest = text.split(START)
    return f"{before}{START}\n{figures}\n{END}{rest.split(END)[1]}"


def block(record: Mapping[str, Any]) -> str:
    """Return the tables of ratios and of sizes, the shares of a training step, and what each section was measured on."""
    return "\n\n".join(filter(None, (ratios(record), profile(record), sizes(record.get("scale", {})), measured(record))))


def measured(record: Mapping[str, Any]) -> str:
    """Return one line for the sections that were measured on the same machine, with the same versions, on the same day."""
    sections: dict[str, list[str]] = {}
    for name, section in sorted(record.items()):
        about = section["measured"]
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        device = f", {about['device']}" if about.get("device") else ""
        sections.setdefault(f"{about['machine']}, {about['cores']} cores{device}; {versions}; {about['date']}", []).append(f"`{name}`")
    return "\n".join(f"- {', '.join(names)}: {where}." for where, names in sections.items())


def ratios(record: Mapping[str, Any]) -> str:
    """Return the table of how many times faster ours is, of what has been measured."""
    found = {key: record.get(section, {}).get(name) for key in RATIOS for section, name in [key.split(".")]}
    rows = [(*RATIOS[key], figure(value), f"`{key}`") for key, value in found.items() if value is not None]
    headers = ["ours", "compared with", "times faster", "figure"]
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=("left", "left", "right", "left"))


def profile(record: Mapping[str, Any]) -> str:
    """Return a line with the shares of a training step's CPU time; nothing where it was not profiled."""
    found = {kind: share for kind, share in record.get("train_profile", {}).items() if isinstance(share, float)}
    parts = ", ".join(f"{kind} {share:.0f} %" for kind, share in found.items())
    return f"`train_profile`, CPU time of training SmolLM2-135M with LoRA in all blocks: {parts}." if found else ""


def sizes(scale: Mapping[str, Any]) -> str:
    """Return the table of wall (and CPU) time and peak memory of each stage, by number of problems; nothing where none was measured."""
    counts = sorted((key for key in scale if key.isdigit()), key=int)
    stages = [name for name, value in scale[counts[0]].items() if isinstance(value, dict)] if counts else []
    rows = [[f"`{stage}`", *(taken(scale[count][stage]) for count in counts)] for stage in stages]
    headers = ["stage", *(f"{int(count):,} problems" for count in counts)]
    align = ["left", *("right" for _ in counts)]
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=align) if rows else ""


def taken(row: Mapping[str, float]) -> str:
    """Write what a stage took."""
    return f"{row['seconds']:.1f} ({row['cpu_seconds']:.1f}) s, {row['megabytes']:,.0f} MB"


def figure(value: float) -> str:
    """Return a figure to three digits; a larger one in full."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    command.guarded("render_benchmarks", main)
