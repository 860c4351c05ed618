"""A model as solver, verifier and distiller, end to end against the scripted server."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from distill.cli.layout import Paths, layout
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.core.files import read_json, read_records, write_records
from distill.llm.budget import BudgetLimit
from distill.llm.call_store import CallStore
from distill.llm.client import Client
from distill.llm.endpoint_config import Endpoint
from distill.llm.request import Request, Response, parse
from distill.llm.transcripts import StoredCall, write
from distill.records.level import ANSWER, Level
from distill.records.trace import Trace
from distill.records.verified import Verified
from distill.teacher import distiller, solver, verifier
from stages import condense, solve, verify
from tests import teachers
from tests.chatscript import Script
from tests.chatserver import Server, serving
from tests.pipeline import ROOT
from tests.tiny_model import LEVELS

PATHS = layout("new")
STAGES = {"solve": solve.main, "verify": verify.main, "condense": condense.main}
ROLES = tuple(STAGES)
TRANSCRIPTS = {role: PATHS.transcripts / f"{role}.jsonl.gz" for role in ROLES}


def run(paths: Paths = PATHS) -> None:
    solve.main(paths)
    verify.main(paths)
    condense.main(paths)


def outs() -> dict[str, bytes]:
    data = (PATHS.traces, PATHS.verified, PATHS.levels, PATHS.teacher_metrics, PATHS.levels_metrics)
    return {str(path): path.read_bytes() for path in (*data, *TRANSCRIPTS.values())}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without faults, whose every sixth answer is of no use."""
    script = Script(answers="tests.teachers:flawed", reasoning="think", model="r1-0528")
    with serving(script, tmp_path_factory.mktemp("server") / "log") as found:
        yield found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sixty problems, the current one."""
    monkeypatch.chdir(tmp_path)
    teachers.problems(60)
    return tmp_path


def test_from_problems_to_levels(server: Server, root: Path) -> None:
    run(teachers.study(root, server.url))
    traces = read_records(PATHS.traces, Trace)
    assert len(traces) == 60
    assert {trace.teacher for trace in traces} == {"r1-0528"}
    assert not any("Let me see" in trace.text for trace in traces)  # the reasoning is in the transcripts, not in the trace
    verified = read_records(PATHS.verified, Verified)
    wrong = [row for row in verified if row.verdict == "incorrect"]
    assert 0 < len(wrong) < 20
    assert all(row.answer == "-1" and row.judge == "symbolic" for row in wrong)
    levels = read_records(PATHS.levels, Level)
    by_problem: dict[str, list[Level]] = {}
    for level in levels:
        by_problem.setdefault(level.id, []).append(level)
    assert [*by_problem] == [row.id for row in verified if row.verdict == "correct"]
    golds = {row.id: row for row in verified}
    for name, own in by_problem.items():
        *made, bare = own
        assert [level.level for level in made] == list(LEVELS[: len(made)])
        assert bare.level == ANSWER
        assert bare.text == f"Answer: {golds[name].answer}"
        assert all(level.text.endswith(f"\n{bare.text}") and level.words == len(level.text.split()) for level in made)
        words = [level.words for level in made]
        assert words == sorted(set(words), reverse=True)
    found = read_json(PATHS.levels_metrics)
    assert found["r1"]["asked"] == 0
    ended = sum(count for level in LEVELS for key, count in found[level].items() if key.startswith("dropped_"))
    assert ended == sum(len(own) < 7 for own in by_problem.values()) > 0
    assert found["r2"]["retried"] > 0
    assert [found[level]["told_gold"] for level in LEVELS] == [0] * 6


def test_a_second_run_asks_nothing_and_equals_the_first(server: Server, root: Path) -> None:
    run(teachers.study(root, server.url))
    before, mark = outs(), server.size()
    run()
    assert outs() == before
    assert not server.asked(mark)


def test_transcripts_replay_with_no_key_and_no_call(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "0123456789")
    keyed = {"here": teachers.ENDPOINT | {"key_variable": "SOME_KEY", "key_page": "some page"}}
    run(teachers.study(root, server.url, endpoints=keyed))
    before, mark = outs(), server.size()
    clone = root / "clone"
    (clone / PATHS.problems.parent).mkdir(parents=True)
    (clone / PATHS.problems).write_bytes(PATHS.problems.read_bytes())
    sources = {
        role: {"path": str(Path("..", path)), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for role, path in TRANSCRIPTS.items()
    }
    monkeypatch.chdir(clone)
    monkeypatch.delenv("SOME_KEY")
    run(teachers.study(clone, "http://127.0.0.1:9", endpoints=keyed, transcripts=sources))
    assert outs() == before
    assert not server.asked(mark)
    with CallStore(".work/new/calls.sqlite") as store:
        assert store.ledger().total.nano == 0


def test_faults_on_the_way_change_nothing(server: Server, root: Path, tmp_path: Path) -> None:
    run(teachers.study(root, server.url))
    before = outs()
    (root / ".work").rename(root / "kept")
    faults = ("429", "500", "reset", "reset-mid", "truncated", "type", "empty")
    script = Script(answers="tests.teachers:flawed", reasoning="reasoning_content", model="r1-0528", rate=0.3, faults=faults)
    with serving(script, tmp_path / "log") as other:
        run(teachers.study(root, other.url))
    after = outs()
    assert {name: data for name, data in after.items() if "gz" not in name} == {n: d for n, d in before.items() if "gz" not in n}


@pytest.mark.parametrize("keep", ["text", "reasoning"])
def test_what_a_trace_holds(keep: str, server: Server, root: Path) -> None:
    solve.main(teachers.study(root, server.url, solve={"keep": keep}))
    trace = read_records(PATHS.traces, Trace)[0]
    assert trace.text.startswith("Let me see.") == (keep == "reasoning")
    assert "**Answer:** " in trace.text
    assert trace.answer


def test_a_text_cut_by_its_limit_is_no_trace(server: Server, root: Path) -> None:
    sampling = teachers.SAMPLING | {"max_tokens": 40}
    paths = teachers.study(root, server.url, solve={"sampling": sampling})
    solve.main(paths)
    verify.main(paths)
    traces = read_records(PATHS.traces, Trace)
    cut = {trace.id for trace in traces if trace.finish == "length"}
    assert cut
    assert {row.id for row in read_records(PATHS.verified, Verified) if row.verdict == "truncated"} == cut


class Case(NamedTuple):
    """A problem's samples and what becomes of them."""

    answers: list[str]  # "" is blank, "cut" is truncated
    rule: str
    used: int | None  # the sample that is used
    rejected: list[str]


