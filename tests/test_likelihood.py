"""Likelihoods of given texts: mlx-lm's own figures, token by token; the same bytes whatever was killed; what may be compared with what."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records
from distill.likelihood import cells, figures, parts, targets
from distill.likelihood.row import MEASURES, Likelihood
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import adapted, weights
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.example import Example, Message
from stages import likelihood, train
from tests import scored
from tests import tiny_model as toy

engine.start()
import mlx.core as mx  # noqa: E402
from mlx_lm.models.cache import make_prompt_cache  # noqa: E402

from distill.likelihood import forward  # noqa: E402

SECTION = {
    "opening": "Answer: ", "common": "r1", "parts": {"seen": 4, "heldout": 4, "transfer": 2}, "seed": 1, "batch_tokens": 64,
    "confidence": 0.9, "resamples": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("student"))


def one_by_one(model: Any, prompt: list[int], tokens: list[int]) -> Iterator[float]:
    """Yield each token's log-probability by mlx-lm alone, a token a step."""
    cache = make_prompt_cache(model)
    for token in prompt[:-1]:
        model(mx.array([[token]]), cache=cache)
    for before, token in zip([prompt[-1], *tokens], tokens, strict=False):
        logits = model(mx.array([[before]]), cache=cache)[0, -1]
        yield (logits[token] - mx.logsumexp(logits)).item()


QUESTIONS = [
    forward.Question([5, 9, 40], [forward.Branch([7, 8, 9, 30], 0), forward.Branch([7], 0), forward.Branch([60] * 9, 6)]),
    forward.Question([7], [forward.Branch([3, 4, 5], 1)]),
    forward.Question(list(range(20, 43)), [forward.Branch([200, 3, 77], 0)]),
    forward.Question([5, 9, 41], []),
]


@pytest.mark.parametrize("batch_tokens", [1, 16, 512])
@pytest.mark.parametrize("fast", [True, False])
def test_batches_give_what_mlx_lm_gives_token_by_token(student: Path, batch_tokens: int, fast: bool) -> None:
    model = weights(student, True)[0]
    found = forward.score(forward.prepared(model) if fast else model, QUESTIONS, batch_tokens)
    plain = weights(student, True)[0]
    for question, scores in zip(QUESTIONS, found, strict=True):
        for branch, nats in zip(question.branches, scores, strict=True):
            assert nats == pytest.approx(list(one_by_one(plain, question.prompt, branch.tokens))[branch.first :], abs=1e-4)


def test_equal_texts_are_scored_once_and_what_comes_before_the_first_is_zero(student: Path) -> None:
    model = weights(student, True)[0]
    twice = forward.score_texts(model, [([5, 6], [7, 8, 9], 2), ([5, 6], [7, 8, 9], 0), ([5], [7], 0)], 64)
    assert twice[0] == twice[1]
    assert len(twice[2]) == 1
    assert forward.score_texts(model, [([5, 6], [7, 8, 9], 2)], 64)[0][:2] == [0.0, 0.0]


CHAINS = {
    "a line of its own": ("6 * 3 = 18\n#### 18", "#### ", "6 * 3 = 18\n"),
    "the last of two": ("#### 1\nNo.\n#### 2", "#### ", "#### 1\nNo.\n"),
    "none": ("It is 18. ", "#### ", "It is 18.\n"),
    "nothing else": ("#### 18", "#### ", ""),
    "cut off before it": ("6 * 3 =", "Answer: ", "6 * 3 =\n"),
    "without its blank": ("So.\nAnswer:18", "Answer: ", "So.\n"),
    "an empty text": ("", "Answer: ", ""),
}


@pytest.mark.parametrize(("text", "opening", "chain"), CHAINS.values(), ids=CHAINS)
def test_the_chain_ends_before_the_final_answer_line(text: str, opening: str, chain: str) -> None:
    assert targets.chain_of(text, opening) == chain


@pytest.mark.parametrize("chain", ["", "add and carry.\n", "größer ∑\n"])
def test_a_target_is_tokenised_as_in_training(student: Path, chain: str) -> None:
    tokenizer = ChatTokenizer(student)
    found = targets.target(tokenizer, targets.end_token(tokenizer), chain, "Answer: ", "42")
    tokens, prompt = tokenizer.example([Message("user", "Find it."), Message("assistant", f"{chain}Answer: 42")])
    assert (found.tokens, tokenizer.prompt([Message("user", "Find it.")])) == (tokens[prompt:], tokens[:prompt])
    bounds = [0, found.chain, found.opening, found.answer, len(found.tokens)]
    written = [tokenizer.decode(found.tokens[first:last]) for first, last in pairwise(bounds)]
    assert written == [chain, "Answer: ", "42", "<|im_end|>"]


