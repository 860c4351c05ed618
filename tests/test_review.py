"""A review: the rows that a person's decisions are, the problems after them, and in a real browser the page that makes them."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from distill.cli.layout import Paths, layout
from distill.competition.exam import Exam, Item
from distill.competition.typeset import typeset
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.extraction import corrections, reviewed
from distill.extraction.corrections import Row
from distill.page import html
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.review import document
from distill.sources import manifest
from distill.transcriber.transcription import Transcription
from stages import extract, review
from tests.pipeline import ROOT
from tests.test_page import BROWSER, HOSTILE, Seen, browser, unpacked  # noqa: F401  # a fixture
from tools import check_study
from tools import review as tool

CHANGE = {"item": "2015-fs-02", "field": "statement", "from": "34", "to": "43", "page": 1, "reason": "the page shows 43", "by": "A. Reader"}
MARK = {"items": ["2015-fs-01", "2015-fs-03"], "mark": "accepted", "reason": "as printed", "by": "A. Reader"}


def rows(*found: Mapping[str, Any]) -> list[Row]:
    return msgspec.convert(list(found), list[Row])


def problem(name: str, statement: str, gold: str, reader: str = "text") -> Problem:
    return Problem(name, "competition", "freshman-sophomore", 2015, name[-2:].lstrip("0"), statement, gold, "2015.pdf", 1, reader)


def item(name: str, text: str, key: str, *flags: str) -> ExtractedItem:
    return ExtractedItem(name, "2015.pdf", 1, (10.0, 20.0, 200.0, 60.0), text, key, 1.0, [], True if key else None, name, 0, list(flags))


PROBLEMS = [problem("2015-fs-01", "Add 1 and 2.", "3"), problem("2015-fs-02", "Find 34 + 1.", "44"), problem("2015-fs-03", "Add 3.", "9")]
ITEMS = [item(each.id, each.statement, each.gold) for each in PROBLEMS] + [item("2015-fs-04", "Add 4 and 4.", "", "key_missing")]
COUNTS = {"problems": 3, "problems_text": 3, "dropped_no_answer": 1}

BAD_ROWS = {
    "half a change": ({"item": "a", "field": "gold", "reason": ""}, "a row is a change"),
    "a change and a mark": (CHANGE | {"mark": "accepted", "items": ["a"]}, "a row is a change"),
    "a mark of nobody": ({key: value for key, value in MARK.items() if key != "by"}, "a row is a change"),
    "a blank name": (MARK | {"by": " "}, "matching regex"),
    "another mark": (MARK | {"mark": "fine"}, "Invalid enum value 'fine'"),
    "another field": (CHANGE | {"field": "source"}, "Invalid enum value 'source'"),
    "a key too much": (MARK | {"when": "now"}, "unknown field `when`"),
    "no reason": ({key: value for key, value in MARK.items() if key != "reason"}, "missing required field `reason`"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_says_nothing_is_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        rows(row)


def test_the_corrections_of_every_study_are_rows() -> None:
    for path in sorted((ROOT / "studies").glob("*.yaml")):
        found = study_file.section(path, "corrections", list[Row])
        assert len(corrections.changes(found)) == len(found), path


class TestTheProblemsAfterAReview:
    """What rows change, and what they leave alone."""

    def test_exactly_the_changed_item_changes(self) -> None:
        problems, items, counts = reviewed.apply((PROBLEMS, ITEMS, COUNTS), rows(CHANGE, MARK))
        assert [each for each in problems if each not in PROBLEMS] == [problem("2015-fs-02", "Find 43 + 1.", "44")]
        (other,) = (each for each in items if each not in ITEMS)
        assert (other.id, other.text, other.key, other.agrees, 0 < other.similarity < 1) == ("2015-fs-02", "Find 34 + 1.", "44", True, True)
        assert counts == COUNTS

    def test_without_a_review_nothing_is_touched(self) -> None:
        extracted = (PROBLEMS, ITEMS, COUNTS)
        assert reviewed.apply(extracted, []) is extracted
        assert reviewed.apply(extracted, rows({key: value for key, value in CHANGE.items() if key != "by"})) is extracted

    def test_an_item_that_is_given_its_answer_is_a_problem(self) -> None:
        given = CHANGE | {"item": "2015-fs-04", "field": "gold", "from": "", "to": "8"}
        problems, items, counts = reviewed.apply((PROBLEMS, ITEMS, COUNTS), rows(given))
        assert [each.id for each in problems] == ["2015-fs-01", "2015-fs-02", "2015-fs-03", "2015-fs-04"]
        assert (problems[-1].statement, problems[-1].gold, problems[-1].number) == ("Add 4 and 4.", "8", "4")
        assert (items[-1].flags, items[-1].key, items[-1].agrees) == ([], "", None)
        assert counts == {"problems": 4, "problems_text": 3, "dropped_no_answer": 0}

    def test_marks_drop_flag_and_clear(self) -> None:
        doubtful = [msgspec.structs.replace(each, flags=["number_gap"]) for each in ITEMS]
        marks = [MARK | {"items": [f"2015-fs-0{n}"], "mark": mark} for n, mark in ((1, "dropped"), (2, "needs_figure"), (3, "accepted"))]
        problems, items, counts = reviewed.apply((PROBLEMS, doubtful, COUNTS), rows(*marks))
        assert [each.id for each in problems] == ["2015-fs-02", "2015-fs-03"]
        assert [each.flags for each in items] == [["number_gap"], ["number_gap", "needs_figure"], [], ["number_gap"]]
        assert counts == {"problems": 2, "problems_text": 2, "dropped_no_answer": 1, "dropped_in_review": 1}

    MISFITS = {
        "no such item": (MARK | {"items": ["2015-fs-99"]}, "2015-fs-99 is no item of this study"),
        "not there": (CHANGE | {"from": "35"}, "'35' occurs 0 times in the statement"),
        "from nothing": (CHANGE | {"from": ""}, "'' is empty in the statement"),
    }  # noqa: RUF012

    @pytest.mark.parametrize(("row", "message"), MISFITS.values(), ids=MISFITS)
    def test_a_row_that_does_not_fit(self, row: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            reviewed.apply((PROBLEMS, ITEMS, COUNTS), rows(row))

    def test_of_a_transcribed_study_only_the_arms_that_ask_have_them(self) -> None:
        own = {"2015-fs-02": problem("2015-fs-02", "Find 34 + 1.", "44", "transcription")}
        assert [each.after for each in corrections.for_arms(rows(CHANGE, MARK), own)] == ["43"]
        assert corrections.for_arms(rows(CHANGE, MARK), {each.id: each for each in PROBLEMS}) == []
        old = rows({key: value for key, value in CHANGE.items() if key != "by"})
        assert len(corrections.for_arms(old, {each.id: each for each in PROBLEMS})) == 1


STATEMENTS = [f"Find the remainder when {7 * n + 20} is divided by {n + 4}." for n in range(1, 13)]
EXAM = Exam(2015, "freshman-sophomore", tuple(Item(str(n), text, str(n)) for n, text in enumerate(STATEMENTS, 1)))
STUDY = f"""# my exams
extract:
  ocr: lines
  ocr_dpi: 200
  min_text_chars: 40
  limits: {{pages: 20, page_seconds: 60.0, file_seconds: 600.0, memory_gb: 1.8}}
  names: {{freshman-sophomore: '(\\d{{4}})-freshman-sophomore\\.pdf'}}

