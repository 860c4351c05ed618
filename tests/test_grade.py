"""Grading: the final answer, equality, outcomes, and the fan-in over cells."""

import gzip
import json
import time
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from distill.answers import answer_ast, answer_key
from distill.answers.answer_format import read_form
from distill.answers.ast_equality import equal
from distill.answers.equality import decide
from distill.answers.final_answer import final_answer, plain
from distill.answers.grade_pairs import grade as grade_rows
from distill.answers.verify_pool import compare
from distill.cli.layout import layout
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.processes import worker_pool
from distill.records.completion import Completion
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from stages import grade
from tools import grade_pairs

FINAL = {
    "boxed": (r"so \boxed{42}.", "stop", "42"),
    "last box wins": (r"\boxed{1} no, \boxed{2}", "stop", "2"),
    "nested braces": (r"\boxed{\frac{1}{2}}", "stop", r"\frac{1}{2}"),
    "box in a box": (r"\boxed{\boxed{3}}", "stop", "3"),
    "the last box in a box": (r"\boxed{\boxed{1} or \boxed{\boxed{2}} \boxed{ }}", "stop", "2"),
    "a box before the box in a box": (r"\boxed{9}\boxed{so {\boxed{3}}}", "stop", "3"),
    "boxes as deep as is read": ("\\boxed{" * 21 + "3" + "}" * 21, "stop", "3"),
    "boxes too deep": ("\\boxed{" * 22 + "3" + "}" * 22, "stop", ""),
    "unbalanced box falls back to the balanced one": (r"\boxed{5} then \boxed{6", "stop", "5"),
    "set braces inside": (r"\boxed{\{1, 2\}}", "stop", r"\{1, 2\}"),
    "blank box is none": (r"\boxed{ } Answer: 7", "stop", "7"),
    "box before line": ("Answer: 8\n" + r"\boxed{9}", "stop", "9"),
    "answer line": ("2 + 2 = 4\nAnswer: 4", "stop", "4"),
    "last answer line wins": ("Answer: 3\nwait\nAnswer: 4\nthat is it", "stop", "4"),
    "bold": ("**Answer:** 4", "stop", "4"),
    "blank answer line": ("Answer:\n12", "stop", ""),
    "never the last line": ("2 + 2 =\n4", "stop", ""),
    "empty": ("", "stop", ""),
    "cut off inside the answer": ("Answer: 12", "length", ""),
    "cut off after the answer": ("Answer: 12\nand so", "length", "12"),
    "cut off after the box": (r"\boxed{12} and", "length", "12"),
}


@pytest.mark.parametrize(("text", "finish", "expected"), FINAL.values(), ids=FINAL.keys())
def test_final_answer(text: str, finish: str, expected: str) -> None:
    assert final_answer(text, "Answer:", finish, "strict") == expected


NESTED = [r"\boxed{", "(", "{", r"\frac{1}{1+", r"\sqrt{", r"\text{", r"\{", "[", "1/(", "sin(", r"\left(", "|", "2^{"]


@pytest.mark.parametrize("opening", NESTED)
@pytest.mark.parametrize("depth", [1_000, 20_000])
def test_a_deep_nest_is_no_answer_or_undecided(opening: str, depth: int) -> None:
    closing = {"(": ")", "{": "}", "[": "]", "|": "|"}[opening[-1]] if opening[-1] in "({[|" else "}"
    closing = r"\right)" if opening == r"\left(" else r"\}" if opening == r"\{" else closing
    start = time.process_time()
    answer = final_answer(r"\boxed{" + opening * depth + "7" + closing * depth + "}", "Answer:", "stop", "strict")
    outcome = grade_rows([{"id": 1, "gold": "7", "answer": answer}], "strict")[0]["outcome"]
    assert (outcome, decide("7", answer[:2000])) == ("no_answer" if opening == r"\boxed{" else "ungradable", None)
    assert decide("7", answer) is None
    assert time.process_time() - start < 10


def test_a_megabyte_of_open_boxes_is_read_at_once() -> None:
    start = time.monotonic()
    assert final_answer("\\boxed{" * 150_000, "Answer:", "stop", "strict") == ""
    assert time.monotonic() - start < 5


