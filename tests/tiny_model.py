"""A tiny random student in the hub's layout (Qwen2 architecture, single-digit BPE, ChatML template) and a toy study for it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from distill.core import study_file
from distill.core.files import write_records
from distill.model import engine
from distill.records.example import Example, Message
from distill.records.level import ANSWER, Level
from distill.records.problem import Problem

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXT = ["Find the sum of 12 and 30. 12 + 30 = 42. Answer: 42", "A bag holds 7 red and 5 blue balls; how many balls? Answer: 12"]


def make(folder: Path, hidden: int = 32, layers: int = 2, vocabulary: int = 300, seed: int = 0) -> Path:
    """Write a student of random weights; mini's shape is hidden 128, 4 layers, vocabulary 512."""
    engine.start()
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models.qwen2 import Model, ModelArgs

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": 3 * hidden, "num_attention_heads": 4}
    rest = {"num_key_value_heads": 2, "vocab_size": vocabulary, "rms_norm_eps": 1.0e-6, "rope_theta": 10000.0, "tie_word_embeddings": True}
    config = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "eos_token_id": 2, "torch_dtype": "float32"} | shape | rest
    (folder / "config.json").write_text(json.dumps(config))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": TEMPLATE}))
    mx.random.seed(seed)
    weights = dict(tree_flatten(Model(ModelArgs.from_dict(config)).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    return folder


def tokenizer(vocabulary: int, texts: Sequence[str] = TEXT) -> Tokenizer:
    """Return a byte-level BPE whose digits stand alone, trained on a few lines."""
    bpe = Tokenizer(models.BPE())
    single, bytewise = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([single, bytewise])
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet))
    return bpe


ARM = {"level": "r1", "protocol": "clean", "corrected": False, "n": 0}
LEVELS = ["r1", "r2", "r3", "r4", "r5", "r6"]
SECTIONS: dict[str, Any] = {
    "levels": LEVELS,
    "arms": {"r1": ARM, "answer": ARM | {"level": "answer"}, "few": ARM | {"n": 4}},
    "split": {
        "seed": 1, "train": 12, "valid": 6, "asked": "all", "heldout_least": 6, "seen": 3, "asked_valid": 0, "near": 1.0, "years": [],
        "exclude": [],
    },
    "curate": {"seed": 1, "system": "", "same_problems": True},
    "contamination": {"against": ["transfer"], "texts": ["statement"], "rules": [{"kind": "exact", "drop": True}]},
    "corrections": [],
    "train": {
        "iterations": 6, "batch_size": 4, "accumulation": 1, "optimizer": "adam", "betas": [0.9, 0.999], "epsilon": 1.0e-8,
        "bias_correction": False, "weight_decay": 0.0, "learning_rate": 1.0e-2, "schedule": "cosine", "warmup": 1, "rank": 2, "scale": 10.0,
        "dropout": 0.0, "layers": -1, "modules": "all", "mask_prompt": True, "max_seq_length": 200, "over_long": "error",
        "chat_template": {}, "grad_checkpoint": False, "eval_every": 2, "float32": True, "merge": False,
    },
    "overfit": {"arm": "r1", "seed": 1, "iterations": 4, "eval_every": 2},
    "sample": {
        "max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "samples": 1, "seed": 7, "batch_size": 4, "refill_window": 4, "system": "",
        "chat_template": {}, "benchmarks": ["transfer"], "float32": True,
    },
}  # fmt: skip


def problem(number: int, statement: str | None = None, benchmark: str = "competition", gold: str | None = None) -> Problem:
    """Return a sum to be found, or any statement."""
    text = f"Find the sum of {number} and {number * 7}." if statement is None else statement
    answer = str(number * 8) if gold is None else gold
    return Problem(f"{benchmark}-{number:02d}", benchmark, "two-person", 2015, str(number), text, answer, "toy.pdf", 1, "generated")


def levels(problem: Problem) -> list[Level]:
    """Return a problem's work at every level, the first the longest."""
    texts = {name: f"{'add and carry. ' * (6 - place)}\nAnswer: {problem.gold}" for place, name in enumerate(LEVELS)}
    texts[ANSWER] = f"Answer: {problem.gold}"
    return [Level(problem.id, name, text, len(text.split()), True) for name, text in texts.items()]


def corpus(folder: Path, train: int = 10, valid: int = 5) -> Path:
    """Write an arm's train.jsonl and valid.jsonl; the examples differ in length."""
    for part, numbers in (("train", range(1, train + 1)), ("valid", range(50, 50 + valid))):
        pairs = [(problem(number), "carry. " * (number % 7) + f"Answer: {number * 8}") for number in numbers]
        examples = [Example(asked.id, [Message("user", asked.statement), Message("assistant", text)]) for asked, text in pairs]
        write_records(folder / f"{part}.jsonl", examples)
    return folder


def study(folder: Path, **changes: Any) -> str:
    """Write studies/toy.yaml, with some keys of some sections changed, or a list replaced; return its path."""
    sections = {
        name: keys | changes.get(name, {}) if isinstance(keys, dict) else changes.get(name, keys) for name, keys in SECTIONS.items()
    }
    file = folder / "studies" / "toy.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(sections))
    study_file.study.cache_clear()
    return str(file)
