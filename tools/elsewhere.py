"""Outputs that a study keeps out of the remote (`run.not_in_remote`): stages bring them from pinned files, or make them."""

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from distill.cli.layout import layout
from distill.core import study_file
from tools import lock, run_lock

STAGES = {"student": "student", "raw": "fetch"}  # output -> the stage that brings it; others are made of what was pulled


def sources(studies: Collection[str]) -> dict[str, str]:
    """Return for each such output its path and how it comes, in words."""
    found = {}
    for study in studies:
        sections = study_file.study(layout(study).study_file)
        for output in (sections.get("run") or {}).get("not_in_remote", []):
            path: Path = getattr(layout(study), output)
            found[path.as_posix()] = _way(output, sections, study)
    return found


def listed(outputs: Collection[str]) -> list[str]:
    """Return those outputs that stages of dvc.yaml have as params.yaml stands: of an arm that no longer runs DVC knows none."""
    words = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=run_lock.dvc_environment())
    stages, made = set(done.stdout.split()), lock.outputs(lock.read(Path("dvc.lock")))
    return [path for path in outputs if made[path][1] in stages]


def _way(output: str, sections: dict[str, Any], study: str) -> str:
    """Return how an output comes where it is not pulled."""
    if output not in STAGES:
        return f"it is made of those that are: make {output} S={study}"
    stage = STAGES[output]
    return f"{_origin(sections.get(stage) or {})}: .venv/bin/python -m stages.{stage} {study}"


def _origin(section: dict[str, Any]) -> str:
    if "package" in section:
        return f"pip download {section['package']}=={section['version']}, sha256 {section['sha256']}"
    return " ".join(str(section[key]) for key in ("repository", "commit", "revision", "path", "file") if key in section)
