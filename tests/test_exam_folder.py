"""A folder of exams in any style: what is read, what is doubted, and the one line that bad input ends in."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from bench import exam_styles, exams
from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.extraction import read_item
from distill.extraction.general import answers, booklets, doubts, exam_folder, formulas, labels
from distill.extraction.general.exam_folder import Params, Part
from distill.extraction.general.glyphs import Glyph, Rule
from distill.extraction.general.scans import Span
from distill.extraction.general.sheets import Line
from distill.extraction.page_jobs import Limits
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.sources import folder as folders
from stages import extract, fetch
from tools import check_study, exam_study, new_study

ROOT = Path(__file__).parents[1]
LIMITS = Limits(pages=100, page_seconds=60.0, file_seconds=600.0, memory_gb=1.8)
FIGURE = r"\b(diagram|figure|shown)\b"
QUESTIONS = ["What is 1 plus 4?", "What is 2 plus 4?", "What is 3 plus 4?", "What is 4 plus 4?", "What is 5 plus 4?", "What is 6 plus 4?"]
TEST = [f"{number}. {text}" for number, text in enumerate(QUESTIONS, 1)]
KEYED = ["Answer Key", *(f"{number}. {number + 4}" for number in range(1, 7))]
Pages = Sequence[Sequence[str]]


def pdf(
    path: Path, *pages: Sequence[str], size: tuple[int, int] = (612, 792), columns: int = 1, password: str = "", font: str = "Times-Roman"
) -> Path:
    """Print lines on pages, a column after another; an empty line is a blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = Canvas(str(path), pagesize=size, encrypt=StandardEncryption(password, "owner") if password else None)
    for lines in pages:
        canvas.setFont(font, 12)
        height = -(-len(lines) // columns)
        for place, line in enumerate(lines):
            canvas.drawString(60 + size[0] / columns * (place // height), size[1] - 110 - 18 * (place % height), line)
        canvas.showPage()
    canvas.save()
    return path


def read(folder: Path, **parts: Part) -> tuple[dict[str, Problem], dict[str, ExtractedItem], dict[str, int]]:
    """Read a folder's files; each is an exam of 2019 unless something else is said of it."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.pdf"))
    files = {name: parts.get(Path(name).stem, Part("exam", 2019)) for name in names}
    kept = folder / "kept"
    kept.mkdir(exist_ok=True)
    problems, items, counts = exam_folder.read(folder, names, Params(150, 10, LIMITS, FIGURE, files), kept)
    return {each.id: each for each in problems}, {each.id: each for each in items}, counts


@pytest.mark.parametrize("name", ["paper-plain", "paper-solutions"])
def test_an_invented_exam_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    style = next(style for style in exam_styles.STYLES if style.name == name)
    truths, items = exams.read([style], tmp_path, scanned=False)
    shares = exams.measure(truths, items, scanned=False)
    assert (shares["found"], shares["invented"]) == (1.0, 0)
    assert shares["keys"] >= 0.97
    assert shares["texts"] >= 0.95
    assert shares["doubted"] <= (1.0 if name == "paper-solutions" else 0.25)  # answers out of solutions are all doubted


def glyph(text: str, x: float, y: float, size: float = 10.0, width: float = 5.0, high: float = 0.7) -> Glyph:
    """Return a glyph without a descender."""
    return Glyph(text, x, x + width * size / 10, y, y - high * size, y, size)


FORMULAS = {
    "a fraction": ([glyph("a", 0, 95.5, 7), glyph("b", 0, 105, 7), glyph("x", 5, 100)], [Rule(0, 4, 97.5)], "(a/b)x"),
    "a mixed number": ([glyph("2", 0, 100), glyph("1", 6, 95.5, 7), glyph("3", 6, 105, 7)], [Rule(6, 10, 97.5)], "2 1/3"),
    "a power": ([glyph("x", 0, 100), glyph("1", 5, 95, 7), glyph("0", 8.5, 95, 7)], [], "x^10"),
    "an index and a power": ([glyph("a", 0, 100), glyph("n", 5, 102, 7), glyph("2", 5, 95, 7)], [], "a_n^2"),
    "a root": (
        [glyph("√", 0, 100, high=0.9), glyph("1", 5, 100), glyph("2", 10, 100), glyph(".", 15.5, 100)],
        [Rule(5, 15, 91)],
        "sqrt(12).",
    ),
    "an underlined word": ([*(glyph(c, 5 * k, 100) for k, c in enumerate("bold"))], [Rule(0, 20, 101.5)], "bold"),
    "a power of a power": ([glyph("x", 0, 100), glyph("2", 5, 95, 7), glyph("n", 8.5, 92, 5)], [], "x^(2^n)"),
}


@pytest.mark.parametrize(("glyphs", "rules", "expected"), FORMULAS.values(), ids=FORMULAS)
def test_formulas_are_spelled_by_their_places(glyphs: list[Glyph], rules: list[Rule], expected: str) -> None:
    assert formulas.spelled(formulas.built(glyphs, rules))[0] == expected


def line(*texts: str, x: float = 60, y: float = 0, page: int = 1) -> Line:
    """Return a line of spans, 90 points from one to the next."""
    return Line(page, tuple(Span(0, 60, y, x + 90 * k, y - 9, x + 90 * k + 6 * len(t), y + 2, t, 1.0, 11, 0) for k, t in enumerate(texts)))


LABELS = {
    "1.": (["1. One", "more", "2. Two", "3. Three"], ["1", "2", "3"]),
    "(1)": (["(1) One", "(2) Two", "(3) Three"], ["1", "2", "3"]),
    "1)": (["1) One", "2) Two", "(a) part", "3) Three"], ["1", "2", "3"]),
    "Problem 1:": (["Problem 1: One", "Problem 2: Two", "Problem 3: Three"], ["1", "2", "3"]),
    "Question 1": (["Question 1", "One", "Question 2", "Two", "Question 3", "Three"], ["1", "2", "3"]),
    "A1": (["A1. One", "A2. Two", "A3. Three", "B1. Four", "B2. Five"], ["A1", "A2", "A3", "B1", "B2"]),
    "a year is no number": (["1. In", "2019. Then", "2. Two", "3. Three"], ["1", "2", "3"]),
    "a number at a line's begin": (["1. Add 5 and", "7. What is it?", "2. Two", "3. Three", "4. Four"], ["1", "2", "3", "4"]),
    "tiebreakers": (["1. One", "2. Two", "3. Three", "Tiebreaker 1. Four", "TB2: Five"], ["1", "2", "3", "T1", "T2"]),
    "one is missing": (["1. One", "2. Two", "4. Four", "5. Five"], ["1", "2", "4", "5"]),
    "again from 1": (["1. a", "2. b", "3. c", "1. d", "2. e", "3. f"], ["1", "2", "3", "1", "2", "3"]),
    "none": (["Dear reader", "all is well"], []),
}


@pytest.mark.parametrize(("lines", "numbers"), LABELS.values(), ids=LABELS)
def test_items_begin_at_their_numbers(lines: list[str], numbers: list[str]) -> None:
    assert [start.number for start in labels.starts([line(text, y=20.0 * place) for place, text in enumerate(lines)])] == numbers


KEYS = {
    "a list in columns": ([("1. B", "2. C"), ("3. D", "4. 1/2")], {"1": "B", "2": "C", "3": "D", "4": "1/2"}),
    "a table": ([("No.", "Answer", "No.", "Answer"), ("1", "12", "4", "7"), ("2", "B", "5", "6"), ("3", "5", "6", "x")],
                {"1": "12", "2": "B", "3": "5", "4": "7", "5": "6", "6": "x"}),
    "from left to right": ([("1", "2", "3"), ("A", "5", "C"), ("4", "5", "6"), ("D", "E", "8")],
                           {"1": "A", "2": "5", "3": "C", "4": "D", "5": "E", "6": "8"}),
    "lines": ([("1) 3 1/2",), ("2) sqrt(3)",), ("Tiebreaker 1: 9",)], {"1": "3 1/2", "2": "sqrt(3)", "T1": "9"}),
    "in one span": ([("1. B 2. C 3. D",), ("4. A 5. E 6. B",)], {"1": "B", "2": "C", "3": "D", "4": "A", "5": "E", "6": "B"}),
    "letters": ([("A1. 5", "B1. 7"), ("A2. 6", "B2. 8")], {"A1": "5", "B1": "7", "A2": "6", "B2": "8"}),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), KEYS.values(), ids=KEYS)
def test_keys_of_every_form_are_read(rows: list[tuple[str, ...]], expected: dict[str, str]) -> None:
    found = answers.read([line(*texts, y=20.0 * place) for place, texts in enumerate(rows)], False, False)
    assert {number: answer for (_, number), answer in found.found.items()} == expected


def test_solutions_state_their_answers(tmp_path: Path) -> None:
    solved = [f"{n}. {text} We add the two numbers, one after the other. Answer: {n + 4}." for n, text in enumerate(QUESTIONS, 1)]
    pdf(tmp_path / "a.pdf", TEST)
    pdf(tmp_path / "s.pdf", solved)
    problems, items, _ = read(tmp_path, s=Part("solutions", 2019))
    assert {name: each.gold for name, each in problems.items()} == {f"2019-{n:02}": str(n + 4) for n in range(1, 7)}
    assert all(each.flags == ["key_from_solution"] for each in items.values())


BROKEN = {
    "Find (x+1)/(x-1) if x = 3.": False, "1) Find |x| for a) 1.": False, "Simplify (x^2-4)/(x-2).": False, "Is 3 > 2?": False,
    "Find (x+1/x-1)) =": True, "Find x^ if": True, "Find 5 +": True, "a \ufffd b": True, "sqrt()": True,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BROKEN.items())
def test_a_lost_formula_is_doubted(text: str, expected: bool) -> None:
    assert doubts.is_broken(text) == expected


class TestWholeFolders:
    """Exams and keys as PDFs."""

    def test_the_key_on_the_last_page(self, tmp_path: Path) -> None:
        pdf(tmp_path / "a.pdf", TEST, KEYED)
        problems, items, counts = read(tmp_path)
        assert {each.number: (each.statement, each.gold) for each in problems.values()} == {
            str(n): (text, str(n + 4)) for n, text in enumerate(QUESTIONS, 1)
        }
        assert all(not each.flags and each.page == 1 and each.rank == 0 for each in items.values())
        assert (counts["problems"], counts["dropped_no_answer"], counts["pages"]) == (6, 0, 2)

    def test_two_columns_a_page_break_and_running_heads(self, tmp_path: Path) -> None:
        texts = [f"{n}. In which the numbers are {n}" for n in range(1, 13)]
        lines = [part for text in texts for part in (text, "and goes on a second line.")]
        pdf(tmp_path / "a.pdf", lines[:15], lines[15:], columns=2)
        pdf(tmp_path / "k.pdf", ["Answers", *(f"{n}. {n}" for n in range(1, 13))])
        problems, items, _ = read(tmp_path, k=Part("key", 2019))
        assert [problems[f"2019-{n:02}"].statement for n in range(1, 13)] == [
            f"{text[text.index(' ') + 1 :]} and goes on a second line." for text in texts
        ]
        assert {each.page for each in items.values()} == {1, 2}

    def test_what_is_missing_is_flagged_and_counted(self, tmp_path: Path) -> None:
        lines = [TEST[0], TEST[1], *TEST[3:5], "6. See the figure shown above."]
        pdf(tmp_path / "a.pdf", lines, KEYED[:-1])
        problems, items, counts = read(tmp_path)
        assert items["2019-04"].flags == ["number_gap"]
        assert items["2019-06"].flags == ["needs_figure", "key_missing"]
        assert ("2019-06" in problems, counts["dropped_no_answer"], counts["answers_without_item"]) == (False, 1, 1)
        assert [items[name].rank for name in ("2019-06", "2019-04", "2019-01")] == [1, 2, 0]
        reviewed = read_item.read_items(list(items.values()), list(problems.values()))
        assert [(each.id, each.year, each.number, each.confidence) for each in reviewed[:2]] == [
            ("2019-06", 2019, "6", 0.0),
            ("2019-04", 2019, "4", 0.5),
        ]

    def test_answers_of_the_study_fill_a_gap(self, tmp_path: Path) -> None:
        pdf(tmp_path / "a.pdf", TEST, KEYED[:-1])
        (tmp_path / "kept").mkdir()
        params = Params(150, 10, LIMITS, FIGURE, {"*.pdf": Part("exam", 2019)}, {"2019-06": "10"})
        problems, _, _ = exam_folder.read(tmp_path, ["a.pdf"], params, tmp_path / "kept")
        assert problems[5].gold == "10"
        with pytest.raises(InputError, match=r"extract\.answers: 2019-77: no such item"):
            exam_folder.read(tmp_path, ["a.pdf"], Params(150, 10, LIMITS, FIGURE, params.files, {"2019-77": "1"}), tmp_path / "kept")

    def test_numbers_that_begin_again_are_sections(self, tmp_path: Path) -> None:
        pdf(tmp_path / "a.pdf", ["PART ONE", *TEST, "", "PART TWO", *TEST], ["Answers", "PART ONE", *KEYED[1:], "PART TWO", *KEYED[1:]])
        problems, items, _ = read(tmp_path)
        assert [name for name in problems if name.endswith("03")] == ["2019-part-one-03", "2019-part-two-03"]
        assert all(not each.flags for each in items.values())
        pdf(tmp_path / "a.pdf", [*TEST, *TEST])
        assert read(tmp_path)[1]["2019-2-01"].flags == ["numbering_restart", "key_missing"]

    def test_choices_need_letters(self, tmp_path: Path) -> None:
        choice = "(A) 1   (B) 2   (C) 3   (D) 4"
        lines = [part for text in TEST for part in (text, choice if text[0] != "3" else "(A) 1   (B) 2   (D) 4")]
        pdf(tmp_path / "a.pdf", lines, ["Answer Key", "1. B", "2. C", "3. A", "4. 12", "5. A", "6. E"])
        flags = {name: each.flags for name, each in read(tmp_path)[1].items()}
        assert flags["2019-01"] == []
        assert flags["2019-03"] == ["unusual_length", "choices_incomplete"]
        assert flags["2019-04"] == flags["2019-06"] == ["key_unlike_choices"]


BAD = {
    "a password": (lambda folder: pdf(folder / "a.pdf", TEST, password="x"), "a.pdf: encrypted PDF"),
    "500 pages": (lambda folder: pdf(folder / "a.pdf", *[TEST] * 500), "a.pdf: 500 pages, allowed are 100; raise extract.limits.pages"),
    "no number": (
        lambda folder: pdf(folder / "a.pdf", ["Once upon a time", "there was a test."]), "a.pdf: page 1: no numbered problem found"
    ),
    "two of one name": (
        lambda folder: [pdf(folder / f"{name}.pdf", TEST) for name in "ab"], "b.pdf: page 1: 2019-01 is already on page 1 of a.pdf"
    ),
    "no file is an exam": (lambda folder: pdf(folder / "k.pdf", KEYED), "k.pdf: no file is an exam"),
    "a key of another exam": (
        lambda folder: [pdf(folder / "a.pdf", TEST), pdf(folder / "other.pdf", KEYED)],
        "other.pdf: page 1: key of 2018, and no exam is of that",
    ),
    "an empty key": (
        lambda folder: [pdf(folder / "a.pdf", TEST), pdf(folder / "k.pdf", ["Answers will follow."])],
        "k.pdf: page 1: no numbered answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_that_names_the_file(make: object, message: str, tmp_path: Path) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, k=Part("key", 2019), other=Part("key", 2018))
    assert "\n" not in str(caught.value)


def test_a_key_for_more_problems_than_there_are_is_doubted(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", TEST)
    pdf(tmp_path / "k.pdf", ["Answers", *(f"{n}. {n}" for n in range(1, 26))])
    _, items, counts = read(tmp_path, k=Part("key", 2019))
    assert all(each.flags == ["key_of_other_size"] for each in items.values())
    assert counts["answers_without_item"] == 19


def test_two_pages_on_a_sheet_are_read_one_after_the_other(tmp_path: Path) -> None:
    texts = [f"{n}. Which of the many numbers is it, if {n}?" for n in range(1, 13)]
    pdf(tmp_path / "a.pdf", texts, size=(1100, 792), columns=2)
    _, items, _ = read(tmp_path)
    assert [each.text for each in items.values()] == [text[text.index(" ") + 1 :] for text in texts]
    assert all("two_up" in each.flags for each in items.values())


def test_right_to_left_is_doubted() -> None:
    item = booklets.Item("", "1", "\u05de\u05d4 \u05d4\u05d5\u05d0 3 + 4?", 1, (0, 0, 9, 9), "text", 1.0, 0, 0, False, (1,))
    sheet = exam_folder.Sheet(1, 612, 792, "text", (), (), False)
    assert doubts.of_item(item, "7", FIGURE, [sheet]) == ["right_to_left"]


class TestSource:
    """Section `fetch`, kind `folder`."""

    def test_files_are_copied_and_hashed(self, tmp_path: Path) -> None:
        pdf(tmp_path / "in" / "2019" / "A.PDF", TEST)
        pdf(tmp_path / "in" / "b.pdf", TEST)
        source = folders.Source(str(tmp_path / "in"), ["*.pdf"], folders.digest(tmp_path / "in", ["2019/A.PDF", "b.pdf"]))
        entries = folders.copy(source, tmp_path / "raw", tmp_path)
        assert [entry.file for entry in entries] == ["2019/A.PDF", "b.pdf"]
        pdf(tmp_path / "in" / "b.pdf", KEYED)
        with pytest.raises(InputError, match="its 2 files have sha256"):
            folders.copy(source, tmp_path / "other", tmp_path)

    @pytest.mark.parametrize(("make", "message"), [(False, "no such folder"), (True, "no file matches")])
    def test_a_folder_without_pdfs(self, make: bool, message: str, tmp_path: Path) -> None:
        if make:
            (tmp_path / "in").mkdir()
            (tmp_path / "in" / "notes.txt").touch()
        with pytest.raises(InputError, match=message):
            folders.copy(folders.Source(str(tmp_path / "in"), ["*.pdf"], ""), tmp_path, tmp_path)


NAMES = {
    "2019-algebra.pdf": ("exam", 2019, "algebra"), "2019-algebra-key.pdf": ("key", 2019, "algebra"),
    "2018/geometry_solutions.pdf": ("solutions", 2018, "geometry"), "2018/geometry exam and solutions.pdf": ("exam", 2018, "geometry"),
}  # fmt: skip


def test_names_say_role_year_and_section() -> None:
    parts = exam_study.recognised({name: [] for name in NAMES})
    assert {name: (part.role, part.year, part.section) for name, part in parts.items()} == NAMES


def test_a_new_study_of_a_folder_is_complete_and_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("studies", "prompts"):
        (tmp_path / place).symlink_to(ROOT / place) if place == "prompts" else (tmp_path / place).mkdir()
    (tmp_path / "studies" / "new.yaml").write_text((ROOT / "studies" / "new.yaml").read_text())
    for year in (2018, 2019):
        pdf(tmp_path / "my exams" / f"{year} test.pdf", [f"{text} ({year})" for text in TEST])
        pdf(tmp_path / "my exams" / f"{year} key.pdf", KEYED)
    (tmp_path / "my exams" / "damaged.pdf").write_bytes(b"%PDF-1.4 nothing")
    new_study.main("mine", "my exams")
    said = capsys.readouterr()
    assert "2 exams, 2 keys, 0 files of solutions; 12 items, 12 with an answer, 0 with a doubt (none)" in said.err
    assert "skipped: my exams/damaged.pdf: damaged PDF" in said.err
    document = yaml.safe_load((tmp_path / "studies" / "mine.yaml").read_text())
    assert document["extract"]["files"]["2018 test.pdf"] == {"role": "exam", "year": 2018}
    assert document["extract"]["files"]["damaged.pdf"] == {"role": "skip"}
    assert (document["split"]["train"], document["split"]["valid"]) == (8, 1)
    check_study.main("mine")
    fetch.main(layout("mine"))
    extract.main(layout("mine"))
    assert len((tmp_path / "data" / "mine" / "problems.jsonl").read_text().splitlines()) == 12
    with pytest.raises(InputError, match="exists already"):
        new_study.main("mine", "my exams")
