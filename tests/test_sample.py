"""What a student writes: the same whatever the batch, the workers and the kills; and never by a foreign adapter."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.core.files import read_records, write_records
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import weights
from distill.records.completion import Completion
from distill.sampling import batch_decoder, jobs
from stages import sample, train
from tests import tiny_model as toy

engine.start()
from mlx_lm.generate import generate_step  # noqa: E402

from distill.sampling import decode, fast_decode  # noqa: E402

PARAMS = msgspec.convert(toy.SECTIONS["sample"], jobs.Params)
PATHS = layout("toy", "r1", 1)
PROMPTS = [[5, 9, 40], [7], list(range(20, 43)), [5, 9, 41], [11, 12, 13, 14, 15, 16], [200, 3, 77, 5]]
NEVER = frozenset({10**6})


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def model(student: Path) -> Any:
    return weights(student, True)[0]


@pytest.fixture
def run(tmp_path: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Completion]]:
    """Return a call of the stage in a toy study with 15 problems to ask, a benchmark of 6 and the adapter r1-1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch_decoder, "workers", lambda: 1)
    write_records(PATHS.benchmarks / "competition.jsonl", [toy.problem(number) for number in range(1, 16)])
    write_records(PATHS.benchmarks / "transfer.jsonl", [toy.problem(number, benchmark="transfer") for number in range(40, 46)])
    toy.study(tmp_path)
    toy.corpus(PATHS.corpus)
    train.main(msgspec.structs.replace(PATHS, student=student), "r1", 1)

    def call(arm: str = "r1", seed: int = 1, adapter: Path = PATHS.adapter, base: Path = student, **keys: Any) -> list[Completion]:
        toy.study(tmp_path, sample=keys)
        paths = msgspec.structs.replace(layout("toy", arm, seed), student=base, adapter=adapter)
        sample.main(paths, arm, seed)
        return read_records(paths.completion, Completion)

    return call


def alone(model: Any, prompt: Sequence[int], limit: int) -> list[int]:
    """Decode one prompt with mlx-lm's own loop."""
    import mlx.core as mx

    return [int(token) for token, _ in generate_step(mx.array(prompt), model, max_tokens=limit)]


def test_a_batch_writes_what_mlx_lm_writes_one_by_one(model: Any) -> None:
    together = decode.decode(model, PROMPTS, NEVER, 30, decode.greedy)
    assert together == [alone(model, prompt, 30) for prompt in PROMPTS]


@pytest.mark.parametrize("padded", [False, True])
def test_fast_layers_give_the_logits_of_mlx_lm(student: Path, model: Any, padded: bool) -> None:
    import mlx.core as mx
    from mlx_lm.models import qwen2

    fast = fast_decode.replace_layers(weights(student, True)[0])
    assert type(fast.layers[0].self_attn) is fast_decode.Attention
    assert type(model.layers[0].self_attn) is qwen2.Attention
    rows = [PROMPTS[0], PROMPTS[2] if padded else PROMPTS[3]]
    caches = [decode._prefill(each, rows) for each in (model, fast)]
    for token in ([40, 41], [7, 200]):
        ours, theirs = (each(mx.array(token)[:, None], cache=cache) for each, cache in zip((fast, model), caches, strict=True))
        assert mx.abs(ours - theirs).max().item() < 1e-5 * mx.abs(theirs).max().item()
        assert mx.abs(ours - theirs).max().item() > 0
    assert decode.decode(fast, PROMPTS, NEVER, 30, decode.greedy) == decode.decode(model, PROMPTS, NEVER, 30, decode.greedy)


