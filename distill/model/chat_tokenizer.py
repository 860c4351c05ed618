"""A student's tokenizer and chat template, read with `tokenizers` and `jinja2` alone: the same text and ids as transformers gives."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import msgspec
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from distill.core.errors import InputError
from distill.model.checked_load import load_tokenizer, read_settings, rendering
from distill.records.example import Message

Argument = bool | str  # a variable of a chat template
GIVEN = frozenset({"messages", "add_generation_prompt", "raise_exception", "bos_token", "eos_token"})  # no study sets these
VOCABULARY = ("chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


class ChatTokenizer:
    """The tokenizer and chat template in a student's folder."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "tokenizer.json").exists():
            raise InputError(f"{folder}: no tokenizer.json here, so no student; run `dvc repro` for the student stage, or `dvc pull`")
        self.folder = folder
        self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        settings = read_settings(folder / "tokenizer_config.json")
        self._special = {key: _text(settings.get(key)) for key in ("bos_token", "eos_token")}
        self._source, self._arguments = _source(folder, settings), dict[str, Argument]()
        with rendering(folder):
            self._template = SANDBOX.from_string(self._source)
        self.eos_ids = self._eos_ids()

    def with_arguments(self, arguments: Mapping[str, Argument]) -> "ChatTokenizer":
        """Return the tokenizer with variables of the template set (Qwen3's enable_thinking); one that it ignores is an InputError."""
        if not arguments:
            return self
        variables = jinja2.meta.find_undeclared_variables(SANDBOX.parse(self._source)) - GIVEN
        if unknown := sorted(arguments.keys() - variables):
            raise InputError(
                f"{self.folder}: the chat template has no variable '{unknown[0]}'; fix chat_template in the study file. "
                f"It reads: {', '.join(sorted(variables)) or 'none'}"
            )
        other = copy.copy(self)
        other._arguments = dict(arguments)
        return other

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens that a completion of `messages` starts from."""
        with rendering(self.folder):
            return self._encode(self._render(messages, True))

    def example(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """Return an example's tokens, up to the end token of the assistant's turn, and how many of them are prompt.

        The prompt is encoded by itself, as in sampling: no token spans its end.
        """
        with rendering(self.folder):
            whole, head = self._render(messages, False), self._render(messages[:-1], True)
        if not whole.startswith(head):
            raise InputError(f"{self.folder}: the chat template changes the prompt when an answer follows; prompt: {head[-60:]!r}")
        prompt, answer = self._encode(head), self._encode(whole[len(head) :])
        end = next((place for place, token in enumerate(answer) if token in self.eos_ids), None)
        if end is None:
            names = [str(self.tokenizer.id_to_token(token)) for token in sorted(self.eos_ids)]
            raise InputError(f"{self.folder}: the chat template ends no assistant turn with an end token ({', '.join(names)})")
        return prompt + answer[: end + 1], len(prompt)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of `tokens`, special tokens included."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False))

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _render(self, messages: Sequence[Message], generation: bool) -> str:
        turns = [msgspec.to_builtins(message) for message in messages]
        return str(self._template.render(messages=turns, add_generation_prompt=generation, **self._special, **self._arguments))

    def _eos_ids(self) -> frozenset[int]:
        """Return the end tokens of the generation config, else of the config, and the tokenizer's own."""
        files = [self.folder / name for name in ("generation_config.json", "config.json")]
        found = [read_settings(file).get("eos_token_id") for file in files if file.exists()]
        listed: int | list[int] = next((value for value in found if value is not None), [])
        named = self.tokenizer.token_to_id(self._special["eos_token"])
        tokens = frozenset(([listed] if isinstance(listed, int) else listed) + ([] if named is None else [named]))
        if not tokens:
            raise InputError(f"{self.folder}: no end token in generation_config.json, config.json or tokenizer_config.json")
        return tokens


def _text(token: Any) -> str:
    """Return a special token's text: hub files hold it as a string or inside a mapping."""
    return str(token.get("content", "")) if isinstance(token, dict) else token or ""


def _source(folder: Path, settings: dict[str, Any]) -> str:
    """Return the chat template."""
    file = folder / "chat_template.jinja"
    source = file.read_text(encoding="utf-8") if file.exists() else settings.get("chat_template")
    if not isinstance(source, str):
        raise InputError(f"{folder}: no chat template in chat_template.jinja or tokenizer_config.json; take an instruction-tuned student")
    return source


def _raise(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _sandbox() -> ImmutableSandboxedEnvironment:
    """Return an environment with the few names that templates on the hub use."""
    sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    sandbox.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    sandbox.globals["raise_exception"] = _raise
    return sandbox


SANDBOX = _sandbox()
