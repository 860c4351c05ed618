"""Scanned tests against a transcription: page classes, items, keys, comparison, reconciliation. The texts are invented."""

import json
import random
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.extraction import exam_items, key_agreement, key_pages, reconcile, scan_pages, text_similarity, transcription
from distill.extraction.exam_items import Item
from distill.extraction.page import Box, Page, rows, text
from distill.extraction.reconcile import Datafile, Printed
from distill.extraction.transcription import Entry

DATAFILE = Datafile(
    folder="datafile",
    sections={"fs_test": "freshman-sophomore", "pairs": "two-person"},
    rounds=8,
    second_dpi=250,
    placeholder="not visible",
    figure=r"\bdiagram\b",
    near=0.8,
    suspects=5,
)


def _scan(*boxes: tuple[float, float, str], number: int = 1) -> Page:
    """A page of 612 x 792 points from (x, middle, text), 6 points a character and 14 high."""
    return Page(number, 612, 792, "ocr", (), tuple(Box(x, y - 7, x + 6 * len(words), y + 7, words, 0.9) for x, y, words in boxes))


TEST = _scan(
    (160, 40, "2031 Anytown Competition"), (190, 60, "Freshman-Sophomore Test"), (36, 90, "Directions: answer."), (36, 200, "1. Add.")
)
SHEET = _scan(
    (36, 40, "Name:"), (190, 60, "Freshman Sophomore Test"), *((36.0, 180.0 + 50 * row, f"{row}.") for row in range(1, 11)), number=2
)
KEY = Page(
    3, 612, 792, "ocr", (), (*SHEET.boxes, *(Box(130, 170 + 50 * row, 150, 188 + 50 * row, str(7 * row), 0.9) for row in range(1, 11)))
)
TEAM = _scan((100, 40, "2031 Anytown Competition - Team Test"), (36, 200, "1. Prove it."), number=4)
MORE = _scan((36, 40, "2. Prove more."), number=5)
SOLVED = _scan((100, 40, "2031 Anytown - Team Test"), (36, 200, "1. Prove it."), (36, 220, "Solution: it holds."), number=6)


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        pytest.param([TEST], [("test", "freshman-sophomore")], id="test"),
        pytest.param([TEST, MORE], [("test", "freshman-sophomore")] * 2, id="a page without a title goes on"),
        pytest.param([SHEET, KEY], [("sheet", "freshman-sophomore"), ("key", "freshman-sophomore")], id="blank and filled"),
        pytest.param([TEAM, MORE, SOLVED, MORE], [("team", ""), ("team", ""), ("solutions", ""), ("solutions", "")], id="team"),
        pytest.param([_scan(), MORE], [("blank", ""), ("test", "two-person")], id="the file's own section"),
        pytest.param([], [], id="no page"),
    ],
)
def test_pages_are_classed(scans: list[Page], expected: list[tuple[str, str]]) -> None:
    assert [(each.kind, each.section) for each in scan_pages.classify(scans, "two-person", 8)] == expected


def _numbers(*boxes: tuple[float, float, str], section: str = "two-person") -> dict[str, str]:
    found = exam_items.items([scan_pages.ClassifiedPage(_scan(*boxes), "test", section)], 8)
    return {item.number: item.text for item in found}


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        pytest.param(["1. Add.", "2.Sub.", "3) Mul."], {"1": "Add.", "2": "Sub.", "3": "Mul."}, id="plain"),
        pytest.param(["8. Add.", "9. (T1) Sub.", "10. (T2) Mul."], {"8": "Add.", "T1": "Sub.", "T2": "Mul."}, id="two names at once"),
        pytest.param(["8. Add.", "Tiebreaker #1. Sub.", "Tiebreaker 2 Mul."], {"8": "Add.", "T1": "Sub.", "T2": "Mul."}, id="in words"),
        pytest.param(["(T1) Add.", "(T2) Sub."], {"T1": "Add.", "T2": "Sub."}, id="in brackets"),
        pytest.param(["1. Add.", "12 apples.", "2. Sub."], {"1": "Add. 12 apples.", "2": "Sub."}, id="a number in a line is no label"),
        pytest.param(["4. Add.", "***Calculators may be used***", "5. Sub."], {"4": "Add.", "5": "Sub."}, id="advice is no item's"),
        pytest.param(["1. Add.", "7. Mul.", "2. Sub.", "3. Div."], {"1": "Add. 7. Mul.", "2": "Sub.", "3": "Div."}, id="order rises"),
    ],
)
def test_items_are_named(printed: list[str], expected: dict[str, str]) -> None:
    assert _numbers(*((36, 100 + 40 * row, words) for row, words in enumerate(printed))) == expected


