"""A byte-level BPE tokenizer and its chat template as the metadata of a GGUF file: the inverse of `gguf_tokenizer`."""

from pathlib import Path
from typing import Any

from distill.core.errors import InputError
from distill.core.files import read_json
from distill.model.chat_tokenizer import ChatTokenizer
from distill.model.gguf_tokenizer import DIGITS, GPT2, KEY, NAMES

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # kinds of tokens
OTHERWISE = "export it merged, and take llama.cpp's convert_hf_to_gguf.py"


def metadata(folder: Path, size: int) -> dict[str, Any]:
    """Return the metadata of a byte-level BPE tokenizer, its vocabulary filled up to the rows of the embedding; else an InputError."""
    chat, document, settings = ChatTokenizer(folder), read_json(folder / "tokenizer.json"), read_json(folder / "tokenizer_config.json")
    model = document["model"]
    if model.get("type") != "BPE" or (document.get("decoder") or {}).get("type") != "ByteLevel":
        raise InputError(f"{folder}: the tokenizer is no byte-level BPE; {OTHERWISE}")
    added = {each["content"]: (each["id"], CONTROL if each["special"] else USER_DEFINED) for each in document.get("added_tokens", [])}
    known = {number: (text, NORMAL) for text, number in model["vocab"].items()} | {
        number: (text, sort) for text, (number, sort) in added.items()
    }
    listed = [known.get(number, (f"[PAD{number}]", UNUSED)) for number in range(max(size, 1 + max(known)))]
    ends = sorted(chat.eos_ids)
    special = {key: settings.get(given) for given, key in NAMES.items()}
    texts = {key: value["content"] if isinstance(value, dict) else value for key, value in special.items() if value}
    ids = {key: number for key, text in texts.items() if (number := chat.tokenizer.token_to_id(text)) is not None}
    ids["eos"] = ids.get("eos", ends[0])
    others = [end for end in ends if end != ids["eos"]]
    return {
        f"{KEY}model": "gpt2",
        f"{KEY}pre": pre_tokenizer(folder, document),
        f"{KEY}tokens": [text for text, _ in listed],
        f"{KEY}token_type": [sort for _, sort in listed],
        f"{KEY}merges": [each if isinstance(each, str) else " ".join(each) for each in model["merges"]],
        f"{KEY}add_bos_token": bool(settings.get("add_bos_token", False)),
        "tokenizer.chat_template": template(folder, settings),
        **{f"{KEY}{key}_token_id": number for key, number in sorted(ids.items())},
        **({f"{KEY}eot_token_id": others[0]} if others else {}),
    }


def pre_tokenizer(folder: Path, document: dict[str, Any]) -> str:
    """Return llama.cpp's name of how texts are cut before the merges; an InputError where it has none."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    found = document.get("pre_tokenizer") or {}
    first, *rest = found.get("pretokenizers", [found])
    regex = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": not rest or first["type"] != "Split"}
    plain = [{key: each.get(key) for key in regex} for each in (rest or [first])] == [regex]
    if plain and not rest:
        return GPT2[-1]
    if plain and first == {"type": "Digits", "individual_digits": True}:
        return DIGITS[0]
    pattern = (first.get("pattern") or {}).get("Regex") if first.get("behavior") == "Isolated" and not first.get("invert") else None
    names = [name for name, split in GGUF_PRE_TOKENIZER_SPLITS.items() if split == pattern]
    if not plain or not names:
        raise InputError(f"{folder}: llama.cpp has no name for how tokenizer.json cuts texts; {OTHERWISE}")
    return names[0]


def template(folder: Path, settings: dict[str, Any]) -> str:
    """Return the chat template."""
    file = folder / "chat_template.jinja"
    return file.read_text(encoding="utf-8") if file.exists() else str(settings["chat_template"])
