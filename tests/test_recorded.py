"""A recorded teacher: matched to its problems, judged by what each text concludes, and taken as it is."""

import csv
import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import yaml

from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records, write_text
from distill.records.extracted_item import ExtractedItem
from distill.records.level import Level
from distill.records.recorded_trace import RecordedTrace, breaks_off
from distill.records.trace import Trace
from distill.records.verified import Verified
from distill.teacher.chain_verdict import judge, mentions
from stages import condense, import_traces, solve, verify
from tests import tiny_model as toy
from tests import trees

CONCLUDED = {  # name: (text, gold, verdict); the ways in which recorded chains end
    "an answer line": ("3 + 4 = 7\nAnswer: 7", "7", "correct"),
    "a bold answer line": ("3 + 4 = 7.\n\n**Answer:** 7", "7", "correct"),
    "a box in a displayed formula": ("So\n\\[\n\\boxed{\\frac{1}{2}}\n\\]", "1/2", "correct"),
    "a box with a unit": ("\\[\n\\boxed{3060^\\circ}\n\\]", "3060", "correct"),
    "a box, and words after it": ("\\[\n\\boxed{7}\n\\]\nThis is what was asked.", "7", "correct"),
    "a sentence": ("Adding the two gives 3 + 4 = 7.", "7", "correct"),
    "a sentence that starts with it": ("Thus 7 of the 12 remain.", "7", "correct"),
    "a terse chain without a full stop": ("2x = 14 → x = 7", "7", "correct"),
    "a pair": ("The point is \\((6, 8)\\).", "(6,8)", "correct"),
    "a word": ("No case fails.\n\n**Final Answer:**  \nALWAYS", "ALWAYS", "correct"),
    "another box": ("\\[\n\\boxed{-7}\n\\]", "7", "incorrect"),
    "another answer line": ("Answer: 70", "7", "incorrect"),
    "an earlier step only": ("3 + 4 = 7. Twice that is 14.", "7", "undecided"),
    "a part of a number": ("It is 17.5.", "7", "undecided"),
    "a negative": ("It is -7.", "7", "undecided"),
    "a denominator": ("It is 1/7.", "7", "undecided"),
    "nothing": (" \n", "7", "blank"),
    "cut in a formula": ("So 7 it is.\n\\[\n3 + 4 =", "7", "truncated"),
    "cut in a box": ("\\[\n\\boxed{\\frac{1}{", "1/2", "truncated"),
    "cut in a sentence": ("As 3 + 4 = 7, we see that the", "7", "truncated"),
    "cut in a heading": ("so 7.\n\n---\n\n### Step", "7", "truncated"),
    "cut in an emphasis": ("the rent is **$7", "7", "truncated"),
    "cut before a result": ("The sum is:", "7", "truncated"),
    "thinking that never ends": ("<think>\nSo it is \\boxed{7}.", "7", "truncated"),
    "thinking that ends": ("<think>\n3 + 4 = 8, no, 7.\n</think>\n\nIt is \\boxed{7}.", "7", "correct"),
}


@pytest.mark.parametrize(("text", "gold", "verdict"), CONCLUDED.values(), ids=CONCLUDED)
def test_what_a_chain_concludes(text: str, gold: str, verdict: str) -> None:
    assert judge(text, gold, whole=False) == verdict


def test_a_gold_answer_may_be_mentioned_and_not_concluded() -> None:
    text = "First, x = \\frac{3}{4}.\nThen 2x is 3/2."
    assert [mentions(text, gold) for gold in ("3/4", "3/2", "2/3", "5")] == [True, True, False, False]


def test_hostile_text_costs_little() -> None:
    text = "\\boxed{" * 20_000 + "= " * 20_000 + "9" * 20_000 + "^" * 5_000
    assert judge(text, "7", whole=False) == "truncated"
    assert not mentions(text, "7")


SECTIONS = {"first_test": "freshman-sophomore", "second_test": "two-person"}
CHAINS = {
    "kind": "chains", "table": "chains.csv", "sections": SECTIONS, "columns": {"r2": "long", "r3": "short"},
    "corpora": {"r1": "best", "r2": "two", "r3": "three"}, "seeds": {"r1": 42},
}  # fmt: skip


