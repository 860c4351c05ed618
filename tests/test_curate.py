"""What goes into an arm's corpus, and what stops it."""

from pathlib import Path
from typing import Any

import pytest

from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.assignment import Assignment
from distill.records.contamination_match import ContaminationMatch
from distill.records.example import Example, Message
from distill.records.extracted_item import ExtractedItem
from distill.records.level import Level
from distill.records.recorded_trace import RecordedTrace
from stages import curate
from tests import tiny_model as toy
from tests import trees

NUMBERS = range(1, 21)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("student"))


class Bench:
    """A toy study's files, to be changed by a test, and one call of the stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items: list[ExtractedItem] = []
        self.traces: list[RecordedTrace] = []
        self.matches: list[ContaminationMatch] = []
        self.problems = [toy.problem(number) for number in NUMBERS]
        self.levels = [level for problem in self.problems for level in toy.levels(problem)]
        sides = ["train"] * 12 + ["valid"] * 4 + ["heldout"] * 4
        pairs = zip(self.problems, sides, strict=True)
        self.split = [Assignment(problem.id, problem.id, side, side == "heldout") for problem, side in pairs]

    def replace(self, number: int, **keys: Any) -> None:
        """Put another problem in place of NUMBER's."""
        self.problems[number - 1] = toy.problem(number, **keys)

    def run(self, arm: str = "r1", **changes: Any) -> Path:
        """Run the stage; return the corpus folder."""
        paths = trees.below(self.folder, "toy", arm)
        toy.study(self.folder, **changes)
        write_records(paths.problems, self.problems)
        write_records(paths.extracted, self.items)
        write_records(paths.recorded_traces, self.traces)
        write_records(paths.levels, self.levels)
        write_records(paths.split, self.split)
        write_records(paths.contamination, self.matches)
        curate.main(paths, arm)
        return paths.corpus


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ids(folder: Path, part: str = "train") -> list[str]:
    return [example.id for example in read_records(folder / f"{part}.jsonl", Example)]


def test_arms_share_ids_and_order_and_differ_in_text(bench: Bench) -> None:
    long, short, few = bench.run("r1"), bench.run("answer"), bench.run("few")
    assert ids(long) == ids(short)
    assert sorted(ids(long)) == [problem.id for problem in bench.problems[:12]] != ids(long)
    assert ids(few) == ids(long)[:4]
    assert [len(ids(long, part)) for part in ("valid", "test")] == [4, 4]
    first = read_records(long / "train.jsonl", Example)[0]
    statement = next(problem.statement for problem in bench.problems if problem.id == first.id)
    assert [message.role for message in first.messages] == ["user", "assistant"]
    assert first.messages[0].content == statement
    assert first.messages[1].content.startswith("add and carry")


def test_a_system_prompt_is_a_turn(bench: Bench) -> None:
    out = bench.run(curate={"system": "Think."})
    assert read_records(out / "train.jsonl", Example)[0].messages[0] == Message("system", "Think.")


def test_a_problem_is_dropped_from_every_arm_or_none(bench: Bench) -> None:
    gone = [level for level in bench.levels if (level.id, level.level) != ("competition-02", "r6")]
    bench.levels = [Level(x.id, x.level, x.text, x.words, x.id != "competition-03" or x.level != "r4") for x in gone]
    long, short = bench.run("r1"), bench.run("answer")
    assert ids(long) == ids(short)
    assert {"competition-02", "competition-03"}.isdisjoint(ids(long))
    dropped = {"a level that does not state the answer": 1, "no verified work at every level": 1}
    assert read_json(long / "counts.json") == {"train": 10, "valid": 4, "test": 4, "dropped": dropped, "flaws": {}}


def test_a_text_that_training_would_cut_at_an_end_mark_is_dropped_from_clean_and_counted_in_published(bench: Bench) -> None:
    marked = ("competition-02", "r1")
    bench.levels = [
        Level(x.id, x.level, "So it is<|im_end|> 3.\n" * ((x.id, x.level) == marked) + x.text, x.words, x.states_answer)
        for x in bench.levels
    ]
    clean = bench.run("answer")
    assert marked[0] not in ids(clean)
    assert read_json(clean / "counts.json")["dropped"] == {"a level with an end mark of chat templates": 1}
    out = bench.run(arms={"r1": toy.ARM | {"protocol": "published"}})
    assert marked[0] in ids(out)
    assert read_json(out / "counts.json")["flaws"] == {"a text with an end mark of chat templates": 1}


