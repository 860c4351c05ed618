"""A damaged or foreign file of a student or of an adapter is one line, whatever its library raises."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.core.errors import InputError
from distill.model import model_io
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import Message
from tests import tiny_model as toy

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.make(tmp_path_factory.mktemp("whole") / "student")


@pytest.fixture
def student(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "student"))


def change(path: Path, how: Change) -> None:
    path.write_bytes(how(path.read_bytes()))


def keys(**values: object) -> Change:
    return lambda data: json.dumps(json.loads(data) | values).encode()


MODELS: dict[str, tuple[str, Change, str]] = {
    "weights cut off": ("model.safetensors", lambda data: data[: len(data) // 2], "exceeding the size of the file"),
    "weights of no bytes": ("model.safetensors", lambda data: b"", "Unable to read"),
    "weights without a header": ("model.safetensors", lambda data: b"\xff" * 8 + data[8:], "Invalid json header"),
    "no model type": ("config.json", lambda data: b"{}", "'model_type'"),
    "an unknown model type": ("config.json", keys(model_type="nope"), "nope not supported"),
    "another shape": ("config.json", keys(hidden_size=16), "Expected shape"),
}


@pytest.mark.parametrize(("file", "how", "said"), MODELS.values(), ids=MODELS)
def test_a_damaged_student_is_one_line(file: str, how: Change, said: str, student: Path) -> None:
    change(student / file, how)
    with pytest.raises(InputError, match=rf"{student}: no student that can be loaded: .*{said}.*dvc pull") as fault:
        model_io.weights(student, True)
    assert "\n" not in str(fault.value)


LINEAR = {"keys": ["self_attn.q_proj"], "rank": 2, "scale": 1.0, "dropout": 0.0}
ADAPTERS = {
    "no configuration": b"",
    "another kind of configuration": b"{}",
    "weights of another model": json.dumps({"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": LINEAR}).encode(),
}


@pytest.mark.parametrize("config", ADAPTERS.values(), ids=ADAPTERS)
def test_a_foreign_adapter_is_one_line(config: bytes, student: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_bytes(config)
    shutil.copy(student / "model.safetensors", adapter / "adapters.safetensors")
    with pytest.raises(InputError, match=rf"{adapter}: no adapter of this student: .*dvc pull") as fault:
        model_io.adapted(student, adapter, True, fuse=False)
    assert "\n" not in str(fault.value)


TOKENIZERS: dict[str, tuple[str, Change, str]] = {
    "cut off": ("tokenizer.json", lambda data: data[: len(data) // 2], "tokenizer.json: no tokenizer that can be loaded: EOF"),
    "of no bytes": ("tokenizer.json", lambda data: b"", "tokenizer.json: no tokenizer that can be loaded: EOF"),
    "of no model": ("tokenizer.json", lambda data: b"{}", "tokenizer.json: no tokenizer that can be loaded: Model missing"),
    "settings that are a list": ("tokenizer_config.json", lambda data: b"[]", "tokenizer_config.json: expected a JSON object, got a list"),
    "a config that is a list": ("config.json", lambda data: b"[]", "config.json: expected a JSON object, got a list"),
    "a template that does not compile": ("tokenizer_config.json", keys(chat_template="{% if %}"), "the chat template fails: Expected an"),
    "a template of unknown names": ("tokenizer_config.json", keys(chat_template="{{ a.b }}"), "the chat template fails: 'a' is undefined"),
    "a template that looks outside": (
        "tokenizer_config.json", keys(chat_template="{{ ''.__class__.__mro__[1].__subclasses__() }}"), "the chat template fails: access to",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "how", "said"), TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_damaged_tokenizer_is_one_line(file: str, how: Change, said: str, student: Path) -> None:
    change(student / file, how)
    with pytest.raises(InputError, match=said) as fault:
        ChatTokenizer(student).prompt([Message("user", "a")])
    assert "\n" not in str(fault.value)
