"""A student on disk: its tokenizer, its chat template, its hash and, for those who call `engine.start()` first, its weights.

The template and the tokenizer are read with `jinja2` and `tokenizers` alone: the same text and the same ids as transformers gives,
without its second of import in every cell.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from distill.core.errors import InputError
from distill.core.files import read_json
from distill.records.example import Message

WEIGHTS = ("config.json", "model*.safetensors")
VOCABULARY = ("chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


class Student:
    """A student's tokenizer and chat template."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "tokenizer.json").exists():
            raise InputError(f"{folder}: no tokenizer.json here, so no student; run `dvc repro` for the student stage, or `dvc pull`")
        self.folder = folder
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = read_json(folder / "tokenizer_config.json")
        self._names = {key: _text(settings.get(key)) for key in ("bos_token", "eos_token")}
        self._template = _template(folder, settings)
        self.ends = self._ends()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens that a completion of `messages` starts from."""
        return self._encode(self._render(messages, True))

    def example(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """Return an example's tokens, to the end of the assistant's turn, and how many of them are prompt.

        The prompt is encoded by itself, as it is when the student is sampled: no token straddles the border.
        """
        whole, head = self._render(messages, False), self._render(messages[:-1], True)
        if not whole.startswith(head):
            raise InputError(f"{self.folder}: the chat template changes the prompt when an answer follows; prompt: {head[-60:]!r}")
        prompt, answer = self._encode(head), self._encode(whole[len(head) :])
        end = next((place for place, token in enumerate(answer) if token in self.ends), None)
        if end is None:
            names = [str(self.tokenizer.id_to_token(token)) for token in sorted(self.ends)]
            raise InputError(f"{self.folder}: the chat template ends no assistant turn with an end token ({', '.join(names)})")
        return prompt + answer[: end + 1], len(prompt)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of `tokens`; special tokens show."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _render(self, messages: Sequence[Message], generation: bool) -> str:
        turns = [msgspec.to_builtins(message) for message in messages]
        return str(self._template.render(messages=turns, add_generation_prompt=generation, **self._names))

    def _ends(self) -> frozenset[int]:
        """Tokens that end a completion: those of the generation config, else the config's, and the tokenizer's end token."""
        files = [self.folder / name for name in ("generation_config.json", "config.json")]
        found = [read_json(file).get("eos_token_id") for file in files if file.exists()]
        ends: int | list[int] = next((value for value in found if value is not None), [])
        named = self.tokenizer.token_to_id(self._names["eos_token"])
        tokens = frozenset(([ends] if isinstance(ends, int) else ends) + ([] if named is None else [named]))
        if not tokens:
            raise InputError(f"{self.folder}: no end token in generation_config.json, config.json or tokenizer_config.json")
        return tokens


def _text(token: Any) -> str:
    """A special token's text: the hub writes it plainly or as an added token's settings."""
    return str(token.get("content", "")) if isinstance(token, dict) else token or ""


def _template(folder: Path, settings: dict[str, Any]) -> jinja2.Template:
    """Compile the chat template in a sandbox, with the few names that templates on the hub use."""
    file = folder / "chat_template.jinja"
    source = file.read_text(encoding="utf-8") if file.exists() else settings.get("chat_template")
    if not isinstance(source, str):
        raise InputError(f"{folder}: no chat template in chat_template.jinja or tokenizer_config.json; take an instruction-tuned student")
    sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    sandbox.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    sandbox.globals["raise_exception"] = _refuse
    return sandbox.from_string(source)


def _refuse(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def digest(folder: Path, patterns: Sequence[str] = ("*",)) -> str:
    """Return the sha256 of the names and contents of a folder's files that match; none is an InputError."""
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if not files:
        raise InputError(f"{folder}: no {' or '.join(patterns)} here; run `dvc repro` for the stage that makes it, or `dvc pull`")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def weights(folder: Path, float32: bool) -> tuple[Any, dict[str, Any]]:
    """Load a student's model and config; `float32` undoes a quantisation and widens every weight. Call `engine.start()` first."""
    import mlx.core as mx
    from mlx_lm.utils import dequantize_model, load_model

    model, config = load_model(folder)
    if float32:
        model = dequantize_model(model)
        model.set_dtype(mx.float32)
        mx.eval(model.parameters())
        config = {key: value for key, value in config.items() if not key.startswith("quantization")} | {"torch_dtype": "float32"}
    return model, config


def adapted(folder: Path, adapter: Path | None, float32: bool, fuse: bool) -> tuple[Any, dict[str, Any]]:
    """Load a student with an adapter; `fuse` adds the adapter's weights to the student's own (in float32 the same, and faster)."""
    import mlx.core as mx
    from mlx.utils import tree_unflatten
    from mlx_lm.utils import load_adapters

    model, config = weights(folder, float32)
    if adapter is not None:
        load_adapters(model, str(adapter))
        if float32:
            model.set_dtype(mx.float32)
        if fuse:
            layers = [(name, layer.fuse()) for name, layer in model.named_modules() if hasattr(layer, "fuse")]
            model.update_modules(tree_unflatten(layers))
    mx.eval(model.parameters())
    model.eval()
    return model, config
