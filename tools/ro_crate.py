"""`make crate`: ro-crate-metadata.json, the committed run of dvc.lock as a Provenance Run Crate (Workflow Run RO-Crate 0.5).

The crate is the repository itself, after `make pull`. dvc.yaml is the workflow, a stage of it a step, the stage's module a tool; each entry
of dvc.lock is one run of a tool, with its parameters, and with every file that it read and wrote by MD5. The file is not committed.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.cli import command
from distill.core.errors import InputError
from distill.core.files import write_text
from tools import lock

FILE = Path("ro-crate-metadata.json")
TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {name: TERMS + name for name in ("md5", "ParameterConnection", "connection", "sourceParameter", "targetParameter", "resourceUsage")},
]
PROFILES = {  # what the crate conforms to, the most special one last
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
DONE = "http://schema.org/CompletedActionStatus"
Entity = dict[str, Any]


def main() -> None:
    """Write the crate's metadata into the current tree."""
    document = lock.read(Path("dvc.lock"))
    if not document.get("stages"):
        raise InputError("dvc.lock: no stages, so that there is no run to describe; run `make repro` first")
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    citation = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))
    shown = subprocess.run(["git", "log", "-1", "--format=%cs"], capture_output=True, text=True) if lock.has_git() else None
    day = shown.stdout.strip() if shown and shown.returncode == 0 else str(citation["date-released"])
    graph: dict[str, Entity] = {}
    for entity in crate(document["stages"], stages, citation, day):
        graph[entity["@id"]] = graph.get(entity["@id"], {}) | entity
    write_text(FILE, json.dumps({"@context": CONTEXT, "@graph": list(graph.values())}, indent=1, ensure_ascii=False) + "\n")
    absent = [name for name, entity in graph.items() if "md5" in entity and not Path(name).exists()]
    print(f"{FILE}: {len(document['stages'])} runs of stages, {len(graph)} entities", end="")
    print(f"; {len(absent)} of their files are not here: make pull" if absent else "")


