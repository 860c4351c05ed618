"""Typeset PDFs read back: golden pages to problems, bad files, bad keys, kept OCR results."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from distill.competition.exam import Exam, Item
from distill.competition.typeset import typeset
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_text
from distill.extraction import glyph_strips, join_keys, line_ocr, ocr, page_reader
from distill.extraction.glyph_strips import Grey
from distill.extraction.page import Line, Page, Piece
from distill.extraction.page_jobs import Job
from distill.extraction.page_reader import Settings
from distill.extraction.segment import Booklet, NumberedText, segment
from distill.processes import worker_pool
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.sources import manifest
from stages import extract
from tests import trees
from tests.golden.exams import HERE, SCAN, TEXT

STUDY = r"""corrections: []
extract:
  ocr: lines
  ocr_dpi: 200
  min_text_chars: 40
  limits: {pages: 20, page_seconds: 60.0, file_seconds: 600.0, memory_gb: 1.8}
  names: {freshman-sophomore: '(\d{4})-freshman-sophomore\.pdf', two-person: '(\d{4})-two-person\.pdf'}
"""


def _read(path: Path, folder: Path) -> Booklet:
    settings = Settings("lines", 200, 1, folder)
    return segment([page_reader.read(Job(path, index), settings) for index in range(page_reader.count(Job(path, -1), 20))])


def _run(folder: Path, *pdfs: Path) -> tuple[list[Problem], dict[str, int]]:
    """Run the stage in `folder` on copies of PDFs."""
    paths = trees.below(folder, "small")
    raw = paths.raw
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir(parents=True)
    for pdf in pdfs:
        shutil.copy(pdf, raw)
    manifest.write(raw, [manifest.entry(raw / pdf.name, 6) for pdf in pdfs])
    write_text(paths.study_file, STUDY)
    extract.main(paths)
    return read_records(paths.problems, Problem), read_json(paths.extract_metrics)


def test_a_text_layer_is_recovered_exactly(tmp_path: Path) -> None:
    path = tmp_path / "2015-freshman-sophomore.pdf"
    typeset(TEXT, path)
    found = _read(path, tmp_path)
    assert [(problem.number, problem.text) for problem in found.problems] == [(item.number, item.statement) for item in TEXT.items]
    assert found.answers == {item.number: item.gold for item in TEXT.items}
    assert (found.dropped.total(), {problem.reader for problem in found.problems}) == (0, {"text"})


def test_a_scan_is_read_by_ocr_and_its_pages_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "cores", lambda: 1)
    printed = tmp_path / "2015-freshman-sophomore.pdf"
    typeset(TEXT, printed)
    problems, audit = _run(tmp_path, HERE / "2013-two-person.pdf", printed)
    scanned = problems[:6]
    assert [problem.id for problem in scanned] == ["2013-tp-01", "2013-tp-02", "2013-tp-03", "2013-tp-04", "2013-tp-T1", "2013-tp-T2"]
    assert [(problem.statement, problem.gold) for problem in scanned] == [(item.statement, item.gold) for item in SCAN.items]
    first = scanned[0]
    assert (first.year, first.section, first.page, first.reader, first.source) == (2013, "two-person", 1, "ocr", "2013-two-person.pdf")
    assert [problem.id for problem in problems[6:]] == [f"2015-fs-{number:02}" for number in range(1, 13)]
    assert {key: audit[key] for key in ("files", "pages_ocr", "pages_text", "problems_ocr", "problems_text")} == {
        "files": 2,
        "pages_ocr": 2,
        "pages_text": 2,
        "problems_ocr": 6,
        "problems_text": 12,
    }
    assert list(audit) == sorted(audit)
    _reads_what_is_kept(tmp_path)


def _reads_what_is_kept(folder: Path) -> None:
    """A second run takes each page's kept result: here one that was changed so that it shows."""
    kept = sorted((folder / ".work/small/extract").iterdir())
    assert len(kept) == 2
    for path in kept:
        path.write_text(path.read_text().replace("Simplify", "Amplify"))
    problems, _ = _run(folder, HERE / "2013-two-person.pdf")
    assert problems[2].statement == "Amplify √600."
    assert sorted((folder / ".work/small/extract").iterdir()) == kept


def _key(image: Grey, dpi: int) -> str:
    return ocr.key(line_ocr.recognise, image, dpi, line_ocr.SETTINGS)


