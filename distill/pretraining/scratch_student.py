"""A student pretrained from scratch: its tokenizer, the processes that pretrain it, and its folder in the hub's layout."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from distill.core.errors import InputError
from distill.records.example import Example

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind scratch."""

    kind: str
    seed: Annotated[int, Meta(ge=0)]
    hidden: Count
    layers: Count
    intermediate: Count
    heads: Count
    kv_heads: Count
    vocabulary: Annotated[int, Meta(ge=259)]  # the bytes and the special tokens
    ranks: Count
    batch: Count
    steps: Count
    warmup: Annotated[int, Meta(ge=0)]
    flat: Share
    floor: Share
    muon: Positive
    adam: Positive
    weight_decay: Annotated[float, Meta(ge=0)]
    clip: Positive
    drills: tuple[Share, Share]


def pretrain(params: Params, texts: list[Example], work: Path) -> Tokenizer:
    """Train in `work`, which keeps checkpoints across an interruption; return the tokenizer."""
    tokenizer = write_inputs(params, texts, work)
    (work / "hosts.json").write_text(json.dumps([[f"127.0.0.1:{port}"] for port in _free_ports(params.ranks)]))
    environment = os.environ | {"MLX_HOSTFILE": str(work / "hosts.json")}
    command = [sys.executable, "-m", "distill.pretraining.pretrain_worker", str(work)]
    ranks = [subprocess.Popen(command, env=environment | {"MLX_RANK": str(rank)}) for rank in range(params.ranks)]
    try:
        codes = [rank.wait() for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    if any(codes):
        raise InputError(f"{work}: pretraining ended with exit codes {codes}; run it again to continue from the last checkpoint")
    return tokenizer


def write_inputs(params: Params, texts: list[Example], work: Path) -> Tokenizer:
    """Write what the processes read, plan.json and tokens.npz; return the tokenizer."""
    tokenizer = train_tokenizer(texts, params.vocabulary)
    work.mkdir(parents=True, exist_ok=True)
    (work / "plan.json").write_text(json.dumps(msgspec.to_builtins(params) | {"config": _config(params, tokenizer)}))
    arrays: dict[str, Any] = dict(encode(texts, tokenizer))
    np.savez(work / "tokens.npz", **arrays)
    return tokenizer


def train_tokenizer(texts: list[Example], vocabulary: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer with single digits on the texts."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator((message.content for text in texts for message in text.messages), trainer)
    return bpe


def encode(texts: list[Example], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """Return tokens (total,), ends (n + 1,) and completion starts (n,) of the worked problems and of the drills."""
    arrays: dict[str, np.ndarray] = {}
    for kind in ("problems", "drills"):
        chosen = [text for text in texts if text.id.startswith("drill-") == (kind == "drills")]
        prompts = tokenizer.encode_batch([f"<|im_start|>user\n{t.messages[0].content}<|im_end|>\n<|im_start|>assistant\n" for t in chosen])
        completions = tokenizer.encode_batch([f"{t.messages[1].content}<|im_end|>\n" for t in chosen])
        sequences = [prompt.ids + completion.ids for prompt, completion in zip(prompts, completions, strict=True)]
        arrays[f"{kind}_tokens"] = np.array([token for sequence in sequences for token in sequence], np.int32)
        arrays[f"{kind}_ends"] = np.cumsum([0, *map(len, sequences)])
        arrays[f"{kind}_starts"] = np.array([len(prompt.ids) for prompt in prompts])
    return arrays


def _config(params: Params, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the config.json of a Qwen2 of this size."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": params.hidden,
        "num_hidden_layers": params.layers,
        "intermediate_size": params.intermediate,
        "num_attention_heads": params.heads,
        "num_key_value_heads": params.kv_heads,
        "vocab_size": tokenizer.get_vocab_size(),
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "bos_token_id": None,
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def write_student(folder: Path, work: Path, tokenizer: Tokenizer, engine: dict[str, str]) -> None:
    """Write the files of the student that was pretrained in `work`."""
    plan = json.loads((work / "plan.json").read_text())
    config = plan.pop("config")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 1024,
        "chat_template": TEMPLATE,
    }
    folder.mkdir()
    shutil.copyfile(work / "model.safetensors", folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    documents = {"config": config, "tokenizer_config": settings, "manifest": {"params": plan, "engine": engine}}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