GOLD = "1/2"
OTHER = "another sample is used"
CHOICES = {
    "one sample": Case(["1/2"], "first", 0, [""]),
    "the first correct one": Case(["2", "0.5", "1/2"], "first", 1, ["", "", OTHER]),
    "none is correct": Case(["2", "3"], "first", None, ["", ""]),
    "a majority of one value in three forms": Case(
        ["2", "1/2", r"\frac{1}{2}", "0.5"], "majority", 1, ["", "", *["another sample is used"] * 2]
    ),
    "a majority of wrong ones": Case(["2", "1/2", "2"], "majority", None, ["", "outvoted", ""]),
    "a tie goes to the first": Case(["1/2", "2"], "majority", 0, ["", ""]),
    "a tie that a wrong one leads": Case(["2", "1/2"], "majority", None, ["", "outvoted"]),
    "blank and cut ones have no vote": Case(["", "cut", "cut", "1/2"], "majority", 3, ["", "", "", ""]),
    "only blank ones": Case(["", "cut"], "majority", None, ["", ""]),
}


@pytest.mark.parametrize("case", CHOICES.values(), ids=CHOICES)
def test_of_several_samples_one_is_used(case: Case, root: Path) -> None:
    problem = msgspec.structs.replace(next(files.iterate_records(PATHS.problems, teachers.Problem)), gold=GOLD)
    write_records(PATHS.problems, [problem])
    rows = [("length" if answer == "cut" else "stop", "" if answer == "cut" else answer) for answer in case.answers]
    write_records(
        PATHS.traces,
        [Trace(problem.id, "r1", f"So {answer}.", answer, finish, "", sample) for sample, (finish, answer) in enumerate(rows)],
    )
    verify.main(teachers.study(root, "http://127.0.0.1:9", verify={"choose": case.rule}))
    found = read_records(PATHS.verified, Verified)
    assert [row.sample for row in found] == list(range(len(rows)))
    assert [row.rejected for row in found] == case.rejected
    used = [row.sample for row in found if row.verdict == "correct" and not row.rejected]
    assert used == ([] if case.used is None else [case.used])
    metric = read_json(PATHS.teacher_metrics)
    assert metric["verified_correct"] == len(used)
    assert metric["samples"]["count"] == len(rows)
    assert metric["model"]["asked"] == 0  # no call: the address does not answer


