"""`python -m tools.render_benchmarks`: write the figures of metrics/benchmarks.json into docs/speed.md, between two markers."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from distill.core.errors import InputError
from distill.core.files import write_text

RATIOS = {  # section and key -> ours, and what stands beside it
    "train.vs_stock": ("training an adapter of mini", "`mlx_lm.lora` as installed"),
    "train.vs_same_blas": ("training an adapter of mini", "`mlx_lm.lora` on our BLAS"),
    "train.vs_two_threads": ("training an adapter of mini", "`mlx_lm.lora` on our BLAS with two threads"),
    "train.vs_stock_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` as installed"),
    "train.vs_same_blas_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` on our BLAS"),
    "train.vs_two_threads_half": ("training four layers of Qwen2.5-0.5B's shape", "`mlx_lm.lora` on our BLAS with two threads"),
    "blas.vs_other": ("training an adapter of mini on the pinned OpenBLAS", "the same on the BLAS that `blas.library` names"),
    "sample.vs_sequential": ("sampling all of mini's questions", "`mlx_lm.generate`, one after another"),
    "sample.vs_batch": ("sampling all of mini's questions", "`mlx_lm.batch_generate`"),
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
    """Return the table of ratios, then one table a section, under what it was measured on."""
    parts = [ratios(record)]
    order = [key.split(".")[0] for key in RATIOS]
    for name, section in sorted(record.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)):
        about = section["measured"]
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        device = f", {about['device']}" if about.get("device") else ""
        parts.append(f"### {name}\n\n{about['machine']}, {about['cores']} cores{device}; {versions}; {about['date']}.")
        rows = list(flat({key: value for key, value in section.items() if key != "measured"}))
        parts.append(tabulate(rows, headers=["figure", "value"], tablefmt="pipe", disable_numparse=True, colalign=("left", "right")))
    return "\n\n".join(parts)


def ratios(record: Mapping[str, Any]) -> str:
    """Return the table of how many times faster ours is, of what has been measured."""
    found = {key: record.get(section, {}).get(name) for key in RATIOS for section, name in [key.split(".")]}
    rows = [(*RATIOS[key], figure(float(value)), f"`{key}`") for key, value in found.items() if value is not None]
    headers = ["ours", "beside", "times faster", "figure"]
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True, colalign=("left", "left", "right", "left"))


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each figure under its dotted key.

    >>> list(flat({"a": {"b": 1234.5, "c": 0.01234}, "n": 3}))
    [('`a.b`', '1,234'), ('`a.c`', '0.0123'), ('`n`', '3')]
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield f"`{prefix}`", ", ".join(figure(item) for item in value)
    else:
        yield f"`{prefix}`", figure(value)


def figure(value: Any) -> str:
    """Return a figure to three digits; a larger one in full."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    try:
        main()
    except InputError as fault:
        sys.exit(f"speed: {fault}")
