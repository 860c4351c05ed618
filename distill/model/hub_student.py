"""A student from a snapshot of the hub: its config, tokenizer and safetensors, checked, and no file that could run code."""

import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

from distill.core.errors import InputError
from distill.core.files import read_json
from distill.model.chat_tokenizer import VOCABULARY, ChatTokenizer
from distill.model.model_io import WEIGHTS

INDEX = "model.safetensors.index.json"
NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")
FILES = (*WEIGHTS, INDEX, *VOCABULARY)


def copy(source: Path, folder: Path) -> int:
    """Check a snapshot, copy a student's files from it into `folder`; return how many."""
    files = sorted({file for pattern in FILES for file in source.glob(pattern)})
    check(source, {file.name for file in files})
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return len(files)


def check(source: Path, names: set[str]) -> None:
    """Raise an InputError unless the snapshot has whole weights, a tokenizer with a chat template, and needs no code of its own."""
    shards = {name for name in names if name.endswith(".safetensors")}
    wanted = set(read_json(source / INDEX)["weight_map"].values()) if INDEX in names else shards or {"model.safetensors"}
    if missing := sorted({*NEEDED, *wanted} - names):
        raise InputError(
            f"{source}: no {missing[0]} here; a student needs {', '.join(NEEDED)} and safetensors; download the whole snapshot"
        )
    if code := read_json(source / "config.json").get("model_file"):
        raise InputError(f"{source / 'config.json'}: the model needs code of its own, {code}, which is never run; take another student")
    for name in sorted(shards):
        try:
            safe_open(source / name, framework="numpy")
        except SafetensorError as error:
            raise InputError(f"{source / name}: not a whole safetensors file ({error}); delete it and download it again") from None
    ChatTokenizer(source)