@given(some.integers(-999, 999), some.integers(1, 99), some.integers(1, 50), some.integers(0, 2))
def test_parsed_answers_agree_with_arithmetic(p: int, q: int, n: int, k: int) -> None:
    pi = ["", "π", "π^2"][k]
    found = answer_ast.parse_answer(plain(f"\\frac{{{p}}}{{{q}}}\\sqrt{{{n}}}{pi}"))
    assert found is not None
    assert answer_ast.number(found) == pytest.approx(p / q * n**0.5 * 3.141592653589793**k)
    again = answer_ast.parse_answer(plain(f"{p * n}{pi or '*1'}/({q}√{n})"))
    assert again is not None
    assert equal(found, again)


@given(some.text(max_size=60) | some.text("0123456789√π()+-*/^{},:\\ frac", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert decide("7", text) in (True, False, None)


HARD = {
    (r"\cot x", r"\frac{\cos x}{\sin x}"): True, (r"\cot x", r"\tan x"): False, ("2^n", r"4 \cdot 2^{n-2}"): True, ("5", "3/"): None,
    ("7", "no idea"): False, ("7", "one less than eight"): None, ("7", "10^{10^{10^{10}}}!"): None, ("8", "2^{2^{2^{2^{2^{2}}}}} x"): None,
}  # fmt: skip


def test_math_verify_decides_what_the_grammar_does_not_and_is_killed_over_its_limit() -> None:
    assert compare(HARD, limit=2.0, memory=1024, workers=2) == HARD


def test_easy_pairs_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_Worker", None)
    assert compare([("3/4", "4/3"), ("7", "7")], 1.0, 1024, 2) == {("3/4", "4/3"): False, ("7", "7"): True}


def completion(name: str, text: str, finish: str = "stop", sample: int = 0) -> Completion:
    return Completion("competition", name, sample, text, 9, finish)


def problem(name: str, gold: str) -> Problem:
    return Problem(name, "competition", "two-person", 2015, "1", "What?", gold, "2015.pdf", 1, "text")


PATHS = layout("tiny")
STUDY = """
benchmarks: {gsm8k: {form: number}}
student: {kind: scratch}
grade: {profiles: [strict], answer_line: "Answer:", time_limit: 5.0, memory_limit: 1024, workers: 1, max_chars: 40}
"""
TEXTS = {
    "a": "one step\nAnswer: 3/4", "b": "Answer: 4", "c": "no idea", "d": "on and on", "e": "Answer: one less than 2",
    "f": "Answer: " + "1" * 41,
}  # fmt: skip
GOLDS = {"a": "0.75", "b": "5", "c": "1", "d": "1", "e": "1", "f": "1"}


def run(folder: Path, cells: dict[str, list[Completion]], golds: dict[str, str] = GOLDS) -> tuple[bytes, dict[str, object]]:
    folder.mkdir(exist_ok=True)
    study_file.study.cache_clear()
    with chdir(folder):
        files.write_text(PATHS.study_file, STUDY)
        files.write_text(PATHS.params, "arms: [r1]\nseeds: [1]\n")
        files.write_records(PATHS.benchmarks / "competition.jsonl", [problem(name, gold) for name, gold in golds.items()])
        files.write_records(PATHS.extracted, [])
        for name, completions in cells.items():
            files.write_records(PATHS.completions / f"{name}.jsonl.gz", completions)
        grade.main(PATHS)
        return gzip.decompress(PATHS.verdicts.read_bytes()), files.read_json(PATHS.grade_metrics)


def cell() -> list[Completion]:
    return [completion(name, text, "length" if name == "d" else "stop") for name, text in TEXTS.items()]


def test_every_completion_has_an_outcome(tmp_path: Path) -> None:
    _, metrics = run(tmp_path, {"base": cell(), "r1-1": cell()})
    counts = {"correct": 1, "wrong": 1, "no_answer": 1, "truncated": 1, "ungradable": 2}
    assert metrics == {"outcomes": {"base": counts, "r1": counts}}
    verdicts = files.read_records(tmp_path / PATHS.verdicts, Verdict)
    assert [(v.arm, v.seed, v.id) for v in verdicts[:7]] == [("base", 0, name) for name in "abcdef"] + [("r1", 1, "a")]
    assert verdicts[0] == Verdict("base", 0, "competition", "a", 0, "correct", "3/4", 4, 9)


def test_order_of_completions_does_not_change_the_bytes(tmp_path: Path) -> None:
    assert run(tmp_path / "x", {"base": cell(), "r1-1": cell()}) == run(tmp_path / "y", {"base": cell()[::-1], "r1-1": cell()})


BAD = {
    "missing cell": ({"base": cell()}, r"r1-1.jsonl.gz: 1 of 2 cells missing"),
    "unlisted cell": ({"base": cell(), "r1-1": cell(), "r9-1": cell()}, r"/completions/r9-1.jsonl.gz: 1 of 3 cells belong.*`make tidy`"),
    "unknown problem": ({"base": cell(), "r1-1": [*cell(), completion("z", "")]}, r"r1-1.jsonl.gz:7: z of competition is no problem"),
    "problem not answered": ({"base": cell(), "r1-1": cell()[1:]}, r"r1-1.jsonl.gz: 1 of 6 answers missing, first a of competition"),
    "sample not answered": (
        {"base": cell(), "r1-1": [*cell(), completion("a", "", sample=1)]},
        r"base.jsonl.gz: 1 of 7 answers missing, first a of competition, sample 1",
    ),
    "duplicate": ({"base": cell(), "r1-1": [*cell(), cell()[0]]}, r"r1-1.jsonl.gz:7: sample 0 of a is there twice"),
    "nothing": ({"base": [], "r1-1": []}, "no completion in any cell"),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "message"), BAD.values(), ids=BAD.keys())
def test_a_wrong_set_of_cells_is_a_fault_in_one_line(cells: dict[str, list[Completion]], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as fault:
        run(tmp_path, cells)
    assert "\n" not in str(fault.value)
    assert not (tmp_path / PATHS.verdicts).exists()


def test_a_problem_without_gold_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"base.jsonl.gz:3: c of competition has no gold answer"):
        run(tmp_path, {"base": cell(), "r1-1": cell()}, GOLDS | {"c": " "})


def test_hidden_files_are_not_cells(tmp_path: Path) -> None:
    files.write_text(tmp_path / PATHS.completions / ".gitignore", "/x\n")
    run(tmp_path, {"base": cell(), "r1-1": cell()})


LINES = """
{"id": 1, "gold": "3/4", "answer": "0.75"}
{"id": 2, "gold": "3/4", "completion": "so \\\\boxed{\\\\frac{4}{3}}.", "source": "elsewhere"}
{"id": 3, "gold": "3/4", "answer": " "}

{"id": 4, "gold": "3/4", "completion": "Answer: 3/4", "finish": "length"}
{"id": 5, "gold": "3/4", "completion": "in words\\nAnswer: a bit less than one"}
"""


def test_pairs_of_any_origin_are_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(LINES)
    grade_pairs.main(str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = ["correct", "wrong", "no_answer", "truncated", "ungradable"]
    assert [(row["id"], row["outcome"]) for row in rows] == list(enumerate(expected, 1))
    assert rows[1] == json.loads(LINES.splitlines()[2]) | {"outcome": "wrong", "extracted": r"\frac{4}{3}"}
    assert capsys.readouterr().out == "correct: 1, no_answer: 1, truncated: 1, ungradable: 1, wrong: 1\n"


BAD_LINES = {
    "no JSON": ("{", r"in.jsonl:2: not JSON"),
    "no object": ("[1]", r"in.jsonl:2: expected an object with the keys"),
    "no id": ('{"gold": "1", "answer": "1"}', r"in.jsonl:2: expected an object with the keys"),
    "no answer": ('{"id": "q", "gold": "1"}', r"in.jsonl:2: q: expected either .* got neither"),
    "both": ('{"id": "q", "gold": "1", "answer": "1", "completion": "1"}', r"in.jsonl:2: q: expected either .* got both"),
    "no text": ('{"id": "q", "gold": 1, "answer": "1"}', r'in.jsonl:2: q: "gold" is int, expected text in quotes'),
    "blank gold": ('{"id": "q", "gold": " ", "answer": "1"}', r'in.jsonl:2: q: "gold" is missing or blank'),
    "a deep nest": ("[" * 100_000 + "]" * 100_000, "in.jsonl:2: not JSON: "),
    "finish": ('{"id": "q", "gold": "1", "answer": "1", "finish": "eos"}', r'in.jsonl:2: q: "finish" is "eos"'),
}


@pytest.mark.parametrize(("line", "message"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_of_pairs_is_a_fault_that_names_it(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1, "gold": "1", "answer": "1"}\n' + line + "\n")
    with pytest.raises(InputError, match=message):
        grade_pairs.main(str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    assert not (tmp_path / "out.jsonl").exists()


SETTLED = {
    "words around": ("number", "18", "She earns $18 every day", True),
    "commas": ("number", "1,800", "they need 1800 bricks in all", True),
    "another number": ("number", "18", "She earns $81 every day", False),
    "three digits": ("integer 0..999", "025", "so we get 25 in the end", True),
    "no number": ("number", "18", "none of them", None),
    "two numbers": ("number", "18", "18 of the 20 days", None),
    "denied": ("number", "18", "it is not 18", None),
    "a bound": ("number", "18", "at least 18 days", None),
    "a multiple": ("number", "18", "18 dozen eggs", None),
    "a number in words too": ("number", "18", "eighteen and 18 more", None),
    "a part": ("number", "18", "18.5.3 of it", None),
    "no numeral as a gold": ("expression", "18", "She earns $18 every day", None),
}  # fmt: skip


@pytest.mark.parametrize(("form", "gold", "answer", "verdict"), SETTLED.values(), ids=SETTLED)
def test_a_form_settles_an_answer_in_a_sentence(form: str, gold: str, answer: str, verdict: bool | None) -> None:
    assert read_form(form, "toy").settle(gold, answer) is verdict


FORMS = {
    "integer 0..999": (["0", "025", "999"], ["1000", "-1", "1/2", "x"]),
    "number": (["1,800", "-3", "0.5", "$12", "1/2"], ["", "x", "1 2", "1/0"]),
    "choice": (["A", "(C)"], ["K", "AB", "7"]), "expression": (["x + 1"], [" "]),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_gold_answer_has_its_form_or_not(form: str) -> None:
    fitting, others = FORMS[form]
    assert [[read_form(form, "toy").fits(gold) for gold in golds] for golds in FORMS[form]] == [
        [True] * len(fitting),
        [False] * len(others),
    ]


@pytest.mark.parametrize("form", ["", "letter", "number 1..2", "integer 5..1", "integer 0-999"])
def test_an_unknown_form_is_a_fault_that_names_the_allowed_ones(form: str) -> None:
    with pytest.raises(InputError, match=r"study: form is '.*'; allowed: expression, number, integer, integer LEAST..MOST, choice"):
        read_form(form, "study")


def test_a_benchmarks_form_settles_what_is_undecided(tmp_path: Path) -> None:
    answer = "Answer: She earns $5 every single day"
    cells = {name: [Completion("gsm8k", "g", 0, answer, 9, "stop"), completion("a", answer)] for name in ("base", "r1-1")}
    gold = Problem("g", "gsm8k", "", 0, "1", "What?", "5", "", 0, "table")
    files.write_records(tmp_path / PATHS.benchmarks / "gsm8k.jsonl", [gold])
    _, metrics = run(tmp_path, cells, {"a": "5"})
    counts = {"correct": 1, "wrong": 0, "no_answer": 0, "truncated": 0, "ungradable": 1}
    assert metrics == {"outcomes": {"base": counts, "r1": counts}}


NOTED = {  # gold, the key as read, whether both agree, answer, correct
    "a decimal": ("0.75", "0.75 Must be this decimal", True, "3/4", False),
    "as demanded": ("0.75", "0.75 Must be this decimal", True, ".75", True),
    "another key": ("0.75", "0.57 Must be this decimal", False, "3/4", True),
    "no note": ("0.75", "0.75", True, "3/4", True),
    "a fraction, in bad print": ("32/53", "32/ 53 Must be this", True, "64/106", False),
    "improper": ("29/2", "29/2 improper", True, "14 1/2", False),
    "optional": ("40", "40 Degrees Optional", True, "40°", True),
    "exact": ("√97", "√97 Must be this exact answer", True, "√97", True),
}


@pytest.mark.parametrize(("gold", "key", "agrees", "answer", "correct"), NOTED.values(), ids=NOTED)
def test_the_printed_keys_note_on_form_counts(gold: str, key: str, agrees: bool, answer: str, correct: bool) -> None:
    item = ExtractedItem("a", "", 0, (0.0, 0.0, 0.0, 0.0), "", key, 1.0, [], agrees, "a", 0, [])
    golds = answer_key.golds_with_notes({("competition", "a"): gold, ("toy", "a"): gold}, [item])
    assert decide(golds["competition", "a"], answer) is correct
    assert golds["toy", "a"] == gold
