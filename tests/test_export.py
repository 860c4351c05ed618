"""Adapters for other engines: the mapping in numpy, the folders on a tiny student, and the committed differences from MLX."""

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import export_peers
from distill.core.errors import InputError
from distill.core.files import read_json, write_json, write_text
from distill.export import gguf_model, gguf_vocabulary, peft_adapter
from distill.export.terms import OWN, Base, base
from distill.model import engine, gguf_student, hub_student
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from tests import gguf_file, qwen3_student
from tests import tiny_model as toy
from tests.pipeline import ROOT

engine.start()
import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

from distill.export import writers  # noqa: E402
from distill.model.model_io import adapted  # noqa: E402
from distill.training import adapter as training  # noqa: E402
from distill.training import lora  # noqa: E402
from distill.training.recipe import Recipe  # noqa: E402

PACKAGES = [folder for folder in os.environ.get("EXPORT_PACKAGES", "").split(os.pathsep) if folder]
TOLERANCE = 1e-3  # of a logit, in float32
SHAPES = {"square": (4, 4, 2, 10.0), "wide": (3, 7, 2, 0.5), "tall": (9, 2, 1, 20.0), "rank above a side": (2, 5, 6, 3.0)}


@pytest.mark.parametrize(("inputs", "outputs", "rank", "scale"), SHAPES.values(), ids=SHAPES)
def test_a_layer_gives_the_same_in_pefts_form(inputs: int, outputs: int, rank: int, scale: float) -> None:
    draw = np.random.default_rng(1)
    weight, x = draw.normal(size=(outputs, inputs)), draw.normal(size=(3, inputs))
    arrays = {"model.layers.0.mlp.up_proj.lora_a": draw.normal(size=(inputs, rank))}
    arrays["model.layers.0.mlp.up_proj.lora_b"] = draw.normal(size=(rank, outputs))
    found = peft_adapter.tensors(arrays)
    about = peft_adapter.config({"lora_parameters": {"rank": rank, "scale": scale, "dropout": 0.0}}, list(arrays), "base", "", 1)
    a, b = (found[f"base_model.model.model.layers.0.mlp.up_proj.lora_{each}.weight"] for each in "AB")
    assert (a.shape, b.shape) == ((rank, inputs), (outputs, rank))
    as_mlx = x @ weight.T + scale * (x @ arrays["model.layers.0.mlp.up_proj.lora_a"] @ arrays["model.layers.0.mlp.up_proj.lora_b"])
    assert x @ (weight + about["lora_alpha"] / about["r"] * b @ a).T == pytest.approx(as_mlx)


def test_the_config_is_pefts() -> None:
    names = [f"model.layers.{layer}.self_attn.{word}.lora_{part}" for layer in (2, 3) for word in ("q_proj", "v_proj") for part in "ab"]
    settings = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": {"rank": 8, "scale": 0.3, "dropout": 0.05}}
    found = peft_adapter.config(settings, names, "owner/name", "c" * 40, 4)
    assert math.isclose(found["lora_alpha"], 2.4)
    assert (found["r"], found["lora_dropout"], found["base_model_name_or_path"], found["revision"]) == (8, 0.05, "owner/name", "c" * 40)
    assert (found["target_modules"], found["layers_to_transform"]) == (["q_proj", "v_proj"], [2, 3])


MODULES = {
    "all blocks": (["layers.0.a.q", "layers.1.a.q"], 2, {"target_modules": ["q"]}),
    "the last": (["layers.1.q", "layers.1.v"], 2, {"target_modules": ["q", "v"], "layers_to_transform": [1], "layers_pattern": "layers"}),
    "blocks that differ": (["layers.0.q", "layers.1.v"], 2, {"target_modules": ["layers.0.q", "layers.1.v"]}),
    "the head too": (["lm_head", "layers.0.q"], 1, {"target_modules": ["layers.0.q", "lm_head"]}),
}  # fmt: skip


@pytest.mark.parametrize(("modules", "blocks", "expected"), MODULES.values(), ids=MODULES)
def test_the_layers_are_named(modules: list[str], blocks: int, expected: dict[str, Any]) -> None:
    assert peft_adapter.targets(modules, blocks) == expected


REFUSED = {
    "experts": ({"model.layers.0.mlp.switch.lora_a": np.ones((2, 3, 4))}, r"lora_a of shape \(2, 3, 4\)"),
    "dora": ({"model.layers.0.mlp.up_proj.m": np.ones(3)}, r"m of shape \(3,\)"),
    "an embedding": ({"model.embed_tokens.lora_a": np.ones((3, 2))}, "of an embedding"),
}


@pytest.mark.parametrize(("arrays", "line"), REFUSED.values(), ids=REFUSED)
def test_what_peft_does_not_take_is_one_line(arrays: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line + ".*export it merged"):
        peft_adapter.tensors(arrays)