class Published:
    """Twelve problems, the ninth a copy of the second, as an author might have published them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy = toy.problem(2).statement
        twelve = [toy.problem(number, copy if number == 9 else None, gold="16" if number == 9 else None) for number in range(1, 13)]
        self.problems = [msgspec.structs.replace(problem, year=2010 + int(problem.number)) for problem in twelve]
        self.rows = [
            {"year": problem.year, "section": "second_test", "question_id": f"question_{problem.number}", "question": problem.statement,
             "long": f"add: {problem.number}, so it is {problem.gold}.", "short": f"it is {problem.gold}."}
            for problem in self.problems
        ]  # fmt: skip
        solved = [at for at in range(12) if at != 6]  # the seventh was not solved
        order = list(range(len(solved)))
        Random(42).shuffle(order)
        lines = [(self.problems[at].statement, f"Step by step.\nAnswer: {self.problems[at].gold}") for at in solved]
        self.corpora = {"best": [lines[at] for at in order], "two": self.lines("long"), "three": self.lines("short")}

    def lines(self, column: str) -> list[tuple[str, str]]:
        return [(str(row["question"]), str(row[column])) for row in self.rows[::-1]]

    def write(self, **changes: Any) -> Paths:
        """Write the raw folder, the problems and the study; return the paths."""
        paths = trees.below(self.folder)
        raw = paths.raw
        raw.mkdir(parents=True)
        with (raw / "chains.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        for name, lines in self.corpora.items():
            (raw / name).mkdir()
            for part, own in (("train", lines[:8]), ("valid", lines[8:10]), ("test", lines[10:])):
                chats = [
                    [{"role": "system", "content": "Think."}, {"role": "user", "content": q}, {"role": "assistant", "content": a}]
                    for q, a in own
                ]
                (raw / name / f"{part}.jsonl").write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
        write_records(paths.problems, self.problems)
        write_text(paths.study_file, yaml.safe_dump({"import_traces": CHAINS | changes}))
        study_file.study.cache_clear()
        return paths

    def run(self, **changes: Any) -> list[RecordedTrace]:
        paths = self.write(**changes)
        import_traces.main(paths)
        return read_records(paths.recorded_traces, RecordedTrace)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def test_every_text_finds_its_problem_and_its_position(published: Published) -> None:
    found = {(each.id, each.level): each for each in published.run()}
    assert len(found) == 11 + 12 + 12
    assert ("competition-07", "r1") not in found
    for problem in published.problems:
        assert found[problem.id, "r2"].text == f"add: {problem.number}, so it is {problem.gold}."
    for (name, level), each in found.items():
        where = {"r1": "best", "r2": "two", "r3": "three"}[level]
        lines = published.corpora[where]
        own = {"train": lines[:8], "valid": lines[8:10], "test": lines[10:]}[each.part]
        asked = next(problem for problem in published.problems if problem.id == name)
        assert own[each.place] == (asked.statement, each.text)
    twins = [found[name, "r1"] for name in ("competition-02", "competition-09")]
    order = list(range(11))
    Random(42).shuffle(order)
    positions = [{"train": 0, "valid": 8, "test": 10}[each.part] + each.place for each in twins]
    assert [order[at] for at in positions] == [1, 7]  # of one text each: told apart by the order before the shuffle


def test_no_teacher_recorded(tmp_path: Path) -> None:
    paths = trees.below(tmp_path)
    write_text(paths.study_file, "import_traces: {}\n")
    import_traces.main(paths)
    assert paths.recorded_traces.read_bytes() == b""


def other_question(published: Published) -> None:
    published.rows[4]["question"] = "What else?"


def one_row_less(published: Published) -> None:
    del published.rows[3]


def other_section(published: Published) -> None:
    published.rows[2]["section"] = "third_test"


def other_text(published: Published) -> None:
    published.corpora["two"][0] = (published.corpora["two"][0][0], "it is 5")


def another_order(published: Published) -> None:
    published.corpora["best"].reverse()


def twins_side_by_side(published: Published) -> None:
    """The unsolved seventh has the text of the eighth."""
    statement = published.problems[7].statement
    published.problems[6] = msgspec.structs.replace(published.problems[6], statement=statement)
    published.rows[6]["question"] = statement


BROKEN = {  # name: (what spoils the files, part of the message)
    "a row of no problem": (other_question, r"chains.csv: row 5 \(2015 second_test question_5\) is none of the problems"),
    "a problem without a row": (one_row_less, "no row for problem competition-04 and 0 more"),
    "an unknown section": (other_section, "row 3: KeyError.'third_test'.; check import_traces.sections"),
    "a text of no row": (other_text, "two: a record of level r2 is no row of the table"),
    "not this shuffle": (another_order, r"best: \w+.jsonl:\d+: no row of the table has this question in the order before"),
    "one text of two": (
        twins_side_by_side,
        "level r1: some questions occur twice in the table and the shuffle with seed 42 leaves open which",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_none_is_invented(published: Published, spoil: Any, message: str) -> None:
    spoil(published)
    with pytest.raises(InputError, match=message):
        published.run()
    assert not trees.below(published.folder).recorded_traces.exists()


def test_a_missing_corpus_and_a_broken_line(published: Published) -> None:
    paths = published.write(corpora={"r1": "worst"})
    with pytest.raises(InputError, match=r"worst/train.jsonl: no such file; check import_traces.corpora"):
        import_traces.main(paths)
    (paths.raw / "worst").mkdir()
    (paths.raw / "worst" / "train.jsonl").write_text('{"messages": []}\n')
    with pytest.raises(InputError, match=r"worst/train.jsonl:1: not a chat record of three turns"):
        import_traces.main(paths)


def test_the_recorded_teacher_from_solve_to_condense(tmp_path: Path) -> None:
    problems = [toy.problem(number) for number in range(1, 6)]
    texts = {1: "It adds.\nAnswer: 8", 2: "It adds.\nAnswer: 61", 3: "It adds to \\(", 4: "It is for nothing.\nAnswer: 32"}
    recordings = [RecordedTrace(f"competition-{number:02d}", "r1", "train", number, text) for number, text in texts.items()]
    recordings += [RecordedTrace("competition-01", level, "train", 0, "so it is 8.") for level in ("r2", "r3", "r4", "r5")]
    recordings += [
        RecordedTrace("competition-01", "r6", "train", 0, "so it is 9."),
        RecordedTrace("competition-05", "r2", "train", 1, "now 40 is"),
    ]
    flagged = ExtractedItem("competition-04", "", 0, (0.0, 0.0, 0.0, 0.0), "", "", 0.0, [], None, "competition-04", 0, ["placeholder"])
    paths = trees.below(tmp_path)
    write_records(paths.problems, problems)
    write_records(paths.recorded_traces, recordings)
    write_records(paths.extracted, [flagged])
    write_text(
        paths.study_file,
        "levels: [r1, r2, r3, r4, r5, r6]\nsolve: {teacher: recorded}\nverify: {teacher: recorded}\n"
        "condense: {teacher: recorded, answer: trace}\n",
    )
    solve.main(paths)
    traces = read_records(paths.traces, Trace)
    assert [(trace.answer, trace.finish) for trace in traces] == [
        ("8", "stop"),
        ("61", "stop"),
        ("", "length"),
        ("32", "stop"),
        ("", "unsolved"),
    ]
    assert traces[4].reason == "no chain recorded"
    verify.main(paths)
    verdicts = [row.verdict for row in read_records(paths.verified, Verified)]
    assert verdicts == ["correct", "incorrect", "truncated", "undecided", "blank"]  # the fourth is right about a placeholder
    condense.main(paths)
    levels = read_records(paths.levels, Level)
    assert [each.text for each in levels if each.level == "r1"] == list(texts.values())
    states = {each.level: each.states_answer for each in levels if each.id == "competition-01"}
    assert states == {"r1": True, "r2": True, "r3": True, "r4": True, "r5": True, "r6": False, "answer": True}
    assert [each.text for each in levels if each.level == "answer"] == ["Answer: 8", "Answer: 61", "Answer: 32"]
    found = read_json(paths.levels_metrics)
    assert found["r2"] == {
        "texts": 2, "words": 3.5, "states_answer": 1, "incorrect": 0, "truncated": 1, "undecided": 0, "breaks_off": 1, "never_mentions": 0,
    }  # fmt: skip
    assert found["r6"]["undecided"] == found["r6"]["never_mentions"] == 1


@pytest.mark.parametrize("module", [solve, verify, condense], ids=lambda module: module.__name__)
def test_an_unknown_teacher(module: Any, tmp_path: Path) -> None:
    name = module.__name__.rpartition(".")[2]
    paths = trees.below(tmp_path)
    write_text(paths.study_file, f"{name}: {{teacher: oracle}}\n")
    with pytest.raises(InputError, match=f"section '{name}': teacher is 'oracle'; allowed: symbolic, recorded"):
        module.main(paths)


def test_texts_of_the_embedded_teacher_do_not_break_off() -> None:
    assert not any(breaks_off(level.text) for level in toy.levels(toy.problem(5)))
