"""QLoRA of a 16-bit hub student: quantised here, trained in 4 bits, merged into 16; over-long examples, thinking and values by arm."""

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from distill.cli.layout import layout
from distill.core.errors import InputError
from distill.core.files import read_json, write_records, write_text
from distill.model import engine, hub_student
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import adapted, weights
from distill.records.example import Example, Message
from distill.training import batches, recipe
from stages import train
from tests import qwen3_student
from tests import tiny_model as toy

engine.start()
import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx_lm  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from safetensors import safe_open  # noqa: E402

ROOT = Path(__file__).parents[1]
FOUR_BITS = hub_student.Quantize(4, 64)
# The paper's recipe where size does not matter: rank 32, scale 2.0, all linear layers, two accumulated steps, cosine, adamw.
QLORA: dict[str, Any] = {
    "rank": 32, "scale": 2.0, "optimizer": "adamw", "weight_decay": 0.01, "accumulation": 2, "schedule": "cosine", "iterations": 4,
    "float32": False, "learning_rate": 1.0e-2,
}  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_student.write(tmp_path_factory.mktemp("hub") / "snapshot", shards=True)


@pytest.fixture(scope="module")
def student(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    hub_student.copy(source, folder, FOUR_BITS)
    return folder


@pytest.fixture
def training(tmp_path: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a call that trains the toy arm by QLoRA with some keys changed, and returns the adapter's folder."""
    monkeypatch.chdir(tmp_path)
    toy.corpus(tmp_path / layout("toy", "r1").corpus)

    def run(**keys: Any) -> Path:
        toy.study(tmp_path, train=QLORA | keys)
        train.main(msgspec.structs.replace(layout("toy", "r1", 1), student=student, adapter=tmp_path / "adapter"), "r1", 1)
        return tmp_path / "adapter"

    return run


def names_and_types(folder: Path) -> dict[str, tuple[list[int], str]]:
    """Return shape and type of each array of a folder's weights."""
    found = {}
    for file in folder.glob("model*.safetensors"):
        with safe_open(file, framework="numpy") as arrays:
            parts = {name: arrays.get_slice(name) for name in arrays.keys()}  # noqa: SIM118
            found |= {name: (part.get_shape(), part.get_dtype()) for name, part in parts.items()}
    return found


def logits(model: Any) -> Any:
    return np.array(model(mx.array([list(range(3, 40))])).astype(mx.float32))


def test_a_16_bit_snapshot_is_quantised_as_mlx_lm_does(source: Path, student: Path) -> None:
    model, config = weights(student, False)
    kinds = {type(module).__name__ for _, module in model.named_modules() if hasattr(module, "weight")}
    assert kinds == {"QuantizedLinear", "QuantizedEmbedding", "RMSNorm"}
    assert config["quantization"] == {"group_size": 64, "bits": 4, "mode": "affine"}
    plain, about = mlx_lm.utils.load_model(source)
    theirs, _ = mlx_lm.utils.quantize_model(plain, about, 64, 4)
    ours = dict(tree_flatten(model.parameters()))
    assert all(mx.array_equal(ours[name], array) for name, array in tree_flatten(theirs.parameters()))
    assert sorted(file.name for file in student.iterdir()) == [
        "config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


def test_the_stage_quantises_in_a_process_of_its_own(source: Path, tmp_path: Path) -> None:
    for name in ("stages", "distill"):
        (tmp_path / name).symlink_to(ROOT / name)
    repository, revision = "owner/Tiny", "c" * 40
    (tmp_path / "mirror" / repository).mkdir(parents=True)
    (tmp_path / "mirror" / repository / revision).symlink_to(source)
    paths = layout("toy")
    section = {"kind": "hub", "repository": repository, "revision": revision, "quantize": {"bits": 4, "group_size": 64}}
    write_text(tmp_path / paths.study_file, yaml.safe_dump({"student": section}))
    write_records(tmp_path / paths.pretraining, [])
    words, settings = [sys.executable, "-m", "stages.student", "toy"], os.environ | {"JOB_MIRROR": str(tmp_path / "mirror")}
    done = subprocess.run(words, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "student: read 6, wrote 1, dropped 0")
    assert read_json(tmp_path / paths.student / "manifest.json")["params"] == section
    assert read_json(tmp_path / paths.student / "config.json")["quantization"]["bits"] == 4


def test_without_quantize_the_published_bytes_are_taken(source: Path, tmp_path: Path) -> None:
    for bits in (None, 16):
        (folder := tmp_path / str(bits)).mkdir()
        hub_student.copy(source, folder, None, bits)
        assert all((folder / file.name).read_bytes() == file.read_bytes() for file in source.iterdir())


def _fp8(folder: Path) -> None:
    config = read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "fp8"}}))


