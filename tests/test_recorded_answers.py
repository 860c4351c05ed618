"""A student that others recorded: its answers by file, none lost without a reason, none from a file that is not the pinned one."""

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records
from distill.model import published_answers, recorded_student, results_file
from distill.model.recorded_student import RecordedAnswer
from distill.model.results_file import Columns, Reading
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.sampling import recorded_answers
from tests import recorded_files, upstream_fixture
from tests.pipeline import ROOT, Cell, cells
from tests.test_job import COMMIT, EXAMS, run

COLUMNS = Columns("year", "section", "question_id", "question", "qwen_response", "", "deepseek_verdict")
VERDICTS = {"correct": "correct", "incorrect": "incorrect", "judge_error": "error"}
HOW = Reading("competition", COLUMNS, 1200, {"freshman_sophomore_test": "freshman-sophomore"}, VERDICTS)
ROW = {
    "year": "2015",
    "section": "freshman_sophomore_test",
    "question_id": "question_1",
    "question": "Find 1 + 1.",
    "qwen_response": "It is 2.",
}
ROW |= {"deepseek_verdict": "CORRECT"}


def table(*rows: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(path: Path, body: bytes) -> tuple[list[RecordedAnswer], dict[str, Any]]:
    path.write_bytes(body)
    return results_file.read(path, HOW)


COUNTED: dict[str, tuple[list[dict[str, str]], int, dict[str, int]]] = {
    "one row": ([ROW], 1, {}),
    "the same row twice": ([ROW, ROW], 1, {"the same answer again": 1}),
    "the same question, wrapped otherwise": ([ROW, ROW | {"question": "Find 1\n + 1. "}], 1, {"the same answer again": 1}),
    "two answers to one question": ([ROW, ROW | {"qwen_response": "It is 3."}], 0, {"answers to one question that differ": 2}),
    "two verdicts on one answer": ([ROW, ROW | {"deepseek_verdict": "INCORRECT"}], 0, {"answers to one question that differ": 2}),
    "two questions of one text": ([ROW, ROW | {"question_id": "question_2", "qwen_response": "3"}], 2, {}),
    "a blank answer that was judged": ([ROW | {"qwen_response": ""}], 1, {}),
    "a row that was not asked": ([ROW, ROW | {"qwen_response": " ", "deepseek_verdict": ""}], 1, {"neither an answer nor a verdict": 1}),
}


@pytest.mark.parametrize(("rows", "answers", "dropped"), COUNTED.values(), ids=COUNTED)
def test_every_row_is_taken_or_counted(rows: list[dict[str, str]], answers: int, dropped: dict[str, int], tmp_path: Path) -> None:
    found, counts = read(tmp_path / "results.csv", table(*rows))
    assert (len(found), counts["answers"], counts["dropped"], counts["rows"]) == (answers, answers, dropped, len(rows))


SPELLINGS = {
    "CORRECT": "correct",
    "Incorrect.": "incorrect",
    " correct ": "correct",
    "JUDGE_ERROR: timed out": "error",
    "PARTLY": None,
    "": None,
}


@pytest.mark.parametrize(("spelling", "word"), SPELLINGS.items())
def test_a_verdict_of_another_spelling_is_none_and_is_counted(spelling: str, word: str | None, tmp_path: Path) -> None:
    (answer,), counts = read(tmp_path / "results.csv", table(ROW | {"deepseek_verdict": spelling}))
    assert (answer.published_verdict or None) == word
    assert counts["verdicts"] == {spelling.strip(): 1}
    assert counts["verdicts_not_read"] == (word is None)


FILES: dict[str, tuple[bytes, str]] = {
    "a column that is not there": (
        table({key: ROW[key] for key in ROW if key != "question"}),
        r"no column 'question'; columns here: year, section",
    ),
    "another encoding": (table(ROW | {"question": "Find é."}).decode().encode("latin-1"), r"byte \d+ is no UTF-8"),
    "another encoding of the whole": (table(ROW).decode().encode("utf-16"), r"byte 0 is no UTF-8"),
    "a row that breaks off": (table(ROW) + b"2015,freshman", r"row 2: its cells are more or fewer than the 6 columns"),
    "a quote that is not closed": (table(ROW) + b'"2015', r"not a CSV file: unexpected end of data"),
    "no row": (table(ROW).splitlines(keepends=True)[0], r"no row"),
    "nothing": (b"", r"no column 'year'; columns here: ;"),
}


@pytest.mark.parametrize(("body", "line"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_one_line(body: bytes, line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=line) as fault:
        read(tmp_path / "results.csv", body)
    assert "\n" not in str(fault.value)


def test_a_byte_order_mark_and_a_long_cell_are_read(tmp_path: Path) -> None:
    (answer,), _ = read(tmp_path / "results.csv", b"\xef\xbb\xbf" + table(ROW | {"qwen_response": "x" * 200_000}))
    assert len(answer.text) == 200_000


def problem(number: int, statement: str, year: int = 2015, section: str = "freshman-sophomore") -> Problem:
    return Problem(f"{year}-fs-{number:02}", "competition", section, year, str(number), statement, "2", "", 0, "text")


def answer(**keys: Any) -> RecordedAnswer:
    about = {
        "benchmark": "competition",
        "year": "2015",
        "section": "freshman-sophomore",
        "number": "question_1",
        "statement": "Find 1 + 1.",
    }
    return RecordedAnswer(**about | {"text": "It is 2.", "cut_from": 1200} | keys)  # type: ignore[arg-type]


ASKED = [
    problem(1, "Find 1 + 1."),
    problem(2, "Find x\u00b2."),
    problem(1, "Find 1 + 1.", 2016),
    problem(3, "Twice."),
    problem(4, "Twice."),
]
MATCHED: dict[str, tuple[RecordedAnswer, str | None, str]] = {
    "by text, year and section": (answer(), "2015-fs-01", ""),
    "the same text of another year": (answer(year="2016"), "2016-fs-01", ""),
    "wrapped otherwise": (answer(statement="Find\nx2. "), "2015-fs-02", ""),
    "an unknown question": (answer(statement="Find 1 + 2."), None, "none of the problems asked"),
    "a year without this text": (answer(year="2017"), None, "none of the problems asked"),
    "another section": (answer(section="two-person"), None, "none of the problems asked"),
    "another benchmark": (answer(benchmark="math500"), None, "none of the problems asked"),
    "several problems, one of this number": (answer(statement="Twice.", number="4"), "2015-fs-04", ""),
    "several problems, none of this number": (answer(statement="Twice.", number="question_4"), None, "none of the problems asked"),
    "no year, which leaves two": (answer(year="", number=""), None, "none of the problems asked"),
}


@pytest.mark.parametrize(("given", "id_", "reason"), MATCHED.values(), ids=MATCHED)
def test_an_answer_finds_its_problem_or_a_reason(given: RecordedAnswer, id_: str | None, reason: str) -> None:
    found, dropped = recorded_answers.completions([given], ASKED)
    assert [each.id for each in found] == ([id_] if id_ else [])
    assert +dropped == ({reason: 1} if reason else {})


def test_two_rows_of_one_problem_that_differ_leave_it_without_an_answer() -> None:
    rows = [answer(number="1"), answer(number="9", text="It is 3."), answer(year="2016"), answer(year="2016", number="9")]
    found, dropped = recorded_answers.completions(rows, ASKED)
    assert [each.id for each in found] == ["2016-fs-01"]
    assert +dropped == {"answers to one question that differ": 2, "the same answer again": 1}


ENDS = {
    "So \\( 11 + 13": True,
    "So it is 24.": False,
    "We find that it is twen": True,
    "so that\n\\[\n\\boxed{24}": False,
    "Costs \\$4\\$ and $$ so it is $\\boxed{4}$": False,
}


@pytest.mark.parametrize(("end", "cut"), ENDS.items())
def test_a_text_was_cut_off_where_it_is_long_and_breaks_off(end: str, cut: bool) -> None:
    assert recorded_answers.cut_off(f"{'word ' * 300}{end}", 1200) is cut
    assert recorded_answers.cut_off(end, 1200) is False


LATER = ("grade", "llm_judge", "other_graders", "summarise", "claims", "multiverse", "drops", "report", "page", "reported_counts")


def study(mirror: Path) -> dict[str, Any]:
    """Return the study file with the stand-in repository; everything else that matters here is as committed."""
    pinned = upstream_fixture.write(mirror / EXAMS / COMMIT)
    sections: dict[str, Any] = yaml.safe_load((ROOT / "studies" / "job.yaml").read_text(encoding="utf-8"))
    source = {"url": "http://127.0.0.1:1", "repository": EXAMS, "commit": COMMIT}
    sections["fetch"] |= source | {"files": pinned}
    sections["benchmarks"]["math500"] |= source | next(row for row in pinned if row["path"] == "math500_output.csv") | {"rows": 4}
    sections["split"] |= {"train": 18, "valid": 5, "heldout_least": 5, "seen": 18, "asked_valid": 5, "near": 1.0}
    system = {level: upstream_fixture.SYSTEM["r1" if level == "r1" else "r2"] for level in sections["curate"]["published"]}
    sections["curate"]["published"] = system
    sections["corrections"] = []  # they name the real problems
    sections["student"] |= {"url": source["url"], "repository": EXAMS}
    recorded_files.write(mirror, EXAMS, sections["student"]["arms"])
    return sections


def tree_of(root: Path, sections: dict[str, Any]) -> list[Cell]:
    for name in ("dvc.yaml", "stages", "plots/templates"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    (root / "studies").mkdir()
    (root / "studies" / "job.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    active = sections["run"]
    params = {
        "papers": ["job"],
        "corpora": ["job"],
        "students": ["job"],
        "arms": list(sections["student"]["arms"]),  # the rest of run.arms has no recording, and needs more problems than there are here
        "seeds": active["seeds"],
        "long_run": "published-r1",
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    study_file.study.cache_clear()
    return [cell for cell in cells(root) if cell.stage not in LATER]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree in which the study's stages ran up to the completions, on complete recordings."""
    root, mirror = tmp_path_factory.mktemp("job"), tmp_path_factory.mktemp("mirror")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("JOB_MIRROR", str(mirror))
        for cell in tree_of(root, study(mirror)):
            run(cell)
        yield root
    study_file.study.cache_clear()


def completions(tree: Path, name: str) -> list[Completion]:
    return read_records(tree / f"data/job/completions/{name}.jsonl.gz", Completion)


def test_each_arm_answers_what_was_recorded_of_it(tree: Path) -> None:
    real = len(upstream_fixture.rows()) - 1
    for arm in yaml.safe_load((ROOT / "studies/job.yaml").read_text(encoding="utf-8"))["student"]["arms"]:
        found = completions(tree, f"{arm}-1")
        benchmarks = [each.benchmark for each in found]
        assert benchmarks.count("competition") == real - (arm == "published-r2")
        assert benchmarks.count("math500") == (4 if arm in ("published-r1", "teacher") else 0)
        assert {(each.sample, each.tokens) for each in found} == {(0, 0)}
    assert completions(tree, "base") == []


def test_faulty_rows_are_kept_or_counted_and_the_judges_word_is_beside_the_text(tree: Path) -> None:
    about = read_json(tree / "models/job/student/manifest.json")["arms"]["published-r2"]
    (file,) = about["files"]
    real = len(upstream_fixture.rows()) - 1
    dropped = {"answers to one question that differ": 2, "neither an answer nor a verdict": 1, "the same answer again": 1}
    assert (file["rows"], file["dropped"], file["blank"]) == (real + 4, dropped, 1)
    assert {"JUDGE_ERROR: Connection error.", "SKIPPED", "Incorrect."} <= set(file["verdicts"])
    found = {each.id: each for each in completions(tree, "published-r2-1")}
    words = [(each.text, each.published_verdict, each.finish) for each in list(found.values())[:3]]
    assert words[0] == ("", "incorrect", "stop")
    assert words[1] == (recorded_files.CUT, "incorrect", "length")
    assert words[2][1:] == ("error", "stop")


def test_the_teachers_stated_answer_counts_and_a_blank_one_was_cut_off(tree: Path) -> None:
    found = [each for each in completions(tree, "teacher-1") if each.benchmark == "math500"]
    assert (found[0].text, found[3].text) == ("We are asked to add them.\n\nAnswer: \\boxed{2}", "")
    assert [(each.finish, each.published_verdict) for each in found] == [("stop", "correct")] * 3 + [("length", "correct")]


def test_an_adapter_of_a_recorded_arm_is_a_manifest_of_what_was_read(tree: Path) -> None:
    folder = tree / "models/job/adapters/published-r6-1"
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    about = read_json(folder / "manifest.json")
    assert (about["arm"], about["recorded"]["files"][0]["path"], about["recorded"]["missing"]) == (
        "published-r6",
        "runs/reasoning_5/results.csv",
        {},
    )


@pytest.fixture
def provide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a call that writes a recorded student from the study's own section, and returns its manifest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOB_MIRROR", str(tmp_path / "mirror"))
    sections = study(tmp_path / "mirror")

    def call(**keys: Any) -> dict[str, Any]:
        Path("job.yaml").write_text(yaml.safe_dump({"student": sections["student"] | keys}))
        study_file.study.cache_clear()
        params = study_file.section("job.yaml", "student", published_answers.Recorded)
        shutil.rmtree(tmp_path / "student", ignore_errors=True)
        published_answers.write(params, tmp_path / "student", tmp_path / "work")
        found: dict[str, Any] = read_json(tmp_path / "student" / "manifest.json")
        return found

    return call


def recordings(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "mirror").rglob("*results*.csv"))


def test_a_flipped_byte_is_refused_by_the_blob_id(provide: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    path = recordings(tmp_path)[0]
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises(
        InputError, match=rf"{path.name}: expected git blob [0-9a-f]{{40}}, got {recorded_files.blob(bytes(body))} .* it is not used"
    ):
        provide()


def test_a_missing_optional_file_is_named_and_the_rest_goes_on(
    provide: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next((tmp_path / "mirror").rglob("qwen_tuned_math500_results.csv")).unlink()
    about = provide()["arms"]
    for arm in ("published-r1", "teacher"):
        assert about[arm]["missing"]["qwen_tuned_math500_results.csv"] == {
            "benchmark": "math500",
            "reason": "not in the mirror that JOB_MIRROR names",
        }
        assert [file["benchmark"] for file in about[arm]["files"]] == ["competition"]
    assert "student: no math500 of teacher: qwen_tuned_math500_results.csv at e4d951e: not in the mirror" in capsys.readouterr().err


def test_an_optional_file_of_other_columns_is_named_and_one_that_is_needed_is_an_error(provide: Callable[..., dict[str, Any]]) -> None:
    columns = {"year": "", "section": "", "number": "", "statement": "problem", "text": "solution", "answer": "", "verdict": "qwen_verdict"}
    files = {arm: rows for arm, rows in provide()["params"]["arms"].items() if arm == "published-r1"}
    files["published-r1"][1]["columns"] = columns
    (missing,) = provide(arms=files)["arms"]["published-r1"]["missing"].values()
    assert missing["reason"].startswith("no column 'qwen_verdict'; columns here: unique_id, subject")
    files["published-r1"][1]["optional"] = False
    with pytest.raises(InputError, match=r"^qwen_tuned_math500_results.csv: no column 'qwen_verdict'"):
        provide(arms=files)


def test_no_file_at_all_is_an_error(provide: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    for path in recordings(tmp_path):
        path.unlink()
    with pytest.raises(
        InputError, match=r"no file of recorded answers can be had, first qwen_tuned_results_200iterations.csv: not in the mirror"
    ):
        provide()


def test_a_second_seed_is_not_the_first_run_again(provide: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    provide()
    assert recorded_student.recording(tmp_path / "student", "base", 0) == {}
    assert recorded_student.recording(tmp_path / "student", "r1", 1) == {}
    with pytest.raises(InputError, match=r"seed 2: the student is recorded once, as seed 1"):
        recorded_student.recording(tmp_path / "student", "published-r1", 2)


FILE = {"benchmark": "competition", "path": "a.csv", "commit": "a" * 40, "cut_from": 1, "columns": {
    "year": "", "section": "", "number": "", "statement": "q", "text": "t", "answer": "", "verdict": "v"}}  # fmt: skip
SECTIONS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no id": ([FILE], r"a.csv: expected either sha256 or blob, got neither"),
    "two ids": ([FILE | {"blob": "b" * 40, "sha256": "c" * 64}], r"a.csv: expected either sha256 or blob, got both"),
    "a sha256 without a size": ([FILE | {"sha256": "c" * 64}], r"a.csv: size is missing"),
    "a short id": ([FILE | {"blob": "b" * 39}], r"\$\.arms\[\.\.\.\]\[0\]\.blob"),
    "two files for one benchmark": ([FILE | {"blob": "b" * 40}, FILE | {"blob": "d" * 40, "path": "b.csv"}], r"arms.r1: two files for one"),
    "one path twice": ([FILE | {"blob": "b" * 40}, FILE | {"blob": "d" * 40, "benchmark": "math500"}], r"a.csv is pinned in two ways"),
    "no file": ([], r"length >= 1"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "line"), SECTIONS.values(), ids=SECTIONS)
def test_a_section_that_pins_badly(files: list[dict[str, Any]], line: str, provide: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(InputError, match=line):
        provide(arms={"r1": files})
