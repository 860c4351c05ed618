"""student: the base student, a folder that ``mlx_lm.load()`` opens; pretrained here, or from a pinned revision of the hub or pinned files.

One of kind recorded has no weights: its folder holds the answers that its authors published.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing
from distill.model import engine, gguf_student, hub_student, pinned_files, published_answers
from distill.model.own_system import own_system
from distill.pretraining import scratch_student
from distill.records.example import Example
from distill.sources.hub import snapshot


class Hub(pinned_files.Checked, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind hub."""

    kind: str
    repository: str  # OWNER/NAME
    revision: str  # commit
    bits: hub_student.Bits | UnsetType = UNSET  # of the published weights, which are checked: 16, or as quantised there
    quantize: hub_student.Quantize | UnsetType = UNSET  # quantise the 16-bit weights here


class Folder(pinned_files.Checked, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind folder."""

    kind: str
    path: str  # of the folder, here or below JOB_MIRROR


def main(paths: Paths) -> None:
    """Read section `student` and the pretraining texts, write the student."""
    kind = study_file.section(paths.study_file, "student", dict[str, Any]).get("kind")
    if kind not in PROVIDERS:
        raise InputError(f"{paths.study_file}: section 'student': kind is {kind!r}; allowed: {', '.join(PROVIDERS)}")
    if kind != "scratch" and (count := len(read_records(paths.pretraining, Example))):
        raise InputError(f"{paths.study_file}: section 'pretraining' makes {count} texts, a {kind} student reads none: set it to {{}}")
    command.closing("student", PROVIDERS[kind](paths), 1)


def pretrain(paths: Paths) -> int:
    """Pretrain a student; return how many texts were read."""
    params = study_file.section(paths.study_file, "student", scratch_student.Params)
    facts, texts = engine.start(), read_records(paths.pretraining, Example)
    key = hashlib.sha256(msgspec.json.encode([params, facts]) + paths.pretraining.read_bytes()).hexdigest()[:16]
    work = paths.work / "student" / key
    tokenizer = scratch_student.pretrain(params, texts, work)
    with replacing(paths.student) as folder:
        scratch_student.write_student(folder, work, tokenizer, facts)
    shutil.rmtree(work)
    return len(texts)


def download(paths: Paths) -> int:
    """Copy a pinned revision of a student from the hub; return how many files it has."""
    params = study_file.section(paths.study_file, "student", Hub)
    source = snapshot(params.repository, params.revision, hub_student.FILES)
    if isinstance(params.files, dict):
        pinned_files.check_folder(source, params.files, hub_student.FILES)
    return _write(paths, params, lambda folder: hub_student.copy(source, folder, params.quantize or None, params.bits or None))


def record(paths: Paths) -> int:
    """Bring the published answers of a student; return how many files were read."""
    params = study_file.section(paths.study_file, "student", published_answers.Recorded)
    with replacing(paths.student) as folder:
        return published_answers.write(params, folder, paths.work / "student")


def convert(paths: Paths) -> int:
    """Convert a GGUF file; return how many tensors it has."""
    params, work = study_file.section(paths.study_file, "student", gguf_student.Gguf), paths.work / "student"
    source = gguf_student.find(params, work / params.file_sha256[:16])
    count = _write(paths, params, lambda folder: gguf_student.write(source, folder, params.dtype, params.template))
    shutil.rmtree(work, ignore_errors=True)
    return count


def copy(paths: Paths) -> int:
    """Copy the files of a folder, each checked; return how many."""
    params = study_file.section(paths.study_file, "student", Folder)
    source = pinned_files.place(params.path)
    pinned_files.check_folder(source, params.files or {}, hub_student.FILES)
    return _write(paths, params, lambda folder: hub_student.copy(source, folder))


def _write(paths: Paths, params: msgspec.Struct, make: Callable[[Path], int]) -> int:
    """Make a student out of files, with a manifest; return what `make` counts."""
    with replacing(paths.student) as folder:
        folder.mkdir()
        count = make(folder)
        if system := own_system(folder):
            print(f"student: where a study gives no system prompt, the chat template adds its own: {system!r}", file=sys.stderr)
        about = {"params": msgspec.to_builtins(params), "engine": engine.start()}
        (folder / "manifest.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    return count


PROVIDERS = {"scratch": pretrain, "hub": download, "gguf": convert, "folder": copy, "recorded": record}


if __name__ == "__main__":
    command.run(main)
