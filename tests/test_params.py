"""params.yaml is checked before DVC puts its names into shell commands, and so are the names of a study file."""

from pathlib import Path

import pytest
import yaml

from distill.core import study_file
from distill.core.errors import InputError
from tests.dvc_sandbox import ROOT
from tests.small_project import STUDIES, do, make
from tools import activation, check_study, params, reference_faults

HOSTILE = [
    "r1;touch planted",
    "$(touch planted)",
    "`touch planted`",
    "r1 && touch planted",
    "r1 | touch planted",
    "r1\ntouch planted",
    "r1\n",
    "'; touch planted; '",
    '"; touch planted; "',
    "${studies}",
    "../a",
    "..",
    ".",
    "/tmp/a",
    "a/b",
    "-rf",
    "",
    " r1",
    "r1 ",
    "r\u200b1",
    "*",
    "r1>planted",
    "r1\x00",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("params") / "tree")


def _set(root: Path, **values: object) -> None:
    document = {"papers": ["a"], "corpora": ["a"], "students": ["a"], "arms": ["r1"], "seeds": [1], "long_run": "r1"} | values
    (root / "params.yaml").write_text(yaml.safe_dump(document))


def test_the_committed_params_can_be_run() -> None:
    assert params.read(ROOT).studies == ["job", "mini"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("key", ["papers", "corpora", "students", "arms"])
def test_what_is_no_name_is_refused(key: str, name: str, root: Path) -> None:
    _set(root, **{key: [name]})
    with pytest.raises(InputError, match=r"params.yaml: .*a name is letters, digits") as fault:
        params.read(root)
    assert "\n" not in str(fault.value)


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "a seed that is a command": ({"seeds": ["6;touch planted"]}, "Expected `int`, got `str` - at `$.seeds[0]`"),
    "a seed that is a fraction": ({"seeds": [1.5]}, "Expected `int`, got `float`"),
    "a seed that is true": ({"seeds": [True]}, "Expected `int`, got `bool`"),
    "a negative seed": ({"seeds": [-1]}, "seeds: -1; a seed is 0 or more"),
    "a seed twice": ({"seeds": [1, 1]}, "seeds: 1 is there twice; remove one"),
    "an arm twice": ({"arms": ["r1", "r1"]}, "arms: 'r1' is there twice; remove one"),
    "an arm that is a number": ({"arms": [1]}, "Expected `str`, got `int` - at `$.arms[0]`"),
    "an arm that is a mapping": ({"arms": [{"r1": 1}]}, "Expected `str`, got `object`"),
    "arms that are text": ({"arms": "r1;touch planted"}, "Expected `array`, got `str` - at `$.arms`"),
    "an arm that the study lacks": ({"arms": ["r9"]}, "arms: studies/a.yaml has no arm 'r9'; arms there: r1"),
    "a study without a file": ({"corpora": ["x"]}, "there is no studies/x.yaml for study 'x'; studies here: a, b, corpus"),
}


@pytest.mark.parametrize(("values", "said"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_run_is_one_line(values: dict[str, object], said: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    _set(root, **values)
    with pytest.raises(InputError) as fault:
        params.read()
    assert said in str(fault.value)
    assert str(fault.value).startswith("params.yaml: ")


@pytest.mark.dvc
@pytest.mark.parametrize(
    "words",
    [("tools.repro",), ("tools.repro", "report"), ("tools.study", "pull"), ("tools.study", "status"), ("tools.run_lock", "repro")],
    ids=" ".join,
)
def test_nothing_starts_with_a_hostile_arm(words: tuple[str, ...], root: Path) -> None:
    _set(root, arms=["r1;touch planted"])
    done = do(root, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "params.yaml: arms: 'r1;touch planted': a name is letters" in done.stderr
    assert not (root / "planted").exists()


RUNS = {
    "an arm": (STUDIES["b"].replace("r2", "'r2;touch planted'"), "section 'run': arms: 'r2;touch planted': a name is"),
    "a seed twice": (STUDIES["b"].replace("[1, 2]", "[1, 1]"), "section 'run': seeds: 1 is there twice"),
}


@pytest.mark.parametrize(("text", "said"), RUNS.values(), ids=RUNS)
def test_a_study_that_runs_what_is_no_name_is_refused(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    Path("studies", "b.yaml").write_text(text)
    study_file.study.cache_clear()
    with pytest.raises(InputError, match=said):
        activation.settings("b")


ARM = check_study.Arm("r1", "clean", False, 1)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("section", ["arms", "benchmarks"])
def test_check_names_what_is_no_name_in_a_study_file(section: str, name: str) -> None:
    assert [fault for fault in reference_faults.references({section: {name: ARM}}, []) if "a name is letters" in fault]