def test_a_space_in_a_label_is_no_word() -> None:
    assert _numbers((36, 100, "10. Add."), (36, 140, "1 1. Sub."), section="junior-senior") == {"10": "Add.", "11": "Sub."}


def test_an_item_goes_on_to_the_next_page() -> None:
    classified = [scan_pages.ClassifiedPage(_scan((36, 700, "1. Add"), number=1), "test", "two-person")]
    classified.append(scan_pages.ClassifiedPage(_scan((60, 40, "seven."), (36, 80, "2. Sub."), number=2), "test", "two-person"))
    assert [(item.number, item.text, item.page) for item in exam_items.items(classified, 8)] == [("1", "Add seven.", 1), ("2", "Sub.", 2)]


def test_a_region_reaches_to_the_next_item() -> None:
    scan = _scan((36, 100, "1. Add."), (60, 150, "a figure"), (36, 200, "2. Sub."))
    first = exam_items.items([scan_pages.ClassifiedPage(scan, "test", "two-person")], 8)[0]
    assert first.region == (32, 89.5, 112, 189.5)


def test_raised_and_built_up_print_goes_to_its_line() -> None:
    boxes = [Box(60, 90, 200, 104, "Find the value of", 1.0), Box(204, 84, 212, 94, "3", 1.0), Box(204, 100, 212, 110, "4", 1.0)]
    boxes += [Box(220, 91, 300, 105, "of an hour.", 1.0), Box(60, 110, 120, 124, "Then rest.", 1.0)]
    assert text(boxes) == "Find the value of 3 4 of an hour. Then rest."
    assert len(rows(boxes)) == 2


def test_a_key_is_read_by_its_rows() -> None:
    lost = KEY._replace(boxes=tuple(box for box in KEY.boxes if box.text not in ("4.", "42")))
    read = key_pages.answers(lost, 99)
    assert (read["4"], read["6"], read["10"], len(read)) == ("28", "", "70", 10)


def test_notes_are_no_answer_and_a_fraction_is_one() -> None:
    marks = (Box(130, 220, 138, 232, "3", 0.9), Box(130, 236, 138, 248, "4", 0.9), Box(200, 225, 240, 234, "Must be", 0.9))
    assert key_pages.answers(SHEET._replace(boxes=SHEET.boxes + marks), 99)["1"] == "3/4"


@pytest.mark.parametrize(
    ("transcribed", "read", "expected"),
    [
        pytest.param("Add 3^2 and 1,386.", "Add 32 and 1386.", [], id="a raised digit on the line"),
        pytest.param("Add 15.", "Add 51.", ["-15", "+51"], id="a number changed"),
        pytest.param("Take the larger one of both.", "Take the one of both.", ["-larger"], id="a word more"),
        pytest.param("If x < 3 then", "If x ≤ 3 then", ["-less", "+at-most"], id="a relation"),
        pytest.param("If x - 3 = 2", "If x + 3 = 2", ["-minus", "+plus"], id="a sign"),
        pytest.param("If x - 3 = 2", "If x 3 = 2", [], id="a sign that OCR lost"),
        pytest.param("Find AB.", "Find AC.", ["-b", "+c"], id="a letter"),
        pytest.param("area 4π", "area Aπ", ["-4", "+a"], id="a number for a letter"),
        pytest.param("Find the smaller one.", "Find the larger one.", ["-smaller", "+larger"], id="a word changed"),
        pytest.param("Find the circle.", "Find thc circlc.", [], id="misread letters"),
        pytest.param("(Tiebreaker 1) Add 5.", "Add 5.", [], id="a tiebreaker's name"),
        pytest.param("sqrt(7) at angle theta", "√7 at ∠θ", [], id="signs spelled out"),
    ],
)
def test_differences(transcribed: str, read: str, expected: list[str]) -> None:
    assert text_similarity.differences(transcribed, [read], frozenset(("larger",))) == expected


