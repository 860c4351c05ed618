"""A pinned snapshot of a repository on the Hugging Face hub: from a mirror folder, from the hub's cache, else over the network.

Settings are the hub's own (HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT, HF_TOKEN), and JOB_MIRROR: a folder that may hold
OWNER/NAME/REVISION/. A download that was cut off goes on where it stopped.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import InputError

COMMIT = re.compile("[0-9a-f]{40}")
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def snapshot(repository: str, revision: str, patterns: Sequence[str], kind: str = "model") -> Path:
    """Return a folder with the files of a repository (of kind model or dataset) at one commit that match `patterns`; it may hold others."""
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repository}"
    if not NAME.fullmatch(repository):
        raise InputError(f"hub: repository is '{repository}'; expected OWNER/NAME")
    if not COMMIT.fullmatch(revision):
        raise InputError(f"hub: revision of {repository} is '{revision}'; pin a commit by its 40 hexadecimal digits: {page}/commits/main")
    mirror = os.environ.get("JOB_MIRROR", "")
    if mirror and (folder := Path(mirror, repository, revision)).is_dir():
        return folder
    return _download(repository, revision, patterns, kind, page)


def _download(repository: str, revision: str, patterns: Sequence[str], kind: str, page: str) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read at the import: the hub need not know what runs here
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    try:
        try:  # one request, which fails at once without a network, where a download tries again for 20 s
            HfApi().repo_info(repository, repo_type=kind, revision=revision, timeout=10)
            reach = ""
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
            raise
        except (HTTPError, errors.OfflineModeIsEnabled) as error:
            reach = _line(error)
        folder = snapshot_download(
            repository, repo_type=kind, revision=revision, allow_patterns=list(patterns), local_files_only=bool(reach)
        )
    except errors.RevisionNotFoundError:
        raise InputError(f"hub: {repository} has no commit {revision}; see {page}/commits/main") from None
    except errors.RepositoryNotFoundError:
        raise InputError(f"hub: no repository {repository}, or one that asks for a login; see {page}, then `hf auth login`") from None
    except errors.LocalEntryNotFoundError as error:
        raise InputError(
            f"hub: {constants.HF_HUB_CACHE} does not hold all of {repository} at {revision}, and {constants.ENDPOINT} cannot be reached "
            f"({reach or _line(error)}): connect and run it again, or set HF_HOME to a cache that holds it, HF_ENDPOINT to a mirror "
            "of the hub, or JOB_MIRROR to a folder of OWNER/NAME/REVISION/"
        ) from None
    except (OSError, HTTPError, RuntimeError) as error:  # RuntimeError: the transfer library hf_xet
        if isinstance(error, OSError) and error.errno:
            raise  # a full disk: not the hub's fault
        raise InputError(f"hub: {repository} at {revision[:12]}: {_line(error)}; run it again to go on with the download") from None
    return Path(folder)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
