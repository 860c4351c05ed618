"""Study `job` from fetch to claims, small: the study file's own protocol on a repository in the authors' layout and a 4-bit student."""

import csv
import importlib
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from distill.cli import command
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records
from distill.model import engine
from distill.model.model_io import adapted, weights
from distill.records.assignment import Assignment
from distill.records.completion import Completion
from distill.records.example import Example
from distill.records.problem import Problem
from distill.sampling import batch_decoder
from tests import tiny_model as toy
from tests import upstream_fixture
from tests.pipeline import ROOT, Cell, cells

engine.start()
import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx_lm  # noqa: E402

EXAMS, COMMIT = "owner/exams", "7" * 40
STUDENT, REVISION = "owner/Tiny-Instruct-4bit", "c" * 40
ARMS, SEED = ["r1", "published-r1"], 1
# Qwen2.5's: a system prompt of its own where there is none
TEMPLATE = "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}" + toy.TEMPLATE


def quantised(folder: Path) -> None:
    """Write a random student of Qwen2.5's shape (grouped queries, biased projections, a head of its own) in 4 bits."""
    plain = toy.make(folder.with_name("plain"), hidden=64)
    config = read_json(plain / "config.json") | {"tie_word_embeddings": False}
    (plain / "config.json").write_text(json.dumps(config))
    arrays = dict(mx.load(str(plain / "model.safetensors")))
    mx.save_safetensors(str(plain / "model.safetensors"), arrays | {"lm_head.weight": mx.random.normal((300, 64), scale=0.1)})
    model, _ = weights(plain, False)
    nn.quantize(model, group_size=64, bits=4)
    mlx_lm.utils.save_model(folder, model)
    (folder / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 64, "bits": 4}}))
    settings = read_json(plain / "tokenizer_config.json") | {"chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    shutil.copy(plain / "tokenizer.json", folder)


def study(mirror: Path) -> dict[str, Any]:
    """Return the study file with another source, a smaller student and smaller sizes; everything else is as committed."""
    pinned = upstream_fixture.write(mirror / EXAMS / COMMIT)
    quantised(mirror / STUDENT / REVISION)
    table = next(row for row in pinned if row["path"] == "math500_output.csv")
    source = {"url": "http://127.0.0.1:1", "repository": EXAMS, "commit": COMMIT}
    sections: dict[str, Any] = yaml.safe_load((ROOT / "studies" / "job.yaml").read_text(encoding="utf-8"))
    sections["fetch"] |= source | {"files": pinned}
    sections["benchmarks"]["math500"] |= source | table | {"rows": 4}
    sections["student"] = sections["students"]["qwen"] | {"repository": STUDENT, "revision": REVISION}
    sections["split"] |= {"train": 18, "valid": 5, "heldout_least": 5, "seen": 18, "asked_valid": 5, "near": 1.0}
    sections["train"] |= {"iterations": 2, "eval_every": 1, "layers": 2, "batch_size": 2}
    sections["overfit"] |= {"iterations": 2, "eval_every": 1}
    sections["sample"] |= {"max_tokens": 6}
    sections["summarise"] |= {"resamples": 200}
    sections["claims"] |= {"resamples": 200}
    sections["curate"]["published"] = {
        level: upstream_fixture.SYSTEM["r1" if level == "r1" else "r2"] for level in sections["curate"]["published"]
    }
    sections["corrections"] = []  # they name the real problems
    return sections


def run(cell: Cell) -> None:
    words = shlex.split(cell.cmd)
    main = importlib.import_module(cell.module).main
    main(*command.arguments(main, cell.stage, words[words.index("-m") + 2 :]))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tree in which every cell of the study ran, in this process, as dvc.yaml says."""
    root, mirror = tmp_path_factory.mktemp("job"), tmp_path_factory.mktemp("mirror")
    for name in ("dvc.yaml", "stages", "plots/templates"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    (root / "studies").mkdir()
    (root / "studies" / "job.yaml").write_text(yaml.safe_dump(study(mirror), sort_keys=False))
    params = {"papers": ["job"], "corpora": ["job"], "students": ["job"], "arms": ARMS, "seeds": [SEED], "long_run": ARMS[1]}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("JOB_MIRROR", str(mirror))
        patch.setattr(batch_decoder, "workers", lambda: 1)
        study_file.study.cache_clear()
        for cell in cells(root):
            run(cell)
        yield root
    study_file.study.cache_clear()


def test_every_declared_output_is_there(tree: Path) -> None:
    outs = {out: cell.name for cell in cells(tree) for out in cell.outs}
    assert [out for out in outs if not (tree / out).exists()] == []
    assert list((tree / ".work").rglob("*.tmp")) == []


def test_the_transcription_is_the_text_of_record_and_its_questions_are_found_in_print(tree: Path) -> None:
    problems = read_records(tree / "data/job/problems.jsonl", Problem)
    rows = upstream_fixture.rows()
    assert sorted((p.statement, p.gold) for p in problems) == sorted((row.question, row.answer) for row in rows)
    assert {p.benchmark for p in problems} == {"competition"}


def test_the_published_corpus_is_the_authors(tree: Path) -> None:
    for part in ("train", "valid", "test"):
        ours = read_records(tree / f"data/job/corpus/published-r1/{part}.jsonl", Example)
        theirs = (tree / f"data/job/raw/data/{part}.jsonl").read_text().splitlines()
        assert [msgspec.to_builtins(example.messages) for example in ours] == [json.loads(line)["messages"] for line in theirs]


def test_every_student_answers_every_real_problem_and_the_benchmark(tree: Path) -> None:
    asked = {each.id for each in read_records(tree / "data/job/split.jsonl", Assignment) if each.evaluate}
    assert len(asked) == len([row for row in upstream_fixture.rows() if row.question != upstream_fixture.PLACEHOLDER])
    for name in ("base", *(f"{arm}-{SEED}" for arm in ARMS)):
        found = read_records(tree / f"data/job/completions/{name}.jsonl.gz", Completion)
        assert {each.id for each in found if each.benchmark == "competition"} == asked
        assert sum(each.benchmark == "math500" for each in found) == 4


def test_every_claim_is_judged_or_says_what_did_not_run(tree: Path) -> None:
    judged = read_json(tree / "metrics/job/claims.json")
    claims = yaml.safe_load((ROOT / "studies/job.yaml").read_text(encoding="utf-8"))["claims"]
    assert list(judged) == list(claims["ledger"])
    lacking = {name for name, claim in judged.items() if claim.get("basis") != "own run"}
    others = {name for name, claim in claims["ledger"].items() if _arms(claim["rule"]) - {"base", *ARMS}}
    assert others <= lacking
    verdicts = {"reproduced", "contradicted", "inconclusive", "by construction"}
    assert {judged[name]["verdict"] for name in judged.keys() - lacking} <= verdicts
    assert {judged[name]["verdict"] for name in lacking} <= {"not run", "supported", "inconclusive"}  # the last two by the printed counts


def _arms(rule: dict[str, Any]) -> set[str]:
    return {rule[key] for key in ("arm", "comparator") if key in rule} | set(rule.get("arms", []))


def test_the_student_stays_in_four_bits_and_float32_is_one_switch(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(weights(tree / "models/job/student", False)[0].layers[0].mlp.up_proj, nn.QuantizedLinear)
    assert read_json(tree / f"models/job/adapters/r1-{SEED}/manifest.json")["train"]["float32"] is False
    wide = Path(shutil.copytree(tree, tmp_path / "wide", symlinks=True))
    sections = yaml.safe_load((wide / "studies" / "job.yaml").read_text())
    for name in ("train", "sample"):
        sections[name]["float32"] = True
    (wide / "studies" / "job.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    monkeypatch.chdir(wide)
    study_file.study.cache_clear()
    by_name = {cell.name: cell for cell in cells(wide)}
    with pytest.raises(InputError, match="the adapter's float32 is False, wanted is True"):
        run(by_name[f"sample@job-r1-{SEED}"])
    run(by_name[f"train@job-r1-{SEED}"])
    run(by_name[f"sample@job-r1-{SEED}"])
    study_file.study.cache_clear()
    losses = [_losses(root / f"models/job/adapters/r1-{SEED}/curve.csv") for root in (tree, wide)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    for root, float32, kind in ((tree, False, nn.QuantizedLinear), (wide, True, nn.Linear)):
        model, _ = adapted(root / "models/job/student", root / f"models/job/adapters/r1-{SEED}", float32, fuse=False)
        assert type(model.layers[0].mlp.up_proj.linear) is kind
    assert len(read_records(wide / f"data/job/completions/r1-{SEED}.jsonl.gz", Completion)) > 4


def _losses(curve: Path) -> list[float]:
    return [float(row["validation_loss"]) for row in csv.DictReader(curve.read_text().splitlines())]


def test_the_page_shows_the_run_with_another_student_as_recorded() -> None:
    found = read_json(ROOT / "metrics" / "job_smollm.json")
    curves = {name: ", ".join(f"{at}: {loss:.3f}" for at, loss in curve.items()) for name, curve in found["validation"].items()}
    cells = [
        f"{at['mean']:.2f}" + (f" ({at['gain']:+.2f} [{at['gain_low']:+.2f}, {at['gain_high']:+.2f}])" if "gain" in at else "")
        for measure in ("chain_common", "answer_after_chain", "answer_direct")
        for part in ("heldout", "seen")
        for at in (found["likelihood"][arm][measure][part] for arm in ("base", "r1", "r6", "answer"))
    ]
    page = (ROOT / "docs" / "job.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- smollm -->")[2].partition("<!-- /smollm -->")[0].splitlines()
    assert [line for line in shown if "learning rate 1e" in line] == [f"| {name} | {curve} |" for name, curve in curves.items()]
    assert [cell.strip() for line in shown if "chain |" in line or "gold" in line for cell in line.split("|")[3:-1]] == cells
