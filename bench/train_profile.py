"""Where a training step's CPU time goes: `python -m bench.train_profile [--student FOLDER|WHEEL|GGUF]`, under Linux's `perf`.

It samples our side of `bench.train_peft`'s benchmark `smollm` (LoRA in all blocks), start-up included, and adds up the shares of the
functions that the samples fell into. Shares of CPU time change little when the machine is busy; times do.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench.record import record
from bench.train import ROOT, prepare

KINDS = {  # kind: parts of the names of its functions or of their libraries, the first kind that fits
    "products": ("gemm", "gemv", "libopenblas"),  # the BLAS, with the copies that it makes of its operands
    "linux": ("[kernel",),  # most of it clears the pages of each new large array
    "elementwise": ("libmlx",),  # all else that MLX does: exponentials, sums, copies
    "rest": ("",),  # Python, malloc, loading
}


def main(student: Path) -> None:
    """Profile one run; print and record the shares."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "smollm")
        work.mkdir()
        subprocess.run([sys.executable, "-m", "bench.train_peft", "--convert", str(work), str(student)], cwd=ROOT, check=True)
        prepare("smollm", work, Path((work / "student.txt").read_text()), work / "corpus")
        side = [sys.executable, "-m", "bench.train_peft", "--side", "ours", "smollm", str(work), "1"]
        subprocess.run(["perf", "record", "-q", "-F", "200", "-o", str(work / "perf.data"), *side], cwd=ROOT, check=True)
        words = [
            "perf",
            "report",
            "-i",
            str(work / "perf.data"),
            "--no-children",
            "--stdio",
            "--percent-limit",
            "0.05",
            "--sort",
            "dso,symbol",
        ]
        report = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = shares(report.splitlines())
    print({kind: round(share, 1) for kind, share in found.items()})
    record("train_profile", found)


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Return each kind's share of the samples, in %, from the lines of perf's report; what is too small to be listed counts as rest.

    >>> shares(["# head", " 60.00%  libopenblas.so  [.] sgemm_kernel", " 25.00%  libmlx.so  [.] mlx::core::binary_op<float>"])
    {'products': 60.0, 'linux': 0.0, 'elementwise': 25.0, 'rest': 15.0}
    """
    found = dict.fromkeys(KINDS, 0.0)
    for line in lines:
        share, _, name = line.strip().partition("%")
        if name and not line.startswith("#"):
            found[next(kind for kind, parts in KINDS.items() if any(part in name for part in parts))] += float(share)
    return found | {"rest": found["rest"] + max(0.0, 100 - sum(found.values()))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument(
        "--student", type=Path, default=ROOT / "models/gsm8k/student", help="a student's folder, a GGUF file, or a wheel with one"
    )
    main(parser.parse_args().student)