def test_what_a_second_reading_does_not_bear_out_is_no_difference() -> None:
    assert text_similarity.differences("Add 15 and 7.", ["Add 51 and 1.", "Add 51 and 7."], frozenset()) == ["-15", "+51"]
    assert text_similarity.differences("Add 15.", ["Add 51.", "Add 15."], frozenset()) == []


@pytest.mark.parametrize(
    ("gold", "key", "expected"),
    [
        pytest.param("1/2", "1 / 2 or 0.5", True, id="alternatives"),
        pytest.param("0.5", "1/2 Must be this fraction.", True, id="value, with a note"),
        pytest.param("2√3", "2 V3", True, id="root"),
        pytest.param("$1,200", "1200 dollars optional", True, id="thousands"),
        pytest.param("(8, 23)", "(8,23)", True, id="pair"),
        pytest.param("214seven", "214sevn (base optional)", True, id="a misread letter"),
        pytest.param("-5", "5", False, id="sign"),
        pytest.param("44", "11", False, id="other"),
        pytest.param("7", "  ", None, id="not read"),
        pytest.param("3/0", "3/0", True, id="no value"),
    ],
)
def test_answers_agree(gold: str, key: str, expected: bool | None) -> None:
    assert key_agreement.agree(gold, key) is expected


def _printed(*texts: str, key: str = "5") -> Printed:
    """A printed test of 2031 with an item for each text."""
    where = [(2031, "freshman-sophomore", str(number)) for number in range(1, len(texts) + 1)]
    found = {at: ("2031 FS.pdf", Item(at[1], at[2], 1, (0, 0, 9, 9), words)) for at, words in zip(where, texts, strict=True)}
    return Printed(found, dict.fromkeys(found, key))


def _entry(number: int, question: str, answer: str = "5") -> Entry:
    return Entry(2031, "freshman-sophomore", str(number), question, answer)


LONG = "A farmer has {} hens and twice as many ducks in the yard behind the barn. How many birds has the farmer?"


@pytest.mark.parametrize(
    ("entry", "printed", "flags", "page"),
    [
        pytest.param(_entry(1, LONG.format(12)), _printed(LONG.format(12)), [], 1, id="as printed"),
        pytest.param(_entry(1, LONG.format(12)), _printed(LONG.format(21)), ["suspect_text"], 1, id="another number"),
        pytest.param(_entry(1, LONG.format(12), "6"), _printed(LONG.format(12)), ["suspect_answer"], 1, id="another answer"),
        pytest.param(_entry(1, "Item 1 (not visible)"), _printed("Add."), ["placeholder", "unprinted"], 0, id="placeholder"),
        pytest.param(_entry(1, "In the diagram, find x."), _printed("In the diagram, find x."), ["needs_figure"], 1, id="figure"),
        pytest.param(_entry(1, LONG.format(12)), _printed("Add 5 and 7.", LONG.format(12)), ["misnumbered"], 1, id="other number"),
        pytest.param(_entry(9, LONG.format(12)), _printed("Add 5 and 7."), ["unprinted"], 0, id="not printed"),
    ],
)
def test_flags(entry: Entry, printed: Printed, flags: list[str], page: int) -> None:
    problems, readings = reconcile.reconcile([entry], printed, DATAFILE, lambda found: [item.text for _, item in found])
    reading = next(reading for reading in readings if reading.id == problems[0].id)
    assert (problems[0].statement, problems[0].gold, problems[0].page) == (entry.question, entry.answer, page)
    assert (reading.flags, reading.page) == (flags, page)


