"""Outputs that a study keeps out of the remote (`run.not_in_remote`): large ones, which their stages bring again from pinned files."""

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.cli.layout import layout
from distill.core import study_file
from tools import lock, run_lock

STAGES = {"student": "student", "raw": "fetch", "page": "page"}  # output -> the stage that makes it


def sources(studies: Collection[str]) -> dict[str, str]:
    """Return for each such output its path and how it comes, in words."""
    found = {}
    for study in studies:
        sections = study_file.study(layout(study).study_file)
        for output in (sections.get("run") or {}).get("not_in_remote", []):
            stage = STAGES[output]
            words = f"{_origin(sections.get(stage) or {})}: .venv/bin/python -m stages.{stage} {study}"
            path: Path = getattr(layout(study), output)
            found[path.as_posix()] = f"it is made of those that are: make page S={study}" if output == "page" else words
    return found


def listed(outputs: Collection[str]) -> list[str]:
    """Return those outputs that stages of dvc.yaml have as params.yaml stands: of an arm that no longer runs DVC knows none."""
    words = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=run_lock.dvc_environment())
    stages, made = set(done.stdout.split()), lock.outputs(lock.read(Path("dvc.lock")))
    return [path for path in outputs if made[path][1] in stages]


def _origin(section: dict[str, Any]) -> str:
    if "package" in section:
        return f"pip download {section['package']}=={section['version']}, sha256 {section['sha256']}"
    return " ".join(str(section[key]) for key in ("repository", "commit", "revision", "path", "file") if key in section)