def crate(runs: Mapping[str, Any], stages: Mapping[str, Any], citation: Mapping[str, Any], day: str) -> Iterator[Entity]:
    """Yield the entities of a crate; a later one with the same @id adds to an earlier one, as a tool to its file."""
    names = [name for name in stages if any(_stage(run) == name for run in runs)]
    files = list({file["@id"]: file for run in runs.values() for entry in _entries(run) for file in [_data(entry)]}.values())
    yield {"@id": FILE.name, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": [
        {"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}]}  # fmt: skip
    yield from ({"@id": url, "@type": "CreativeWork", "name": name, "version": url.rpartition("/")[2]} for url, name in PROFILES.items())
    yield {
        "@id": "./", "@type": "Dataset", "name": citation["title"], "description": citation["abstract"], "datePublished": day,
        "license": {"@id": "LICENSE"}, "conformsTo": [{"@id": url} for url in PROFILES], "mainEntity": {"@id": "dvc.yaml"},
        "author": {"@id": "#authors"},
        "hasPart": [{"@id": name} for name in ("dvc.yaml", "LICENSE", *map(_module, names), *(file["@id"] for file in files))],
        "mentions": [{"@id": "#run"}, *({"@id": f"#{name}"} for name in runs)],
    }  # fmt: skip
    yield {"@id": "LICENSE", "@type": ["File", "CreativeWork"], "name": f"{citation['license']} License", "encodingFormat": "text/plain"}
    yield {"@id": "#authors", "@type": "Organization", "name": citation["authors"][0]["name"]}
    yield {"@id": "#dvc", "@type": "SoftwareApplication", "name": "DVC", "url": "https://dvc.org"}
    yield {"@id": "#dvc-yaml", "@type": "ComputerLanguage", "name": "DVC pipeline", "url": {"@id": "https://dvc.org/doc/user-guide"}}
    yield {
        "@id": "dvc.yaml", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], "name": "the pipeline",
        "programmingLanguage": {"@id": "#dvc-yaml"}, "hasPart": [{"@id": _module(name)} for name in names],
        "step": [{"@id": f"#step/{name}"} for name in names], "encodingFormat": "application/yaml",
    }  # fmt: skip
    yield from files
    for place, name in enumerate(names, 1):
        about = {"name": name, "description": stages[name].get("desc", name)}
        yield {"@id": f"#step/{name}", "@type": "HowToStep", "position": str(place), "workExample": {"@id": _module(name)}} | about
        yield {"@id": _module(name), "@type": ["File", "SoftwareSourceCode"], "encodingFormat": "text/x-python"} | about
    yield from _actions(runs)


def _actions(runs: Mapping[str, Any]) -> Iterator[Entity]:
    """Yield the run of the workflow, DVC's, and each run of a tool with what controlled it."""
    made = {out["path"] for run in runs.values() for out in run.get("outs", [])}
    read = {dep["path"]: dep for run in runs.values() for dep in run.get("deps", [])}
    yield {
        "@id": "#run", "@type": "CreateAction", "name": "the committed run", "instrument": {"@id": "dvc.yaml"}, "actionStatus": DONE,
        "object": _links([_data(dep) for path, dep in read.items() if path not in made]),
        "result": _links([_data(out) for run in runs.values() for out in run.get("outs", [])]),
    }  # fmt: skip
    yield {
        "@id": "#orchestration", "@type": "OrganizeAction", "name": "DVC ran the pipeline", "instrument": {"@id": "#dvc"},
        "result": {"@id": "#run"}, "object": [{"@id": f"#control/{name}"} for name in runs],
    }  # fmt: skip
    for name, run in runs.items():
        values = list(_values(run))
        yield from values
        yield {
            "@id": f"#control/{name}", "@type": "ControlAction", "name": f"DVC ran {name}",
            "instrument": {"@id": f"#step/{_stage(name)}"}, "object": {"@id": f"#{name}"},
        }  # fmt: skip
        yield {
            "@id": f"#{name}", "@type": "CreateAction", "name": name, "description": run["cmd"], "actionStatus": DONE,
            "instrument": {"@id": _module(_stage(name))},
            "object": _links([*map(_data, run.get("deps", [])), *values]), "result": _links([*map(_data, run.get("outs", []))]),
        }  # fmt: skip


def _links(entities: list[Entity]) -> Any:
    """Refer to entities; to a single one without a list, as JSON-LD is flattened."""
    links = [{"@id": entity["@id"]} for entity in entities]
    return links[0] if len(links) == 1 else links


def _values(run: Mapping[str, Any]) -> Iterator[Entity]:
    """Yield a run's parameters: a section of a study file, as JSON."""
    for path, sections in run.get("params", {}).items():
        for key, value in sections.items():
            yield {"@id": f"#param/{path}/{key}", "@type": "PropertyValue", "name": f"{path}: {key}", "value": json.dumps(value)}


def _entries(run: Mapping[str, Any]) -> list[Any]:
    return [*run.get("deps", []), *run.get("outs", [])]


def _data(entry: Mapping[str, Any]) -> Entity:
    """Describe a file or a folder of dvc.lock."""
    path, md5 = entry["path"], str(entry.get("md5", ""))
    folder = md5.endswith(".dir")  # DVC's MD5 of the list of its files
    about: Entity = {"@id": f"{path}/" if folder else path, "@type": "Dataset" if folder else "File", "name": path}
    return about | {"md5": md5, "contentSize": str(entry.get("size", ""))}


def _stage(run: str) -> str:
    return run.partition("@")[0]


def _module(stage: str) -> str:
    """Name the module of a stage: sample-base is another run of stages/sample.py."""
    return f"stages/{stage.partition('-')[0]}.py"


if __name__ == "__main__":
    command.guarded("crate", main)
