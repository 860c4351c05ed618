"""Printing exams: equal bytes, the marks of mathematics, page images without a text layer."""

import base64
import hashlib
import re
import zlib
from pathlib import Path

import msgspec
import pypdfium2 as pdfium
import pytest

from distill.competition.exam import Exam, Item
from distill.competition.scan import scan
from distill.competition.typeset import label, typeset, words
from distill.core.errors import InputError
from distill.core.files import write_text
from distill.sources import manifest
from stages import fetch
from tests import trees
from tests.golden.exams import SCAN, TEXT

PARAMS = fetch.Competition(
    seed=1,
    first_year=2011,
    last_year=2012,
    problems={"freshman-sophomore": 3, "two-person": 4},
    scanned_years=[2012],
    scan_dpi=100,
    scan_skew=0.4,
    scan_noise=0.002,
)


def _spelled(text: str, built_up: bool = True) -> list[list[str]]:
    return [[run.text for run in word.runs] for word in words(text, built_up)]


@pytest.mark.parametrize(
    ("text", "runs", "rules"),
    [
        pytest.param("3^{10}", ["3", "10"], 0, id="exponent"),
        pytest.param("x^2y", ["x", "2", "y"], 0, id="exponent of one digit ends there"),
        pytest.param("3/4", ["3", "4"], 1, id="fraction"),
        pytest.param("3/x", ["3", "/", "x"], 0, id="a quotient of a letter stays inline"),
        pytest.param("3/4/5", ["3", "/", "4", "/", "5"], 0, id="no fraction in a row of slashes"),
        pytest.param("2√12", ["2", "√", "12"], 1, id="radical"),
        pytest.param("√{a+1}", ["√", "a", "+", "1"], 1, id="radical of a sum"),
        pytest.param("-4", ["−", "4"], 0, id="minus sign"),
        pytest.param("two-digit", ["two", "-", "digit"], 0, id="hyphen"),
        pytest.param("1101_2", ["1101", "2"], 0, id="index"),
    ],
)
def test_notation(text: str, runs: list[str], rules: int) -> None:
    (word,) = words(text)
    assert ([run.text for run in word.runs], len(word.rules)) == (runs, rules)


def test_raised_and_lowered_print_is_small() -> None:
    (word,) = words("x^2_3")
    big, raised, lowered = word.runs
    assert raised.y > big.y > lowered.y
    assert raised.size == lowered.size < big.size


def test_a_key_keeps_fractions_inline() -> None:
    assert _spelled("3/4", built_up=False) == [["3/4"]]


def test_variables_are_italic_and_the_article_is_not() -> None:
    fonts = {run.text: run.font for word in words("if a ball x = a") for run in word.runs}
    assert (fonts["ball"], fonts["x"]) == ("Vera", "VeraIt")
    assert [run.font for word in words("a ball: a = 1") for run in word.runs if run.text == "a"] == ["Vera", "VeraIt"]


def test_the_last_two_of_a_two_person_test_are_tiebreakers() -> None:
    assert [label(SCAN, index) for index in range(6)] == ["1.", "2.", "3.", "4.", "Tiebreaker #1.", "Tiebreaker #2."]
    assert label(TEXT, 11) == "12."


def test_equal_exams_give_equal_bytes(tmp_path: Path) -> None:
    typeset(TEXT, tmp_path / "one.pdf")
    typeset(TEXT, tmp_path / "two.pdf")
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    # A new hash is a reviewed change of what every exam looks like. It is of the streams inflated: zlibs deflate the same text differently.
    streams = re.findall(rb"\bstream\r?\n(.+?)endstream", (tmp_path / "one.pdf").read_bytes(), re.DOTALL)
    deflated = [base64.a85decode(stream.strip(), adobe=True) if stream.strip().endswith(b"~>") else stream for stream in streams]
    inflated = [zlib.decompressobj().decompress(stream) for stream in deflated]
    assert hashlib.sha256(b"".join(inflated)).hexdigest()[:16] == "988920a2cd5c13b5"


def test_a_long_test_turns_pages_and_ends_in_its_key(tmp_path: Path) -> None:
    items = tuple(Item(str(number), "Find the value of x, if x is a whole number. " * 4, "7") for number in range(1, 31))
    typeset(Exam(2011, "junior-senior", items), tmp_path / "a.pdf")
    with pdfium.PdfDocument(tmp_path / "a.pdf") as document:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    assert "Answer Key" in texts[-1]
    assert all(text.count("Find the value") >= 4 for text in texts[:-1])
    assert sum(text.count("Find the value") for text in texts) == 120


def test_a_section_that_is_not_printed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no test is printed for section 'relay'; allowed: freshman-sophomore"):
        typeset(Exam(2011, "relay", ()), tmp_path / "a.pdf")


def test_a_scan_is_an_image_turned_alike_each_time(tmp_path: Path) -> None:
    typeset(SCAN, tmp_path / "printed.pdf")
    for name in ("one.pdf", "two.pdf"):
        scan(tmp_path / "printed.pdf", tmp_path / name, 72, 0.4, 0.002, "seed")
    # Pillow titles a document after its file.
    one, two = ((tmp_path / name).read_bytes() for name in ("one.pdf", "two.pdf"))
    assert len(one) == len(two)
    with pdfium.PdfDocument(tmp_path / "one.pdf") as document:
        assert document[0].get_textpage().count_chars() == 0
        assert document[0].get_size() == pytest.approx((612, 792), abs=1)


def test_a_raw_folder_lists_what_it_holds(tmp_path: Path) -> None:
    entries = fetch.typeset_competition(PARAMS, tmp_path, tmp_path)
    manifest.write(tmp_path, entries)
    assert [entry.file for entry in manifest.read(tmp_path)] == [
        "2011-freshman-sophomore.pdf",
        "2011-two-person.pdf",
        "2012-freshman-sophomore.pdf",
        "2012-two-person.pdf",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(entry.file for entry in manifest.read(tmp_path)), "manifest.json"]
    assert sum(entry.problems for entry in entries) == 14


def test_a_scanned_year_that_is_not_printed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scanned_years: 2019 is no year of an exam; allowed: 2011 to 2012"):
        fetch.typeset_competition(msgspec.structs.replace(PARAMS, scanned_years=[2019]), tmp_path, tmp_path)


def test_an_unknown_kind_names_the_allowed_ones(tmp_path: Path) -> None:
    paths = trees.below(tmp_path)
    write_text(paths.study_file, "fetch: {kind: ftp}\n")
    with pytest.raises(InputError, match="kind is 'ftp'; allowed: competition"):
        fetch.main(paths)
    assert not paths.raw.exists()
