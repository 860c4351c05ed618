"""Problems from a file: one line each, checked by hash, dropped only when they have no answer."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records, write_text
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from stages import extract, fetch
from tests import trees

LINES = [
    '{"id": "b-2", "statement": "Find 3 + 4.", "gold": "7", "year": 2020, "section": "first"}',
    '{"id": "a.1", "statement": "Find \\\\frac{1}{2} + 1.", "gold": "3/2"}',
    '{"id": "c", "statement": "Find nothing.", "gold": " "}',
]


def run(root: Path, lines: list[str], **changes: Any) -> list[Problem]:
    """Fetch and extract a file of these lines."""
    (root / "mine.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    digest = hashlib.sha256((root / "mine.jsonl").read_bytes()).hexdigest()
    source = {"kind": "given", "path": str(root / "mine.jsonl"), "sha256": digest} | changes
    paths = trees.below(root)
    write_text(paths.study_file, yaml.safe_dump({"fetch": source, "extract": {"kind": "given", "file": "mine.jsonl"}, "corrections": []}))
    study_file.study.cache_clear()
    fetch.main(paths)
    extract.main(paths)
    return read_records(paths.problems, Problem)


def test_problems_come_as_they_are_given(tmp_path: Path) -> None:
    first, second = run(tmp_path, LINES)
    assert (first.id, first.statement, first.gold, first.year, first.section) == ("a.1", "Find \\frac{1}{2} + 1.", "3/2", 0, "")
    assert (second.id, second.year, second.section, second.reader, second.source) == ("b-2", 2020, "first", "given", "mine.jsonl")
    assert [each.id for each in read_records(trees.below(tmp_path).extracted, ExtractedItem)] == ["a.1", "b-2"]
    assert read_json(trees.below(tmp_path).extract_metrics) == {"dropped_no_answer": 1, "problems": 2}


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    assert [each.id for each in run(tmp_path, ["\ufeff" + LINES[0] + "\r", "", "  ", LINES[1], ""])] == ["a.1", "b-2"]


BROKEN = {  # name: (lines, changes of the section, the message)
    "another hash": (LINES, {"sha256": "0" * 64}, r"mine.jsonl: its sha256 is [0-9a-f]{64}, fetch.sha256 is 0{64}; write that one there"),
    "no file": (LINES, {"path": "no.jsonl"}, r"^no.jsonl: no such file, which fetch.path names; write one problem a line"),
    "an id twice": ([LINES[0], LINES[0]], {}, r"mine.jsonl: id b-2 occurs 2 times"),
    "no id": (['{"statement": "a", "gold": "b"}'], {}, r"mine.jsonl:1: not a Given record: .*`id`"),
    "a blank statement": (['{"id": "a", "statement": " ", "gold": "b"}'], {}, r"mine.jsonl:1: .*`\$.statement`"),
    "a key misspelt": (['{"id": "a", "statement": "a", "gold": "b", "yaer": 1}'], {}, r"mine.jsonl:1: .*unknown field `yaer`"),
    "an id that is a folder": (['{"id": "..", "statement": "a", "gold": "b"}'], {}, r"mine.jsonl:1: .*`\$.id`"),
    "an id with a line end": (['{"id": "a1\\n", "statement": "a", "gold": "b"}'], {}, r"mine.jsonl:1: .*`\$.id`"),
    "an id too long for a file's name": ([LINES[0].replace("b-2", "b" * 1000)], {}, r"mine.jsonl:1: .*length <= 100 - at `\$.id`"),
    "not UTF-8": (["caf\udce9"], {}, r"mine.jsonl:1: not a Given record"),
    "a NUL": (["\0"], {}, r"mine.jsonl:1: not a Given record"),
    "a number too long": ([LINES[0].replace("2020", "9" * 5000)], {}, r"mine.jsonl:1: .*`\$.year`"),
    "a bad line below blank ones": (["", LINES[0], "  ", "{"], {}, r"mine.jsonl:4: not a Given record"),
    "a line nested without end": (["[" * 100_000], {}, r"mine.jsonl:1: not a Given record"),
    "no answer at all": ([LINES[2]], {}, r"no problem with an answer"),
}


@pytest.mark.parametrize(("lines", "changes", "message"), BROKEN.values(), ids=BROKEN)
def test_a_fault_names_file_and_line(lines: list[str], changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as fault:
        run(tmp_path, lines, **changes)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_stream_is_the_file_that_is_written_at_once(name: str, tmp_path: Path) -> None:
    problems = [Problem(f"p-{number}", "b", "", 0, str(number), "x" * number, "1", "", 0, "given") for number in range(300)]
    write_records(tmp_path / f"once-{name}", problems)
    assert files.write_records(tmp_path / name, iter(problems)) == 300
    assert (tmp_path / name).read_bytes() == (tmp_path / f"once-{name}").read_bytes()
    assert list(files.iterate_records(tmp_path / name, Problem)) == problems


def test_a_stream_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        files.write_records(
            tmp_path / "a.jsonl", (Problem("p", "b", "", 0, str(1 // number), "x", "1", "", 0, "given") for number in (1, 0))
        )
    assert list(tmp_path.iterdir()) == []


def test_a_stream_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InputError, match=r"a.jsonl:1: not a Problem record"):
        list(files.iterate_records(tmp_path / "a.jsonl", Problem))
    with pytest.raises(InputError, match=r"b.jsonl: no such file"):
        list(files.iterate_records(tmp_path / "b.jsonl", Problem))
    (tmp_path / "a.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(InputError, match=r"a.jsonl.gz: damaged gzip file"):
        list(files.iterate_records(tmp_path / "a.jsonl.gz", Problem))
