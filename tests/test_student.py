"""Pretraining: the student opens in mlx-lm, two ranks agree bit for bit, and an interrupted run ends in the same bytes."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from distill.model import engine
from distill.pretraining import scratch_student, texts
from distill.records.example import Example

PARAMS = scratch_student.Params(
    kind="scratch",
    seed=1,
    hidden=32,
    layers=1,
    intermediate=64,
    heads=2,
    kv_heads=1,
    vocabulary=300,
    ranks=2,
    batch=1024,
    steps=6,
    warmup=2,
    flat=0.4,
    floor=0.02,
    muon=0.02,
    adam=3e-3,
    weight_decay=0.02,
    clip=1.0,
    drills=(0.25, 0.08),
)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return list(texts.texts(texts.Params(seed=3, problems=20, drills=100, styles={"r3": 1, "answer": 1}, style_consistency=0.5)))


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_ranks_twice_give_the_same_bytes_and_open(examples: list[Example], tmp_path: Path) -> None:
    for name in ("a", "b"):
        tokenizer = scratch_student.pretrain(PARAMS, examples, tmp_path / name)
        scratch_student.write_student(tmp_path / f"out-{name}", tmp_path / name, tokenizer, {"backend": "test"})
    files = sorted(path.name for path in (tmp_path / "out-a").iterdir())
    assert files == ["config.json", "manifest.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert all(_sha(tmp_path / "out-a" / name) == _sha(tmp_path / "out-b" / name) for name in files)

    engine.start()
    from mlx_lm import load

    model, tokenizer = load(str(tmp_path / "out-a"))[:2]
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "12+7"}], add_generation_prompt=True, tokenize=False)
    assert prompt == "<|im_start|>user\n12+7<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(tokenizer.encode("√12 + 3^2 = π")) == "√12 + 3^2 = π"
    assert len(model.layers) == 1


def test_a_resumed_run_ends_in_the_same_bytes(examples: list[Example], tmp_path: Path) -> None:
    engine.start()
    from distill.pretraining import pretrain_worker

    one = msgspec.structs.replace(PARAMS, ranks=1)
    hashes = []
    for name, stops in (("whole", [6]), ("cut", [2, 4, 6])):
        work = tmp_path / name
        scratch_student.write_inputs(one, examples, work)
        for stop in stops:
            pretrain_worker.train(work, until=stop)
        hashes.append(_sha(work / "model.safetensors"))
    assert hashes[0] == hashes[1]


def test_batches_mask_the_prompt_and_hold_the_budget(examples: list[Example]) -> None:
    engine.start()
    from distill.pretraining import pretrain_worker

    tokenizer = scratch_student.train_tokenizer(examples, 300)
    store = scratch_student.encode(examples, tokenizer)
    kinds = {name: pretrain_worker.Texts(store, name) for name in ("problems", "drills")}
    plan = {"seed": 1, "steps": 8, "batch": 1024, "ranks": 2, "drills": (0.25, 0.08)}
    for _, batch in zip(range(8), pretrain_worker.batches(plan, kinds), strict=False):
        inputs, targets, mask = pretrain_worker.padded(batch)
        assert len(batch) % 2 == 0
        assert len(batch) * (inputs.shape[1] + 1) <= 1024 or len(batch) == 2
        for row, (tokens, start) in enumerate(batch):
            trained = np.array(targets)[row][np.array(mask)[row] > 0].tolist()
            assert trained == tokens[start:].tolist()
            assert tokenizer.decode(trained, skip_special_tokens=False).endswith("<|im_end|>\n")


def test_digits_are_single_tokens(examples: list[Example]) -> None:
    tokenizer = scratch_student.train_tokenizer(examples, 300)
    assert [token for token in tokenizer.encode("1081").tokens] == ["1", "0", "8", "1"]