HUB = {"kind": "hub", "repository": "owner/name", "revision": "c" * 40}
BASES = {
    "of the hub": (HUB, 16, ("owner/name", "c" * 40, "owner/name", "")),
    "quantised here": (HUB | {"quantize": {"bits": 4}}, 4, ("owner/name", "c" * 40, "owner/name", "quantised to 4 bits by MLX")),
    "quantised there": (HUB | {"bits": 4}, 4, (OWN, "", "owner/name", "the dequantised 4-bit weights")),
    "pretrained here": ({"kind": "scratch"}, 16, (OWN, "", "", "")),
}


@pytest.mark.parametrize(("section", "bits", "expected"), BASES.values(), ids=BASES)
def test_the_base_is_one_that_transformers_can_read(section: dict[str, Any], bits: int, expected: tuple[str, str, str, str]) -> None:
    found = base(section, bits)
    assert tuple(found)[:3] == expected[:3]
    assert expected[3] in found.note
    assert bool(found.note) == bool(expected[3])


def random_adapter(student: Path, folder: Path, **changes: Any) -> Path:
    """Write a LoRA of random matrices."""
    import msgspec
    from mlx_lm.utils import load_model

    recipe = msgspec.convert(toy.SECTIONS["train"] | changes, Recipe)
    model, _ = load_model(student)
    config = lora.attach(model, recipe, 3)
    arrays = dict(tree_flatten(model.trainable_parameters()))
    draw = np.random.default_rng(5)
    training.write_adapter(folder, {name: mx.array(draw.normal(0, 0.2, each.shape)) for name, each in arrays.items()}, config)
    return folder


def logits(student: Path, adapter: Path | None, float32: bool = True) -> np.ndarray[Any, Any]:
    """Return MLX's logits of a prompt."""
    model, _ = adapted(student, adapter, float32, fuse=False)
    return np.array(model(mx.array([[5, 9, 40, 200, 7]]))[0].astype(mx.float32))


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of 4 bits a weight."""
    root = tmp_path_factory.mktemp("quantised")
    source, student = toy.make(root / "wide", hidden=64), root / "student"
    student.mkdir()
    hub_student.write_quantised(source, student, hub_student.Quantize(bits=4, group_size=32))
    for name in VOCABULARY:
        if (source / name).exists():
            (student / name).write_bytes((source / name).read_bytes())
    return student


def test_a_quantised_student_is_merged_dequantised(quantised: Path, tmp_path: Path) -> None:
    adapter = random_adapter(quantised, tmp_path / "adapter")
    writers.merged(quantised, adapter, tmp_path / "merged", float32=False)
    assert "quantization" not in read_json(tmp_path / "merged" / "config.json")
    assert logits(tmp_path / "merged", None, False) == pytest.approx(logits(quantised, adapter, False), abs=1e-4)
    assert np.abs(logits(quantised, adapter, False) - logits(quantised, None, False)).max() > 0.1


def test_the_base_beside_an_adapter_of_a_quantised_student_is_dequantised(quantised: Path, tmp_path: Path) -> None:
    adapter = random_adapter(quantised, tmp_path / "adapter", layers=1)
    writers.peft(quantised, adapter, tmp_path / "out", Base(OWN, "", "", ""), float32=True)
    assert logits(tmp_path / "out" / OWN, None) == pytest.approx(logits(quantised, None), abs=1e-5)
    assert read_json(tmp_path / "out" / "adapter_config.json")["layers_to_transform"] == [1]
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"adapter_model.safetensors", "tokenizer.json", "student"}


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_gguf_file_is_read_back_with_its_values_and_its_tokenizer(architecture: str, tmp_path: Path) -> None:
    """By the project's own reader, which is written from the format's description and compared with transformers'."""
    source = gguf_file.write(
        tmp_path / "source.gguf", gguf_file.metadata(architecture), gguf_file.model(architecture, "F32", "F32", True)[0]
    )
    student, back = tmp_path / "student", tmp_path / "back"
    student.mkdir()
    back.mkdir()
    gguf_student.write(source, student, "float32", "file")
    adapter = random_adapter(student, tmp_path / "adapter")
    writers.merged(student, adapter, tmp_path / "merged", float32=True)
    writers.gguf(student, adapter, tmp_path / "gguf", "tiny", float32=True)
    gguf_student.write(tmp_path / "gguf" / "tiny.gguf", back, "float32", "file")
    expected, found = (dict(mx.load(str(folder / "model.safetensors"))) for folder in (tmp_path / "merged", back))
    assert expected.keys() == found.keys()
    assert all(mx.array_equal(expected[name], found[name]) for name in expected)
    assert logits(back, None) == pytest.approx(logits(student, adapter), abs=1e-4)
    text = "Find the sum of 12 and 3000 in été:\n <|im_start|>x"
    assert ChatTokenizer(back).tokenizer.encode(text).ids == ChatTokenizer(student).tokenizer.encode(text).ids
    assert ChatTokenizer(back).eos_ids == ChatTokenizer(student).eos_ids
    assert read_json(back / "tokenizer_config.json")["chat_template"] == read_json(student / "tokenizer_config.json")["chat_template"]


