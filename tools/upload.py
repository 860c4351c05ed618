"""A folder to the hub, by its own client; nothing is sent without an explicit yes, and the token comes from HF_TOKEN alone."""

import os
import re
from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from distill.core.errors import InputError


def sizes(folder: Path) -> list[str]:
    """Return the files of a folder with their sizes.

    >>> sizes(Path("no such folder"))
    []
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [f"{path.relative_to(folder).as_posix()} ({path.stat().st_size:,} bytes)" for path in files]


def send(folder: Path, repository: str, kind: str, sure: bool) -> None:
    """Upload a folder as one commit, into a private repository where there is none; without `sure` say what would be sent."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise InputError(f"--upload {repository!r}: expected OWNER/REPO")
    if not sure:
        print(f"upload: nothing was sent. To send {len(sizes(folder))} files to the {kind} repository {repository}, add --yes")
        return
    if not (token := os.environ.get("HF_TOKEN", "")):
        raise InputError("HF_TOKEN is not set: make a token that may write on the hub, and put it in the environment of this one command")
    api = HfApi(token=token)
    try:
        api.create_repo(repository, repo_type=kind, private=True, exist_ok=True)
        done = api.upload_folder(folder_path=folder, repo_id=repository, repo_type=kind, commit_message=f"Upload {folder.name}")
    except httpx2.TransportError as error:
        raise InputError(f"{repository}: the hub cannot be reached ({error}); connect, or run it again") from None
    except HfHubHTTPError as error:
        raise InputError(f"{repository}: the hub says {str(error).splitlines()[0]}; check the name and what the token may do") from None
    print(f"upload: {done.commit_url}")