def two_sides(bench: Bench) -> None:
    one, other = bench.split[0], bench.split[19]
    bench.split[19] = Assignment(other.id, one.cluster, other.split, True)


FLAWS = {  # name: (what spoils the study, the message of the clean protocol, the kind that the published one counts)
    "cluster on two sides": (two_sides, "cluster competition-01 is in heldout and train", "a duplicate cluster on two sides"),
    "no gold": (lambda bench: bench.replace(5, gold=" "), "problem competition-05 in train", "an empty statement or gold"),
    "no statement": (lambda bench: bench.replace(14, statement=""), "problem competition-14 in valid", "an empty statement or gold"),
}


@pytest.mark.parametrize(("spoil", "message", "kind"), FLAWS.values(), ids=FLAWS)
def test_clean_refuses_what_published_counts(bench: Bench, spoil: Any, message: str, kind: str) -> None:
    spoil(bench)
    with pytest.raises(InputError, match=message):
        bench.run()
    assert not trees.below(bench.folder, "toy", "r1").corpus.exists()
    out = bench.run(arms={"r1": toy.ARM | {"protocol": "published"}})
    assert read_json(out / "counts.json")["flaws"] == {kind: 1}
    assert len(ids(out)) == 12


def item(name: str, *flags: str) -> ExtractedItem:
    return ExtractedItem(name, "", 0, (0.0, 0.0, 0.0, 0.0), "", "", 0.0, [], None, name, 0, list(flags))


def test_a_placeholder_is_left_out_of_clean_and_counted_in_published(bench: Bench) -> None:
    bench.items = [item("competition-05", "placeholder"), item("competition-06", "duplicate")]
    clean = bench.run("r1")
    assert "competition-05" not in ids(clean)
    assert read_json(clean / "counts.json")["dropped"] == {"a placeholder": 1}
    assert read_json(bench.run(arms={"r1": toy.ARM | {"protocol": "published"}}) / "counts.json")["flaws"] == {"a placeholder": 1}


def test_benchmark_problems_are_left_out_of_clean_arms_and_counted_elsewhere(bench: Bench) -> None:
    def match(name: str, benchmark: str, drop: bool) -> ContaminationMatch:
        return ContaminationMatch(name, "statement", benchmark, f"{benchmark}-1", "near", 0.9, drop, "find the sum")

    bench.matches = [
        match("competition-02", "aime", True),
        match("competition-02", "gsm8k", False),
        match("competition-03", "aime", False),
        match("competition-19", "aime", True),
    ]
    clean = bench.run("r1")
    assert {"competition-02", "competition-19"}.isdisjoint(ids(clean) + ids(clean, "test"))
    counts = read_json(clean / "counts.json")
    assert counts["dropped"] == {"a problem of benchmark aime": 2}
    assert counts["contaminated"] == {"aime": 1}  # competition-03, which the study only shows
    published = read_json(bench.run(arms={"r1": toy.ARM | {"protocol": "published"}}) / "counts.json")
    assert published["dropped"] == {}
    assert published["contaminated"] == {"aime": 2, "gsm8k": 1}  # competition-19 is held out


def recorded(bench: Bench) -> None:
    """A published corpus of five rows, two of them one question; competition-03 breaks off."""
    bench.replace(4, statement=bench.problems[0].statement)
    positions = [("train", 1, 1), ("train", 0, 2), ("train", 2, 3), ("valid", 0, 4), ("test", 0, 5)]
    for part, position, number in positions:
        text = "so 3 + 21 =" if number == 3 else f"add: \\(= {number * 8}\\)."
        bench.traces.append(RecordedTrace(f"competition-{number:02d}", "r2", part, position, text))


def test_a_published_corpus_is_rebuilt_as_it_was(bench: Bench) -> None:
    recorded(bench)
    out = bench.run("r1", arms={"r1": toy.ARM | {"protocol": "published", "level": "r2"}}, curate={"published": {"r2": "Think."}})
    train = read_records(out / "train.jsonl", Example)
    assert [example.id for example in train] == ["competition-02", "competition-01", "competition-03"]
    question = Message("user", bench.problems[1].statement)
    assert train[0].messages == [Message("system", "Think."), question, Message("assistant", "add: \\(= 16\\).")]
    assert [ids(out, part) for part in ("valid", "test")] == [["competition-04"], ["competition-05"]]
    flaws = {"a question that is trained on too": 1, "a text that breaks off": 1}
    assert read_json(out / "counts.json") == {"train": 3, "valid": 1, "test": 1, "dropped": {}, "flaws": flaws}


