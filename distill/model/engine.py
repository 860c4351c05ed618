"""The numerical engine: call `start()` before the first ``import mlx``.

MLX's Linux CPU wheel ships a reference BLAS (6 GFLOP/s on two cores). OpenBLAS, loaded first with its symbols global, replaces it without
a rebuild. The library comes from the pinned OpenCV wheel, which extraction needs anyway. Its threads and kernels are pinned: both
determine the last bits of a product, and both would otherwise follow the machine.
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

PIN = Path(__file__).with_name("engine.yaml")
CUDA = ("mlx-cuda-13", "mlx-cuda-12")
BLAS_WHEEL = "opencv-python-headless"  # it ships OpenBLAS
CPU_FLAGS = {"avx2", "fma"}  # that the pinned kernels need, as Linux names them


@cache
def start() -> dict[str, str]:
    """Load the pinned BLAS where MLX's backend is the Linux CPU; return what determines the bits, for a manifest.

    ``MLX_BLAS=/path/to/libopenblas.so`` loads another BLAS instead; results then differ from the committed ones in their last bits.
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
    _configure_compiler()
    return {"backend": "cpu"} | _load_blas() | _versions("mlx", "mlx-lm")


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
    if not openblas():
        return f"{BLAS_WHEEL} carries no OpenBLAS here"
    if missing := CPU_FLAGS - _cpu_flags():
        return f"this CPU has no {' and no '.join(sorted(missing))}, which the pinned kernels of OpenBLAS need"
    return ""


def _configure_compiler() -> None:
    if os.environ.get("MLX_DISABLE_COMPILE") == "0" and shutil.which("g++"):
        del os.environ["MLX_DISABLE_COMPILE"]  # MLX looks at whether it is set, not at its value
    else:
        os.environ["MLX_DISABLE_COMPILE"] = "1"
    os.environ["TMPDIR"] = tempfile.gettempdir()  # MLX aborts on a TMPDIR that does not exist; this one does


def _load_blas() -> dict[str, str]:
    if other := os.environ.get("MLX_BLAS"):
        print(f"engine: BLAS {other} instead of the pinned one: results will differ in their last bits", file=sys.stderr)
        try:
            ctypes.CDLL(other, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise InputError(f"MLX_BLAS={other}: not a library ({error}); give the path of a libopenblas.so, or unset it") from None
        return {"blas": Path(other).name}
    library = openblas()
    if not library:
        print("engine: no OpenBLAS here, MLX's reference BLAS is much slower; set MLX_BLAS to a libopenblas.so", file=sys.stderr)
        return {"blas": "reference"}
    return _load_openblas(library) | _versions(BLAS_WHEEL)


def _load_openblas(library: str) -> dict[str, str]:
    """Load OpenBLAS with one thread and, on x86-64, the pinned kernels where the CPU can run them; return its own name for both."""
    pinned = str(pins()["OPENBLAS_CORETYPE"]) if _cpu_flags() >= CPU_FLAGS else ""
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


def _cpu_flags() -> set[str]:
    """Return the CPU's feature flags, as Linux lists them; none on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


@cache
def openblas() -> str:
    """Return the path of the OpenBLAS in the OpenCV wheel; "" where there is none."""
    if not _installed(BLAS_WHEEL):
        return ""
    found = [file for file in distribution(BLAS_WHEEL).files or () if file.name.startswith("libopenblas")]
    return str(found[0].locate()) if found else ""


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def pins() -> dict[str, str]:
    """Return what engine.yaml pins."""
    pin: dict[str, str] = yaml.safe_load(PIN.read_text(encoding="utf-8"))
    return pin


def _versions(*names: str) -> dict[str, str]:
    pin, found = pins(), {name: _installed(name) for name in names}
    for name, here in found.items():
        if here != pin[name]:
            raise InputError(f"{PIN.name}: {name} is pinned to {pin[name]}, installed is {here or 'nothing'}; run `make setup`")
    return found
