"""The steps of the Containerfile in a fresh clone with an empty home and no environment: CPU seconds, peak memory and disk of each.

    python -m bench.clean_root        # setup, pull, a claim computed again, a few tests: section `commands` of metrics/artifact.json

Only the PATH and the settings of pip are handed on. What the package manager keeps in the home is not counted.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.files import write_json
from tests.pipeline import ROOT
from tools import costs

STEPS = {
    "make setup": ["make", "setup"],
    "make pull": ["make", "pull"],
    "make claim C=distilled_above_base RUN=1": ["make", "claim", "C=distilled_above_base", "RUN=1"],
    "pytest tests/test_statistics.py tests/test_split.py": [
        ".venv/bin/python",
        "-m",
        "pytest",
        "-q",
        "tests/test_statistics.py",
        "tests/test_split.py",
    ],
}
KEPT = ("PATH", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")


def main() -> None:
    """Run the steps, print what each took and record it."""
    with TemporaryDirectory() as folder:
        home, tree = Path(folder, "home"), Path(folder, "tree")
        home.mkdir()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(tree)], check=True)
        environment = {"HOME": str(home)} | {name: os.environ[name] for name in KEPT if name in os.environ}
        found = {"git clone": {"cpu_seconds": 0.0, "disk_megabytes": disk(tree)}}
        for name, words in STEPS.items():
            before, held = resource.getrusage(resource.RUSAGE_CHILDREN), disk(tree)
            done = subprocess.run(words, cwd=tree, env=environment, stdout=sys.stderr)
            if done.returncode:
                raise SystemExit(f"{name}: exit code {done.returncode}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[name] = {"cpu_seconds": round(seconds, 1), "disk_megabytes": disk(tree) - held}
            print(name, found[name], flush=True)
    path = ROOT / costs.RECORD
    write_json(path, json.loads(path.read_bytes()) | {"commands": found})


def disk(folder: Path) -> int:
    """Return the megabytes of the files in a folder, each counted once however often it is linked."""
    sizes = {(found.st_dev, found.st_ino): found.st_blocks * 512 for path in folder.rglob("*") for found in [path.lstat()]}
    return round(sum(sizes.values()) / 1e6)


if __name__ == "__main__":
    main()