def test_a_template_that_adds_to_an_answer_is_one_line(tmp_path: Path) -> None:
    folder = toy.make(tmp_path / "student")
    settings = read_json(folder / "tokenizer_config.json")
    settings["chat_template"] = toy.TEMPLATE.replace("<|im_end|>", " (end)<|im_end|>")
    (folder / "tokenizer_config.json").write_text(msgspec.json.encode(settings).decode())
    with pytest.raises(InputError, match="adds to the text of an answer"):
        targets.end_token(ChatTokenizer(folder))


@pytest.fixture
def run(tmp_path: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Paths]:
    """Return a call of the stage in a toy study: arms r1 and answer, one seed, 10 problems trained on, 8 held out, 5 of a benchmark."""
    monkeypatch.chdir(tmp_path)
    paths = msgspec.structs.replace(layout("toy"), student=student)
    toy.study(tmp_path)
    problems = [toy.problem(number) for number in range(1, 25)]
    other = [toy.problem(number, benchmark="transfer") for number in range(40, 45)]
    sides = {problem.id: "train" if at < 12 else "valid" if at < 16 else "heldout" for at, problem in enumerate(problems)}
    write_records(paths.problems, problems)
    write_records(paths.split, [Assignment(name, name, side, True) for name, side in sides.items()])
    write_records(paths.levels, [level for problem in problems for level in toy.levels(problem)])
    asked = [problem for problem in problems if sides[problem.id] == "heldout"]
    write_records(paths.benchmarks / "competition.jsonl", asked)
    write_records(paths.benchmarks / "transfer.jsonl", other)
    for arm in ("r1", "answer"):
        for part, side in (("train", "train"), ("valid", "valid"), ("test", "heldout")):
            work = {problem.id: next(level.text for level in toy.levels(problem) if level.level == arm) for problem in problems}
            there = [problem for problem in problems if sides[problem.id] == side]
            rows = [Example(each.id, [Message("user", each.statement), Message("assistant", work[each.id])]) for each in there]
            write_records(paths.corpora / arm / f"{part}.jsonl", rows)
        train.main(msgspec.structs.replace(layout("toy", arm, 1), student=student), arm, 1)
    for cell in ("base", "r1-1", "answer-1"):
        texts = ["carry.\nAnswer: 9", "add and"]
        answers = [Completion(p.benchmark, p.id, k, text, 5, "stop") for p in [*asked, *other] for k, text in enumerate(texts)]
        write_records(paths.completions / f"{cell}.jsonl.gz", answers)
    Path("params.yaml").write_text(yaml.safe_dump({"arms": ["r1", "answer"], "seeds": [1]}))

    def call(kind: str = "scratch", **changes: Any) -> Paths:
        document = toy.SECTIONS | {"student": {"kind": kind}, "likelihood": SECTION | changes if changes != {"none": True} else {}}
        Path("studies/toy.yaml").write_text(yaml.safe_dump(document))
        study_file.study.cache_clear()
        likelihood.main(paths)
        return paths

    return call


def test_the_stage_from_texts_to_figures_and_again_after_a_kill(run: Callable[..., Paths]) -> None:
    paths = run()
    outs = [paths.likelihood, paths.likelihood_metrics, paths.likelihood_table]
    before = [path.read_bytes() for path in outs]
    rows = read_records(paths.likelihood, Likelihood)
    check_rows(rows, paths)
    kept = {path: path.stat().st_mtime_ns for path in (paths.work / "likelihood").iterdir()}
    assert sorted(path.name.rpartition("-")[0] for path in kept) == ["answer-1", "base-0", "r1-1"]
    lost = next(path for path in kept if path.name.startswith("r1-1"))
    for path in (lost, *outs):  # as a kill in the last cell leaves it
        path.unlink()
    run()
    assert [path.read_bytes() for path in outs] == before
    assert {path for path in kept if path.stat().st_mtime_ns != kept[path]} == {lost}
    run(parts={"seen": 3, "heldout": 3})
    assert not lost.exists()  # cells of other texts are void
    assert {row.part for row in read_records(paths.likelihood, Likelihood)} == {"seen", "heldout"}