def test_a_page_is_kept_under_its_pixels_and_settings() -> None:
    white = np.full((20, 20), 255, np.uint8)
    spot = white.copy()
    spot[3, 3] = 0
    assert _key(white, 200) == _key(white.copy(), 200)
    assert len({_key(white, 200), _key(spot, 200), _key(white, 150), _key(white[:10], 200)}) == 4


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param("x ^ (2) – 3 ＝ 2^(10)", "x^2 - 3 = 2^{10}", id="painted exponents"),
        pytest.param("x² + 3", "x^2 + 3", id="raised character"),
        pytest.param("1101₂", "1101_2", id="lowered character"),
        pytest.param("35º .", "35°.", id="ordinal sign for degrees"),
        pytest.param("(59,21) of 1,386", "(59, 21) of 1,386", id="a pair, and thousands"),
        pytest.param("bętween，Indivıdual", "between, Individual", id="accents and wide commas"),
        pytest.param("5, 8, .. is", "5, 8, ... is", id="two points are three"),
        pytest.param("17· 23", "17 · 23", id="as wide on both sides"),
        pytest.param("11 -10i", "11 - 10i", id="difference"),
        pytest.param("of -84", "of -84", id="negative number"),
        pytest.param("a ^() b", "a b", id="raised speck"),
    ],
)
def test_normalised(read: str, expected: str) -> None:
    assert line_ocr.normalised(read) == expected


def test_an_empty_page_has_no_strips() -> None:
    assert glyph_strips.strips(np.full((400, 300), 255, np.uint8), 100) == []


def test_noise_alone_is_no_print() -> None:
    page = np.full((400, 300), 255, np.uint8)
    page[::20, ::20] = 0
    assert glyph_strips.strips(page, 100) == []


def _page(*lines: tuple[float, float, str]) -> Page:
    """A page of 800 points from (x, y, text), pieces of one y on one line."""
    rows: dict[float, list[Piece]] = {}
    for x, y, text in lines:
        rows.setdefault(y, []).append(Piece(x, text))
    return Page(1, 600.0, 800.0, "text", tuple(Line(y, tuple(pieces)) for y, pieces in rows.items()), ())


def _texts(*lines: tuple[float, float, str]) -> list[tuple[str, str]]:
    return [(problem.number, problem.text) for problem in segment([_page(*lines)]).problems]


def test_a_wrapped_line_that_begins_with_a_number_is_no_problem() -> None:
    lines = ((72, 100, "1."), (100, 100, "Its digits add to"), (100, 115, "2. Find it."), (72, 140, "2."), (100, 140, "Add."))
    assert _texts(*lines) == [("1", "Its digits add to 2. Find it."), ("2", "Add.")]


def test_a_lost_number_is_bridged() -> None:
    assert [number for number, _ in _texts((72, 100, "1. A"), (72, 120, "3. C"), (72, 140, "9. no"))] == ["1", "3"]


def test_head_and_foot_are_no_problem() -> None:
    assert _texts((72, 60, "Directions: 60 minutes."), (72, 100, "1) One?"), (72, 780, "page 1")) == [("1", "One?")]


@pytest.mark.parametrize("printed", ["Tiebreaker #1.", "Tie-breaker 1.", "TB1.", "T1.", "Tlebreaker #1."])
def test_names_of_a_tiebreaker(printed: str) -> None:
    assert _texts((72, 100, "1."), (100, 100, "A"), (72, 120, printed), (164, 120, "B"))[1] == ("T1", "B")


def test_a_key_in_columns() -> None:
    key = _page(
        (260, 80, "Answer Key"),
        (72, 120, "1."),
        (100, 120, "(3, -4)"),
        (326, 120, "3."),
        (354, 120, "5 or"),
        (380, 120, "6"),
        (72, 140, "2."),
    )
    assert segment([key]).answers == {"1": "(3, -4)", "3": "5 or 6", "2": ""}


def test_a_blank_answer_sheet_is_no_key() -> None:
    assert segment([_page((260, 80, "Answer Sheet"), (72, 120, "1."))]).key_pages == 0


def _test(problems: str, answers: dict[str, str], key_pages: int = 1) -> Booklet:
    return Booklet(tuple(NumberedText(number, "Find it.", 1, "text", (0, 0, 9, 9)) for number in problems), answers, key_pages, Counter())