JUDGED = {  # name: (gold, answer, who is asked, the model says, verdict, judge, disagreement)
    "both say yes": ("1/2", "0.5", "all", "Same.\nVerdict: CORRECT", "correct", "symbolic", "symbolic_correct_model_correct"),
    "the model says no": ("1/2", "0.5", "all", "Verdict: INCORRECT", "correct", "symbolic", "symbolic_correct_model_incorrect"),
    "the model says yes": ("1/2", "0.6", "all", "Verdict: CORRECT.", "incorrect", "symbolic", "symbolic_incorrect_model_correct"),
    "the model says nothing": ("1/2", "0.5", "all", "Well.", "correct", "symbolic", "symbolic_correct_model_undecided"),
    "only it can tell": ("the red one", "it is the red one of them", "undecided", "**Verdict: CORRECT**", "correct", "model", ""),
    "it tells, and no": ("the red one", "the red one or blue", "undecided", "Verdict: INCORRECT", "incorrect", "model", ""),
    "it cannot tell": (
        "the red one",
        "the red one or blue",
        "undecided",
        "Verdict: CORRECT or INCORRECT",
        "undecided",
        "none",
        "",
    ),
    "it speaks on": ("the red one", "the red one or blue", "undecided", "Verdict: CORRECT\nor so", "undecided", "none", ""),
    "it is not asked": ("1/2", "0.5", "undecided", "Verdict: INCORRECT", "correct", "symbolic", ""),
    "blank work is not asked of": ("1/2", "", "all", "Verdict: CORRECT", "blank", "none", ""),
}
SAYS: dict[str, str] = {}


@pytest.mark.parametrize(("gold", "answer", "asks", "says", "verdict", "judge", "counted"), JUDGED.values(), ids=JUDGED)
def test_symbolic_first_then_the_model(
    gold: str, answer: str, asks: str, says: str, verdict: str, judge: str, counted: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = msgspec.structs.replace(next(files.iterate_records(PATHS.problems, teachers.Problem)), gold=gold)
    write_records(PATHS.problems, [problem])
    write_records(PATHS.traces, [Trace(problem.id, "r1", f"So {answer}.", answer, "stop", "")])
    scripted(monkeypatch, [says])
    verify.main(teachers.study(root, "http://127.0.0.1:9", verify={"asks": asks}))
    (row,) = read_records(PATHS.verified, Verified)
    assert (row.verdict, row.judge) == (verdict, judge)
    disagreement = read_json(PATHS.teacher_metrics)["disagreement"]
    assert {name for name, count in disagreement.items() if count} == ({counted} if counted else set())


def scripted(monkeypatch: pytest.MonkeyPatch, texts: list[str]) -> list[Request]:
    """Have the client answer with these texts in turn; return the requests, as they come."""
    sent: list[Request] = []

    async def call(client: Client, request: Request, sample: int) -> Response:
        message = {"role": "assistant", "content": texts[len(sent) % len(texts)]}
        sent.append(request)
        return parse(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "model": "r1"}))

    monkeypatch.setattr(Client, "call", call)
    return sent


LONG = "One two three four five six seven."
SHORTENED = {  # name: (answers of the model in turn, levels made beside r1 and answer, what r2 counts)
    "shorter and shorter": (
        ["a b c d e\nAnswer: 8", "a b c d\nAnswer: 8", "a b c\n**Answer:** 8", "a b\nAnswer: 8", "a $8$\nAnswer: 8"],
        4,
        {},
    ),
    "in a box": ([r"so it is \boxed{8}"], 1, {}),
    "the second attempt": (["no end", "a b c d e\nAnswer: 8"], 1, {"asked": 2, "retried": 1}),
    "another answer": (["a b\nAnswer: 9"], 0, {"dropped_another_answer": 1, "asked": 2}),
    "no answer": (["a b"], 0, {"dropped_no_answer_at_its_end": 1}),
    "the answer before the end": (["Answer: 8\nas we wanted"], 0, {"dropped_no_answer_at_its_end": 1}),
    "only the answer": (["Answer: 8"], 0, {"dropped_nothing_but_the_answer": 1}),
    "as long": ([f"{LONG}\nAnswer: 8"], 0, {"dropped_not_shorter": 1}),
}


