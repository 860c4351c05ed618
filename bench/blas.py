"""Measure training on the pinned OpenBLAS and on another BLAS: `python -m bench.blas LIBRARY [ROUNDS]`, after `dvc pull` of a corpus.

The embedded student, its corpus r1 and our trainer, a process each, in turn, round by round with the round's seed; the other library comes
in by MLX_BLAS, on one thread as the pinned one. Speed is that of the steps after the first report, as in `bench.train`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.record import record
from bench.train import ROOT, prepare

SIDES = ("pinned", "other")
ONE = {"MKL_THREADING_LAYER": "SEQUENTIAL", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def main(library: str, rounds: str = "5") -> None:
    """Run both sides in turn; print and record the medians and the ratio of each round."""
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "mini")
        prepare("mini", work)
        for seed in range(1, int(rounds) + 1):
            for side in SIDES if seed % 2 else SIDES[::-1]:
                speeds[side].append(run(work, seed, library if side == "other" else ""))
    figures = {
        "library": Path(library).name,
        "vs_other": median(ours / other for ours, other in zip(speeds["pinned"], speeds["other"], strict=True)),
        "rounds": int(rounds),
    }
    figures |= {f"{side}_tokens_per_s": median(speeds[side]) for side in SIDES}
    print(json.dumps(figures, indent=2))
    record("blas", figures)


def run(work: Path, seed: int, library: str) -> float:
    """Train in a process of its own, on the pinned BLAS where `library` is empty; return the tokens a second."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLX_", "OPENBLAS_"))} | ONE
    environment |= {"MLX_BLAS": library} if library else {}
    command = [sys.executable, "-m", "bench.train", "--side", "ours", "mini", str(work), str(seed)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return float(json.loads((work / "figures.json").read_text())["tokens"])


if __name__ == "__main__":
    main(*sys.argv[1:])
