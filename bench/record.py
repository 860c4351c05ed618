"""The record of what was measured: metrics/benchmarks.json, one section a benchmark, each with its machine, versions and date.

Ratios stand under the names that the pages quote: train.vs_stock, train.vs_same_blas, sample.vs_sequential, sample.vs_batch, ...
"""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from distill.core.files import write_json

RECORD = Path(__file__).parents[1] / "metrics" / "benchmarks.json"
PACKAGES = ("mlx", "mlx-lm", "opencv-python-headless", "numpy", "dvc")


def record(section: str, figures: Mapping[str, Any], device: str = "", path: Path = RECORD, packages: Sequence[str] = PACKAGES) -> None:
    """Put a benchmark's figures in place of its earlier ones; `device` names an accelerator that they were measured on."""
    document = json.loads(path.read_bytes()) if path.exists() else {}
    document[section] = dict(figures) | {"measured": about(device, packages)}
    write_json(path, dict(sorted(document.items())))


def about(device: str = "", packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return the machine, the versions and the day."""
    machine = {"machine": processor(), "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}
    versions = {"python": platform.python_version()} | {name: found for name in packages if (found := _installed(name))}
    return machine | ({"device": device} if device else {}) | {"versions": versions, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def processor() -> str:
    """Return the processor's name, the architecture where it has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
