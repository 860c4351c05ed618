"""What determines the bytes of a cell besides its inputs: the engine, versions, the commit and the study file.

`python -m tools.cluster.fingerprint STUDY` prints it as JSON.
"""

import hashlib
import json
import platform
import subprocess
import sys
import zlib
from collections.abc import Mapping
from importlib.metadata import version

from distill.cli import command
from distill.cli.layout import layout
from distill.model import engine

LIBRARIES = ("numpy", "dvc", "safetensors", "tokenizers", "transformers")


def here(study: str) -> dict[str, str]:
    """Return the fingerprint of this machine, this environment and the clone that is the current folder."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        **engine.start(),
        **{name: version(name) for name in LIBRARIES},
        "commit": commit(),
        "study": hashlib.sha256(layout(study).study_file.read_bytes()).hexdigest()[:16],
    }


def commit() -> str:
    """Return the commit that is checked out in the current folder."""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return how a worker differs from the coordinator, on one line; "" where it does not.

    >>> difference({"mlx": "0.32.4", "blas": "OpenBLAS"}, {"mlx": "0.32.3", "blas": "OpenBLAS", "kernels": "Zen"})
    "mlx is 0.32.3 there, 0.32.4 here; kernels is Zen there, nothing here"
    """
    names = [name for name in dict.fromkeys([*ours, *theirs]) if ours.get(name) != theirs.get(name)]
    return "; ".join(f"{name} is {theirs.get(name, 'nothing')} there, {ours.get(name, 'nothing')} here" for name in names)


if __name__ == "__main__":
    command.guarded("fingerprint", lambda: print(json.dumps(here(*sys.argv[1:]))))
