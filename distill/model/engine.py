"""The numerical engine: call `start()` before the first ``import mlx``.

MLX's Linux CPU wheel carries a reference BLAS (6 GFLOP/s on two cores). Loading OpenBLAS into the process first, with its symbols global,
replaces it without a rebuild. The library is the one that the pinned wheel of OpenCV carries, which reads the exam pages anyway; its
threads and its kernels are pinned, because both decide the last bits of a product and both would follow the machine.
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

from distill.core.errors import InputError

PIN = Path(__file__).parents[2] / "engine.yaml"
CUDA = ("mlx-cuda-13", "mlx-cuda-12")
CARRIER = "opencv-python-headless"  # the wheel that OpenBLAS is taken from
NEEDED = {"avx2", "fma"}  # what the pinned kernels ask of an x86-64 CPU, as Linux names it


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
            raise InputError(f"engine: {cuda[0]} and mlx-cpu are installed over each other; run `rm -r .venv` and `make setup CUDA=1`")
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
    if not _openblas():
        return f"{CARRIER} carries no OpenBLAS here"
    if missing := NEEDED - _abilities():
        return f"this CPU has no {' and no '.join(sorted(missing))}, which the pinned kernels of OpenBLAS need"
    return ""


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
            raise InputError(f"MLX_BLAS={other}: not a library ({error}); give the path of a libopenblas.so, or unset it") from None
        return {"blas": Path(other).name}
    library = _openblas()
    if not library:
        print("engine: no OpenBLAS here, MLX's reference BLAS is 10 to 30 times slower; set MLX_BLAS to a libopenblas.so", file=sys.stderr)
        return {"blas": "reference"}
    return _load(library) | _versions(CARRIER)


def _load(library: str) -> dict[str, str]:
    """Load OpenBLAS with one thread and, on x86-64, the pinned kernels where the CPU has what they need; return what it says it is."""
    pinned = str(_pin()["OPENBLAS_CORETYPE"]) if _abilities() >= NEEDED else ""
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.update({"OPENBLAS_NUM_THREADS": "1"} | ({"OPENBLAS_CORETYPE": pinned} if pinned else {}))
    blas = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    blas.openblas_get_config.restype = blas.openblas_get_corename.restype = ctypes.c_char_p
    name, kernels = " ".join(blas.openblas_get_config().decode().split()[:2]), blas.openblas_get_corename().decode()
    if pinned and kernels != pinned:
        raise InputError(
            f"{PIN.name}: OPENBLAS_CORETYPE is {pinned}, {name} runs {kernels}: it knows no such kernels, or cv2 was imported before"
        )
    return {"blas": name, "kernels": kernels}


def _abilities() -> set[str]:
    """Return the names of what this machine's CPU can do, as Linux lists them; none where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


@cache
def _openblas() -> str:
    """Return the path of the library in the wheel that carries it; "" where there is none."""
    if not _installed(CARRIER):
        return ""
    found = [file for file in distribution(CARRIER).files or () if file.name.startswith("libopenblas")]
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
            raise InputError(f"{PIN.name}: {name} is pinned to {pin[name]}, installed is {here or 'nothing'}; run `make setup`")
    return found
