"""Bring the base student into a folder that ``mlx_lm.load()`` opens: pretrain one, or download a pinned revision from the hub."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_records, replacing
from distill.model import engine, hub_student
from distill.records.example import Example
from distill.sources.hub import snapshot

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind scratch."""

    kind: str
    seed: int
    hidden: int
    layers: int
    intermediate: int
    heads: int
    kv_heads: int
    vocabulary: int
    ranks: int
    batch: int
    steps: int
    warmup: int
    flat: float
    floor: float
    muon: float
    adam: float
    weight_decay: float
    clip: float
    drills: tuple[float, float]


def tokenizer(texts: list[Example], vocabulary: int) -> Tokenizer:
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


def encode(texts: list[Example], bpe: Tokenizer) -> dict[str, np.ndarray]:
    """Return tokens (total,), ends (n + 1,) and completion starts (n,) of the worked problems and of the drills."""
    arrays: dict[str, np.ndarray] = {}
    for kind in ("problems", "drills"):
        chosen = [text for text in texts if text.id.startswith("drill-") == (kind == "drills")]
        prompts = bpe.encode_batch([f"<|im_start|>user\n{t.messages[0].content}<|im_end|>\n<|im_start|>assistant\n" for t in chosen])
        completions = bpe.encode_batch([f"{t.messages[1].content}<|im_end|>\n" for t in chosen])
        sequences = [prompt.ids + completion.ids for prompt, completion in zip(prompts, completions, strict=True)]
        arrays[f"{kind}_tokens"] = np.array([token for sequence in sequences for token in sequence], np.int32)
        arrays[f"{kind}_ends"] = np.cumsum([0, *map(len, sequences)])
        arrays[f"{kind}_starts"] = np.array([len(prompt.ids) for prompt in prompts])
    return arrays


def config(params: Params, bpe: Tokenizer) -> dict[str, Any]:
    """Return the config.json of a Qwen2 of this size."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": params.hidden,
        "num_hidden_layers": params.layers,
        "intermediate_size": params.intermediate,
        "num_attention_heads": params.heads,
        "num_key_value_heads": params.kv_heads,
        "vocab_size": bpe.get_vocab_size(),
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "eos_token_id": bpe.token_to_id("<|im_end|>"),
        "bos_token_id": None,
    }


def pretrain(params: Params, texts: list[Example], work: Path) -> Tokenizer:
    """Train in `work`, which keeps checkpoints across an interruption; return the tokenizer."""
    bpe = tokenizer(texts, params.vocabulary)
    work.mkdir(parents=True, exist_ok=True)
    (work / "plan.json").write_text(json.dumps(msgspec.to_builtins(params) | {"config": config(params, bpe)}))
    store: dict[str, Any] = dict(encode(texts, bpe))
    np.savez(work / "tokens.npz", **store)
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
        raise InputError(f"{work}: pretraining ended with exit codes {codes}; run it again to go on from the last checkpoint")
    return bpe


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def publish(out: Path, work: Path, bpe: Tokenizer, facts: dict[str, str]) -> None:
    """Write the student's folder in hub layout."""
    plan = json.loads((work / "plan.json").read_text())
    with replacing(out) as folder:
        folder.mkdir()
        shutil.copyfile(work / "model.safetensors", folder / "model.safetensors")
        bpe.save(str(folder / "tokenizer.json"))
        _write(folder / "config.json", plan["config"])
        _write(
            folder / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": "<|im_end|>",
                "pad_token": "<|endoftext|>",
                "model_max_length": 1024,
                "chat_template": TEMPLATE,
            },
        )
        _write(folder / "manifest.json", {"params": {k: v for k, v in plan.items() if k != "config"}, "engine": facts})


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `student` of kind hub."""

    kind: str
    repository: str  # OWNER/NAME
    revision: str  # commit


def main(study: str, texts: str, out: str) -> None:
    """Read section `student` and the pretraining texts, write the student."""
    kind = study_file.section(study, "student", dict[str, Any]).get("kind")
    if kind not in PROVIDERS:
        raise InputError(f"{study}: section 'student': kind is {kind!r}; allowed: {', '.join(PROVIDERS)}")
    schema, provide = PROVIDERS[kind]
    command.closing("student", provide(study_file.section(study, "student", schema), Path(study), Path(texts), Path(out)), 1)


def scratch(params: Params, study: Path, texts: Path, out: Path) -> int:
    """Pretrain a student; return how many texts it read."""
    facts = engine.start()
    examples = read_records(texts, Example)
    key = hashlib.sha256(msgspec.json.encode([params, facts]) + texts.read_bytes()).hexdigest()[:16]
    work = Path(".work", study.stem, "student", key)
    bpe = pretrain(params, examples, work)
    publish(out, work, bpe, facts)
    shutil.rmtree(work)
    return len(examples)


def download(params: Hub, study: Path, texts: Path, out: Path) -> int:
    """Publish a pinned revision of a student that others pretrained; return how many files it has."""
    if count := len(read_records(texts, Example)):
        raise InputError(
            f"{study}: section 'pretraining' makes {count} texts, a student from the hub reads none: set problems and drills to 0"
        )
    source = snapshot(params.repository, params.revision, hub_student.FILES)
    with replacing(out) as folder:
        folder.mkdir()
        count = hub_student.copy(source, folder)
        _write(folder / "manifest.json", {"params": msgspec.to_builtins(params), "engine": engine.start()})
    return count


PROVIDERS: dict[str, tuple[type[Any], Callable[[Any, Path, Path, Path], int]]] = {"scratch": (Params, scratch), "hub": (Hub, download)}


if __name__ == "__main__":
    command.run(main)
