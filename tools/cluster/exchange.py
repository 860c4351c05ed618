"""The DVC remote through which the coordinator and the workers exchange outputs, and the run-cache there.

The remote's settings travel with each order, without secrets: a worker takes those from its own environment. Whatever comes from the
remote is compared with its name, the MD5 of its content, before it enters a cache.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError, RemoteConfigError
from dvc.fs import HTTPFileSystem, generic
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.stage.cache import _get_stage_hash  # the name of a run-cache entry: DVC has no public way to ask for it

from distill.core.errors import InputError

REMOTE = "cluster"
SCRATCH = Path(".work", "cluster", "remote")  # for workers on this machine, where the default remote is part of this clone
SECRET = re.compile(
    "secret|password|token|passphrase|account_key|connection_string|custom_auth_header|key_id|sse_customer_key|json_data"
    "|keyfile|credentialpath|configpath"  # files of this machine
)
RUNS = "runs"


class Damaged(InputError):
    """An object of the remote whose content is not what its name says."""


def settings(local: bool) -> dict[str, Any]:
    """Return the settings of the remote to use: those of the default one, but for workers elsewhere without secrets."""
    with Repo() as repo:
        name = repo.config["core"].get("remote", "")
        found = dict(repo.config["remote"].get(name, {}))
    url = str(found.get("url", ""))
    inside = not url or ("://" not in url and Path(url).resolve().is_relative_to(Path.cwd()))
    if inside and not local:
        raise InputError(
            f"the default DVC remote ({name or 'none'}) is a folder of this clone, which workers elsewhere cannot reach; "
            "set one that they can: make remote URL=..."
        )
    if inside:
        return {"url": str(SCRATCH.resolve()), "verify": True}
    kept = found if local else {key: value for key, value in found.items() if not SECRET.search(key)}
    return {key: str(value) if isinstance(value, str) else value for key, value in kept.items()} | {"url": url, "verify": True}


@contextmanager
def open_repo(remote: Mapping[str, Any]) -> Iterator[Repo]:
    """Yield the repository in the current folder, locked, with the exchange as its default remote."""
    with Repo(config={"core": {"remote": REMOTE}, "remote": {REMOTE: dict(remote)}}) as repo, repo.lock:
        yield repo


def check(repo: Repo, url: str) -> None:
    """Raise InputError where a remote cannot hold a run-cache."""
    try:
        odb = repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
    except (NoRemoteError, RemoteConfigError) as error:
        raise InputError(f"the remote {url} cannot be used: {error}") from None
    if isinstance(odb.fs, HTTPFileSystem):
        raise InputError(f"the remote {url} is HTTP, which has no run-cache in DVC; use S3, SSH, WebDAV or a shared folder")


def objects(stages: Collection[Stage]) -> set[Any]:
    """Return the objects of the outputs that the lock knows of these stages."""
    known = [stage for stage in stages if all(out.hash_info for out in stage.outs)]
    return {each for stage in known for found in stage.get_used_objs(force=True).values() for each in found}


def push(repo: Repo, stages: Collection[Stage]) -> None:
    """Push the outputs of stages; InputError where one does not arrive."""
    if failed := repo.cloud.push(objects(stages)).failed:
        raise InputError(f"{_outs(stages)}: {len(failed)} objects could not be pushed, the first {min(each.value for each in failed)}")


def bring(repo: Repo, stages: Sequence[Stage]) -> None:
    """Bring the outputs of stages into the cache and the workspace; InputError where one is not there, Damaged where it is another."""
    try:
        repo.cloud.pull(objects(stages))
    except FileNotFoundError as error:
        raise InputError(f"{_outs(stages)} cannot be brought from the remote: {error}") from None
    for out in [out for stage in stages for out in stage.outs if out.use_cache]:
        if not out.hash_info:
            raise InputError(f"{out.def_path} has no hash in dvc.lock")
        if lacking := _lacking(repo, out):
            if repo.cloud.get_remote_odb(None, "pull").exists(lacking[0]):
                raise Damaged(
                    f"{out.def_path}: object {lacking[0]} of the remote is not what its name says; remove it there and run it again"
                )
            raise InputError(f"{out.def_path}: object {lacking[0]} is not in the remote")
    for stage in stages:
        stage.checkout()


def _lacking(repo: Repo, out: Output) -> list[str]:
    """Return the objects of an output that are not in the cache; of a folder whose list is not there, the list."""
    cache = repo.cache.local
    if not cache.exists(out.hash_info.value):
        return [out.hash_info.value]
    files = out.get_obj() if out.is_dir_checksum else []
    return sorted(each.value for _, _, each in files if not cache.exists(each.value))


def _outs(stages: Collection[Stage]) -> str:
    return ", ".join(out.def_path for stage in stages for out in stage.outs)


def known_entry(repo: Repo, stage: Stage) -> str:
    """Return the remote's run-cache entry of a stage whose dependencies are here; "" where there is none."""
    stage.save_deps()
    odb = repo.cloud.get_remote_odb(None, "fetch --run-cache", hash_name="md5-dos2unix")
    folder = odb.fs.join(odb.path, *_place(stage))
    found = sorted(odb.fs.find(folder)) if odb.fs.exists(folder) else []
    return odb.fs.read_text(found[-1], encoding="utf-8") if found else ""


def push_entry(repo: Repo, stage: Stage) -> None:
    """Push the run-cache entry of a stage, the last step after its objects."""
    odb = repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
    folder = Path(repo.cache.legacy.path, *_place(stage))
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        target = odb.fs.join(odb.path, *_place(stage), path.name)
        odb.fs.makedirs(odb.fs.parent(target), exist_ok=True)
        generic.copy(repo.cache.legacy.fs, str(path), odb.fs, target)


def _place(stage: Stage) -> tuple[str, str, str]:
    key = _get_stage_hash(stage)
    return RUNS, key[:2], key
