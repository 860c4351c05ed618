"""The tokenizer and the chat template in a GGUF file's metadata, as the files of a student's folder."""

import json
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers

from distill.core.errors import InputError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEMPLATES = {"file": "", "chatml": CHATML}  # chatml adds no system turn where none is given
KEY = "tokenizer.ggml."
DIGITS = ("smollm",)  # names of pre-tokenizers: each digit by itself, then GPT-2's
GPT2 = ("default", "gpt-2")
NAMES = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def write(source: Path, metadata: dict[str, Any], folder: Path, template: str) -> None:
    """Write tokenizer.json, tokenizer_config.json and generation_config.json."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS, convert_gguf_tokenizer

    tokens, kind, split = _tokens(source, metadata), metadata.get(f"{KEY}model"), metadata.get(f"{KEY}pre", "default")
    if kind not in ("gpt2", "llama"):
        raise InputError(f"{source}: the tokenizer is {kind!r}; read are gpt2 (byte-level) and llama (SentencePiece)")
    if kind == "gpt2" and split not in (known := [*DIGITS, *GPT2, *GGUF_PRE_TOKENIZER_SPLITS]):
        raise InputError(f"{source}: {KEY}pre is {split!r}, unknown here, so that texts would be cut otherwise; known: {', '.join(known)}")
    given = {"tokenizer_type": kind, "pre_tokenizer_type": split, "tokens": tokens}
    given |= {key: metadata[KEY + key] for key in ("scores", "token_type", "merges") if KEY + key in metadata}
    backend, _ = convert_gguf_tokenizer(metadata["general.architecture"], given)
    if split in DIGITS:
        single, bytewise = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([single, bytewise])
    backend.save(str(folder / "tokenizer.json"))
    special = {name: tokens[_id(source, metadata, key, tokens)] for name, key in NAMES.items() if f"{KEY}{key}_token_id" in metadata}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    settings |= special | {"chat_template": TEMPLATES[template] or metadata.get("tokenizer.chat_template")}
    ends = sorted({_id(source, metadata, key, tokens) for key in ("eos", "eot") if f"{KEY}{key}_token_id" in metadata})
    for name, document in (("tokenizer_config.json", settings), ("generation_config.json", {"eos_token_id": ends})):
        (folder / name).write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _tokens(source: Path, metadata: dict[str, Any]) -> list[str]:
    """Return the vocabulary, after checks of all that belongs to it."""
    tokens = metadata.get(f"{KEY}tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens) or len(set(tokens)) != len(tokens) or not tokens:
        raise InputError(f"{source}: {KEY}tokens is no list of different tokens; take a whole file")
    for key, kind in (("scores", float), ("token_type", int)):
        listed = metadata.get(KEY + key)
        if listed is not None and (not isinstance(listed, list) or len(listed) != len(tokens) or type(listed[0]) is not kind):
            raise InputError(f"{source}: {KEY}{key} is no list of {len(tokens)} numbers, one for each token; take a whole file")
    known, merges = set(tokens), metadata.get(f"{KEY}merges", [])
    if not isinstance(merges, list):
        raise InputError(f"{source}: {KEY}merges is no list; take a whole file")
    for merge in merges:
        left, _, right = merge.partition(" ") if isinstance(merge, str) else ("", "", "")
        if not left or not right or not {left, right, left + right} <= known:
            raise InputError(f"{source}: {KEY}merges has {str(merge)[:40]!r}, which joins no two tokens to a third; take a whole file")
    return tokens


def _id(source: Path, metadata: dict[str, Any], key: str, tokens: list[str]) -> int:
    found = metadata[f"{KEY}{key}_token_id"]
    if type(found) is not int or not 0 <= found < len(tokens):
        raise InputError(f"{source}: {KEY}{key}_token_id is {found!r}, expected the number of one of {len(tokens)} tokens")
    return found
