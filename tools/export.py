"""`make export S=NAME A=ARM-SEED TO=peft`: an adapter for other engines, or an arm's corpus, with its card.

peft: for transformers with PEFT; merged: a student in the hub's layout; gguf: for llama.cpp; data: the corpus of arm A, with a data card
and Croissant metadata. Nothing leaves the machine unless `--upload OWNER/REPO --yes` says so; without `--yes` it lists what would go.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from distill.cli import command
from distill.cli.layout import Paths, layout
from distill.core import study_file
from distill.core.errors import InputError
from distill.core.files import read_json, replacing, write_json, write_text
from distill.export import croissant, data_card, model_card
from distill.export.terms import Limits, Terms, base
from distill.model import engine
from distill.model.model_io import WEIGHTS, folder_sha256
from distill.report.report_inputs import Intervals
from tools import provenance, upload

T = TypeVar("T")
FORMS = ("peft", "merged", "gguf", "data")


def main(words: Sequence[str] | None = None) -> None:
    """Export, and upload where that is asked for."""
    given = arguments(sys.argv[1:] if words is None else words)
    if not (given.study and given.adapter):
        raise InputError("say which: make export S=NAME A=ARM-SEED TO=peft")
    arm, seed = (given.adapter, None) if given.to == "data" else cell(given.adapter)
    paths = layout(given.study, arm, seed)
    study_file.arm(paths.study_file, arm)
    terms = _section(paths, "export", Terms)
    if given.upload and terms is None:
        raise InputError(f"{paths.study_file}: no section 'export', so that the card would state no licence; add it before an upload")
    out = given.out or paths.work / "export" / f"{given.adapter}-{given.to}"
    if given.out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: there is something already; remove it, or name another folder")
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        if seed is None:
            corpus(paths, arm, terms, folder)
        else:
            adapter(paths, arm, seed, terms, given.to, folder)
    print(f"export: {out}: {', '.join(upload.sizes(out))}")
    if given.upload:
        upload.send(out, given.upload, "dataset" if given.to == "data" else "model", given.yes)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the words of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="a file of studies/, without its ending")
    parser.add_argument("adapter", help="ARM-SEED, as in models/STUDY/adapters; with --to data: ARM")
    parser.add_argument("--to", required=True, choices=FORMS)
    parser.add_argument("--out", type=Path, help="the folder to write; else .work/STUDY/export/ADAPTER-FORM")
    parser.add_argument("--upload", metavar="OWNER/REPO", help="of the hub: list what would be sent")
    parser.add_argument("--yes", action="store_true", help="send it, with the token in HF_TOKEN")
    return parser.parse_args(words)


def cell(name: str) -> tuple[str, int]:
    """Return arm and seed of an adapter's name.

    >>> cell("r1-n100-2")
    ('r1-n100', 2)
    """
    arm, _, seed = name.rpartition("-")
    if not arm or not seed.isdecimal():
        raise InputError(f"adapter {name!r}: expected ARM-SEED, such as r1-1")
    return arm, int(seed)


def adapter(paths: Paths, arm: str, seed: int, terms: Terms | None, form: str, out: Path) -> None:
    """Write an adapter in one form, with its card."""
    if not paths.adapter.is_dir():
        known = ", ".join(sorted(path.name for path in paths.adapters.glob("[!.]*"))) or "none"
        raise InputError(f"{paths.adapter}: no adapter here; adapters here: {known}; `make pull S={paths.study}` brings those of the lock")
    manifest = read_json(paths.adapter / "manifest.json")
    if "recorded" in manifest:
        raise InputError(f"{paths.adapter}: its student is recorded, so that there are no weights to export")
    if manifest["student"] != folder_sha256(paths.student, WEIGHTS):
        raise InputError(f"{paths.adapter}: it was trained on another student than {paths.student}; pull or train both again")
    config, float32 = read_json(paths.student / "config.json"), bool(manifest["train"]["float32"])
    bits = config.get("quantization", {}).get("bits", 16)
    model = base(study_file.section(paths.study_file, "student", dict[str, Any]), bits)
    about = model_card.Adapter(
        study=paths.study,
        arm=arm,
        seed=seed,
        form=form,
        terms=terms,
        base=model,
        bits=bits,
        dtype="float32" if float32 else config.get("torch_dtype") or config.get("dtype") or "auto",
        row=study_file.section(paths.study_file, "arms", dict[str, Any])[arm],
        manifest=manifest,
        run=read_json(paths.adapter / "training.json"),
        summary=_arms(paths.summary),
        likelihood=_arms(paths.likelihood_metrics),
        confidence=study_file.section(paths.study_file, "summarise", Intervals).confidence,
        limits=_limits(paths),
        provenance=provenance.of(paths.adapter, paths.student, paths.corpus)
        | {"engine": ", ".join(map(" ".join, manifest["engine"].items()))},
    )
    engine.start()
    from distill.export import writers  # imports mlx

    if form == "peft":
        writers.peft(paths.student, paths.adapter, out, model, float32)
    elif form == "merged":
        writers.merged(paths.student, paths.adapter, out, float32)
    else:
        writers.gguf(paths.student, paths.adapter, out, about.name, float32)
    write_text(out / "README.md", model_card.card(about))


def corpus(paths: Paths, arm: str, terms: Terms | None, out: Path) -> None:
    """Write an arm's corpus with its card and its Croissant metadata."""
    parts = [file for part in data_card.PARTS if (file := paths.corpus / f"{part}.jsonl").exists() and file.stat().st_size]
    if not parts:
        raise InputError(f"{paths.corpus}: no corpus here; `make pull S={paths.study}` brings that of the lock")
    about = data_card.Corpus(
        study=paths.study,
        arm=arm,
        terms=terms,
        row=study_file.section(paths.study_file, "arms", dict[str, Any])[arm],
        counts=read_json(paths.corpus / "counts.json"),
        limits=_limits(paths),
        provenance=provenance.of(paths.corpus),
    )
    for file in parts:
        shutil.copyfile(file, out / file.name)
    citation = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))
    licence = terms.data_licence if terms else ""
    write_json(out / "croissant.json", croissant.describe(f"{paths.study}-{arm}", about.about, parts, licence, citation))
    write_text(out / "README.md", data_card.card(about))


def _section(paths: Paths, name: str, kind: type[T]) -> T | None:
    """Return a section that a study may lack."""
    return study_file.section(paths.study_file, name, kind) if name in study_file.study(paths.study_file) else None


def _limits(paths: Paths) -> list[str]:
    found = _section(paths, "report", Limits)
    return found.limits if found else []


def _arms(path: Path) -> dict[str, Any]:
    """Return the arms of a metrics file; none where the study has no such file yet."""
    found: dict[str, Any] = read_json(path).get("arms", {}) if path.exists() else {}
    return found


if __name__ == "__main__":
    command.guarded("export", main)
