"""The engine's pins equal the lock file, and the BLAS is chosen, refused and named as the module says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distill.model import engine

ROOT = Path(__file__).parents[1]
PIN = yaml.safe_load((ROOT / "distill" / "model" / "engine.yaml").read_text(encoding="utf-8"))
CPU = sys.platform == "linux" and not any(engine._installed(name) for name in engine.CUDA)
BLAS = CPU and bool(engine.openblas())
on_cpu = pytest.mark.skipif(not CPU, reason="MLX's backend here is not the Linux CPU")
with_blas = pytest.mark.skipif(not BLAS, reason="the wheel of OpenCV carries OpenBLAS on Linux only")
avx2 = pytest.mark.skipif(not engine._cpu_flags() >= engine.CPU_FLAGS, reason="the pinned kernels are for x86-64 with AVX2")
PINNED = ("mlx", "mlx-lm", engine.BLAS_WHEEL)


def _locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-cuda.txt"])
def test_pins_are_those_of_the_lock_files(name: str) -> None:
    locked = _locked(name)
    assert {key: locked[key] for key in PINNED} == {key: PIN[key] for key in PINNED}


def test_every_lock_file_has_the_same_versions() -> None:
    one, dev, cuda = (_locked(f"requirements{kind}.txt") for kind in ("", "-dev", "-cuda"))
    assert one.items() <= dev.items()
    assert {name: (dev[name], cuda[name]) for name in dev.keys() & cuda.keys() if dev[name] != cuda[name]} == {}


@pytest.mark.parametrize("name", ["numpy", "scipy", "mlx", "mlx-lm"])
def test_one_version_serves_every_python(name: str) -> None:
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert len(re.findall(rf"^{name}==", text, re.MULTILINE)) == 1


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    cleared = {key: value for key, value in os.environ.items() if not key.startswith(("MLX_", "OPENBLAS_"))}
    head = "from distill.model import engine\n"
    return subprocess.run([sys.executable, "-c", head + code], cwd=ROOT, env=cleared | environment, capture_output=True, text=True)


@with_blas
@avx2
@pytest.mark.parametrize("own", ["", "Prescott"])
def test_the_pinned_kernels_run_on_one_thread_whatever_the_environment_says(own: str) -> None:
    code = (
        "import ctypes, os\nfound = engine.start()\nthreads = ctypes.CDLL(engine.openblas()).openblas_get_num_threads()\n"
        "print(found['blas'].split()[0], found['kernels'], threads, repr(engine.exact()))"
    )
    environment = {"OPENBLAS_CORETYPE": own, "OPENBLAS_NUM_THREADS": "2"} if own else {}
    assert _python(code, **environment).stdout == f"OpenBLAS {PIN['OPENBLAS_CORETYPE']} 1 ''\n"


@with_blas
def test_products_go_through_the_loaded_blas() -> None:
    code = (  # a pointer of the wheel's own function in place of MLX's: the linker binds what was loaded first
        "import ctypes\nengine.start()\nimport mlx.core\n"
        "address = lambda library: ctypes.cast(library.cblas_sgemm, ctypes.c_void_p).value\n"
        "print(address(ctypes.CDLL(None)) == address(ctypes.CDLL(engine.openblas())))"
    )
    assert _python(code).stdout == "True\n"


@with_blas
@avx2
def test_kernels_that_openblas_does_not_know_are_one_line(tmp_path: Path) -> None:
    pin = tmp_path / "engine.yaml"
    text = (ROOT / "distill" / "model" / "engine.yaml").read_text(encoding="utf-8")
    pin.write_text(text.replace(PIN["OPENBLAS_CORETYPE"], "Hazwell"), encoding="utf-8")
    done = _python(f"from pathlib import Path\nengine.PIN = Path({str(pin)!r})\nengine.start()")
    assert "InputError: engine.yaml: OPENBLAS_CORETYPE is Hazwell, OpenBLAS" in done.stderr.splitlines()[-1]


def test_a_cpu_without_the_needed_kernels_is_not_promised_equal_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_cpu_flags", lambda: {"fma"})
    monkeypatch.setattr(engine, "openblas", lambda: "/some/libopenblas.so")
    monkeypatch.setattr(engine, "_installed", lambda name: "")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("zlib.ZLIB_RUNTIME_VERSION", "1.3")
    assert engine.exact() == "this CPU has no avx2, which the pinned kernels of OpenBLAS need"


@on_cpu
def test_a_blas_that_is_not_there_is_one_line() -> None:
    done = _python("engine.start()", MLX_BLAS="/nowhere/libopenblas.so")
    assert "MLX_BLAS=/nowhere/libopenblas.so: not a library" in done.stderr.splitlines()[-1]
    assert done.returncode == 1


@with_blas
def test_another_blas_is_taken_and_said() -> None:
    done = _python("print(engine.start()['blas'], engine.exact())", MLX_BLAS=engine.openblas())
    name = Path(engine.openblas()).name
    assert done.stdout == f"{name} MLX_BLAS={engine.openblas()} replaces the pinned BLAS\n"
    assert "instead of the pinned one" in done.stderr


COMPILE = {"unset": ({}, "1"), "on": ({"MLX_DISABLE_COMPILE": "0"}, "None"), "off": ({"MLX_DISABLE_COMPILE": "1"}, "1")}


@on_cpu
@pytest.mark.parametrize(("environment", "expected"), COMPILE.values(), ids=COMPILE)
def test_kernels_are_compiled_only_when_asked_for(environment: dict[str, str], expected: str, tmp_path: Path) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    done = _python("import os\nengine.start()\nprint(os.environ.get('MLX_DISABLE_COMPILE'))", PATH=str(tmp_path), **environment)
    assert done.stdout == f"{expected}\n"


@on_cpu
def test_without_a_compiler_nothing_is_compiled(tmp_path: Path) -> None:
    code = "engine.start()\nimport mlx.core as mx\nprint(mx.compile(lambda x: mx.exp(x) * 2 - 2)(mx.zeros(1)).item())"
    assert _python(code, PATH=str(tmp_path), MLX_DISABLE_COMPILE="0", TMPDIR=str(tmp_path / "missing")).stdout == "0.0\n"


@on_cpu
def test_starting_too_late_is_refused() -> None:
    done = _python("import mlx.core\nengine.start()")
    assert "must run before the first import of mlx" in done.stderr


def test_another_version_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_installed", lambda name: "0.1")
    with pytest.raises(engine.InputError, match=rf"engine.yaml: mlx is pinned to {PIN['mlx']}, installed is 0.1; run `make setup`"):
        engine._versions("mlx")


def test_two_backends_over_each_other_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_installed", lambda name: PIN.get(name, "0.32.4"))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(engine.InputError, match="installed over each other"):
        engine.start.__wrapped__()


BACKENDS = {"macOS": ("darwin", "", "metal"), "CUDA": ("linux", "mlx-cuda-13", "cuda")}


@pytest.mark.parametrize(("platform", "package", "backend"), BACKENDS.values(), ids=BACKENDS)
def test_other_backends_load_no_blas(platform: str, package: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(engine, "_installed", lambda name: {"mlx": PIN["mlx"], "mlx-lm": PIN["mlx-lm"], package: "1"}.get(name, ""))
    assert engine.start.__wrapped__() == {"backend": backend, "mlx": PIN["mlx"], "mlx-lm": PIN["mlx-lm"]}
    assert engine.exact()