WRONG_BITS: dict[str, tuple[str, Callable[[Path], None] | None, hub_student.Quantize | None, int | None, str]] = {
    "quantised, 16 bits wanted": ("student", None, FOUR_BITS, None, "quantised already (4 bits), wanted are 16 bits: take the 16-bit rep"),
    "quantised elsewhere": ("source", _fp8, FOUR_BITS, None, "quantised already (fp8), wanted are 16 bits"),
    "quantised, said to be 16": ("student", None, None, 16, "quantised already (4 bits)"),
    "16 bits, said to be 4": ("source", None, None, 4, "the weights are not quantised, student.bits says 4: take the 4-bit repository"),
    "4 bits, said to be 8": ("student", None, None, 8, "the weights are 4 bits, student.bits says 8"),
    "a group that divides no width": ("source", None, hub_student.Quantize(4, 128), None, "group_size, 128, does not divide"),
}


@pytest.mark.parametrize(("which", "spoil", "quantize", "bits", "line"), WRONG_BITS.values(), ids=WRONG_BITS)
def test_weights_of_other_bits_than_declared_are_one_line(
    which: str, spoil: Any, quantize: Any, bits: Any, line: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshot"
    folder.mkdir()
    for file in request.getfixturevalue(which).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if spoil:
        spoil(folder)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=re.escape(line)) as fault:
        hub_student.copy(folder, tmp_path / "out", quantize, bits)
    assert "\n" not in str(fault.value)


def test_qlora_trains_every_linear_layer_at_the_papers_rank(training: Callable[..., Path], student: Path) -> None:
    out = training()
    widths = [(64, 128), (64, 64), (64, 64), (128, 64), (64, 128), (64, 128), (128, 64)]  # q, k, v, o, gate, up, down
    assert read_json(out / "training.json")["trainable_parameters"] == 2 * 32 * sum(a + b for a, b in widths)
    model, _ = adapted(student, out, False, fuse=False)
    assert isinstance(model.layers[0].mlp.up_proj.linear, nn.QuantizedLinear)
    assert model.layers[0].mlp.up_proj.scale == 2.0


def test_the_merged_student_is_a_16_bit_one_that_mlx_lm_and_transformers_load(
    training: Callable[..., Path], source: Path, student: Path
) -> None:
    out = training(merge=True)
    merged = out / "merged"
    assert names_and_types(merged) == names_and_types(source)
    config, original = read_json(merged / "config.json"), read_json(source / "config.json")
    assert config == original
    assert mlx_lm.load(str(merged))[0].layers[0].mlp.up_proj.weight.dtype == mx.bfloat16
    model, adapter, base = (logits(each[0]) for each in (weights(merged, True), adapted(student, out, True, True), weights(student, True)))
    assert np.linalg.norm(model - adapter) < 0.02 * np.linalg.norm(base - adapter)  # the rounding of its weights to 16 bits
    _transformers(merged, model)


def _transformers(folder: Path, expected: Any) -> None:
    """Load a folder as transformers does; the model only where PyTorch is installed."""
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(folder)
    assert (type(config).__name__, config.num_hidden_layers, getattr(config, "quantization_config", None)) == ("Qwen3Config", 2, None)
    assert len(AutoTokenizer.from_pretrained(folder)) == 300
    if importlib.util.find_spec("torch"):
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
        found = model(torch.tensor([list(range(3, 40))])).logits.detach().numpy()
        assert abs(found - expected).max() < 1e-3


def corpus(folder: Path, lengths: list[int]) -> Path:
    """Write a corpus file whose answers have so many words."""
    turns = [[Message("user", "Find it."), Message("assistant", "carry. " * length + "Answer: 1")] for length in lengths]
    write_records(folder / "train.jsonl", [Example(f"p{number}", each) for number, each in enumerate(turns)])
    return folder / "train.jsonl"


def params(**keys: Any) -> recipe.Recipe:
    return msgspec.convert(toy.SECTIONS["train"] | keys, recipe.Recipe)


def test_a_dropped_example_is_counted_with_its_tokens(student: Path, tmp_path: Path) -> None:
    tokenizer, file = ChatTokenizer(student), corpus(tmp_path, [1, 40, 2, 3])
    lengths = [len(tokens) for tokens, _ in batches.read_rows(file, tokenizer, params(max_seq_length=4000))]
    rows, dropped = batches.fitting(file, tokenizer, params(max_seq_length=100, over_long="drop"))
    assert [len(tokens) for tokens, _ in rows] == [length for length in lengths if length <= 100]
    share = max(lengths) / sum(lengths)
    assert dropped.counts() == {"examples": 4, "longer_than_max_seq_length": 1, "tokens_lost": share}