def test_a_student_of_16_bits_has_matrices_of_16_and_vectors_of_32(tmp_path: Path) -> None:
    from distill.model import gguf_header

    student = qwen3_student.write(tmp_path / "student")
    writers.gguf(student, random_adapter(student, tmp_path / "adapter"), tmp_path / "gguf", "tiny", float32=False)
    header = gguf_header.read(tmp_path / "gguf" / "tiny.gguf")
    assert {(len(each.shape), each.format) for each in header.tensors.values()} == {(2, "F16"), (1, "F32")}
    assert {"blk.0.attn_q_norm.weight", "blk.1.ffn_down.weight", "token_embd.weight", "output.weight"} <= header.tensors.keys()
    assert header.metadata["qwen3.attention.key_length"] == 32


OTHERS = {
    "another architecture": ("config.json", {"model_type": "gemma3"}, "the architecture is 'gemma3'; as GGUF go llama, qwen2, qwen3"),
    "scaled positions": ("config.json", {"rope_scaling": {"type": "yarn"}}, "positions are scaled"),
    "another tokenizer": ("tokenizer.json", {"decoder": {"type": "Fuse"}}, "no byte-level BPE"),
    "another cut": ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}, "no name for how tokenizer.json cuts texts"),
}


@pytest.mark.parametrize(("file", "changes", "line"), OTHERS.values(), ids=OTHERS)
def test_what_does_not_go_as_gguf_is_one_line(file: str, changes: dict[str, Any], line: str, tmp_path: Path) -> None:
    student = toy.make(tmp_path)
    write_json(student / "config.json", read_json(student / "config.json") | {"max_position_embeddings": 512})
    write_json(student / file, read_json(student / file) | changes)
    with pytest.raises(InputError, match=line + ".*convert_hf_to_gguf.py"):
        _as_gguf(student)


def _as_gguf(student: Path) -> None:
    gguf_model.check(student)
    gguf_vocabulary.metadata(student, 300)


BYTES = {"type": "ByteLevel", "add_prefix_space": False}
CUTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "mini's": ([{"type": "Digits", "individual_digits": True}, BYTES | {"use_regex": True}], "smollm"),
    "GPT-2's": ([BYTES | {"use_regex": True}], "gpt-2"),
    "Qwen's": ([{"type": "Split", "behavior": "Isolated", "invert": False}, BYTES | {"use_regex": False}], "qwen2"),
}


@pytest.mark.parametrize(("parts", "name"), CUTS.values(), ids=CUTS)
def test_how_texts_are_cut_has_llama_cpps_name(parts: list[dict[str, Any]], name: str) -> None:
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    if parts[0]["type"] == "Split":
        parts = [parts[0] | {"pattern": {"Regex": GGUF_PRE_TOKENIZER_SPLITS["qwen2"]}}, *parts[1:]]
    assert gguf_vocabulary.pre_tokenizer(Path("x"), {"pre_tokenizer": {"type": "Sequence", "pretokenizers": parts}}) == name


def test_the_committed_differences_are_within_the_tolerance() -> None:
    found = read_json(export_peers.FILE)
    assert found.keys() == export_peers.ADAPTERS.keys()
    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    for name, figures in found.items():
        assert all(figures[form] < TOLERANCE for form in export_peers.NEEDED), name
        row = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert row
        assert [float(cell) for cell in row[0].split("|")[-4:-1]] == [figures[form] for form in export_peers.NEEDED]


@pytest.mark.skipif(not PACKAGES, reason="EXPORT_PACKAGES names no folders with torch, peft and llama_cpp (bench/export_peers.py)")
@pytest.mark.parametrize("bits", [0, 4])
def test_other_engines_give_mlxs_logits(bits: int, tmp_path: Path) -> None:
    student = toy.make(tmp_path / "student", hidden=64)
    write_text(student / "config.json", (student / "config.json").read_text().replace("{", '{"max_position_embeddings": 512, ', 1))
    adapter = random_adapter(student, tmp_path / "adapter")
    (tmp_path / "work").mkdir()
    figures = export_peers.differences(student, adapter, tmp_path / "work", PACKAGES, bits)
    assert set(figures) > {"largest_logit"}
    assert all(figures[form] < TOLERANCE for form in figures if form != "largest_logit"), figures