@pytest.mark.parametrize(("texts", "made", "counts"), SHORTENED.values(), ids=SHORTENED)
def test_a_level_that_fails_a_check_is_asked_again_then_counted(
    texts: list[str], made: int, counts: dict[str, int], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = msgspec.structs.replace(next(files.iterate_records(PATHS.problems, teachers.Problem)), gold="8")
    write_records(PATHS.problems, [problem])
    row = Verified(problem.id, f"{LONG}\nAnswer: 8", "8", "8", "correct", "symbolic")
    write_records(PATHS.verified, [row, msgspec.structs.replace(row, sample=1, rejected="another sample is used")])
    scripted(monkeypatch, texts)
    condense.main(teachers.study(root, "http://127.0.0.1:9"))
    levels = read_records(PATHS.levels, Level)
    assert [level.level for level in levels] == [*LEVELS[: made + 1], ANSWER]
    assert levels[0].text == row.text
    found = read_json(PATHS.levels_metrics)["r2"]
    assert {name: found.get(name) for name in counts} == counts


def test_the_distiller_is_told_the_answer_only_where_the_study_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = msgspec.structs.replace(next(files.iterate_records(PATHS.problems, teachers.Problem)), gold="4/8")
    write_records(PATHS.problems, [problem])
    write_records(PATHS.verified, [Verified(problem.id, f"{LONG}\nAnswer: 1/2", "1/2", "4/8", "correct", "symbolic")])
    for told, name in ((False, "1.md"), (True, "told-1.md")):
        asked = scripted(monkeypatch, ["a b\nAnswer: 1/2"])
        condense.main(teachers.study(root, "", condense={"told_gold": told, "prompt": f"prompts/condense/{name}"}))
        assert all(("4/8" in request.messages[-1].content) == told for request in asked)
        assert read_json(PATHS.levels_metrics)["r2"]["told_gold"] == told
        (root / ".work" / "new" / "calls.sqlite").unlink()


def test_nothing_verified_is_nothing_to_condense(root: Path) -> None:
    write_records(PATHS.verified, [Verified("p-000000", "It is 9.", "9", "8", "incorrect", "symbolic")])
    with pytest.raises(InputError, match=r"verified.jsonl: no chain is verified correct, so there is nothing to condense"):
        condense.main(teachers.study(root, "http://127.0.0.1:9"))


def spoil(path: str, text: str) -> Any:
    """Return a change of a prompt file."""
    return lambda root: (root / path).write_text(text)


def same(root: Path) -> None:
    """Leave the prompts as they are."""


GREEDY = teachers.SAMPLING | {"temperature": 0.0}
BROKEN: dict[str, tuple[str, dict[str, Any], Any, str]] = {  # name: (stage, changes of the study, of the prompts, the message)
    "an unknown role": ("solve", {"solve": {"teacher": "oracle"}}, same, r"teacher is 'oracle'; allowed: symbolic, recorded, chat$"),
    "a key misspelt": ("solve", {"solve": {"sample": 1}}, same, r"section 'solve': .*unknown field `sample`.*; keys here: .*samples"),
    "a sampling key misspelt": (
        "verify", {"verify": {"sampling": {"temprature": 1.0}}}, same, r"unknown field `temprature` - at `\$.sampling`",
    ),
    "a wrong type": ("condense", {"condense": {"attempts": "3"}}, same, r"Expected `int`, got `str` - at `\$.attempts`"),
    "a bare date": (
        "solve", {"endpoints": {"here": teachers.ENDPOINT | {"prices": {"r1": teachers.PRICE | {"dated": date(2026, 1, 2)}}}}}, same,
        r"line 36: .2026-01-02. is read as a timestamp by YAML; write a text in quotes",
    ),
    "no such endpoint": ("solve", {"solve": {"endpoint": "there"}}, same, r"no endpoint 'there'; section 'endpoints' has here$"),
    "a role of no transcript": ("solve", {"transcripts": {"solver": {"path": "a", "sha256": "b"}}}, same, r"no role 'solver'"),
    "no transcript there": ("solve", {"transcripts": {"solve": {"path": "a.gz", "sha256": "b"}}}, same, r"^a.gz: no such file"),
    "samples alike": ("solve", {"solve": {"samples": 2, "sampling": GREEDY}}, same, r"at temperature 0"),
    "attempts alike": ("condense", {"condense": {"sampling": GREEDY}}, same, r"at temperature 0"),
    "no such prompt": ("solve", {"solve": {"prompt": "prompts/solve/2.md"}}, same, r"2.md: no such prompt; prompts here: .*1.md$"),
    "a prompt elsewhere": ("solve", {"solve": {"prompt": "prompts/verify/1.md"}}, same, r"lies in prompts/solve/"),
    "a name that is no value": ("verify", {}, spoil("prompts/verify/1.md", "# user\n{{work}}"), r"asks for \{\{work\}\}; it may"),
    "gold told unasked": ("condense", {"condense": {"prompt": "prompts/condense/told-1.md"}}, same, r"^\S* tells the gold .* is false"),
    "gold untold": ("condense", {"condense": {"told_gold": True}}, same, r"does not tell .*told_gold is true"),
    "a part is missing": ("condense", {}, spoil("prompts/condense/1.md", "# user\n{{work}}"), r"its parts are user; needed: r1, .*, user"),
    "a part twice": ("solve", {}, spoil("prompts/solve/1.md", "# user\n{{problem}}\n# user\nb"), r"a part stands twice"),
    "no part": ("solve", {}, spoil("prompts/solve/1.md", "Solve {{problem}}"), r"text before the first part"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "spoiling", "message"), BROKEN.values(), ids=BROKEN)
def test_a_fault_of_the_study_is_one_line(name: str, changes: dict[str, Any], spoiling: Any, message: str, root: Path) -> None:
    write_records(PATHS.traces, [])
    write_records(PATHS.verified, [])
    paths = teachers.study(root, "http://127.0.0.1:9", **changes)
    spoiling(root)
    with pytest.raises(InputError, match=message) as fault:
        STAGES[name](paths)
    assert "\n" not in str(fault.value)


def test_the_template_for_a_new_study_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study_file.study.cache_clear()  # of another file with this relative path
    template = PATHS.study_file
    endpoints = study_file.section(template, "endpoints", dict[str, Endpoint])
    for role, kind, module in (
        ("solve", solver.ModelSolver, solver),
        ("verify", verifier.ModelVerifier, verifier),
        ("condense", distiller.ModelDistiller, distiller),
    ):
        params = study_file.section(template, role, kind)
        endpoints[params.endpoint].price(params.model)
        assert (module.load_prompt(params, LEVELS) if module is distiller else module.load_prompt(params)).parts["user"]
    assert study_file.section(template, "budget", BudgetLimit).dollars
    json.dumps(study_file.study(template))  # as DVC keeps it


def test_no_key_is_said_before_anything_is_spent(server: Server, root: Path) -> None:
    """The solver's endpoint asks for no key, the verifier's does: the solver already says so."""
    endpoints = {"here": teachers.ENDPOINT, "there": teachers.ENDPOINT | {"key_variable": "OTHER_KEY", "key_page": "https://keys.example"}}
    mark = server.size()
    with pytest.raises(InputError, match=r"^OTHER_KEY is not set.*make a key at https://keys.example.*nothing was spent$"):
        solve.main(teachers.study(root, server.url, endpoints=endpoints))
    assert not server.asked(mark)


@pytest.mark.parametrize("teacher", ["symbolic", "recorded"])
def test_other_teachers_ask_nothing(teacher: str, root: Path) -> None:
    PATHS.recorded_traces.write_text("")
    paths = teachers.study(root, "")
    paths.study_file.write_text("levels: [r1]\n" + "".join(f"{role}: {{teacher: {teacher}}}\n" for role in ROLES))
    study_file.study.cache_clear()
    solve.main(paths)
    assert list(files.iterate_records(TRANSCRIPTS["solve"], StoredCall)) == []
    assert not (root / ".work").exists()


def test_calls_without_an_answer_stop_the_stage_unless_allowed(root: Path, tmp_path: Path) -> None:
    problems = list(files.iterate_records(PATHS.problems, teachers.Problem))
    plan = [(problems[3].statement, ["400"] * 99)]
    with serving(Script(answers="tests.teachers:answer", plan=plan), tmp_path / "log") as server:
        with pytest.raises(
            InputError, match=r'solve: 1 calls have no response \(refused: 1 "400: scripted 400"\), allowed are 0; run it again'
        ):
            solve.main(teachers.study(root, server.url))
        mark = server.size()
        solve.main(teachers.study(root, server.url, solve={"max_failed_calls": 1}))
        assert server.asked(mark).total() == 1  # the others are stored
    traces = read_records(PATHS.traces, Trace)
    assert [(trace.id, trace.reason) for trace in traces if trace.finish == "unsolved"] == [(problems[3].id, "no answer of the model")]


def test_a_changed_transcript_is_refused(server: Server, root: Path) -> None:
    solve.main(teachers.study(root, server.url))
    path = TRANSCRIPTS["solve"]
    given = {"solve": {"path": str(path), "sha256": "0" * 64}}
    with pytest.raises(InputError, match=r"solve.jsonl.gz: expected sha256 0{12}, got"):
        solve.main(teachers.study(root, server.url, transcripts=given))
    calls = list(files.iterate_records(path, StoredCall))
    changed = msgspec.structs.replace(calls[0], request=msgspec.Raw(bytes(calls[0].request).replace(b"0.6", b"0.7")))
    write(path, [changed, *calls[1:]])
    given["solve"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=r"solve.jsonl.gz:1: its key is not the hash of its request"):
        solve.main(teachers.study(root, server.url, transcripts=given))
