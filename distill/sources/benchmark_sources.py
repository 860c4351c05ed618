"""Where a benchmark comes from: generated here, or a published table from a repository, the hub or this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
from msgspec import Meta

from distill.answers.answer_format import Form
from distill.competition.competition_problems import transfer
from distill.records.problem import Problem
from distill.sources import benchmark_tables
from distill.sources.benchmark_tables import Columns
from distill.sources.download import Download, File, download
from distill.sources.hub import snapshot

KINDS = ("competition", "download", "hub", "file")
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

Count = Annotated[int, Meta(ge=1)]
Seed = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the study file says of every benchmark."""

    form: str  # of its answers: expression, number, integer, integer LEAST..MOST, choice
    licence: str  # of its problems, as its card states it


class Competition(Source, frozen=True, tag_field="kind", tag="competition"):
    """Problems of the invented competition's families."""

    n: Count
    seed: Seed


class Published(Source, frozen=True):
    """A .jsonl, .csv or .parquet file of problems."""

    path: str
    sha256: Sha256
    rows: Count  # that it must have
    first: Size  # so many rows from its top; 0: all
    columns: Columns


class Repository(Published, frozen=True, tag_field="kind", tag="download"):
    """A file of a repository, at URL/REPOSITORY/COMMIT/PATH."""

    url: str
    repository: str
    commit: str
    retries: Size
    timeout: Positive  # seconds without a byte
    size: Count


class Hub(Published, frozen=True, tag_field="kind", tag="hub"):
    """A file of a data set on the hub."""

    repository: str
    revision: str  # commit


class Local(Published, frozen=True, tag_field="kind", tag="file"):
    """A file on this machine; its path is relative to the root of the tree, or absolute."""


def problems(source: Competition | Published, name: str, form: Form, work: Path) -> list[Problem]:
    """Return the benchmark's problems; `form` is that of its answers, and `work` keeps what a cut-off download has."""
    if isinstance(source, Competition):
        items = transfer(source.seed, source.n)
        return [Problem(f"{name}-{int(i.number):04}", name, "", 0, i.number, i.statement, i.gold, "", 0, "generated") for i in items]
    table = benchmark_tables.Table(source.rows, source.first, source.columns)
    if isinstance(source, Repository):
        pinned = [File(source.path, source.size, source.sha256)]
        files = Download(source.url, source.repository, source.commit, source.retries, source.timeout, pinned)
        with TemporaryDirectory() as folder:
            download(files, Path(folder), work)
            return benchmark_tables.problems(Path(folder, source.path), table, form, name)
    path = Path(source.path)
    if isinstance(source, Hub):
        path = snapshot(source.repository, source.revision, [source.path], "dataset") / source.path
    benchmark_tables.check(path, source.sha256)
    return benchmark_tables.problems(path, table, form, name)
