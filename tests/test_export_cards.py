"""`make export` on a toy study: every form with its card, faults in one line, and an upload to a server on loopback."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from safetensors.numpy import load_file

from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_json, write_text
from distill.export import data_card, model_card
from distill.export.terms import OWN, Base, Terms
from distill.records.example import Example
from stages import train
from tests import tiny_model as toy
from tests.hub_server import hub
from tests.pipeline import ROOT
from tests.trees import below
from tools import export, lock, provenance

HOSTILE = "<script>alert(1)</script> [x](javascript:y) | a\n---\nlicense: other"
CELL = {"accuracy": 0.5, "low": 0.25, "high": 0.75, "n": 8, "gain": 0.25, "gain_low": -0.125, "gain_high": 0.5}
SUMMARY = {
    "base": {"competition": {"heldout": CELL | {"accuracy": 0.25}}, "words": 3.0},
    "r1": {"competition": {"all": CELL, "heldout": CELL}, "transfer": {"all": CELL}, "words": 3.0},
}
SCORED = {"r1": {"chain": {part: {"mean": -1.5, "low": -2.0, "high": -1.0, "n": 4} for part in ("heldout", "seen")}}}
TERMS = {"licence": "Apache-2.0", "data_licence": "MIT", "language": "en", "datasets": ["owner/data"], "base_model": "owner/model"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a student, a corpus, an adapter that `train` wrote, and metrics."""
    root = tmp_path_factory.mktemp("export")
    file = Path(toy.study(root))
    more = {"student": {"kind": "scratch"}, "summarise": {"confidence": 0.9}, "report": {"limits": [HOSTILE]}, "export": TERMS}
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | more))
    study_file.study.cache_clear()
    paths = below(root, "toy", "r1", 1)
    toy.make(paths.student)
    toy.corpus(paths.corpus)
    write_json(paths.corpus / "counts.json", {"train": 10, "valid": 5, "test": 0, "dropped": {"no <b>work</b>": 2}})
    train.main(msgspec.structs.replace(paths, study_file=file), "r1", 1)
    write_json(paths.summary, {"arms": SUMMARY})
    write_json(paths.likelihood_metrics, {"arms": SCORED})
    write_text(root / "CITATION.cff", (ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return root


@pytest.fixture
def tree(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study's tree as the current folder."""
    monkeypatch.chdir(trained)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    study_file.study.cache_clear()
    return trained


def test_the_folder_for_peft_has_the_adapter_its_base_and_a_card(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.main(["toy", "r1-1", "--to", "peft"])
    out = tree / ".work/toy/export/r1-1-peft"
    assert re.match(r"export: \.work/toy/export/r1-1-peft: README.md \([\d,]+ bytes\), adapter_config.json", capsys.readouterr().out)
    found = load_file(out / "student" / "model.safetensors")
    assert all(np.array_equal(array, found[name]) for name, array in load_file(tree / "models/toy/student/model.safetensors").items())
    config = read_json(out / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == (OWN, 2, 20)
    card = ModelCard.load(out / "README.md")
    head = card.data.to_dict()
    assert (head["license"], head["base_model"], head["datasets"], head["library_name"]) == (
        "apache-2.0",
        "owner/model",
        ["owner/data"],
        "peft",
    )
    results = {each.dataset_type: each for each in card.data.eval_results or []}
    assert results.keys() == {"toy-competition", "toy-transfer"}
    assert (results["toy-competition"].dataset_split, results["toy-competition"].metric_value) == ("heldout", 0.5)
    assert results["toy-transfer"].metric_args == {"low": 0.25, "high": 0.75, "confidence": 0.9, "problems": 8}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.text.splitlines() if line.startswith("|")]
    assert ["competition", "heldout", "8", "50.0 [25.0, 75.0]", "+25.0 [-12.5, +50.0]", "25.0"] in rows
    assert ["chain", "heldout", "4", "-1.500 [-2.000, -1.000]", ""] in rows
    assert ["models/toy/adapters/r1-1", f"{provenance.md5(tree / 'models/toy/adapters/r1-1')}, not as in dvc.lock"] in rows
    assert ["learning_rate", "0.01"] in rows
    assert 'from_pretrained(f"{folder}/student", dtype="float32")' in card.text


def test_a_merged_student_has_a_card_and_replaces_nothing(tree: Path) -> None:
    words = ["toy", "r1-1", "--to", "merged", "--out", "mine"]
    export.main(words)
    assert (tree / "mine" / "model.safetensors").is_file()
    assert ModelCard.load(tree / "mine" / "README.md").data.to_dict()["library_name"] == "transformers"
    with pytest.raises(InputError, match=r"mine: there is something already; remove it, or name another folder"):
        export.main(words)


def test_a_corpus_has_a_data_card_and_croissant_metadata(tree: Path) -> None:
    export.main(["toy", "r1", "--to", "data"])
    out = tree / ".work/toy/export/r1-data"
    assert read_records(out / "train.jsonl", Example) == read_records(tree / "data/toy/corpus/r1/train.jsonl", Example)
    card = DatasetCard.load(out / "README.md")
    head = card.data.to_dict()
    assert (head["license"], head["language"], head["size_categories"]) == ("mit", ["en"], ["n<1K"])
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}, {"split": "validation", "path": "valid.jsonl"}]
    assert "dropped: no &lt;b>work&lt;/b>" in card.text
    described = read_json(out / "croissant.json")
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert [file["contentSize"] for file in described["distribution"]] == [
        f"{(out / name).stat().st_size} B" for name in ("train.jsonl", "valid.jsonl")
    ]


def test_croissant_is_what_mlcroissant_takes(tree: Path) -> None:
    """Skipped without it: it brings rdflib and more. `pip install --target FOLDER mlcroissant`, PYTHONPATH=FOLDER."""
    mlcroissant = pytest.importorskip("mlcroissant")
    export.main(["toy", "r1", "--to", "data"])
    found = mlcroissant.Dataset(jsonld=str(tree / ".work/toy/export/r1-data/croissant.json"))
    assert (found.metadata.issues.errors, found.metadata.issues.warnings) == (set(), set())
    rows = [(row["valid/id"].decode(), [text.decode() for text in row["valid/content"]]) for row in found.records("valid")]
    examples = read_records(tree / "data/toy/corpus/r1/valid.jsonl", Example)
    assert rows == [(example.id, [message.content for message in example.messages]) for example in examples]


def test_texts_of_others_stay_texts(tree: Path) -> None:
    terms = msgspec.convert(TERMS, Terms)
    row = {"level": HOSTILE, "protocol": HOSTILE, "corrected": True, "n": 3}
    manifest = {"train": {"float32": True, HOSTILE: HOSTILE}}
    about = model_card.Adapter(
        study="toy", arm="r1", seed=1, form="merged", terms=terms, base=Base(OWN, "", "", ""), bits=16, dtype="float32", row=row,
        manifest=manifest, run={HOSTILE: HOSTILE}, summary={"r1": {HOSTILE: {"all": CELL}}},
        likelihood={"r1": {HOSTILE: {HOSTILE: SCORED["r1"]["chain"]["heldout"]}}}, confidence=0.9, limits=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
    )  # fmt: skip
    corpus = data_card.Corpus(study="toy", arm="r1", terms=terms, row=row, counts={"train": 1, HOSTILE: 2}, limits=[HOSTILE], provenance={})
    for card in (ModelCard(model_card.card(about)), DatasetCard(data_card.card(corpus))):
        assert card.data.to_dict()["license"] in ("apache-2.0", "mit")
        plain = re.sub(r"`[^`\n]*`", "", card.text)
        assert "<script" not in plain
        assert "](javascript" not in plain
        assert "\n---" not in card.text


def test_an_export_without_terms_states_no_licence_and_is_not_uploaded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree / "studies/toy.yaml"
    kept = file.read_text()
    file.write_text(yaml.safe_dump({name: value for name, value in yaml.safe_load(kept).items() if name != "export"}))
    try:
        study_file.study.cache_clear()
        export.main(["toy", "r1-1", "--to", "peft"])
        card = ModelCard.load(tree / ".work/toy/export/r1-1-peft/README.md")
        assert "license" not in card.data.to_dict()
        assert "The study file states no licence: ask before you use it." in card.text
        with pytest.raises(InputError, match=r"studies/toy.yaml: no section 'export'.*add it before an upload"):
            export.main(["toy", "r1-1", "--to", "peft", "--upload", "owner/name", "--yes"])
    finally:
        file.write_text(kept)


FAULTS = {
    "no words": (["", "", "--to", "peft"], "say which: make export S=NAME A=ARM-SEED TO=peft"),
    "no study": (["other", "r1-1", "--to", "peft"], "studies/other.yaml: no such study file; studies here: toy"),
    "no seed": (["toy", "r1", "--to", "peft"], "adapter 'r1': expected ARM-SEED"),
    "no arm": (["toy", "r9-1", "--to", "peft"], "no arm 'r9'; arms here: answer, few, r1"),
    "no adapter": (["toy", "r1-2", "--to", "gguf"], "models/toy/adapters/r1-2: no adapter here; adapters here: r1-1; `make pull S=toy`"),
    "no length": (["toy", "r1-1", "--to", "gguf"], "models/toy/student/config.json: no max_position_embeddings, which a GGUF file states"),
    "no corpus": (["toy", "few", "--to", "data"], "data/toy/corpus/few: no corpus here"),
    "a name that is a path": (["../toy", "r1-1", "--to", "peft"], "a name is letters"),
    "a repository without an owner": (["toy", "r1", "--to", "data", "--upload", "name", "--yes"], "--upload 'name': expected OWNER/REPO"),
    "no token": (["toy", "r1", "--to", "data", "--upload", "owner/name", "--yes"], "HF_TOKEN is not set"),
}


@pytest.mark.parametrize(("words", "line"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(words: list[str], line: str, tree: Path) -> None:
    with pytest.raises(InputError, match=re.escape(line)) as fault:
        export.main(words)
    assert "\n" not in str(fault.value)


def test_an_adapter_of_another_student_is_refused(tree: Path) -> None:
    file = tree / "models/toy/student/config.json"
    kept = file.read_bytes()
    file.write_bytes(kept + b"\n")
    try:
        with pytest.raises(InputError, match=r"models/toy/adapters/r1-1: it was trained on another student"):
            export.main(["toy", "r1-1", "--to", "merged"])
    finally:
        file.write_bytes(kept)


def test_an_upload_lists_what_would_go(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.main(["toy", "r1", "--to", "data", "--upload", "owner/name"])
    assert "upload: nothing was sent. To send 4 files to the dataset repository owner/name, add --yes" in capsys.readouterr().out


def send(tree: Path, server: str, token: str) -> "subprocess.CompletedProcess[str]":
    """Export and upload in a process of its own: the client reads the address when it is imported."""
    environment = os.environ | {"HF_ENDPOINT": server, "HF_TOKEN": token, "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1"}
    words = [sys.executable, "-m", "tools.export", "toy", "r1", "--to", "data", "--upload", "owner/name", "--yes"]
    return subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, timeout=300)


def test_an_upload_is_one_commit_of_all_files_to_a_private_repository(tree: Path) -> None:
    with hub("secret") as server:
        done = send(tree, server.url, "secret")
        assert done.returncode == 0, done.stderr
        out = tree / ".work/toy/export/r1-data"
        assert server.files == {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        assert (server.created["visibility"], server.created["type"]) == ("private", "dataset")
        assert server.card == (out / "README.md").read_text(encoding="utf-8")
        assert server.asked.count("POST /api/datasets/owner/name/commit/main") == 1
        assert "secret" not in done.stdout + done.stderr
        refused = send(tree, server.url, "other")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert re.match(r"export: owner/name: the hub says .*403", refused.stderr)
    gone = send(tree, server.url, "secret")
    assert gone.stderr.startswith("export: owner/name: the hub cannot be reached")


def test_the_hash_of_a_folder_is_dvcs() -> None:
    committed = lock.outputs(lock.read(ROOT / "dvc.lock"))
    assert provenance.md5(ROOT / "plots/mini/svg") == committed["plots/mini/svg"][0]


def test_the_sections_of_the_committed_studies_are_terms() -> None:
    found: dict[str, Any] = {}
    for name in ("mini", "gsm8k"):
        study_file.study.cache_clear()
        found[name] = study_file.section(ROOT / "studies" / f"{name}.yaml", "export", Terms)
    assert found["gsm8k"].base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert found["mini"].datasets == []
