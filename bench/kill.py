"""Kill `extract` ten times at random moments, then let it finish: what is kept is not read again, the result is a whole run's.

python bench/kill.py studies/job.yaml data/job/raw [YEAR]
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from distill.sources import manifest

ROOT = Path(__file__).parents[1]


def main(study: str, raw: str, year: str = "2012") -> None:
    """Run on one year's files in a scratch folder."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "stages").symlink_to(ROOT / "stages")
        (folder / "job.yaml").write_bytes(Path(study).read_bytes())
        paths = [path for path in sorted(Path(raw).rglob("*")) if year in path.name and path.suffix in (".pdf", ".json")]
        for path in paths:
            target = folder / "raw" / path.relative_to(raw)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        found = sorted(path for path in (folder / "raw").rglob("*") if path.is_file())
        entries = [msgspec.structs.replace(manifest.entry(path), file=path.relative_to(folder / "raw").as_posix()) for path in found]
        manifest.write(folder / "raw", entries)
        kept: dict[str, int] = {}
        for number in range(10):
            running = _start(folder, "killed")
            time.sleep(rng.uniform(5, 45))
            os.killpg(running.pid, signal.SIGKILL) if number % 2 else running.kill()  # readers leave by themselves when their parent dies
            running.wait()
            time.sleep(1)
            now = _kept(folder)
            again = [name for name, when in kept.items() if now.get(name) != when]
            print(f"kill {number + 1}: {len(now)} pages and regions kept, {len(again)} of the earlier ones read again")
            kept = now
        for name in ("killed", "unharmed"):
            if name == "unharmed":
                (folder / ".work").rename(folder / ".work-killed")
            _start(folder, name).wait()
        equal = [
            (folder / f"killed-{out}").read_bytes() == (folder / f"unharmed-{out}").read_bytes() for out in ("problems", "reading", "audit")
        ]
        print(f"problems, reading and audit equal to those of a run unharmed: {equal}")


def _start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    outs = [f"{name}-{out}" for out in ("problems", "reading", "audit")]
    words = [sys.executable, "-m", "stages.extract", "job.yaml", "raw", *outs]
    return subprocess.Popen(words, cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL)


def _kept(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / ".work").rglob("*.json")}


if __name__ == "__main__":
    main(*sys.argv[1:])