OVER_LONG = {
    "error": ([1, 40], {"over_long": "error"}, r"problem p1 has \d+ tokens, allowed are 100: raise train.max_seq_length, leave"),
    "more than half": (
        [1, 40, 50],
        {"over_long": "drop"},
        r"2 of 3 examples \(9\d% of the tokens\) are longer than .*, 100: .*the longest has",
    ),
}


@pytest.mark.parametrize(("lengths", "keys", "line"), OVER_LONG.values(), ids=OVER_LONG)
def test_over_long_examples_are_one_line(lengths: list[int], keys: Any, line: str, student: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=line) as fault:
        batches.read_rows(corpus(tmp_path, lengths), ChatTokenizer(student), params(max_seq_length=100, **keys))
    assert "\n" not in str(fault.value)


def test_the_adapters_figures_say_what_was_dropped_only_where_it_may_be(training: Callable[..., Path]) -> None:
    assert "dropped" not in read_json(training() / "training.json")
    found = read_json(training(over_long="drop", max_seq_length=90) / "training.json")["dropped"]
    assert {part: counts["examples"] for part, counts in found.items()} == {"train": 10, "valid": 5}
    assert found["train"]["longer_than_max_seq_length"] > 0


def test_an_arm_may_have_values_of_its_own(training: Callable[..., Path]) -> None:
    own = {"per_arm": {"r1": {"batch_size": 2, "accumulation": 1, "grad_checkpoint": True}, "answer": {"batch_size": 1}}}
    about = read_json(training(**own) / "manifest.json")["train"]
    assert (about["batch_size"], about["accumulation"], about["grad_checkpoint"]) == (2, 1, True)
    assert "per_arm" not in about


@pytest.mark.parametrize("float32", [False, True])
def test_reports_between_evaluations_change_no_weight(float32: bool, training: Callable[..., Path]) -> None:
    keys = {"iterations": 5, "eval_every": 4, "float32": float32}
    plain = training(**keys)
    before, whole = (plain / "adapters.safetensors").read_bytes(), _curve(plain)
    out = training(**keys, report_every=2)
    assert (out / "adapters.safetensors").read_bytes() == before
    rows = _curve(out)
    assert [row["iteration"] for row in rows] == ["0", "2", "4", "5"]
    assert [row["validation_loss"] for row in rows] == [whole[0]["validation_loss"], "", *(row["validation_loss"] for row in whole[1:])]
    assert (float(rows[1]["train_loss"]) + float(rows[2]["train_loss"])) / 2 == pytest.approx(float(whole[1]["train_loss"]), abs=1e-4)


def _curve(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "curve.csv").read_text().splitlines()))


def test_reports_divide_the_evaluations(training: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="report_every is 3; it divides eval_every, 2"):
        training(report_every=3)


USER = [Message("user", "2+2")]


def test_thinking_is_a_variable_of_the_template(student: Path) -> None:
    tokenizer = ChatTokenizer(student)
    off = tokenizer.with_arguments({"enable_thinking": False})
    head = "<|im_start|>user\n2+2<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(tokenizer.prompt(USER)) == head
    assert tokenizer.decode(off.prompt(USER)) == head + "<think>\n\n</think>\n\n"
    solution, trace = Message("assistant", "So 4."), Message("assistant", "<think>\nhm\n</think>\n\nSo 4.")
    for each, turn, prompt, answer in (
        (tokenizer, solution, head, "<think>\n\n</think>\n\nSo 4.<|im_end|>"),
        (tokenizer, trace, head, "<think>\nhm\n</think>\n\nSo 4.<|im_end|>"),
        (off, solution, head + "<think>\n\n</think>\n\n", "So 4.<|im_end|>"),
    ):
        tokens, masked = each.example([*USER, turn])
        assert (each.decode(tokens[:masked]), each.decode(tokens[masked:])) == (prompt, answer)
    with pytest.raises(InputError, match="changes the prompt when an answer follows"):  # a trace, where thinking is off
        off.example([*USER, trace])


def test_a_variable_that_the_template_has_not_is_one_line(training: Callable[..., Path]) -> None:
    line = "the chat template has no variable 'enable_thinkin'; fix chat_template in the study file. It reads: answer, enable_thinking"
    with pytest.raises(InputError, match=re.escape(line)):
        training(chat_template={"enable_thinkin": False})


def test_the_manifest_has_the_variables_of_the_template(training: Callable[..., Path]) -> None:
    about = read_json(training(chat_template={"enable_thinking": False}, iterations=1, eval_every=1) / "manifest.json")
    assert about["train"]["chat_template"] == {"enable_thinking": False}
