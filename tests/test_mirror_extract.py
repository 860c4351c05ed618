"""The real exams, where a mirror folder holds them (about ten minutes where no page is kept): what was found, and which keys agree."""

import os
from pathlib import Path

import msgspec
import pytest

from distill.core.files import read_json
from distill.sources import manifest
from stages import extract
from tests import trees
from tests.pipeline import ROOT

MIRROR = os.environ.get("JOB_MIRROR", "")
COMMIT = "TempGaurab/Distillation.John-O-Bryan/7f0a5cfd3608c72376500355c261ee399219bd35"
pytestmark = [
    pytest.mark.skipif(not Path(MIRROR or "-", COMMIT).is_dir(), reason="JOB_MIRROR names no folder that holds the authors' files"),
]
LEAST = {"items": 713, "key_agrees": 640, "similar_060": 642, "similar_090": 597}
EXACT = {"files": 30, "pages": 199, "problems": 671, "transcribed_real": 651, "flag_placeholder": 20}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Run the stage on the mirror; pages that an earlier run of this checkout kept are not read again."""
    raw = tmp_path_factory.mktemp("job") / "raw"
    raw.mkdir()
    for name in ("Raw PDF Files", "datafile"):
        (raw / name).symlink_to(Path(MIRROR, COMMIT, name).resolve(), target_is_directory=True)
    listed = sorted(path for name in ("Raw PDF Files", "datafile") for path in (raw / name).iterdir())
    manifest.write(raw, [msgspec.structs.replace(manifest.entry(path), file=path.relative_to(raw).as_posix()) for path in listed])
    paths = msgspec.structs.replace(
        trees.below(raw.parent, "job"), study_file=ROOT / "studies" / "job.yaml", raw=raw, work=ROOT / ".work" / "job"
    )
    extract.main(paths)
    found: dict[str, int] = read_json(paths.extract_metrics)
    return found


def test_enough_is_found(audit: dict[str, int]) -> None:
    assert {key: audit[key] for key in LEAST if audit[key] < LEAST[key]} == {}


def test_nothing_is_lost(audit: dict[str, int]) -> None:
    assert {key: audit[key] for key in EXACT} == EXACT


def test_a_reviewer_is_asked_for_sixty_looks_at_most(audit: dict[str, int]) -> None:
    assert 0 < audit["flag_suspect_text"] <= 60