corrections: []         # none yet

# what follows stays
curate: {{seed: 1, system: {json.dumps("ä: #")}}}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A study of one typeset exam as the stages before a review leave it, its transcriber wrong on one item."""
    monkeypatch.chdir(tmp_path)
    paths = layout("mine")
    paths.raw.mkdir(parents=True)
    typeset(EXAM, paths.raw / "2015-freshman-sophomore.pdf")
    manifest.write(paths.raw, [manifest.entry(paths.raw / "2015-freshman-sophomore.pdf", 12)])
    files.write_text(paths.study_file, STUDY)
    study_file.study.cache_clear()
    extract.main(paths)
    copied = [text.replace("34", "43") for text in STATEMENTS]
    pages = [Transcription("2015-freshman-sophomore.pdf", 1, "problem", str(n), text, "eyes") for n, text in enumerate(copied, 1)]
    files.write_records(paths.transcriptions, pages)
    review.main(paths)
    return paths


def put(paths: Paths, *found: Mapping[str, Any], name: str = "saved.yaml") -> None:
    """Put rows into the study as `make review S=mine FROM=saved.yaml` does."""
    Path(name).write_text(yaml.safe_dump({"corrections": [*found]}, allow_unicode=True))
    study_file.study.cache_clear()
    tool.put(paths.study_file, Path(name))


def lines(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").splitlines())


def test_rows_go_into_the_study_file_and_everything_else_stays(study: Paths) -> None:
    put(study, CHANGE | {"reason": "is: #43\u2028 {a} \u202e"}, MARK)
    text = study.study_file.read_text(encoding="utf-8")
    head, tail = STUDY.split("corrections: []         # none yet\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert study_file.section(study.study_file, "corrections", list[dict[str, Any]])[0]["reason"] == "is: #43\u2028 {a} \u202e"
    put(study, MARK)
    put(study)
    assert study.study_file.read_text(encoding="utf-8") == STUDY.replace("         # none yet", "")


NOT_PUT = {
    "no file": (None, "no such file; FROM names the file"),
    "no rows": ("a: 1\n", "no section 'corrections'"),
    "a bad row": ("corrections: [{item: a}]\n", "missing required field `reason`"),
    "another file": ("%PDF-1.7\n", "saved.yaml"),
}


@pytest.mark.parametrize(("text", "message"), NOT_PUT.values(), ids=NOT_PUT)
def test_what_is_no_file_of_rows_is_one_line_and_the_study_stays(text: str | None, message: str, study: Paths) -> None:
    if text is not None:
        Path("saved.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        tool.put(study.study_file, Path("saved.yaml"))
    assert "\n" not in str(raised.value)
    assert study.study_file.read_text(encoding="utf-8") == STUDY


def test_a_misfit_is_named_by_the_stage(study: Paths) -> None:
    put(study, MARK | {"items": ["2015-fs-77"]})
    with pytest.raises(InputError, match=r"studies/mine\.yaml: corrections: 2015-fs-77 is no item of this study"):
        extract.main(study)


def test_after_a_review_the_study_says_who_looked(study: Paths) -> None:
    assert files.read_json(study.review_metrics)["looked_at"] == {"person": 0, "transcriber": 12, "none": 0}
    files.write_records(study.transcriptions, [])
    put(study, CHANGE, MARK)
    review.main(study)
    found = files.read_json(study.review_metrics)
    assert found == {
        "items": 12, "looked_at": {"person": 3, "transcriber": 0, "none": 9}, "corrections": {"accepted": 2, "statement": 1},
    }  # fmt: skip


def test_a_study_is_checked_with_its_rows() -> None:
    text = (ROOT / "studies" / "template.yaml").read_text(encoding="utf-8")
    good = yaml.safe_load(text) | {"corrections": [CHANGE, MARK]}
    assert check_study.sections(good)[0] == []
    assert (
        check_study.sections(good | {"corrections": [MARK | {"mark": "x"}]})[0] == ["corrections[0].mark: Invalid enum value 'x'"]
        or check_study.sections(good | {"corrections": [MARK | {"mark": "x"}]})[0]
    )


def test_the_most_doubtful_item_comes_first_and_every_page_is_there_once(study: Paths) -> None:
    tool.write(study)
    data = unpacked(study.review_page.read_text(encoding="utf-8"))
    first = data["items"][0]
    assert (first["id"], first["doubts"], first["differs"]) == ("2015-fs-02", ["suspect_text"], ["-43", "+34"])
    assert len(data["items"]) == 12
    assert len(data["pages"]) == 1
    assert {each["picture"] for each in data["items"]} == {0}


def test_many_pages_are_drawn_smaller(study: Paths) -> None:
    wanted = [("2015-freshman-sophomore.pdf", 1)]
    (whole,), dpi = (lambda found: (found[0].values(), found[1]))(tool.pictures(study, wanted))
    (small,), less = (lambda found: (found[0].values(), found[1]))(tool.pictures(study, wanted, len(whole) // 2))
    assert dpi == 100
    assert 20 <= less < 100
    assert len(small) < len(whole)


def test_the_policy_is_that_of_the_page_and_nothing_outside_is_named(study: Paths) -> None:
    tool.write(study)
    made = study.review_page.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', made)
    scripts = re.findall(r'<script data-name="[^"]+">(.*?)</script>', made, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    assert policy
    assert policy[1].replace("&#39;", "'") == html.policy(scripts, style)
    markup = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", made, flags=re.DOTALL)
    assert re.findall(r"\b(?:src|href)\s*=\s*\"(?!#)", markup) == []
    assert "url(" not in style


@pytest.fixture
def opened(browser: Any, study: Paths) -> Iterator[Any]:  # noqa: F811
    """The page of the study in a browser; it must not complain of anything."""
    tool.write(study)
    seen = Seen(browser, study.review_page.resolve().as_uri(), accept_downloads=True)
    yield seen.open()
    assert seen.complaints == []


def saved(page: Any, name: str = "saved.yaml") -> Path:
    """Save the corrections by the keyboard; return the file."""
    with page.expect_download() as found:
        page.keyboard.press("s")
    found.value.save_as(name)
    assert found.value.suggested_filename == "mine.corrections.yaml"
    return Path(name)


class TestInABrowser:
    """What a reviewer does."""

    def test_an_item_is_corrected_saved_and_rerun_and_exactly_it_changes(self, opened: Any, study: Paths) -> None:
        before = lines(study.problems), lines(study.extracted)
        opened.fill("#by", "A. Reader")
        opened.keyboard.press("Tab")
        opened.evaluate("document.activeElement.blur()")
        opened.keyboard.press("e")
        opened.fill("#text", STATEMENTS[1].replace("34", "341"))
        opened.fill("#key", "5")
        opened.keyboard.press("Control+Enter")
        opened.keyboard.press("a")
        assert opened.inner_text("#progress") == "1 of 12 looked at, 1 changed"
        study_file.study.cache_clear()
        tool.put(study.study_file, saved(opened))
        extract.main(study)
        after = lines(study.problems), lines(study.extracted)
        for old, new, own in zip(before, after, ("problems", "extracted"), strict=True):
            assert [json.loads(line)["id"] for line in old ^ new] == ["2015-fs-02", "2015-fs-02"], own
        changed = {each.id: each for each in files.read_records(study.problems, Problem)}["2015-fs-02"]
        assert (changed.statement, changed.gold) == (STATEMENTS[1].replace("34", "341"), "5")
        found = study_file.section(study.study_file, "corrections", list[dict[str, Any]])
        assert [each["by"] for each in found] == ["A. Reader"] * 3
        assert (found[0]["from"], found[0]["to"]) == ("34", "341")
        review.main(study)
        assert files.read_json(study.review_metrics)["looked_at"] == {"person": 1, "transcriber": 11, "none": 0}

    def test_a_saved_file_goes_on_where_it_was_and_a_second_review_too(self, opened: Any, study: Paths) -> None:
        opened.keyboard.press("t")
        opened.keyboard.press("n")
        opened.keyboard.press("f")
        opened.keyboard.type("the circle is not drawn")
        opened.keyboard.press("Enter")
        opened.keyboard.press("n")
        opened.keyboard.press("d")
        opened.keyboard.press("Escape")
        first = saved(opened)
        expected = opened.evaluate("Review.rows()")
        assert [each.get("mark") for each in expected] == [None, "needs_figure", "dropped"]
        assert [each["reason"] for each in expected] == ["as printed", "the circle is not drawn", "no usable problem"]
        opened.evaluate("localStorage.clear()")
        opened.reload()
        opened.wait_for_selector("body[data-ready]")
        assert opened.evaluate("Review.rows()") == []
        opened.set_input_files("#load", str(first))
        opened.wait_for_selector("#said:has-text('decisions on 3 items')")
        assert opened.evaluate("Review.rows()") == expected
        study_file.study.cache_clear()
        tool.put(study.study_file, first)
        extract.main(study)
        review.main(study)
        tool.write(study)  # the page shows what the study has, from the text as read
        opened.evaluate("localStorage.clear()")
        opened.reload()
        opened.wait_for_selector("body[data-ready]")
        assert opened.evaluate("Review.rows()") == expected
        assert len(files.read_records(study.problems, Problem)) == 11

    def test_what_was_decided_is_kept_by_the_browser_and_undone(self, opened: Any) -> None:
        for key in ("a", "a", "e"):
            opened.keyboard.press(key)
        opened.keyboard.press("Escape")
        opened.reload()
        opened.wait_for_selector("body[data-ready]")
        assert opened.inner_text("#progress").startswith("2 of 12")
        opened.keyboard.press("u")
        assert opened.inner_text("#said") == "Nothing to undo."
        opened.keyboard.press("d")
        opened.keyboard.press("Escape")
        opened.keyboard.press("u")
        assert opened.inner_text("#progress").startswith("2 of 12")

    def test_filters_the_whole_page_and_jumps(self, opened: Any) -> None:
        opened.select_option("#filter", "doubtful")
        assert opened.inner_text("h1") == "2015-fs-02"
        opened.evaluate("document.activeElement.blur()")
        opened.keyboard.press("n")
        assert opened.inner_text("#said") == "This is the last item."
        small = opened.evaluate("document.getElementById('crop').height")
        opened.keyboard.press("w")
        opened.wait_for_function(f"document.getElementById('crop').height > 3 * {small}")
        dark = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] < 99; return n }"
        assert opened.eval_on_selector("#crop", dark) > 500
        opened.keyboard.press("/")
        opened.keyboard.type("2015-fs-09")
        opened.keyboard.press("Enter")
        assert opened.inner_text("h1") == "2015-fs-09"

    def test_a_file_that_is_none_is_named_by_its_line(self, opened: Any, tmp_path: Path) -> None:
        (tmp_path / "other.yaml").write_text("corrections:\n  - {item: x}\n")
        opened.set_input_files("#load", str(tmp_path / "other.yaml"))
        opened.wait_for_selector("#said:has-text('other.yaml: line 2 is no row of a file that this page saved')")

    def test_pieces_fit_whatever_is_changed(self, opened: Any) -> None:
        cases = [
            ("Add 3 and 3.", "Add 3 and 5."), ("a a a a", "a a b a"), ("x", "y"), ("x", ""), ("", "x"), ("one  two", "one two"), ("ab", "aab"),
            ("Find 3x + 3x.", "Find 3x - 3x."), ("α\U0001d465 + 1", "α\U0001d466 + 1"), ("$& $1", "$$ $1"), ("a\nb\na\nb", "a\nb\na\nc"), ("aa", "aaa"),
            ("tail", "tail end"), ("head", "the head"), ("a b c", "a c"),
        ]  # fmt: skip
        for before, after in cases:
            piece = opened.evaluate("([a, b]) => Rows.piece(a, b)", [before, after])
            assert (before.count(piece["from"]) == 1) if before else piece["from"] == "", (before, after, piece)
            row = CHANGE | {"item": "2015-fs-01"} | piece
            assert reviewed.changed(problem("2015-fs-01", before, "1"), rows(row)[0].correction()).statement == after
            item_ = {"id": "2015-fs-01", "text": before, "key": "1", "page": 1}
            made = opened.evaluate("([item, row]) => [...Rows.read([item], [row]).decisions]", [item_, row])
            assert made[0][1]["statement"] == after

    def test_what_yaml_cannot_hold_comes_back_whole(self, opened: Any) -> None:
        texts = ["".join(map(chr, range(1, 0x2100))), "\ufeff\u2028\u202e\ufffe \U0001f600", *HOSTILE.values()]
        for text in texts:
            file = opened.evaluate("(row) => Rows.text([row])", CHANGE | {"to": text})
            Path("row.yaml").write_text(file, encoding="utf-8")
            study_file.study.cache_clear()
            assert study_file.section(Path("row.yaml"), "corrections", list[Row])[0].after == text
            assert opened.evaluate("(file) => Rows.parse(file)[0].to", file) == text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_text(name: str, browser: Any, tmp_path: Path) -> None:  # noqa: F811
    text = HOSTILE[name][:3000]
    problems = {"p-1": problem("p-1", text, text)}
    items = document.build("mine", tool.read_items([item("p-1", text, text, text[:30])], list(problems.values())), problems, [], [])
    path = tmp_path / "review.html"
    path.write_text(document.render(items), encoding="utf-8")
    seen = Seen(browser, path.as_uri(), viewport={"width": 360, "height": 700})
    page = seen.open()
    expected = {"direction": "answer ⟨U+202E⟩ 24 ⟨U+2066⟩ hidden ⟨U+0007⟩ bell"}.get(name, text)
    assert page.inner_text("#statement").strip() == expected.strip()
    assert page.inner_text("#gold").strip() == expected.strip()
    page.keyboard.press("e")
    assert page.input_value("#text") == text
    page.keyboard.press("Control+Enter")
    assert page.evaluate("Review.rows()") == []
    assert "owned" not in page.title().replace(text, "")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert seen.complaints == []


def test_the_page_says_what_make_says() -> None:
    assert shutil.which("make") is None or "review" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert BROWSER is None or Path(BROWSER).exists()