@pytest.mark.parametrize(("heads", "groups"), [(4, 1), (6, 2)])
def test_fast_decoding_of_a_llama_gives_mlx_lms_logits(heads: int, groups: int) -> None:
    import mlx.core as mx
    from mlx_lm.models import llama

    shape = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 96,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
    }
    keys = {"model_type": "llama", "vocab_size": 300, "rms_norm_eps": 1e-5, "head_dim": 32, "attention_bias": True}
    mx.random.seed(4)
    model = llama.Model(llama.ModelArgs.from_dict(shape | keys))
    caches = [decode._prefill(model, PROMPTS) for _ in range(2)]
    tokens = [[40 + step] * len(PROMPTS) for step in range(3)]
    theirs = [model(mx.array(token)[:, None], cache=caches[0]) for token in tokens]
    fast = fast_decode.replace_layers(model)
    assert type(fast.layers[0].self_attn) is fast_decode.Attention
    for token, expected in zip(tokens, theirs, strict=True):
        ours = fast(mx.array(token)[:, None], cache=caches[1])
        assert mx.abs(ours - expected).max().item() < 1e-5 * mx.abs(expected).max().item()


def test_other_formats_keep_mlx_lms_layers(student: Path) -> None:
    import mlx.core as mx
    from mlx_lm.models import qwen2

    half = weights(student, True)[0]
    half.set_dtype(mx.bfloat16)
    assert type(fast_decode.replace_layers(half).layers[0].mlp) is qwen2.MLP


def test_rows_end_and_leave_without_touching_the_others(model: Any) -> None:
    free = decode.decode(model, PROMPTS, NEVER, 30, decode.greedy)
    ends = frozenset({free[0][4], free[2][9]})
    found = decode.decode(model, PROMPTS, ends, 30, decode.greedy)
    for ended, whole in zip(found, free, strict=True):
        place = next((place for place, token in enumerate(whole) if token in ends), 29)
        assert ended == whole[: place + 1]
    assert len({len(tokens) for tokens in found}) > 1


def test_continuous_batching_writes_the_same_whatever_the_rows_at_a_time(model: Any) -> None:
    free = decode.decode(model, PROMPTS, NEVER, 30, decode.greedy)
    ends = frozenset({free[0][4], free[2][9]})
    whole = decode.decode(model, PROMPTS, ends, 30, decode.greedy)
    assert len({len(tokens) for tokens in whole}) > 1
    for rows in (1, 2, 4, 6):
        assert decode.continuous_batching(model, PROMPTS, ends, 30, rows, decode.greedy) == whole
    seeds = list(range(len(PROMPTS)))
    drawn = decode.decode(model, PROMPTS, ends, 12, decode.sampler(1.0, 0.9, seeds, 12))
    assert decode.continuous_batching(model, PROMPTS, ends, 12, 2, decode.sampler(1.0, 0.9, seeds, 12)) == drawn


def test_continuous_batching_keeps_rows_at_work(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlx.core as mx

    steps: list[int] = []
    kind = type(model)
    original = kind.__call__

    def counted(self: Any, inputs: mx.array, *rest: Any, **named: Any) -> mx.array:
        steps.append(inputs.shape[0] if inputs.shape[1] == 1 else 0)
        found: mx.array = original(self, inputs, *rest, **named)
        return found

    free = decode.decode(model, PROMPTS, NEVER, 30, decode.greedy)
    ends = frozenset({free[0][4], free[2][9]})
    lengths = [len(tokens) for tokens in decode.decode(model, PROMPTS, ends, 30, decode.greedy)]
    monkeypatch.setattr(kind, "__call__", counted)
    decode.continuous_batching(model, PROMPTS, ends, 30, 2, decode.greedy)
    fixed = sum(max(lengths[start : start + 2]) for start in range(0, len(lengths), 2))
    assert sum(rows > 0 for rows in steps) < fixed
    assert max(steps) == 2


def test_a_draw_belongs_to_its_seed_not_to_its_place(model: Any) -> None:
    def draw(prompts: Sequence[Sequence[int]], seeds: list[int], top_p: float = 0.9) -> list[list[int]]:
        return decode.decode(model, prompts, NEVER, 12, decode.sampler(1.0, top_p, seeds, 12))

    both = draw(PROMPTS[:2], [1, 2])
    assert draw(PROMPTS[1::-1], [2, 1]) == both[::-1]
    assert draw(PROMPTS[:1], [3])[0] != both[0]
    assert draw(PROMPTS[:2], [1, 2], top_p=1e-6) == decode.decode(model, PROMPTS[:2], NEVER, 12, decode.greedy)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.3, 0.5)])
