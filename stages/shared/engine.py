"""The numerical engine: call `start()` before the first ``import mlx``.

MLX's Linux CPU wheel carries a reference BLAS (6 GFLOP/s on two cores). Loading MKL into the process first, with its symbols global,
replaces it without a rebuild. MKL's threads and kernel choice are pinned because both decide the last bits of a product.
"""

import ctypes
import os
import platform
import shutil
import sys
import tempfile
import zlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import yaml

from stages.shared.files import Fault

PIN = Path(__file__).parents[2] / "engine.yaml"
CUDA = ("mlx-cuda-13", "mlx-cuda-12")
BRANCHES = {"COMPATIBLE": 3, "AVX2": 10, "AVX512": 12}  # MKL's numbers for the kernel sets that engine.yaml may name


@cache
def start() -> dict[str, str]:
    """Load the pinned BLAS where MLX's backend is the Linux CPU; return what determines the bits, for a manifest.

    ``MLX_BLAS=/path/to/libopenblas.so`` takes another BLAS instead, which gives up equality with the committed results.
    ``MLX_DISABLE_COMPILE=0`` compiles kernels where there is a g++: steps are about a fifth faster after a slow first one.
    """
    if sys.platform == "darwin":
        return {"backend": "metal"} | _versions("mlx", "mlx-lm")
    if cuda := [name for name in CUDA if _installed(name)]:
        if _installed("mlx-cpu"):
            raise Fault(f"engine: {cuda[0]} and mlx-cpu are installed over each other; run `rm -r .venv` and `make setup CUDA=1`")
        return {"backend": "cuda"} | _versions("mlx", "mlx-lm")
    if "mlx.core" in sys.modules:
        raise RuntimeError("engine.start() must run before the first import of mlx, whose BLAS is bound by then")
    _compiler()
    return {"backend": "cpu"} | _blas() | _versions("mlx", "mlx-lm")


def exact() -> str:
    """Return why this machine's results may differ from the committed ones in their last bits; "" if they must be equal."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"{platform.system()} on {platform.machine()} is not Linux on x86-64"
    if any(_installed(name) for name in CUDA):
        return "MLX's CUDA backend is installed"
    if other := os.environ.get("MLX_BLAS"):
        return f"MLX_BLAS={other} replaces the pinned BLAS"
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        return f"Python's zlib here is {zlib.ZLIB_RUNTIME_VERSION}, which compresses the same text to other bytes"
    library = _mkl()
    if not library:
        return "MKL is not installed"
    name, honoured = _load(library)
    return "" if honoured else f"MKL ignores MKL_CBWR={name} on this CPU"


def _compiler() -> None:
    if os.environ.get("MLX_DISABLE_COMPILE") == "0" and shutil.which("g++"):
        del os.environ["MLX_DISABLE_COMPILE"]  # MLX looks at whether it is set, not at its value
    else:
        os.environ["MLX_DISABLE_COMPILE"] = "1"
    os.environ["TMPDIR"] = tempfile.gettempdir()  # MLX dies of a TMPDIR that is not there; this one was tried


def _blas() -> dict[str, str]:
    if other := os.environ.get("MLX_BLAS"):
        print(f"engine: BLAS {other} instead of the pinned one: results will differ in their last bits", file=sys.stderr)
        try:
            ctypes.CDLL(other, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise Fault(f"MLX_BLAS={other}: not a library ({error}); give the path of a libopenblas.so, or unset it") from None
        return {"blas": Path(other).name}
    library = _mkl()
    if not library:
        print("engine: no MKL here, MLX's reference BLAS is 10 to 30 times slower; set MLX_BLAS to a libopenblas.so", file=sys.stderr)
        return {"blas": "reference"}
    name, _ = _load(library)
    return {"blas": "mkl", "MKL_CBWR": name} | _versions("mkl")


def _load(library: str) -> tuple[str, bool]:
    """Load MKL with one thread and the pinned kernel set; return the set's name and whether MKL honours it on this CPU."""
    name = str(_pin()["MKL_CBWR"])
    if name not in BRANCHES:
        raise Fault(f"{PIN.name}: MKL_CBWR is {name}; allowed: {', '.join(BRANCHES)}")
    os.environ.update(MKL_CBWR=name, MKL_THREADING_LAYER="SEQUENTIAL", MKL_NUM_THREADS="1")
    branch = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL).MKL_CBWR_Get(1)
    return name, branch == BRANCHES[name]


def _mkl() -> str:
    """Return the path of MKL's run-time library as the wheel installed it; "" where there is none."""
    if not _installed("mkl"):
        return ""
    found = [file for file in distribution("mkl").files or () if file.name.startswith("libmkl_rt.so")]
    return str(found[0].locate()) if found else ""


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _pin() -> dict[str, str]:
    pin: dict[str, str] = yaml.safe_load(PIN.read_text(encoding="utf-8"))
    return pin


def _versions(*names: str) -> dict[str, str]:
    pin, found = _pin(), {name: _installed(name) for name in names}
    for name, here in found.items():
        if here != pin[name]:
            raise Fault(f"{PIN.name}: {name} is pinned to {pin[name]}, installed is {here or 'nothing'}; run `make setup`")
    return found
