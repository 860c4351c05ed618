"""A vision model that copies pages: its calls, its replies, and the audit that finds its errors."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from distill.cli.layout import Paths
from distill.competition.exam import Exam, Item
from distill.competition.typeset import typeset
from distill.core import files, study_file
from distill.core.errors import InputError
from distill.extraction.page_jobs import Limits
from distill.extraction.read_item import ReadItem, parts
from distill.llm.budget import max_cost, prompt_bound
from distill.llm.endpoint_config import Price
from distill.llm.request import Failure, Image, Request, Response, Sampling, body, key
from distill.records.example import Message
from distill.records.problem import Problem
from distill.review import audit
from distill.review.audit import Checked
from distill.sources import manifest
from distill.transcriber import page_images, transcriber
from distill.transcriber.page_images import Sheet
from distill.transcriber.transcription import Transcription
from stages import extract, review, transcribe
from tests import teachers, transcribing
from tests.chatscript import Script
from tests.chatserver import ROOT, Server, serving

LIMITS = {"pages": 20, "page_seconds": 60.0, "file_seconds": 600.0, "memory_gb": 1.8}
EXTRACT = {
    "ocr": "lines", "ocr_dpi": 200, "min_text_chars": 40, "limits": LIMITS,
    "names": {"freshman-sophomore": r"(\d{4})-freshman-sophomore\.pdf"},
}  # fmt: skip
ROLE = {
    "endpoint": "here", "model": "eyes", "prompt": "prompts/transcribe/1.md", "sampling": teachers.SAMPLING | {"temperature": 0.0},
    "batch": None, "max_failed_calls": 0, "dpi": 60, "page_tokens": 1500,
}  # fmt: skip
ENDPOINT = teachers.ENDPOINT | {"prices": {"eyes": teachers.PRICE}}
SHEET = Sheet("2015.pdf", 3, Path("raw/2015.pdf"), "a" * 64)


def item(name: str, text: str, key: str = "", page: int = 1) -> ReadItem:
    year, section, number = parts(name)
    return ReadItem(name, f"{year}.pdf", year, section, number, text, key, page, (0.0, 0.0, 9.0, 9.0), 1.0, [])


def row(name: str, text: str, part: str = "problem", page: int = 1) -> Transcription:
    year, _, number = parts(name)
    return Transcription(f"{year}.pdf", page, part, number if part != "continued" else "", text, "eyes")


def checked(items: list[ReadItem], rows: list[Transcription], exact: bool = True) -> dict[str, Checked]:
    found, _ = audit.audit(items, {each.id for each in items if exact}, rows)
    return {each.id: each for each in found}


class TestTheAudit:
    """What is flagged of a transcription."""

    def test_at_least_95_of_100_planted_errors_that_change_a_problem_are_flagged(self, capsys: pytest.CaptureFixture[str]) -> None:
        caught, missed, flagged, shown = Counter[str](), Counter[str](), 0, 0
        for seed in range(8):
            truth = transcribing.statements(20, 20, seed)
            copied, kinds, other = transcribing.plant(truth, 0.05, seed)
            random = Random(seed)
            scanned = {name for name in truth if int(name[:4]) % 5 == 0}
            items = [item(name, transcribing.misread(text, random) if name in scanned else text) for name, text in truth.items()]
            found, _ = audit.audit(items, truth.keys() - scanned, [row(name, text) for name, text in copied.items()])
            flags = {each.id for each in found if each.flags}
            caught.update(kinds[name] for name in other & flags)
            missed.update(kinds[name] for name in other - flags)
            flagged, shown = flagged + len(flags), shown + len(found)
        share, planted = caught.total() / (caught.total() + missed.total()), caught.total() + missed.total()
        with capsys.disabled():
            print(
                f"\naudit: {caught.total()} of {planted} planted errors flagged ({share:.1%}); {flagged / shown:.1%} of items are flagged"
            )
        assert share >= 0.95, missed
        assert planted > 150
        assert flagged / shown < 0.15
        assert min(caught[kind] for kind in transcribing.KINDS) > 15

    def test_a_text_that_is_copied_well_has_no_flag(self) -> None:
        truth = transcribing.statements(4, 20, 1)
        found = checked([item(name, text) for name, text in truth.items()], [row(name, text) for name, text in truth.items()])
        assert [each for each in found.values() if each.flags or each.differs or each.similarity < 1] == []

    SIGNS: ClassVar = {
        "a sign flipped": ("Find 7 + 5 - 2.", "Find 7 - 5 - 2.", ["-minus", "+plus"]),
        "a sign lost": ("Find -7 times 5.", "Find 7 times 5.", ["+minus"]),
        "a digit": ("Find 27 times 5.", "Find 21 times 5.", ["-21", "+27"]),
        "a word that occurs once": ("Find the least odd prime.", "Find the least prime.", ["+odd"]),
        "a variable": ("Solve x + y = 7.", "Solve x + z = 7.", ["-z", "+y"]),
    }

    @pytest.mark.parametrize(("read", "copied", "differs"), SIGNS.values(), ids=SIGNS)
    def test_what_differs_from_a_text_layer_is_named(self, read: str, copied: str, differs: list[str]) -> None:
        (found,) = checked([item("2015-fs-01", read)], [row("2015-fs-01", copied)]).values()
        assert (found.differs, found.flags, found.rank) == (differs, ["suspect_text"], 1)

    def test_two_swapped_items_are_misnumbered(self) -> None:
        items = [item("2015-fs-01", "How many sides has a heptagon?"), item("2015-fs-02", "Find the area of a circle of radius 3.")]
        found = checked(items, [row("2015-fs-01", items[1].text), row("2015-fs-02", items[0].text)])
        assert [each.flags for each in found.values()] == [["misnumbered"], ["misnumbered"]]

    def test_what_only_one_side_has(self) -> None:
        found = checked(
            [item("2015-fs-01", "Add 1 and 2."), item("2015-fs-02", "Add 3.")],
            [row("2015-fs-01", "Add 1 and 2."), row("2015-fs-03", "Add 9.")],
        )
        assert {name: each.flags for name, each in found.items()} == {
            "2015-fs-01": [], "2015-fs-02": ["untranscribed"], "2015-fs-03": ["unread"],
        }  # fmt: skip

    def test_a_problem_over_a_page_break_and_its_answer(self) -> None:
        items = [item("2015-fs-01", "Add 1 and 2.", "3"), item("2015-fs-02", "Find the area of a square of side 4.", "16")]
        rows = [
            row("2015-fs-01", "Add 1 and 2."), row("2015-fs-02", "Find the area of a"),
            row("2015-fs-02", "square of side 4.", "continued", 2),
            row("2015-fs-01", "3", "answer", 3), row("2015-fs-02", "18", "answer", 3), row("2015-fs-07", "1", "answer", 3),
        ]  # fmt: skip
        found, unplaced = audit.audit(items, {"2015-fs-01", "2015-fs-02"}, rows)
        assert [(each.flags, each.key) for each in found] == [([], "3"), (["suspect_answer"], "18")]
        assert unplaced == 1


REPLIES = {
    "as asked": ('{"continued": "", "problems": {"1": "Add."}, "answers": {}}', ["1 Add."], ""),
    "in a fence, with words around": ('Here it is:\n```json\n{"problems": {"Problem 2.": " Add. "}}\n```', ["2 Add."], ""),
    "a blank page": ('{"continued": "", "problems": {}, "answers": {}}', [], ""),
    "nulls": ('{"continued": null, "problems": {"T1": "Add."}, "answers": null}', ["T1 Add."], ""),
    "an empty text": ('{"problems": {"1": "  "}}', [], ""),
    "no JSON": ("I cannot read this page.", [], "no JSON"),
    "JSON that stops": ('{"problems": {"1": "Add."', [], "no JSON"),
    "deep nesting": ('{"problems": ' + "[" * 100_000 + "}", [], "no JSON"),
    "a list": ('{"problems": [{"1": "Add."}]}', [], "not of the form that was asked for"),
    "a number for a text": ('{"problems": {"1": 5}}', [], "not of the form that was asked for"),
    "a number twice": ('{"problems": {"1": "Add.", "1.": "Take."}}', [], "a number twice"),
    "nothing": ("", [], "blank"),
}


@pytest.mark.parametrize(("text", "rows", "reason"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_rows_or_a_reason(text: str, rows: list[str], reason: str) -> None:
    found, why = transcriber.read(Response(text, "", "stop", "eyes-1", 1, 1, ""), SHEET, "eyes")
    assert ([f"{each.number} {each.text}" for each in found], why) == (rows, reason)
    assert {(each.source, each.page, each.model) for each in found} <= {("2015.pdf", 3, "eyes-1")}


def test_a_cut_reply_and_a_failed_call_have_no_rows() -> None:
    assert transcriber.read(Response('{"problems": {"1": "Add."}}', "", "length", "", 1, 1, ""), SHEET, "eyes") == ([], "length")
    assert transcriber.read(Failure("refused", "too large"), SHEET, "eyes") == ([], "refused")


def test_the_key_names_a_picture_and_the_call_holds_it() -> None:
    calls: list[str] = []
    picture = Image(SHEET.name(150), 1500, lambda: calls.append("drawn") or "data:image/png;base64,AAAA")  # type: ignore[func-returns-value]
    request = Request("eyes", (Message("system", "Copy."), Message("user", "The page:")), Sampling(0.0, 1.0, 100, None, {}), (picture,))
    stored = body(request, 0)
    key(request, 0)
    assert not calls
    assert stored["messages"][-1]["content"] == [
        {"type": "text", "text": "The page:"}, {"type": "image_url", "image_url": {"url": f"pdf:{'a' * 64}#page=3&dpi=150"}},
    ]  # fmt: skip
    assert body(request, 0, send=True)["messages"][-1]["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
    price = Price(prompt=1.0, completion=2.0, batch=0.5, dated=date(2026, 1, 1))
    assert max_cost(price, stored, images=1500).tokens == prompt_bound(stored) + 1500 + 100


ITEMS = tuple(
    Item(str(n), f"Find the remainder when {7 * n + 20} is divided by {n + 4}.", str((7 * n + 20) % (n + 4))) for n in range(1, 13)
)
EXAMS = [Exam(year, "freshman-sophomore", ITEMS) for year in (2015, 2016, 2017)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three typeset exams, the current one."""
    monkeypatch.chdir(tmp_path)
    raw = teachers.layout("new").raw
    raw.mkdir(parents=True)
    for exam in EXAMS:
        typeset(exam, raw / f"{exam.year}-freshman-sophomore.pdf")
    manifest.write(raw, [manifest.entry(path, 12) for path in sorted(raw.glob("*.pdf"))])
    return tmp_path


