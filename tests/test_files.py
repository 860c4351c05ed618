"""Records and documents survive a round trip, equal content gives equal bytes, and nothing half-written is ever left behind."""

import errno
import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.core import files


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    n: int


ROWS = [Row("a", 1), Row("b\nü", 2)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_records_come_back(name: str, tmp_path: Path) -> None:
    assert files.write_records(tmp_path / name, ROWS) == 2
    assert files.read_records(tmp_path / name, Row) == ROWS
    assert [path.name for path in tmp_path.iterdir()] == [name]


@given(st.lists(st.builds(Row, id=st.text(), n=st.integers(-(2**63), 2**63 - 1))))
def test_any_text_comes_back(rows: list[Row]) -> None:
    lines = [msgspec.json.encode(row) for row in rows]
    assert b"\n".join(lines).splitlines() == lines  # a record never holds a line break of its own


def test_compressed_bytes_depend_on_the_records_alone(tmp_path: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        files.write_records(tmp_path / name, ROWS)
    one, two = (tmp_path / "one.jsonl.gz").read_bytes(), (tmp_path / "two.jsonl.gz").read_bytes()
    assert one == two
    assert one[:10] == bytes.fromhex("1f8b08000000000002ff")  # no name, no time, and the same on every Python
    assert gzip.decompress(one) == b"".join(msgspec.json.encode(row) + b"\n" for row in ROWS)


def _failing() -> Iterator[Row]:
    yield ROWS[0]
    raise OSError(errno.ENOSPC, "No space left on device")


def _interrupted(path: Path) -> None:
    with files.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    files.write_records(path, ROWS)
    with pytest.raises(OSError, match="No space"):
        files.write_records(path, _failing())
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(path, {"accuracy": float("nan")})
    with pytest.raises(KeyboardInterrupt):
        _interrupted(path)
    assert files.read_records(path, Row) == ROWS
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for names in (["one", "two"], ["three"]):
        with files.replacing(tmp_path / "out") as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/three"]


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".out.tmp").mkdir()
    (tmp_path / ".out.tmp" / "half").touch()
    files.write_text(tmp_path / "out", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_block_that_writes_nothing_leaves_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileNotFoundError, match="nothing was written"), files.replacing(tmp_path / "out"):
        pass
    assert (tmp_path / "out").is_dir()


BAD_LINES = {
    "a missing key": ('{"id": "a", "n": 1}\n{"id": "b"}\n', ":2: not a Row record: Object missing required field `n`"),
    "a misspelt key": ('{"id": "a", "n": 1, "m": 2}\n', ":1: not a Row record: Object contains unknown field `m`"),
    "an ill-typed value": ('{"id": "a", "n": "1"}\n', ":1: not a Row record: Expected `int`, got `str` - at `$.n`"),
    "no JSON": ('{"id": "a", "n": 1}\nhello\n', ":2: not a Row record: JSON is malformed"),
    "a blank line": ('{"id": "a", "n": 1}\n\n{"id": "b", "n": 1}\n', ":2: not a Row record: "),
    "half a line": ('{"id": "a", "n"', ":1: not a Row record: "),
}


@pytest.mark.parametrize(("text", "message"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(files.InputError) as fault:
        files.read_records(path, Row)
    assert str(fault.value).startswith(f"{path}{message}")
    assert "\n" not in str(fault.value)


def _damage(path: Path, what: str) -> None:
    files.write_records(path, ROWS * 100)
    data = bytearray(path.read_bytes())
    if what == "cut short":
        path.write_bytes(data[:-20])
    elif what == "changed inside":
        data[12:30] = b"\xff" * 18
        path.write_bytes(data)
    else:
        path.write_bytes(b"plain text")


@pytest.mark.parametrize("what", ["cut short", "changed inside", "not gzip"])
def test_a_damaged_gzip_file_is_a_fault(what: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    _damage(path, what)
    with pytest.raises(files.InputError, match="damaged gzip file"):
        files.read_records(path, Row)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(files.InputError, match=r"no such file; run `dvc repro` .* or `dvc pull`"):
        files.read_records(tmp_path / "rows.jsonl", Row)
    with pytest.raises(files.InputError, match="no such file"):
        files.read_json(tmp_path / "metrics.json")


def test_floats_are_rounded_and_zero_has_no_sign(tmp_path: Path) -> None:
    files.write_json(tmp_path / "m.json", {"b": 1 / 3, "a": [-1e-9, (2.0,)], "n": 3, "yes": True})
    assert files.read_json(tmp_path / "m.json") == {"b": 0.333333, "a": [0.0, [2.0]], "n": 3, "yes": True}
    assert (tmp_path / "m.json").read_text().startswith('{\n  "b": 0.333333,\n  "a": [\n    0.0,')


def test_a_bad_document_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(files.InputError, match=r"m\.json: not JSON"):
        files.read_json(tmp_path / "m.json")