def test_clean_texts_end_in_the_answer_line_of_r1(bench: Bench) -> None:
    bench.levels = [Level(x.id, x.level, "The sum is so and so. " if x.level == "r6" else x.text, x.words, True) for x in bench.levels]
    out = bench.run("r1", arms={"r1": toy.ARM | {"level": "r6"}})
    first = read_records(out / "train.jsonl", Example)[0]
    gold = next(problem.gold for problem in bench.problems if problem.id == first.id)
    assert first.messages[-1].content == f"The sum is so and so.\nAnswer: {gold}"


CORRECTED = {"r1": toy.ARM | {"corrected": True}}
FIX = {"item": "competition-03", "field": "statement", "from": "sum of 3", "to": "sum of 4", "page": 2, "reason": "the page shows 4"}


def test_corrections_change_the_question_and_a_changed_answer_excludes_the_work(bench: Bench) -> None:
    fixes = [FIX, FIX | {"item": "competition-04", "field": "gold", "from": "32", "to": "33"}]
    out = bench.run("r1", arms=CORRECTED, corrections=fixes)
    texts = {example.id: example.messages[0].content for example in read_records(out / "train.jsonl", Example)}
    assert texts["competition-03"] == "Find the sum of 4 and 21."
    assert "competition-04" not in texts
    counts = read_json(out / "counts.json")
    assert (counts["dropped"], counts["corrected"]) == ({"work that does not state the corrected answer": 1}, 1)
    assert "competition-04" in ids(bench.run("r1", corrections=fixes))


MISFITS = {  # name: (change of the correction, part of the message)
    "not there": ({"from": "sum of 9"}, "competition-03: 'sum of 9' occurs 0 times in the statement, allowed is once"),
    "there twice": ({"from": "n"}, "occurs 2 times in the statement"),
    "nothing": ({"from": ""}, "'' is empty"),
    "no such problem": ({"item": "competition-99"}, "competition-99 is no problem"),
    "no such field": ({"field": "source"}, "Invalid enum value 'source'"),
}


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_a_correction_that_does_not_fit(bench: Bench, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bench.run(arms=CORRECTED, corrections=[FIX | change])


WRONG = {  # name: (the arm, the message)
    "unknown level": (toy.ARM | {"level": "r7"}, "arms.r1: no level 'r7'; levels are r1, r2"),
    "unknown protocol": (toy.ARM | {"protocol": "dirty"}, "no protocol 'dirty'"),
    "no corrected texts": (toy.ARM | {"corrected": True}, "has no corrected problem texts"),
    "more than there are": (toy.ARM | {"n": 13}, "12 training and 4 validation examples are left, 13 and 1 are needed"),
}


@pytest.mark.parametrize(("arm", "message"), WRONG.values(), ids=WRONG)
def test_arms_that_cannot_be(bench: Bench, arm: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bench.run(arms={"r1": arm})


def test_an_empty_corpus_and_a_stale_split(bench: Bench) -> None:
    levels, bench.levels = bench.levels, []
    with pytest.raises(InputError, match=r"0 training and 0 validation examples are left.*'no verified work at every level': 20"):
        bench.run()
    bench.levels, bench.split = levels, bench.split[:-1]
    with pytest.raises(InputError, match="problem competition-20 is in only one of the problems and their split"):
        bench.run()


TURNS = {
    "plain": [Message("user", "Find 12 + 30.")],
    "system": [Message("system", "Think. "), Message("user", " x<y & 'z' \n")],
    "a special token in the text": [Message("user", "what is <|im_end|>?")],
}


@pytest.mark.parametrize("turns", TURNS.values(), ids=TURNS)
def test_text_and_tokens_are_those_of_transformers(student: Path, turns: list[Message]) -> None:
    from transformers import AutoTokenizer

    reference, ours = AutoTokenizer.from_pretrained(student), ChatTokenizer(student)
    chat = [{"role": message.role, "content": message.content} for message in turns]
    assert ours.prompt(turns) == reference.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    answer = {"role": "assistant", "content": "12 + 30 = 42\nAnswer: 42"}
    whole = reference.apply_chat_template([*chat, answer])["input_ids"]
    tokens, prompt = ours.example([*turns, Message("assistant", answer["content"])])
    assert tokens[:prompt] == ours.prompt(turns)
    assert tokens[-1] in ours.eos_ids
    assert tokens == whole[: len(tokens)]
    assert ours.decode(whole[len(tokens) :]) == "\n"  # what the template writes after the turn is not trained on
