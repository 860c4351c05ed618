"""The trainer: what it trains on, what it keeps, and that the same run gives the same bytes."""

import csv
import json
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.core.files import read_json
from distill.model import engine
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import adapted, weights
from distill.training import batches, recipe
from stages import overfit, train
from tests import tiny_model as toy

engine.start()
import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx_lm  # noqa: E402
from mlx.utils import tree_flatten, tree_map  # noqa: E402
from mlx_lm.models import llama, qwen2, qwen3  # noqa: E402
from mlx_lm.tuner import trainer  # noqa: E402

from distill.model import fast_math  # noqa: E402
from distill.training import adapter, frozen_blocks, lora, packed_loss  # noqa: E402
from distill.training.frozen_blocks import FrozenBlocks  # noqa: E402

Training = Callable[..., Path]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("student"))


@pytest.fixture
def training(tmp_path: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """Return a call that trains the toy arm with some keys of section train changed, and returns the adapter's folder."""
    monkeypatch.chdir(tmp_path)
    toy.corpus(tmp_path / layout("toy", "r1").corpus)

    def run(seed: int = 1, base: Path = student, name: str = "adapter", **keys: Any) -> Path:
        toy.study(tmp_path, train=keys)
        train.main(msgspec.structs.replace(layout("toy", "r1", seed), student=base, adapter=tmp_path / name), "r1", seed)
        return tmp_path / name

    return run


def content(folder: Path) -> dict[str, bytes]:
    """Return a folder's files by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def curve(folder: Path) -> list[dict[str, float]]:
    """Return the curve in an adapter's folder."""
    with (folder / "curve.csv").open() as file:
        return [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]


def params(**keys: Any) -> recipe.Recipe:
    return msgspec.convert(toy.SECTIONS["train"] | keys, recipe.Recipe)


def plain_loss(model: Any, rows: batches.Rows) -> float:
    """Mean negative log-likelihood over the tokens after each row's prompt, one row at a time, by the book."""
    losses = []
    for tokens, prompt in rows:
        logits = np.array(model(mx.array([tokens]))[0], dtype=np.float64)
        for place in range(max(prompt, 1), len(tokens)):
            row = logits[place - 1]
            losses.append(np.log(np.exp(row - row.max()).sum()) + row.max() - row[tokens[place]])
    return float(np.mean(losses))


def rows(student: Path, part: str = "valid", mask: bool = True) -> batches.Rows:
    return batches.read_rows(layout("toy", "r1").corpus / f"{part}.jsonl", ChatTokenizer(student), params(mask_prompt=mask))


def test_same_seed_same_bytes_other_seed_other_bytes(training: Training) -> None:
    first, again, other = training(), training(name="again"), training(seed=2, name="other")
    assert set(content(first)) == {"adapters.safetensors", "adapter_config.json", "manifest.json", "training.json", "curve.csv"}
    assert content(first) == content(again)
    assert content(first)["adapters.safetensors"] != content(other)["adapters.safetensors"]
    assert not list(Path(".work", "toy", "train").iterdir())


CUTS = {  # name: (changed keys, after how many kept states the run dies)
    "early": ({}, 1),
    "late": ({}, 2),
    "of the last block alone": ({"layers": 1}, 1),
    "with dropout, accumulation and adamw": ({"dropout": 0.3, "accumulation": 2, "optimizer": "adamw", "weight_decay": 0.1}, 1),
}


@pytest.mark.parametrize(("keys", "saves"), CUTS.values(), ids=CUTS)
def test_a_run_cut_off_goes_on_to_the_same_bytes(
    training: Training, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], saves: int
) -> None:
    whole = content(training(**keys))
    save, count = lora.Run.save, iter(range(saves, -1, -1))

    def dying(run: lora.Run, path: Path, key: str) -> None:
        if next(count) == 0:
            raise KeyboardInterrupt
        save(run, path, key)

    with monkeypatch.context() as patch:
        patch.setattr(lora.Run, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            training(name="cut", **keys)
    assert not Path("cut").exists()
    steps: list[int] = []
    original = lora.advance
    monkeypatch.setattr(lora, "advance", lambda *words: (steps.append(words[3]), original(*words))[1])
    assert content(training(name="cut", **keys)) == whole
    assert sum(steps) == 6 - 2 * saves


def test_the_state_of_another_run_is_not_taken_up(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = content(training(learning_rate=1.0e-3))
    with monkeypatch.context() as patch:
        patch.setattr(adapter, "write_run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            training(name="cut")
    assert content(training(name="cut", learning_rate=1.0e-3)) == whole


def test_the_best_adapter_is_kept_not_the_last(training: Training, student: Path) -> None:
    out = training(seed=2)
    metrics, points = read_json(out / "training.json"), curve(out)
    assert [point["iteration"] for point in points] == [0, 2, 4, 6]
    assert metrics["iterations"] == 6
    best, last = metrics["best_validation_loss"], metrics["last_validation_loss"]
    losses = [point["validation_loss"] for point in points]
    assert best == min(losses[1:]) < last == losses[-1]
    assert metrics["best_iteration"] == points[losses.index(best)]["iteration"]
    model, _ = adapted(student, out, True, fuse=False)
    assert plain_loss(model, rows(student)) == pytest.approx(best, abs=(last - best) / 4)  # bfloat16 on disk


@pytest.mark.parametrize("mask", [True, False], ids=["completion only", "prompt too"])
def test_the_loss_is_that_of_the_book(training: Training, student: Path, mask: bool) -> None:
    out = training(mask_prompt=mask)
    model, _ = weights(student, True)
    valid, ours = rows(student, mask=mask), rows(student, "train", mask)
    assert curve(out)[0]["validation_loss"] == pytest.approx(plain_loss(model, valid), abs=1e-5)
    per_pass = sum(len(tokens) - max(prompt, 1) for tokens, prompt in ours)
    trained = read_json(out / "training.json")["trained_tokens"]
    assert trained == 2 * per_pass  # 10 examples in batches of 4, 4, 2: 6 iterations are two passes


def test_mlx_lm_loads_the_adapter(training: Training, student: Path) -> None:
    model, _ = mlx_lm.load(str(student), adapter_path=str(training()))
    plain, _ = weights(student, True)
    valid = rows(student)
    assert plain_loss(model, valid) < plain_loss(plain, valid) - 0.1


def test_merged_weights_answer_as_student_and_adapter(training: Training, student: Path) -> None:
    out = training(merge=True)
    merged, _ = mlx_lm.load(str(out / "merged"))
    beside, _ = adapted(student, out, True, fuse=False)
    tokens = mx.array([rows(student)[0][0]])
    assert mx.allclose(merged(tokens), beside(tokens), atol=1e-4)
    assert not mx.allclose(merged(tokens), weights(student, True)[0](tokens), atol=1e-2)


NEUTRAL_LEFT_OUT = {key: value for key, value in toy.SECTIONS["train"].items() if key not in ("over_long", "chat_template")}


def test_the_manifest_holds_what_determines_the_bytes(training: Training) -> None:
    about = read_json(training(seed=3) / "manifest.json")
    assert (about["arm"], about["seed"], about["train"]) == ("r1", 3, NEUTRAL_LEFT_OUT)
    assert about["engine"] == engine.start()
    assert all(len(about[name]) == 64 for name in ("student", "tokenizer", "corpus"))


SHAPES = {  # name: (changed keys, trained parameters of 2 blocks of hidden 32, kv 16, intermediate 96 at rank 2)
    "all linear layers": ({}, 2 * 2 * (4 * (32 + 32) - 2 * 16 + 3 * (32 + 96))),
    "the last block": ({"layers": 1}, 2 * (4 * (32 + 32) - 2 * 16 + 3 * (32 + 96))),
    "two modules": ({"modules": ["self_attn.q_proj", "self_attn.v_proj"]}, 2 * 2 * (64 + 48)),
}


@pytest.mark.parametrize(("keys", "count"), SHAPES.values(), ids=SHAPES)
def test_which_layers_are_trained(training: Training, keys: dict[str, Any], count: int) -> None:
    out = training(iterations=1, eval_every=1, **keys)
    assert read_json(out / "training.json")["trainable_parameters"] == count


def test_a_quantised_student_in_its_own_format_and_in_float32(training: Training, student: Path, tmp_path: Path) -> None:
    base = tmp_path / "quantised"
    model, config = weights(student, False)
    nn.quantize(model, group_size=32, bits=4)
    mlx_lm.utils.save_model(base, model)
    (base / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 32, "bits": 4}}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).write_bytes((student / name).read_bytes())
    kept, wide = training(base=base, name="kept", float32=False), training(base=base, name="wide", float32=True)
    for out, float32, kind in ((kept, False, nn.QuantizedLinear), (wide, True, nn.Linear)):
        model, _ = adapted(base, out, float32, fuse=False)
        assert type(model.layers[0].mlp.up_proj.linear) is kind
    losses = [curve(out)[0]["validation_loss"] for out in (kept, wide)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-2)


def test_checkpointing_changes_memory_not_bytes(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    call = qwen2.TransformerBlock.__call__
    saving = training(grad_checkpoint=True)
    assert qwen2.TransformerBlock.__call__ is call
    monkeypatch.setattr(lora, "unsuited", lambda _: "a test")
    assert content(saving)["adapters.safetensors"] == content(training(name="plain"))["adapters.safetensors"]


def test_checkpointing_keeps_fewer_activations(student: Path) -> None:
    tokens = mx.zeros((4, 800), mx.int32)
    peaks = []
    for grad_checkpoint in (True, False):
        model, _ = weights(student, True)
        lora.attach(model, params(grad_checkpoint=grad_checkpoint), 1)
        mx.reset_peak_memory()
        mx.eval(nn.value_and_grad(model, lambda model: model(tokens).sum())(model))
        peaks.append(mx.get_peak_memory())
    assert peaks[0] < 0.9 * peaks[1]


BATCHES = {  # name: (lengths of the rows, how many of each are not trained on)
    "one row": ([41], [12]),
    "four rows, one across both cores": ([90, 33, 61, 20], [10, 30, 5, 19]),
    "no prompt": ([30, 30], [0, 0]),
    "longer than a block of queries": ([300, 40], [20, 3]),
    "a core without a trained row": ([100, 101], [99, 3]),
    "two tokens": ([2], [1]),
}


@pytest.mark.parametrize(("lengths", "masked"), BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("layers", [-1, 1])
def test_the_packed_loss_and_its_gradient_are_mlx_lms(student: Path, lengths: list[int], masked: list[int], layers: int) -> None:
    model, _ = weights(student, True)
    lora.attach(model, params(layers=layers), 1)
    draw = np.random.default_rng(5)
    noise = tree_map(lambda part: part + mx.array(draw.normal(0, 0.1, part.shape), mx.float32), model.trainable_parameters())
    model.update(noise)
    given = [(draw.integers(0, 300, length).tolist(), count) for length, count in zip(lengths, masked, strict=True)]
    _same(model, given, 2e-5)


def _same(model: Any, given: Any, tolerance: float) -> None:
    """Fail unless the packed loss of some rows and its gradients are mlx-lm's."""
    assert not fast_math.unsuited(model)
    (ours, count), gradient = nn.value_and_grad(model, packed_loss.loss)(model, FrozenBlocks(model).batch(given))
    (theirs, number), expected = nn.value_and_grad(model, trainer.default_loss)(model, *lora._padded(given))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    assert count.item() == number.item()
    wanted = dict(tree_flatten(expected))
    for name, found in tree_flatten(gradient):
        assert mx.abs(found - wanted[name]).max().item() < tolerance * mx.abs(wanted[name]).max().item() + 1e-6, name


SHAPE = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96, "num_attention_heads": 4, "vocab_size": 300}
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {  # name: (module of mlx-lm, keys of its config)
    "llama, tied, groups of two": (llama, {"num_key_value_heads": 2}),
    "llama, untied, no groups": (llama, {"num_key_value_heads": 4, "tie_word_embeddings": False}),
    "llama, biases everywhere, one group": (llama, {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True}),
    "llama, heads wider than the model": (llama, {"num_key_value_heads": 2, "head_dim": 32, "rope_theta": 1e5}),
    "qwen2, untied": (qwen2, {"num_key_value_heads": 2, "tie_word_embeddings": False}),
    "qwen2, tied": (qwen2, {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen3, norms of queries and keys": (qwen3, {"num_key_value_heads": 2, "head_dim": 32, "tie_word_embeddings": True}),
}


def _random(kind: Any, keys: dict[str, Any], seed: int = 3) -> Any:
    """Return a model of random weights, norms and biases too."""
    name = kind.__name__.rpartition(".")[2]
    rest = {"model_type": name, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 1e4}
    model = kind.Model(kind.ModelArgs.from_dict(SHAPE | rest | keys))
    draw = np.random.default_rng(seed)
    model.update(tree_map(lambda part: part + mx.array(draw.normal(0, 0.05, part.shape), mx.float32), model.parameters()))
    return model


@pytest.mark.parametrize("layers", [-1, 1], ids=["all blocks", "the last block"])
@pytest.mark.parametrize(("kind", "keys"), MODELS.values(), ids=MODELS)
def test_the_packed_loss_of_each_architecture_is_mlx_lms(
    kind: Any, keys: dict[str, Any], layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_loss, "LOGITS", 300)  # so that the vocabulary is passed over several times
    monkeypatch.setattr(packed_loss, "MIN_ROWS", 32)
    model = _random(kind, keys)
    lora.attach(model, params(rank=4, layers=layers), 1)
    draw = np.random.default_rng(5)
    model.update(tree_map(lambda part: part + mx.array(draw.normal(0, 0.03, part.shape), mx.float32), model.trainable_parameters()))
    _same(model, [(draw.integers(0, 300, length).tolist(), count) for length, count in ((90, 10), (61, 30), (20, 1))], 1e-5)


def _states(frozen: FrozenBlocks, rows: batches.Rows) -> list[bytes]:
    """Return the bytes of what enters the first trained block for a batch, end to end."""
    return [b"".join(bytes(memoryview(part.state)) for part in frozen.batch(rows).parts if part.state is not None)]


def test_an_example_enters_the_first_trained_block_with_the_same_bits_in_any_batch() -> None:
    model = _random(llama, {"num_key_value_heads": 2})
    lora.attach(model, params(layers=1), 1)
    draw = np.random.default_rng(5)
    one, two, three = [(draw.integers(0, 300, length).tolist(), 3) for length in (90, 61, 301)]
    alone = {len(row[0]): _states(FrozenBlocks(model), [row])[0] for row in (one, two, three)}
    for rows in ([one, two, three], [three, one], [two, three, two]):
        for frozen in (kept := FrozenBlocks(model)), kept, FrozenBlocks(model, 0):  # computed, kept, never kept
            assert _states(frozen, rows) == [b"".join(alone[len(tokens)] for tokens, _ in rows)]
        assert len(kept.kept) == len({len(tokens) for tokens, _ in rows})


@pytest.mark.parametrize("kept", [0, 30_000], ids=["none", "some"])
def test_keeping_the_frozen_blocks_output_changes_time_not_bytes(training: Training, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    below, calls = packed_loss.below, []
    monkeypatch.setattr(packed_loss, "below", lambda *words: (calls.append(len(words[1])), below(*words))[1])
    whole = content(training(layers=1))
    examples, calls[:] = sum(calls), []
    monkeypatch.setattr(frozen_blocks.FrozenBlocks.__init__, "__defaults__", (kept,))
    assert content(training(layers=1, name="again")) == whole
    assert sum(calls) > examples


def test_where_all_blocks_are_trained_nothing_is_kept() -> None:
    model = _random(llama, {"num_key_value_heads": 2})
    lora.attach(model, params(), 1)
    frozen = FrozenBlocks(model)
    assert frozen.batch([([1, 2, 3], 1)]).done == 0
    assert not frozen.kept


def _half(model: Any) -> None:
    model.set_dtype(mx.float16)


def _window(model: Any) -> None:
    model.layers[1].use_sliding = True


UNSUITED: dict[str, tuple[Any, dict[str, Any], Callable[[Any], object], str]] = {
    "half precision": (llama, {}, _half, "weights are mlx.core.float16"),
    "scaled positions": (llama, {"rope_scaling": {"type": "linear", "factor": 2.0}}, lambda model: None, "its positions are scaled"),
    "a window": (llama, {}, _window, "its attention has a window"),
    "dropout": (qwen2, {"num_key_value_heads": 2}, lambda model: lora.attach(model, params(dropout=0.1), 1), "there is dropout"),
}


@pytest.mark.parametrize(("kind", "keys", "spoil", "why"), UNSUITED.values(), ids=UNSUITED)
def test_a_model_that_the_packed_loss_would_get_wrong_takes_mlx_lms(kind: Any, keys: Any, spoil: Any, why: str) -> None:
    model = _random(kind, keys)
    spoil(model)
    assert fast_math.unsuited(model) == why
    assert not lora.Run(model, params()).packed


def test_powers_of_two() -> None:
    x = np.linspace(-125, 125, 100_001, dtype=np.float32)
    assert np.abs(np.array(fast_math.exp2(mx.array(x))) / np.exp2(x.astype(np.float64)) - 1).max() < 5e-7


def test_each_pass_takes_every_example_once_in_an_order_of_its_own() -> None:
    found = list(islice(batches.batch_order(10, 4, 1), 6))
    assert [len(batch) for batch in found] == [4, 4, 2, 4, 4, 2]
    passes = [list(chain(*found[:3])), list(chain(*found[3:]))]
    assert [sorted(order) for order in passes] == [list(range(10))] * 2
    assert passes[0] != passes[1]
    assert list(islice(batches.batch_order(10, 4, 1, 4), 2)) == found[4:]
    assert next(batches.batch_order(10, 4, 2)) != found[0]


RATES = {  # name: (keys, iterations, learning rates)
    "constant": ({"schedule": "constant", "warmup": 0}, 3, [1, 1, 1]),
    "warm-up": ({"schedule": "constant", "warmup": 3}, 5, [0.25, 0.5, 0.75, 1, 1]),
    "cosine": ({"schedule": "cosine", "warmup": 0}, 4, [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5]),
    "longer warm-up than run": ({"schedule": "cosine", "warmup": 9}, 2, [0.1, 0.2]),
}


@pytest.mark.parametrize(("keys", "iterations", "rates"), RATES.values(), ids=RATES)
def test_learning_rates(keys: dict[str, Any], iterations: int, rates: list[float]) -> None:
    assert recipe.learning_rates(params(learning_rate=1.0, iterations=iterations, **keys)) == pytest.approx(rates)


WRONG = {  # name: (changed keys, the message)
    "loss not finite": (
        {"scale": 1.0e39},
        r"loss at iteration 0 is not finite .*lower train",
    ),
    "too long": ({"max_seq_length": 50}, r"train.jsonl: problem competition-\d\d has \d+ tokens, allowed are 50"),
    "no such module": ({"modules": ["self_attn.w"]}, "choose no layer"),
    "unknown optimiser": ({"optimizer": "sgd"}, "section 'train': Invalid enum value 'sgd'"),
    "no iterations": ({"iterations": 0}, "section 'train': Expected `int` >= 1"),
}


@pytest.mark.parametrize(("keys", "message"), WRONG.values(), ids=WRONG)
def test_runs_that_cannot_be(training: Training, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        training(**keys)
    assert not Path("adapter").exists()


def test_a_missing_student_and_a_bad_seed(training: Training, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no config.json or model\*.safetensors here"):
        training(base=tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"seed -1: expected 0 or more; fix `seeds` in params.yaml"):
        training(seed=-1)


def test_the_long_run_reports_its_turn(training: Training, tmp_path: Path, student: Path) -> None:
    toy.study(tmp_path)
    paths = msgspec.structs.replace(layout("toy", "r1"), student=student)
    overfit.main(paths, "r1")
    report, lines = read_json(paths.overfit_metrics), paths.overfit_curve.read_text().splitlines()
    assert report["iterations"] == 4
    losses = [float(line.split(",")[2]) for line in lines[1:]]
    assert report["best_loss"] == min(losses[1:])
    assert lines[0] == "iteration,train_loss,validation_loss"
    assert len(lines) == 4