@pytest.mark.parametrize("candidates", [2, 2048])
def test_draws_follow_the_tempered_nucleus(temperature: float, top_p: float, candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlx.core as mx
    import numpy as np

    monkeypatch.setattr(decode, "CANDIDATES", candidates)
    odds = np.array([0.05, 0.4, 0.02, 0.3, 0.2, 0.03])
    rows, steps = 50, 40
    pick = decode.sampler(temperature, top_p, range(rows), steps)
    logits = mx.array(np.log(np.tile(odds, (rows, 1)))).astype(mx.float32)
    drawn = np.concatenate([np.array(pick(logits, list(range(rows)), step)) for step in range(steps)])
    kept = {1.0: range(6), 0.9: [1, 3, 4], 0.5: [1, 3]}[top_p]
    expected = np.zeros(6)
    expected[kept] = odds[kept] ** (1 / temperature)
    assert np.abs(np.bincount(drawn, minlength=6) / drawn.size - expected / expected.sum()).max() < 0.04
    assert set(drawn.tolist()) == set(kept)


PIECES = {  # name: (lengths, operations a token, pieces)
    "a small model": ([2, 3, 90], 10**6, [(0, 3)]),
    "a large model": ([2, 3, 90], 10**9, [(0, 2), (2, 3)]),
    "like lengths": ([90, 91, 92], 10**9, [(0, 3)]),
    "one prompt": ([5], 10**12, [(0, 1)]),
}


@pytest.mark.parametrize(("lengths", "operations", "pieces"), PIECES.values(), ids=PIECES)
def test_prompts_are_cut_where_padding_costs_more_than_a_piece(lengths: list[int], operations: int, pieces: list[tuple[int, int]]) -> None:
    assert decode._pieces(lengths, operations) == pieces


def test_prompts_in_pieces_and_equal_prompts_change_no_token(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = decode._read

    def counted(model: Any, prompts: Sequence[Sequence[int]]) -> list[Any]:
        read.append(len(prompts))
        return original(model, prompts)

    monkeypatch.setattr(decode, "_read", counted)
    whole = decode.decode(model, PROMPTS, NEVER, 12, decode.greedy)
    twice = [prompt for prompt in PROMPTS for _ in range(2)]
    assert decode.decode(model, twice, NEVER, 12, decode.greedy) == [tokens for tokens in whole for _ in range(2)]
    assert read == [len(PROMPTS)] * 2
    monkeypatch.setattr(decode, "PIECE", 1)
    assert decode.decode(model, PROMPTS[::-1], NEVER, 12, decode.greedy) == whole[::-1]
    assert len(read) > 3


def test_from_problems_to_completions_twice(run: Callable[..., list[Completion]], student: Path) -> None:
    found = run()
    first = PATHS.completion.read_bytes()
    competition, transfer = ([c for c in found if c.benchmark == name] for name in ("competition", "transfer"))
    assert (len(competition), len(transfer)) == (12 + 3, 6)
    assert [(c.benchmark, c.id) for c in found] == sorted((c.benchmark, c.id) for c in found)
    assert all(c.tokens == 12 and c.finish == "length" for c in found if c.finish == "length")
    assert not list(Path(".work", "toy", "sample").iterdir())
    assert run() == found
    assert PATHS.completion.read_bytes() == first
    base = run("base", 0)
    assert [c.id for c in base] == [c.id for c in found]
    assert [c.text for c in base] != [c.text for c in found]


def test_a_longer_refill_window_writes_the_same(run: Callable[..., list[Completion]]) -> None:
    assert run(refill_window=12) == run()


def test_a_refill_window_shorter_than_a_batch_is_one_line(run: Callable[..., list[Completion]]) -> None:
    with pytest.raises(InputError, match=r"section 'sample': refill_window is 3; it holds a batch or more, at least 4 \(batch_size\)$"):
        run(refill_window=3)


def test_a_benchmark_may_be_asked_in_its_own_way(run: Callable[..., list[Completion]]) -> None:
    plain = run("base", 0)
    own = {"transfer": {"samples": 3, "temperature": 0.8, "top_p": 0.95, "max_tokens": 5, "batch_size": 2, "refill_window": 2}}
    found = run("base", 0, per_benchmark=own)
    parts = {name: [c for c in found if c.benchmark == name] for name in ("competition", "transfer")}
    assert parts["competition"] == [c for c in plain if c.benchmark == "competition"]
    assert [c.sample for c in parts["transfer"]] == [0, 1, 2] * 6
    assert max(c.tokens for c in parts["transfer"]) == 5
    assert len({c.text for c in parts["transfer"]}) > 6


OWN = {
    "not asked": ({"aime": {"samples": 2}}, "per_benchmark.aime: not asked; asked are competition, transfer"),
    "samples that are all the same": ({"transfer": {"samples": 2}}, "per_benchmark.transfer: 2 samples at temperature 0 are all the same"),
    "a window below the batch": ({"transfer": {"batch_size": 9}}, "per_benchmark.transfer: refill_window is 4; it holds a batch or more"),
    "no such variable": ({"transfer": {"chat_template": {"think": True}}}, "the chat template has no variable 'think'"),
}


@pytest.mark.parametrize(("own", "line"), OWN.values(), ids=OWN)
def test_what_cannot_be_asked_of_a_benchmark_is_one_line(own: Any, line: str, run: Callable[..., list[Completion]]) -> None:
    with pytest.raises(InputError, match=line) as fault:
        run("base", 0, per_benchmark=own)
    assert "\n" not in str(fault.value)


def batches(student: Path, count: int = 10) -> list[list[jobs.Job]]:
    asked = [toy.problem(number) for number in range(1, count + 1)]
    return jobs.cut(jobs.make_jobs(asked, ChatTokenizer(student), PARAMS), PARAMS)


def test_workers_change_nothing(student: Path, tmp_path: Path) -> None:
    one = batch_decoder.complete(batches(student), student, None, PARAMS, tmp_path / "one", 1)
    two = batch_decoder.complete(batches(student), student, None, PARAMS, tmp_path / "two", 2)
    assert one == two
    assert len(one) == 10


def test_a_killed_run_keeps_its_batches(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batch_decoder.complete(batches(student), student, None, PARAMS, tmp_path / "whole", 1)
    decoded: list[int] = []
    original = batch_decoder._decode

    def dying(batch: list[jobs.Job], *rest: Any) -> int:
        if len(decoded) == 2:
            raise KeyboardInterrupt
        decoded.append(len(batch))
        return original(batch, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(batch_decoder, "_decode", dying)
        with pytest.raises(KeyboardInterrupt):
            batch_decoder.complete(batches(student), student, None, PARAMS, tmp_path / "cut", 1)
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cut").iterdir()}
    assert sorted(kept) == ["0000.jsonl", "0001.jsonl"]
    assert batch_decoder.complete(batches(student), student, None, PARAMS, tmp_path / "cut", 1) == whole
    assert {name: (tmp_path / "cut" / name).stat().st_mtime_ns for name in kept} == kept


def test_batches_of_other_inputs_go(tmp_path: Path, student: Path) -> None:
    some = batches(student)
    first = batch_decoder.batch_folder(tmp_path, {"adapter": "a"}, some, PARAMS)
    first.mkdir()
    assert batch_decoder.batch_folder(tmp_path, {"adapter": "a"}, some, PARAMS) == first
    assert first.exists()
    assert batch_decoder.batch_folder(tmp_path, {"adapter": "b"}, some, PARAMS) != first
    assert not first.exists()


def test_batches_are_of_like_length_and_a_benchmark_more_moves_none(student: Path) -> None:
    asked = [toy.problem(number) for number in (3, 1000, 5, 20, 7, 9)]
    alone = jobs.cut(jobs.make_jobs(asked, ChatTokenizer(student), PARAMS), PARAMS)
    more = jobs.cut(jobs.make_jobs([toy.problem(1, benchmark="another"), *asked[::-1]], ChatTokenizer(student), PARAMS), PARAMS)
    assert [job for batch in more for job in batch if job.benchmark == "another"] == more[0]
    assert more[1:] == alone
    lengths = [len(job.prompt) for batch in alone for job in batch]
    assert lengths == sorted(lengths)


def test_samples_differ_and_repeat(run: Callable[..., list[Completion]]) -> None:
    found = run("base", 0, temperature=1.5, samples=2)
    texts = {(c.benchmark, c.id, c.sample): c.text for c in found}
    assert len(texts) == 2 * 21
    assert all(texts[key] != texts[(*key[:2], 1)] for key in texts if key[2] == 0)
    assert run("base", 0, temperature=1.5, samples=2) == found


REFUSED = {  # name: (words of the call, what happens to the files before, the message)
    "missing": ({"adapter": Path("r1-9")}, None, r"r1-9: no adapters.safetensors; run `dvc repro` for the train stage"),
    "weights missing": ({}, lambda: (PATHS.adapter / "adapters.safetensors").unlink(), "r1-1: no adapters.safetensors"),
    "weights cut off": (
        {},
        lambda: (PATHS.adapter / "adapters.safetensors").write_bytes(b"\x80" * 99),
        r"adapters.safetensors: no whole safetensors",
    ),
    "an empty manifest": (
        {},
        lambda: (PATHS.adapter / "manifest.json").write_text("{}"),
        r"manifest.json: no manifest of an adapter \(KeyError\('arm'\)\)",
    ),
    "another arm's": ({"arm": "few"}, None, "the adapter's arm is r1, wanted is few"),
    "another seed's": ({"seed": 2}, None, "the adapter's seed is 1, wanted is 2"),
    "another format's": ({"float32": False}, None, "the adapter's float32 is True, wanted is False"),
    "samples without temperature": ({"samples": 2}, None, "2 samples at temperature 0 are all the same"),
    "nothing to ask": ({}, lambda: shutil.rmtree(PATHS.benchmarks), "no problem to ask; run `dvc repro` for the benchmarks stage"),
}


@pytest.mark.parametrize(("words", "before", "message"), REFUSED.values(), ids=REFUSED)
def test_a_foreign_adapter_is_never_the_base(
    run: Callable[..., list[Completion]], words: dict[str, Any], before: Callable[[], None] | None, message: str
) -> None:
    if before:
        before()
    with pytest.raises(InputError, match=message):
        run(**words)
    assert not PATHS.completions.exists()


def test_an_adapter_of_another_student(run: Callable[..., list[Completion]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the adapter's student is"):
        run(base=toy.make(tmp_path / "other", seed=1))


def test_the_end_token_is_counted_and_not_shown(student: Path) -> None:
    tokenizer = ChatTokenizer(student)
    hello = tokenizer.tokenizer.encode("42<|im_start|>", add_special_tokens=False).ids
    job = jobs.Job("competition", "a", 0, [1])
    done, cut = batch_decoder.completion(job, [*hello, 2], tokenizer), batch_decoder.completion(job, hello, tokenizer)
    assert (done.text, done.tokens, done.finish) == ("42<|im_start|>", 4, "stop")
    assert (cut.text, cut.tokens, cut.finish) == ("42<|im_start|>", 3, "length")


def test_end_tokens_come_from_every_file_that_names_them(student: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    assert ChatTokenizer(folder).eos_ids == {2}
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 1]}))
    assert ChatTokenizer(folder).eos_ids == {0, 1, 2}
