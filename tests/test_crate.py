"""The RO-Crate of the committed run: what the profile asks for, without a network, and whether it says what dvc.lock says."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.core.errors import InputError
from tests.pipeline import ROOT
from tools import lock, ro_crate

Graph = dict[str, dict[str, Any]]
ACTIONS = {"CreateAction", "ControlAction", "OrganizeAction"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The entities of the committed tree's crate by @id."""
    root = tmp_path_factory.mktemp("crate")
    for name in ("dvc.yaml", "dvc.lock", "CITATION.cff"):
        shutil.copy(ROOT / name, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        ro_crate.main()
        document = json.loads((root / ro_crate.FILE).read_text(encoding="utf-8"))
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in document["@graph"]}


RUNS = lock.read(ROOT / "dvc.lock")["stages"]


def _types(entity: dict[str, Any]) -> set[str]:
    kinds = entity["@type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _links(value: object) -> list[str]:
    return [each["@id"] for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def test_every_link_leads_to_an_entity(graph: Graph) -> None:
    links = {link for entity in graph.values() for value in entity.values() for link in _links(value)}
    assert {link for link in links if link not in graph and not link.startswith("https://")} == set()


def test_it_conforms_to_the_three_profiles_and_names_the_workflow(graph: Graph) -> None:
    root, workflow = graph["./"], graph["dvc.yaml"]
    assert {link.split("/")[-2] for link in _links(root["conformsTo"])} == {"process", "workflow", "provenance", "workflow-ro-crate"}
    assert all(_types(graph[link]) == {"CreativeWork"} for link in _links(root["conformsTo"]))
    assert _links(root["mainEntity"]) == ["dvc.yaml"]
    assert _types(workflow) == {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
    assert {"license", "datePublished", "description", "author"} <= set(root)


def test_every_stage_that_ran_is_a_step_with_its_tool(graph: Graph) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    ran = {name.partition("@")[0] for name in RUNS}
    steps = [graph[link] for link in _links(graph["dvc.yaml"]["step"])]
    assert [step["name"] for step in steps] == [name for name in stages if name in ran]
    for step in steps:
        (tool,) = _links(step["workExample"])
        assert "SoftwareSourceCode" in _types(graph[tool])
        assert (ROOT / tool).is_file()
    instruments = {link for entity in graph.values() if _types(entity) & ACTIONS for link in _links(entity["instrument"])}
    assert set(_links(graph["dvc.yaml"]["hasPart"])) <= instruments


def test_every_run_of_dvc_lock_is_an_action_with_what_it_read_and_wrote(graph: Graph) -> None:
    orchestration = next(entity for entity in graph.values() if _types(entity) == {"OrganizeAction"})
    assert {link for control in _links(orchestration["object"]) for link in _links(graph[control]["object"])} == {
        f"#{name}" for name in RUNS
    }
    for name, run in RUNS.items():
        action = graph[f"#{name}"]
        read = {link.rstrip("/"): graph[link]["md5"] for link in _links(action["object"]) if "md5" in graph[link]}
        wrote = {link.rstrip("/"): graph[link]["md5"] for link in _links(action["result"])}
        assert read == {dep["path"]: dep["md5"] for dep in run.get("deps", [])}, name
        assert wrote == {out["path"]: out["md5"] for out in run["outs"]}, name
        assert _types(action) == {"CreateAction"}


def test_parameters_are_those_of_the_lock(graph: Graph) -> None:
    train = graph["#param/studies/mini.yaml/train"]
    assert json.loads(train["value"]) == RUNS["train@mini-r1-1"]["params"]["studies/mini.yaml"]["train"]
    assert "#param/studies/mini.yaml/arms.r1" in _links(graph["#train@mini-r1-1"]["object"])


def test_a_tree_without_a_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no stages, so that there is no run to describe"):
        ro_crate.main()