def _joined(test: Booklet) -> tuple[list[Problem], list[ExtractedItem], dict[str, int]]:
    return join_keys.join({Path("2011-two-person.pdf"): join_keys.Test(2011, "two-person", test)})


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        pytest.param(_test("12", {"1": "5"}), "no_answer", id="problem without gold"),
        pytest.param(_test("12", {"1": "5", "2": ""}), "no_answer", id="blank gold"),
        pytest.param(_test("1", {"1": "5", "9": "7"}), "no_problem", id="answer without problem"),
    ],
)
def test_what_does_not_match_is_counted(test: Booklet, reason: str) -> None:
    records, _, counts = _joined(test)
    assert [record.number for record in records] == ["1"]
    assert {key: count for key, count in counts.items() if key.startswith("dropped_") and count} == {f"dropped_{reason}": 1}


def test_a_file_without_key_loses_all_its_problems() -> None:
    records, _, counts = _joined(_test("12", {}, key_pages=0))
    assert (records, counts["dropped_no_key_page"]) == ([], 2)


def test_a_repeated_answer_is_counted() -> None:
    found = segment([_page((260, 80, "Key"), (72, 120, "1. 5"), (72, 140, "1. 6"))])
    assert (found.answers, found.dropped["answer_repeated"]) == ({"1": "5"}, 1)


def _damaged(path: Path) -> None:
    path.write_bytes(b"%PDF-1.4\nnothing")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _encrypted(path: Path) -> None:
    canvas = Canvas(str(path), encrypt=StandardEncryption("secret", "owner"))
    canvas.drawString(72, 700, "1. What is the password?")
    canvas.save()


def _essay(path: Path) -> None:
    canvas = Canvas(str(path))
    canvas.drawString(72, 700, "An essay about problems that holds none of them at all.")
    canvas.save()


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        pytest.param(_damaged, "2011-two-person.pdf", "damaged PDF", id="damaged"),
        pytest.param(_empty, "2011-two-person.pdf", "empty PDF", id="empty"),
        pytest.param(_encrypted, "2011-two-person.pdf", "encrypted PDF", id="encrypted"),
        pytest.param(_essay, "2011-two-person.pdf", "no numbered problem found", id="no problems"),
        pytest.param(_essay, "essay.pdf", "essay.pdf: its name says no year and section", id="name"),
        pytest.param(_essay, "2011-relay.pdf", r"add its form to extract.names \(freshman-sophomore, two-person\)", id="section"),
    ],
)
def test_a_bad_pdf_is_one_line_that_names_it(tmp_path: Path, make: Callable[[Path], None], name: str, message: str) -> None:
    (tmp_path / "bad").mkdir()
    make(tmp_path / "bad" / name)
    with pytest.raises(InputError, match=message) as fault:
        _run(tmp_path, tmp_path / "bad" / name)
    assert name in str(fault.value)
    assert "\n" not in str(fault.value)
    assert not trees.below(tmp_path, "small").problems.exists()


def _changed(folder: Path) -> None:
    (folder / "2011-two-person.pdf").write_bytes(b"other")


def _missing(folder: Path) -> None:
    (folder / "2011-two-person.pdf").unlink()


def _unlisted(folder: Path) -> None:
    _essay(folder / "2012-two-person.pdf")


def _no_manifest(folder: Path) -> None:
    (folder / manifest.NAME).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            _changed, r"2011-two-person.pdf: expected sha256 [0-9a-f]{12} \(\d+ bytes\), got d9298a10d1b0 \(5 bytes\); run", id="hash"
        ),
        pytest.param(_missing, "2011-two-person.pdf: no such file, but manifest.json lists it", id="missing"),
        pytest.param(_unlisted, "2012-two-person.pdf: manifest.json does not list this file", id="unlisted"),
        pytest.param(_no_manifest, "manifest.json: no such file", id="no manifest"),
    ],
)
def test_a_raw_folder_that_is_not_as_fetched(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    typeset(Exam(2011, "two-person", (Item("1", "Add 1 and 2.", "3"), Item("2", "Add 2 and 2.", "4"))), tmp_path / "2011-two-person.pdf")
    manifest.write(tmp_path, [manifest.entry(tmp_path / "2011-two-person.pdf")])
    spoil(tmp_path)
    with pytest.raises(InputError, match=message):
        manifest.read(tmp_path)


def test_a_huge_page_is_refused(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "2011-two-person.pdf"), pagesize=(14000, 14000))
    canvas.rect(0, 0, 10, 10)
    canvas.save()
    with pytest.raises(InputError, match=r"page 1 is 14000 x 14000 points, too large at 200 dpi; lower extract.ocr_dpi"):
        page_reader.read(Job(tmp_path / "2011-two-person.pdf", 0), Settings("lines", 200, 1, tmp_path))
