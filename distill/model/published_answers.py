"""A recorded student's folder, from the results files that its authors published."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from distill.core.errors import InputError
from distill.core.files import write_records
from distill.model import results_file
from distill.model.recorded_student import RecordedAnswer, answers_file
from distill.model.results_file import Columns, Reading
from distill.sources.download import MIRROR, Brought, Commit, Download, File, download

Arm = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class AnswersFile(File, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A results file: an arm's answers to one benchmark."""

    commit: Commit
    benchmark: str
    columns: Columns
    cut_from: Annotated[int, Meta(ge=1)]  # characters: a text at least this long that breaks off was cut by the token limit


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind recorded."""

    kind: str
    url: str
    repository: str  # OWNER/NAME
    retries: Annotated[int, Meta(ge=0)]
    timeout: Annotated[float, Meta(gt=0)]  # seconds without a byte
    seed: Annotated[int, Meta(ge=0)]  # the seed that stands for the recorded run
    sections: dict[str, str]  # as the files name them -> as the problems do
    verdicts: dict[str, Literal["correct", "incorrect", "error"]]  # the judge's words in lower case, without what follows a colon
    arms: dict[Arm, Annotated[list[AnswersFile], Meta(min_length=1)]]


def write(params: Recorded, folder: Path, work: Path) -> int:
    """Bring the files, write ARM.jsonl and the manifest; return how many files there are.

    An optional file that cannot be had, or that is another table than the section says, is named with the reason.
    """
    with TemporaryDirectory() as raw:
        brought = download(_sources(params), Path(raw), work)
        if not brought.found:
            path, reason = next(iter(brought.missing.items()))
            raise InputError(f"section 'student': no file of recorded answers can be had, first {path}: {reason}; connect, or set {MIRROR}")
        folder.mkdir()
        arms = {arm: _arm(arm, params, brought, Path(raw), folder) for arm in params.arms}
    about = {"params": msgspec.to_builtins(params), "arms": arms}
    (folder / "manifest.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(brought.found)


def _sources(params: Recorded) -> Download:
    """Return each file once; a file may hold the answers of several arms."""
    files: dict[str, File] = {}
    for arm, listed in params.arms.items():
        benchmarks = [each.benchmark for each in listed]
        if len(set(benchmarks)) < len(benchmarks):
            raise InputError(f"section 'student': arms.{arm}: two files for one benchmark; an arm has one recording of each")
        for each in listed:
            pinned = File(each.path, each.size, each.sha256, each.blob, each.commit, each.optional)
            if files.setdefault(each.path, pinned) != pinned:
                raise InputError(f"section 'student': {each.path} is pinned in two ways; one path names one file")
    commit = next(iter(params.arms.values()))[0].commit if params.arms else ""
    return Download(params.url, params.repository, commit, params.retries, params.timeout, list(files.values()))


def _arm(arm: str, params: Recorded, brought: Brought, raw: Path, folder: Path) -> dict[str, Any]:
    """Write an arm's answers; return what its files held and which are missing."""
    there = {each.path: each for each in brought.found}
    answers: list[RecordedAnswer] = []
    files, missing = [], {}
    for each in params.arms[arm]:
        how = Reading(each.benchmark, each.columns, each.cut_from, params.sections, params.verdicts)
        try:
            if each.path not in there:
                raise InputError(brought.missing[each.path])
            read, counts = results_file.read(raw / each.path, how)
        except InputError as error:
            if not each.optional:
                raise InputError(f"{each.path}: {error}") from None
            missing[each.path] = {"benchmark": each.benchmark, "reason": str(error)}
            print(f"student: no {each.benchmark} of {arm}: {each.path} at {each.commit[:7]}: {error}", file=sys.stderr)
            continue
        answers += read
        files.append({"path": each.path, "commit": each.commit, "size": there[each.path].size, "sha256": there[each.path].sha256} | counts)
    write_records(answers_file(folder, arm), answers)
    return {"files": files, "missing": missing}