def study(root: Path, url: str, **changes: Any) -> Paths:
    """Write the study; return its paths."""
    sections = {"transcribe": ROLE, "corrections": [], "extract": EXTRACT, "endpoints": {"here": ENDPOINT}} | changes
    paths = teachers.study(root, url)
    document = study_file.study(paths.study_file) | sections
    document["endpoints"] = {name: place | {"base_url": url} for name, place in sections["endpoints"].items()}
    paths.study_file.write_text(json.dumps(document))
    study_file.study.cache_clear()
    return paths


def pages(root: Path, replies: dict[tuple[str, int], str], monkeypatch: pytest.MonkeyPatch) -> list[Sheet]:
    """Write what the server answers to each page's picture, an empty page where nothing is said; return the pages."""
    limits = Limits(**LIMITS)  # type: ignore[arg-type]
    sheets = page_images.sheets(teachers.layout("new").raw, limits)
    page_images.draw(sheets, 60, root / "drawn", limits)
    digest = {each: hashlib.sha256(page_images.url(each.file(root / "drawn", 60)).encode()).hexdigest() for each in sheets}
    known = {digest[each]: replies.get((each.source, each.number), json.dumps({"problems": {}})) for each in sheets}
    (root / "pages.json").write_text(json.dumps(known))
    monkeypatch.setenv("PAGES", str(root / "pages.json"))
    return sheets


