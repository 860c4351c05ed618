"""`make cluster`: the cells of a study computed by workers of a Dask scheduler, everything else here; dvc.lock as a serial run writes it.

What comes before the cells is computed here and pushed. Each cell is ordered when its inputs are there. Its worker pushes its outputs and
run-cache entry before it answers, so that a run that was stopped finds them. At the end they are pulled; `dvc repro --pull` does the rest.
"""

import contextlib
import logging
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import dask
import msgspec
from distributed import Client, LocalCluster
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage

from distill.core.errors import InputError
from distill.core.files import replacing
from tools import activation, lock, pipeline, repro, run_lock
from tools.cluster import dispatch, exchange, graph, lock_text
from tools.cluster.orders import Order
from tools.cluster.progress import Progress
from tools.cluster.worker import Cells
from tools.pull_student import pull_student
from tools.study import splits

DASK = Path(".work", "cluster", "dask")
LOCK, PARAMS = Path("dvc.lock"), Path("params.yaml")
OWN = ("dvc.lock", "params.yaml", ".gitignore")  # that a run itself changes


def run(study: str, scheduler: str, local: int) -> None:
    """Run a study; exit with DVC's code, or 1 where a cell failed."""
    activation.settings(study)
    with run_lock.exclusive(f"make cluster S={study}") as held:
        activation.restore()
        refuse_changes()
        with activation.activated(study):
            remote = exchange.settings(local=bool(local))
            document = lock.parse(_read(Path("dvc.yaml")))["stages"]
            cells = pipeline.cells()
            before = kept_entries({cell.name for cell in cells})
            handed = graph.handed_out(cells, document)
            needs = graph.upstream(cells, handed)
            names = [cell.name for cell in handed]
            pull_student(study)
            if first := [cell.name for cell in cells if cell.name not in names and any(cell.name in each for each in needs.values())]:
                for targets in (splits([study]), first):
                    _dvc(["repro", "--pull", *targets], held, targets)
            failed = on_workers(study, remote, needs, scheduler, local) if names else {}
            if failed:
                sys.exit("\n".join(f"{cell}: {why}" for cell, why in failed.items()))
            _dvc(["repro", "--pull"], held)
            restore_order(before, study, held)