def check_rows(rows: list[Likelihood], paths: Paths) -> None:
    """Each student has each measure that it can have; a chain of one student agrees with mlx-lm."""
    found = {(row.arm, row.seed, row.measure, row.part, row.text) for row in rows}
    assert {(arm, measure) for arm, _, measure, _, _ in found} == {
        (arm, measure) for arm in ("base", "r1", "answer") for measure in MEASURES if (arm, measure) != ("answer", "chain")
    }
    assert {text for arm, _, measure, _, text in found if measure == "chain"} == {"r1"}  # of arm answer there is none
    assert {measure for *_, measure, part, _ in found if part == "transfer"} == {"answer_direct", "answer_sampled"}
    assert not [row for row in rows if row.part == "seen" and row.measure == "answer_sampled"]  # none of them was asked
    row = next(row for row in rows if (row.arm, row.measure, row.part) == ("r1", "chain", "heldout"))
    tokenizer, model = ChatTokenizer(paths.student), adapted(paths.student, paths.adapters / "r1-1", True, fuse=True)[0]
    example = next(each for each in read_records(paths.corpora / "r1" / "test.jsonl", Example) if each.id == row.id)
    tokens, prompt = tokenizer.example(example.messages)
    nats = list(one_by_one(model, tokens[:prompt], tokens[prompt:]))
    assert sum(nats[: row.tokens]) == pytest.approx(row.nats, abs=1e-3)
    assert sum(nats[row.tokens : row.tokens + row.opening_tokens]) == pytest.approx(row.opening_nats, abs=1e-4)
    assert nats[-1] == pytest.approx(row.end_nats, abs=1e-4)
    both = [row for row in rows if row.measure == "answer_sampled"]
    assert {row.samples for row in both} == {2}
    for row in both:
        assert 0 < row.probability_ended < row.probability < 1  # type: ignore[operator]
        assert row.probability >= math.exp(row.nats) * (1 - 1e-4)  # type: ignore[operator]  # the mean of exponentials is not below that of the mean


def test_a_study_that_does_not_ask_and_a_recorded_student_have_empty_outputs(run: Callable[..., Paths]) -> None:
    for paths in (run(none=True), run(kind="recorded")):
        assert read_records(paths.likelihood, Likelihood) == []
        assert read_json(paths.likelihood_metrics) == {}
        assert paths.likelihood_table.read_text() == ",".join(figures.COLUMNS) + "\n"
        assert not (paths.work / "likelihood").exists()


FAULTS = {
    "a part that is none": ({"parts": {"test": 4}}, "section 'likelihood': parts.test: no problem of it"),
    "the study's own benchmark": ({"parts": {"competition": 4}}, "parts.competition: no problem of it"),
    "a level without texts": ({"common": "r9"}, "no text of level 'r9'"),
    "no problems": ({"parts": {}}, "at `\\$.parts`"),
    "a misspelt key": ({"open": "x"}, "unknown field `open`"),
}


@pytest.mark.parametrize(("changes", "line"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(changes: dict[str, Any], line: str, run: Callable[..., Paths]) -> None:
    with pytest.raises(InputError, match=line):
        run(**changes)


def test_parts_are_of_all_arms_alike_and_those_asked_come_first() -> None:
    problems = [toy.problem(number) for number in range(1, 9)]
    names = [problem.id for problem in problems]
    places = [Assignment(name, name, "train", at in (2, 5)) for at, name in enumerate(names)]
    roles = {"a": dict.fromkeys(names, "seen"), "b": dict.fromkeys(names[:6], "seen")}
    drawn = [each.problem.id for each in parts.draw({"seen": 4}, 1, problems, [], places, roles)]
    assert set(drawn[:2]) == {names[2], names[5]}
    assert set(drawn) <= set(names[:6])
    assert drawn == [each.problem.id for each in parts.draw({"seen": 4}, 1, problems[::-1], [], places, roles)]
    assert len(parts.draw({"seen": 40}, 1, problems, [], places, roles)) == 6


def test_figures_are_means_over_problems_with_the_gain_over_base_and_the_form_apart() -> None:
    found = figures.metrics(scored.rows(), scored.SETTINGS)["arms"]
    held = found["r1"]["chain_common"]["heldout"]
    assert held["mean"] == pytest.approx(-1.0 - 0.15 + 0.015)
    assert held["gain"] == pytest.approx(1.0 + 0.015)
    assert held["low"] < held["mean"] < held["high"]
    assert (held["n"], held["tokens"]) == (8, scored.TOKENS)
    assert held["sd"] == pytest.approx(0.01 / math.sqrt(2))
    assert (held["opening"], held["opening_gain"], held["end"], held["end_gain"]) == (-0.5, 2.5, -0.25, 0.0)
    assert found["r1"]["chain"]["seen"]["gain"] == pytest.approx(1.0 + scored.SEEN + 0.015)
    assert set(found["base"]["chain"]["seen"]) == {"r1"}  # of whose text it is
    assert "chain" not in found["r6"]
    sampled = found["r6"]["answer_sampled"]["transfer"]
    assert (sampled["gain"], sampled["ended"] * 2) == (pytest.approx(0.2), pytest.approx(sampled["mean"]))
    assert "gain" not in found["base"]["answer_direct"]["heldout"]
    lines = figures.tidy({"arms": found}).splitlines()
    assert len(lines) == 1 + sum(len(cells_) for measures in found.values() for cells_ in measures.values())
    assert next(line for line in lines if line.startswith("base,chain,heldout")).split(",")[3] == "r1"


def test_a_dead_worker_is_one_line(run: Callable[..., Paths], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "LIMITS", cells.worker_pool.Limits(seconds=0.001, memory=2**46))
    with pytest.raises(InputError, match=r"cell \S+-\d: its process ended \(time\)"):
        run()
