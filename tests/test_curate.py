"""What goes into an arm's corpus, and what stops it."""

from pathlib import Path
from typing import Any

import pytest

from stages import curate
from stages.learning.student import Student
from stages.shared.chat import Example, Message
from stages.shared.files import Fault, read_json, read_records, write_records
from stages.shared.split import Assignment
from stages.shared.trace import Level
from tests import student as toy

NUMBERS = range(1, 21)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("student"))


class Bench:
    """A toy study's files, to be spoilt by a test, and one call of the stage."""

    def __init__(self, folder: Path, student: Path) -> None:
        self.folder, self.student = folder, student
        self.problems = [toy.problem(number) for number in NUMBERS]
        self.levels = [level for problem in self.problems for level in toy.levels(problem)]
        sides = ["train"] * 12 + ["valid"] * 4 + ["heldout"] * 4
        pairs = zip(self.problems, sides, strict=True)
        self.split = [Assignment(problem.id, problem.id, side, side == "heldout") for problem, side in pairs]

    def replace(self, number: int, **keys: Any) -> None:
        """Put another problem in place of NUMBER's."""
        self.problems[number - 1] = toy.problem(number, **keys)

    def run(self, arm: str = "r1", **changes: dict[str, Any]) -> Path:
        """Run the stage; return the corpus folder."""
        files: dict[str, list[Any]] = {"problems": self.problems, "levels": self.levels, "split": self.split}
        for name, records in files.items():
            write_records(self.folder / f"{name}.jsonl", records)
        paths = [str(self.folder / f"{name}.jsonl") for name in files]
        out = self.folder / "corpus" / arm
        curate.main(toy.study(self.folder, **changes), arm, *paths, str(self.student), str(out))
        return out


@pytest.fixture
def bench(tmp_path: Path, student: Path) -> Bench:
    return Bench(tmp_path, student)


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


def two_sides(bench: Bench) -> None:
    one, other = bench.split[0], bench.split[19]
    bench.split[19] = Assignment(other.id, one.cluster, other.split, True)


FLAWS = {  # name: (what spoils the study, the message of the clean protocol, the kind that the published one counts)
    "cluster on two sides": (two_sides, "cluster competition-01 stands in heldout and train", "a duplicate cluster on two sides"),
    "no gold": (lambda bench: bench.replace(5, gold=" "), "problem competition-05 in train", "an empty statement or gold"),
    "no statement": (lambda bench: bench.replace(14, statement=""), "problem competition-14 in valid", "an empty statement or gold"),
    "too long": (
        lambda bench: bench.replace(5, statement="qz " * 200),
        r"problem competition-05 in train has \d{3} tokens, allowed are 200",
        "an example over max_seq_length",
    ),
}


@pytest.mark.parametrize(("spoil", "message", "kind"), FLAWS.values(), ids=FLAWS)
def test_clean_refuses_what_published_counts(bench: Bench, spoil: Any, message: str, kind: str) -> None:
    spoil(bench)
    with pytest.raises(Fault, match=message):
        bench.run()
    assert not (bench.folder / "corpus" / "r1").exists()
    out = bench.run(arms={"r1": toy.ARM | {"protocol": "published"}})
    assert read_json(out / "counts.json")["flaws"] == {kind: 1}
    assert len(ids(out)) == 12


WRONG = {  # name: (the arm, the message)
    "unknown level": (toy.ARM | {"level": "r7"}, "arms.r1: no level 'r7'; levels are r1, r2"),
    "unknown protocol": (toy.ARM | {"protocol": "dirty"}, "no protocol 'dirty'"),
    "no corrected texts": (toy.ARM | {"corrected": True}, "has no corrected problem texts"),
    "more than there are": (toy.ARM | {"n": 13}, "12 training and 4 validation examples are left, 13 and 1 are needed"),
}


@pytest.mark.parametrize(("arm", "message"), WRONG.values(), ids=WRONG)
def test_arms_that_cannot_be(bench: Bench, arm: dict[str, Any], message: str) -> None:
    with pytest.raises(Fault, match=message):
        bench.run(arms={"r1": arm})


def test_an_empty_corpus_and_a_stale_split(bench: Bench) -> None:
    levels, bench.levels = bench.levels, []
    with pytest.raises(Fault, match=r"0 training and 0 validation examples are left.*'no verified work at every level': 20"):
        bench.run()
    bench.levels, bench.split = levels, bench.split[:-1]
    with pytest.raises(Fault, match="problem competition-20 stands in only one of the problems and their split"):
        bench.run()


TURNS = {
    "plain": [Message("user", "Find 12 + 30.")],
    "system": [Message("system", "Think. "), Message("user", " x<y & 'z' \n")],
    "a special token in the text": [Message("user", "what is <|im_end|>?")],
}


@pytest.mark.parametrize("turns", TURNS.values(), ids=TURNS)
def test_text_and_tokens_are_those_of_transformers(student: Path, turns: list[Message]) -> None:
    from transformers import AutoTokenizer

    reference, ours = AutoTokenizer.from_pretrained(student), Student(student)
    chat = [{"role": message.role, "content": message.content} for message in turns]
    assert ours.prompt(turns) == reference.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    answer = {"role": "assistant", "content": "12 + 30 = 42\nAnswer: 42"}
    whole = reference.apply_chat_template([*chat, answer])["input_ids"]
    tokens, prompt = ours.example([*turns, Message("assistant", answer["content"])])
    assert tokens[:prompt] == ours.prompt(turns)
    assert tokens[-1] in ours.ends
    assert tokens == whole[: len(tokens)]
    assert ours.decode(whole[len(tokens) :]) == "\n"  # what the template writes after the turn is not trained on