def refuse_changes() -> None:
    """Raise InputError where the tree differs from HEAD, which is what workers compute, in more than outputs."""
    if not lock.has_git():
        raise InputError("workers compute what git holds: install git, and run it in a clone")
    words = ["git", "status", "--porcelain=v1", "--untracked-files=all", "--no-renames", "-z"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    cells = pipeline.cells()
    outs = {*lock.outputs(lock.read(LOCK)), *(out for cell in cells for out in cell.outs)}
    read = {"studies", *(dep for cell in cells for dep in cell.deps)}
    changed = [(entry[:2] == "??", entry[3:]) for entry in done.stdout.split("\0") if entry]
    mine = [
        path for new, path in changed if PurePosixPath(path).name not in OWN and not _is_in(path, outs) and (not new or _is_in(path, read))
    ]
    if mine:
        more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
        raise InputError(f"{mine[0]}{more} differ from HEAD, which is what workers compute; commit or stash first")


def _is_in(path: str, known: Collection[str]) -> bool:
    own = PurePosixPath(path)
    return any(str(each) in known for each in (own, *own.parents))


def on_workers(study: str, remote: dict[str, Any], needs: Mapping[str, Sequence[str]], scheduler: str, local: int) -> dict[str, str]:
    """Have the cells that are not up to date computed, and their outputs here; return those that failed, with the reason."""
    with exchange.open_repo(remote) as repo:
        exchange.check(repo, remote["url"])
    stale = stale_cells(needs)
    blocks = lock_text.parse(_read(LOCK))
    progress = Progress(stale, say)
    say(f"{len(needs)} cells, {len(needs) - len(stale)} of them up to date; exchange: {remote['url']}")
    if not stale:
        return {}
    params = _read(PARAMS)

    def order(cell: str) -> Order:
        known = blocks | progress.done
        return Order(cell, list(needs[cell]), {name: known[name] for name in [*needs[cell], cell] if name in known}, params, remote)

    with exchange.open_repo(remote) as repo:
        exchange.push(repo, _stages(repo, {name for cell in stale for name in needs[cell] if name not in stale}))
    plugin = Cells(study, mine(study))
    with connections(scheduler, local) as connect:
        dispatch.hand_out(connect, plugin, {cell: needs[cell] for cell in stale}, order, progress, alone=bool(local))
    _write(lock_text.join(blocks | progress.done))
    with exchange.open_repo(remote) as repo:
        exchange.bring(repo, _stages(repo, progress.done))
    say(f"{len(progress.done)} of {len(stale)} cells done, {progress.computed} computed, {len(progress.failed)} failed")
    return progress.failed


def stale_cells(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the cells that are not up to date, in data-flow order; outputs that only the workspace lacks are put there."""
    stale: list[str] = []
    with Repo() as repo, repo.lock:
        stages = {stage.addressing: stage for stage in _stages(repo, needs)}
        for cell, stage in stages.items():
            if set(needs[cell]).intersection(stale) or not _at_hand(repo, stage):
                stale.append(cell)
    return stale


def _at_hand(repo: Repo, stage: Stage) -> bool:
    """Return whether a stage is up to date, if need be after its outputs are pulled from the default remote."""
    if stage.changed_stage() or stage.changed_deps() or not all(out.hash_info for out in stage.outs):
        return False
    if not stage.outs_cached():
        with contextlib.suppress(DvcException, OSError, InputError):
            exchange.bring(repo, [stage])
    if not stage.outs_cached():
        return False
    stage.checkout()
    return not stage.changed_outs()


def _stages(repo: Repo, cells: Collection[str]) -> list[Stage]:
    return [stage for stage in map(lambda cell: repo.stage.load_one(name=cell), cells)]


def mine(study: str) -> dict[str, str]:
    """Return this clone's fingerprint, taken in a process of its own: it loads the BLAS."""
    words = [sys.executable, "-m", "tools.cluster.fingerprint", study]
    done = subprocess.run(words, capture_output=True, env=run_lock.dvc_environment())
    if done.returncode:
        raise InputError((done.stderr.decode().strip().splitlines() or ["no fingerprint"])[-1])
    return msgspec.json.decode(done.stdout, type=dict[str, str])


@contextmanager
def connections(scheduler: str, local: int) -> Iterator[Callable[[], Client]]:
    """Yield how to reach the scheduler: one elsewhere, or one of this process with workers on this machine."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a lost scheduler is said in one line
    if scheduler:
        yield lambda: Client(scheduler, timeout=30)
        return
    DASK.mkdir(parents=True, exist_ok=True)
    with (
        dask.config.set({"distributed.scheduler.work-stealing-interval": "1s"}),
        LocalCluster(
            n_workers=local,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            local_directory=str(DASK),
            silence_logs=50,
        ) as cluster,
    ):
        yield lambda: Client(cluster)


def kept_entries(cells: Collection[str]) -> list[str]:
    """Return the entries of dvc.lock that keep their place: HEAD's and other studies', not those that an interrupted run left."""
    committed = lock_text.parse(lock.committed("dvc.lock"))
    return [name for name in lock_text.parse(_read(LOCK)) if name in committed or name not in cells]


def restore_order(before: Collection[str], study: str, held: int) -> None:
    """Put new entries of dvc.lock where a serial run has them: after the known ones, as they run."""
    after = lock_text.parse(_read(LOCK))
    if set(after) <= set(before):
        return
    lines: list[str] = []
    for targets in (splits([study]), []):
        if targets or not lines:
            run_lock.run_dvc(["repro", "--dry", "--force", *targets], held, lambda line: lines.append(line.rstrip("\n")))
    _write(lock_text.join(lock_text.in_serial_order(before, after, repro.parse(lines).ran)))


def _dvc(words: list[str], held: int, targets: Sequence[str] | None = None) -> None:
    if targets is not None and not targets:
        return
    if code := run_lock.run_dvc(words, held):
        sys.exit(code)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(text: str) -> None:
    with replacing(LOCK) as temporary:
        temporary.write_text(text, encoding="utf-8")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