def test_what_is_printed_and_not_transcribed_is_listed() -> None:
    problems, readings = reconcile.reconcile([_entry(2, "Sub 1.")], _printed("Add 1.", "Sub 1."), DATAFILE, lambda found: [""] * len(found))
    assert [problem.id for problem in problems] == ["2031-fs-02"]
    assert [(reading.id, reading.flags) for reading in readings] == [("2031-fs-01", ["untranscribed"]), ("2031-fs-02", [])]
    counts = reconcile.counted(problems, readings)
    assert {key: counts[key] for key in ("items", "problems", "flag_untranscribed", "similar_090")} == {
        "items": 2,
        "problems": 1,
        "flag_untranscribed": 1,
        "similar_090": 1,
    }


def test_near_duplicates_share_a_cluster() -> None:
    entries = [_entry(1, LONG.format(12)), _entry(2, LONG.format(99)), _entry(3, "Add 1 and 2.")]
    _, readings = reconcile.reconcile(entries, _printed(*(entry.question for entry in entries)), DATAFILE, lambda found: [])
    assert [(reading.cluster, reading.flags) for reading in readings] == [
        ("2031-fs-01", ["duplicate"]),
        ("2031-fs-01", ["duplicate"]),
        ("2031-fs-03", []),
    ]


def _write(folder: Path, document: object) -> Path:
    (folder / "2031.json").write_text(json.dumps(document))
    return folder


def test_a_transcription_is_taken_over_byte_for_byte(tmp_path: Path) -> None:
    entry = {"question": " Add  1\u00a0and ½. ", "answer": "3/2 "}
    read = transcription.read(
        _write(tmp_path, {"pairs": {"question_9": entry, "question_T2": entry, "question_2": entry}}), DATAFILE.sections, 8
    )
    assert [(found.number, found.question, found.answer) for found in read] == [
        (at, entry["question"], entry["answer"]) for at in ("T1", "T2", "2")
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({"relay": {}}, r"2031.json: section 'relay'; allowed: fs_test, pairs", id="section"),
        pytest.param({"pairs": {"question_x": {}}}, r"2031.json: pairs.question_x: expected question_K", id="name"),
        pytest.param({"pairs": {"question_1": {"question": 1, "answer": "2"}}}, r"pairs.question_1: expected question_K", id="not text"),
        pytest.param({"pairs": []}, r"2031.json: pairs: expected a mapping", id="list"),
        pytest.param([], r"2031.json: expected sections", id="no sections"),
    ],
)
def test_a_bad_transcription_is_one_line(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        transcription.read(_write(tmp_path, document), DATAFILE.sections, 8)


def test_a_folder_without_transcription_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no YEAR.json in it"):
        transcription.read(tmp_path, DATAFILE.sections, 8)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_read_is_too_strange(seed: int) -> None:
    """Any boxes at all are classified and cut, or are nothing: what a damaged scan is read as."""
    rng = random.Random(seed)
    words = ["1.", "2.", "T1.", "10.", "___", "Name:", "Answers", "Two-Person", "Team Test", "", " ", "7", "½", "(T2)", "12 .", "Solution"]
    boxes = [(rng.uniform(0, 600), rng.uniform(0, 790), rng.choice(words)) for _ in range(rng.randrange(60))]
    classified = scan_pages.classify([_scan(*boxes), _scan(*boxes[:5])], rng.choice(["", "two-person"]), 8)
    for each in classified:
        key_pages.answers(each.page, 8)
    for item in exam_items.items([each._replace(kind="test") for each in classified], 8):
        assert item.region[0] <= item.region[2]
        assert item.region[1] <= item.region[3]