def copied(paths: Paths) -> dict[tuple[str, int], str]:
    """Return what a perfect transcriber says of each page with problems or answers."""
    problems = files.read_records(paths.problems, Problem)
    found: dict[tuple[str, int], dict[str, dict[str, str]]] = {}
    for each in problems:
        found.setdefault((each.source, each.page), {"problems": {}, "answers": {}})["problems"][each.number] = each.statement
    for source in {each.source for each in problems}:
        found[source, 1 + max(page for name, page in found if name == source)] = {
            "problems": {},
            "answers": {each.number: each.gold for each in problems if each.source == source},
        }
    return {where: json.dumps(page) for where, page in found.items()}


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("PAGES", str(root / "pages.json"))
    with serving(
        Script(answers="tests.transcribing:answer", model="eyes-1", rate=0.2, faults=("500", "reset", "truncated")), root / "log"
    ) as found:
        yield found


def outs(paths: Paths) -> dict[str, bytes]:
    found = (paths.transcriptions, paths.transcribe_metrics, paths.transcripts / "transcribe.jsonl.gz")
    return {path.name: path.read_bytes() for path in found}


def test_from_pages_to_flags(root: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(root, server.url)
    extract.main(paths)
    replies = copied(paths)
    first = ("2015-freshman-sophomore.pdf", 1)
    spoilt = json.loads(replies[first])
    spoilt["problems"]["2"] = spoilt["problems"]["2"].replace("34", "43")
    replies[first] = json.dumps(spoilt)
    replies["2016-freshman-sophomore.pdf", 2] = "I am sorry."
    sheets = pages(root, replies, monkeypatch)
    transcribe.main(paths)
    found = files.read_json(paths.transcribe_metrics)
    assert (found["transcriber"], found["pages"], found["failed"], found["cost"]["calls"]) == (
        "eyes",
        len(sheets),
        {"no JSON": 1},
        len(sheets),
    )
    review.main(paths)
    rows = {each.id: each for each in files.read_records(paths.review, Checked)}
    flagged = {name: each.flags for name, each in rows.items() if each.flags}
    assert flagged["2015-fs-02"] == ["suspect_text"]
    assert rows["2015-fs-02"].differs == ["-43", "+34"]
    assert {name for name, flags in flagged.items() if flags == ["untranscribed"]} == flagged.keys() - {"2015-fs-02"}
    looked = files.read_json(paths.review_metrics)
    assert looked["items"] == 36
    assert looked["looked_at"] == {"person": 0, "transcriber": 36 - len(flagged) + 1, "none": len(flagged) - 1}
    assert looked["transcription"]["answers_of_no_item"] == 0
    assert [each.statement for each in files.read_records(paths.problems, Problem)] == [item.statement for _ in EXAMS for item in ITEMS]


def test_a_second_run_asks_nothing_draws_nothing_and_equals_the_first(root: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(root, server.url)
    pages(root, {}, monkeypatch)
    transcribe.main(paths)
    before, mark = outs(paths), server.size()
    for path in (paths.work / "transcribe").iterdir():
        path.unlink()
    transcribe.main(paths)
    assert outs(paths) == before
    assert not server.asked(mark)
    assert list((paths.work / "transcribe").iterdir()) == []


def test_transcripts_replay_elsewhere_with_no_call(root: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = study(root, server.url)
    pages(root, {}, monkeypatch)
    transcribe.main(paths)
    before, calls = outs(paths), paths.transcripts / "transcribe.jsonl.gz"
    assert b"base64" not in before[calls.name]
    source = {"path": str(calls.rename(root / "given.jsonl.gz")), "sha256": hashlib.sha256(before[calls.name]).hexdigest()}
    (paths.work / "calls.sqlite").unlink()
    paths = study(root, "http://127.0.0.1:9", transcripts={"transcribe": source})
    transcribe.main(paths)
    assert outs(paths) == before


def test_a_killed_run_goes_on_and_pays_no_page_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheets = pages(root, {}, monkeypatch)
    with serving(Script(answers="tests.transcribing:answer", latency=0.3), root / "log") as server:
        paths = study(root, server.url, endpoints={"here": ENDPOINT | {"concurrency": 2}})
        words = [sys.executable, "-m", "stages.transcribe", "new"]
        with subprocess.Popen(words, cwd=root, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL) as running:
            until = time.monotonic() + 120
            while sum(each.event == "answered" for each in server.events()) < 2:
                assert time.monotonic() < until
                time.sleep(0.02)
            running.send_signal(signal.SIGKILL)
        assert not paths.transcriptions.exists()
        answered = sum(each.event == "answered" for each in server.events())
        mark = server.size()
        transcribe.main(paths)
        assert len(sheets) - answered <= len(server.asked(mark)) < len(sheets)
    assert files.read_json(paths.transcribe_metrics)["cost"]["calls"] == len(sheets)


def test_without_a_transcriber_nothing_is_asked_and_nothing_is_said(root: Path) -> None:
    paths = study(root, "", transcribe={}, endpoints={})
    transcribe.main(paths)
    extract.main(paths)
    review.main(paths)
    assert (paths.transcriptions.read_bytes(), paths.review.read_bytes()) == (b"", b"")
    assert (files.read_json(paths.transcribe_metrics), files.read_json(paths.review_metrics)) == ({"transcriber": "none"}, {})
    assert not (paths.work / "calls.sqlite").exists()


FAULTS = {
    "the batch route": ({"transcribe": ROLE | {"batch": {}}}, "section 'transcribe': Expected `null`"),
    "no dpi": ({"transcribe": {key: value for key, value in ROLE.items() if key != "dpi"}}, "missing required field `dpi`"),
    "no such endpoint": ({"transcribe": ROLE | {"endpoint": "there"}}, "no endpoint 'there'"),
    "another role's prompt": ({"transcribe": ROLE | {"prompt": "prompts/solve/1.md"}}, "lies in prompts/transcribe/"),
    "a table, which has no pages": ({"extract": {"kind": "table"}}, "section 'extract': .*missing required field `limits`"),
    "no budget": ({"budget": {"dollars": 0.0, "tokens": 0}}, "the budget is used up"),
}


@pytest.mark.parametrize(("sections", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_and_leaves_no_output(sections: dict[str, Any], message: str, root: Path) -> None:
    paths = study(root, "http://127.0.0.1:9", **sections)
    with pytest.raises(InputError, match=message) as raised:
        transcribe.main(paths)
    assert "\n" not in str(raised.value)
    assert not paths.transcriptions.exists()


def test_a_folder_without_pages_and_a_damaged_page(root: Path) -> None:
    paths = study(root, "http://127.0.0.1:9")
    broken = paths.raw / "2015-freshman-sophomore.pdf"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(InputError, match=r"2015-freshman-sophomore\.pdf: damaged PDF"):
        transcribe.main(paths)
    for path in paths.raw.glob("*.pdf"):
        path.unlink()
    with pytest.raises(InputError, match="no PDF there"):
        transcribe.main(paths)
