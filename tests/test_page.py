"""The page for a browser: what it holds, what it lets in, and in a real browser what a reader does with it."""

import base64
import json
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pypdfium2 as pdfium
import pytest
import yaml
from PIL import Image
from reportlab.pdfgen import canvas

from distill.claims import reported_count_rules
from distill.claims.claim_rules import AnyRule
from distill.claims.count_tests import Count, ReportedCounts
from distill.claims.rule_inputs import RuleInputs
from distill.cli.layout import layout
from distill.core import files
from distill.core.errors import InputError
from distill.core.study_file import study
from distill.likelihood.row import Likelihood
from distill.multiverse.outcomes import OtherOutcomes
from distill.page import answers, html, mathml
from distill.page.crops import Region
from distill.records.completion import Completion
from distill.records.problem import Problem
from distill.records.verdict import Verdict
from distill.stats import intervals, paired_tests, score_table
from stages import claims, page, summarise
from tests import synthetic
from tests.pipeline import ROOT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ARMS = ["r1", "r6"]
RULE = {"benchmark": "competition", "split": "heldout"}
RULES = {
    "gain": RULE | {"kind": "above", "arm": "r1", "comparator": "base"},
    "loss": RULE | {"kind": "above", "arm": "r6", "comparator": "r1"},
    "falls": RULE | {"kind": "falls", "arms": ["r1", "base", "r6"]},
    "words": RULE | {"kind": "words_fall", "arms": ["r1", "base", "r6"]},
    "section": RULE | {"kind": "hurt_most", "section": "two-person", "arms": ["r1", "r6"]},
    "seen": RULE | {"kind": "more_on_seen", "split": "all", "arm": "r6", "comparator": "base"},
    "both_seen": RULE | {"kind": "seen_above", "split": "all", "arms": ["r6"]},
    "level": RULE | {"kind": "accuracy", "arm": "r1"},
    "teacher": RULE | {"kind": "teacher_above", "arm": "base", "margin": 0.1},
    "spread": RULE | {"kind": "spread_small", "arm": "r1", "comparator": "base", "ratio": 0.5},
    "long": {"kind": "long_run", "rise": 0.05},
    "likelier": {"kind": "likelihood_above", "measure": "chain_common", "part": "heldout", "arm": "r1", "comparator": "base"},
    "memorised": {"kind": "likelihood_gap", "measure": "answer_sampled", "arm": "r1", "comparator": "base"},
    "absent": RULE | {"kind": "above", "arm": "r3", "comparator": "base"},
}
CLAIM = {"says": "up <b>| up", "source": "abstract", "published": 0.05, "tolerance": None, "by_construction": "", "note": "a note"}
STUDY = {
    "arms": {arm: {"level": arm, "protocol": "clean", "corrected": False, "n": 12} for arm in [*ARMS, "r3"]},
    "summarise": {"confidence": 0.9, "resamples": 300, "seed": 5},
    "claims": {
        "vocabulary": "pattern", "alpha": 0.05, "power": 0.8, "confidence": 0.9, "resamples": 750, "seed": 6,
        "ledger": {name: CLAIM | {"rule": rule} for name, rule in RULES.items()},
    },
    "report": {"examples": 2, "seed": 1, "arms": ["r1"], "max_chars": 40, "limits": ["It is <small>."]},
    "page": {"characters": 3_000_000, "max_chars": 1000, "crops": {"dpi": 72, "ink": 0.5, "bytes": 100_000}},
}  # fmt: skip
COUNTS = {
    name: {"right": right, "of": of, "printed": f"{100 * right / of:.2f}", "source": "a table"}
    for name, (right, of) in {"a": (421, 651), "b": (452, 651), "c": (370, 598), "d": (262.5, 601), "e": (40, 109), "f": (25, 109)}.items()
}
COUNTED = {
    "whole": {"kind": "gain", "arm": "b", "comparator": "a"},
    "mean": {"kind": "gain", "arm": "d", "comparator": "c"},
    "fall": {"kind": "fall", "arms": ["b", "c", "d"]},
    "loss": {"kind": "loss", "section": "x", "sections": {"x": ["e", "f"], "y": ["b", "c"], "z": ["c", "d"]}},
    "gained": {"kind": "loss", "section": "y", "sections": {"x": ["e", "f"], "y": ["a", "b"], "z": ["c", "d"]}},
    "spread": {"kind": "spread", "mean": "69.43", "sd": "0.17", "seeds": 5, "of": 651, "gain": 4.76, "ratio": 0.5},
    "curve": {"kind": "curve", "losses": [[400, 0.8], [200, 0.4], [100, 0.6]], "rise": 0.05},
    "unseen": {"kind": "unseen", "arm": "b", "comparator": "a", "seen": 510},
    "file": {"kind": "one_file", "count": "b", "errors": 1, "mean": "69.43", "sd": "0.17", "seeds": 5},
}
MULTIVERSE = {
    "axes": {"grader": ["strict", "lenient"]}, "choices": 2, "tables": 2,
    "claims": {"gain": {"verdict": "holds", "choices": 2, "same": 1, "share": 0.5, "least": 0.1, "most": 0.2, "axes": {},
                        "flips": [{"changes": {"grader": "lenient"}, "verdict": "inconclusive", "effect": 0.2}]}},
}  # fmt: skip
LIKELIHOOD = {"arms": {"r1": {"chain_common": {"heldout": {"mean": -0.5, "low": -0.6, "high": -0.4, "n": 60}}}}}
LOST = {"stage": "split", "input": 9, "drops": {"lost": 2}, "output": 7}
HOSTILE = {
    "script": "</script><script>document.title = 'owned'; alert(1)</script>",
    "handler": "<img src=x onerror=\"document.title='owned'\"><svg onload=alert(1)><a href='javascript:alert(1)'>x</a>",
    "line": "x" * 1_000_000,
    "direction": "answer \u202e 24 \u2066 hidden \u0007 bell",
    "latex": r"\frac{1}{ $\href{javascript:alert(1)}{x}$ \begin{matrix} $$ \[",
    "markup": "{{ 7 * 7 }} {% raw %} &lt;b&gt; <!-- ]]> ",
}


def right(arm: str, seed: int, benchmark: str, number: int) -> bool:
    """The base knows every second problem, r6 every fourth, r1 two in three and one more with seed 3."""
    return {"base": number % 2 == 0, "r6": number % 4 == 0, "r1": number % 3 > 0 or (seed == 3 and number == 18)}[arm]


def likelihoods() -> list[Likelihood]:
    """Both students on 12 problems that r1 was trained on in part, and 20 held out, of which two are in one cluster."""
    random = np.random.default_rng(8)
    found = []
    for arm, seeds in (("base", [0]), ("r1", synthetic.SEEDS)):
        for seed in seeds:
            for number in (*range(12), *range(40, 60)):
                part, name = "seen" if number < 12 else "heldout", f"p{number:03}"
                common = (arm, seed, "competition", name, part, "p040" if number == 41 else name)
                nats = float(-20 + random.normal() + 6 * (arm == "r1"))
                found.append(Likelihood(*common, "chain_common", "", nats, 13, 0.0, 1, 0.0))
                found.append(Likelihood(*common, "answer_sampled", "", nats, 2, 0.0, 1, 0.0, float(random.random()), 0.1, 1))
    return found


def print_exam(path: Path) -> None:
    """Print a page with a black bar where problem 31 stands."""
    path.parent.mkdir(parents=True)
    exam = canvas.Canvas(str(path), pagesize=(200, 100))
    exam.rect(20, 60, 50, 10, stroke=0, fill=1)
    exam.save()


REGION = (18.0, 28.0, 90.0, 42.0)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study as the stages before the page leave it, with hostile answers of seed 1 of r1."""
    root = tmp_path_factory.mktemp("page") / "tree"
    shutil.copytree(ROOT / "plots" / "templates", root / "plots" / "templates")
    with chdir(root):
        paths = synthetic.write(STUDY, {"r1": 4, "r6": 12}, right, {"base": 40, "r1": 90, "r6": 8}.__getitem__)
        files.write_json(paths.overfit_metrics, {"best_iteration": 50, "best_loss": 0.6, "last_loss": 0.75, "iterations": 100})
        files.write_text(paths.overfit_curve, synthetic.CURVE.replace("0.700000", "0.750000"))
        problems = files.read_records(paths.problems, Problem) + files.read_records(paths.benchmarks / "transfer.jsonl", Problem)
        for cell in ("base", *(f"{arm}-{seed}" for arm in ARMS for seed in synthetic.SEEDS)):
            texts = [*HOSTILE.values()] if cell == "r1-1" else []
            rows = [(problem, texts[i - 20] if 20 <= i < 20 + len(texts) else f"{cell} says {i % 9}") for i, problem in enumerate(problems)]
            written = [Completion(problem.benchmark, problem.id, 0, text, 20, "stop") for problem, text in rows]
            files.write_records(paths.completions / f"{cell}.jsonl.gz", written)
        files.write_records(paths.likelihood, likelihoods())
        summarise.main(paths)
        claims.main(paths)
        verdicts = files.read_records(paths.verdicts, Verdict)
        others = [
            OtherOutcomes(r.arm, r.seed, r.benchmark, r.id, r.sample, {"lenient": "wrong" if r.id == "p040" else r.outcome})
            for r in verdicts
        ]
        files.write_records(paths.other_graders, others)
        files.write_text(paths.multiverse_curve, "claim,effect,low,high,same,changes\ngain,0.1,0.0,0.2,1,0\ngain,0.2,0.1,0.3,0,1\n")
        files.write_json(paths.likelihood_metrics, LIKELIHOOD)
        print_exam(paths.raw / "x.pdf")
        files.write_records(paths.extracted, [Region("p031", REGION), Region("p032")])
        files.write_json(paths.multiverse, MULTIVERSE)
        files.write_json(paths.drops, {"steps": [LOST | {"of": name} for name in ARMS]})
    return root


def run(root: Path) -> str:
    """Make the page of the study in `root`."""
    study.cache_clear()
    with chdir(root):
        page.main(layout("tiny"))
        return layout("tiny").page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tree: Path) -> str:
    return run(tree)


def unpacked(text: str) -> dict[str, Any]:
    """Return the data of a page."""
    found: dict[str, Any] = json.loads(inflated(text, "packed"))
    return found


def inflated(text: str, name: str) -> bytes:
    """Return what an element of a page holds."""
    packed = re.search(f'<script type="application/octet-stream" id="{name}">([A-Za-z0-9+/=]*)</script>', text)
    assert packed
    return zlib.decompress(base64.b64decode(packed[1]))


def test_the_policy_names_every_script_and_the_style_by_hash_and_nothing_else(made: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', made)
    scripts = re.findall(r'<script data-name="[^"]+">(.*?)</script>', made, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    assert policy
    assert (len(scripts), len(style)) == (len(html.SCRIPTS), 1)
    said = policy[1].replace("&#39;", "'")
    assert said == html.policy([inflated(made, "packed-vega").decode(), *scripts], style[0])
    assert not any(word in said for word in ("unsafe", "*", "http", "data:", "blob:"))
    assert made.count("<script") == len(scripts) + 3


def test_nothing_outside_is_named(made: str) -> None:
    markup = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", made, flags=re.DOTALL)
    assert re.findall(r"\bsrc\s*=", markup) == []
    assert [href for href in re.findall(r'href="([^"]*)"', markup) if not href.startswith("#")] == []
    assert [line for line in re.findall(r"<style>(.*?)</style>", made, re.DOTALL) if "url(" in line or "@import" in line] == []


def test_the_data_are_those_of_the_run(made: str, tree: Path) -> None:
    data = unpacked(made)
    ledger = files.read_json(tree / "metrics/tiny/claims.json")
    assert {claim["name"]: claim["ledger"] for claim in data["claims"]} == ledger
    held = data["answers"]
    assert len(held["problem"]) == (16 + 60 + 30) * 7 == len(held["text"]) == len(held["outcome"])
    shown = {held["texts"][at] for at in held["text"] if at >= 0}
    assert {HOSTILE[name] for name in ("script", "handler", "direction", "latex", "markup")} <= shown
    assert HOSTILE["line"][:1000] + "\n[cut here, 1,000,000 characters in all]" in shown
    assert data["metrics"]["summary"] == files.read_json(tree / "metrics/tiny/summary.json")


def test_equal_inputs_give_equal_bytes(made: str, tree: Path) -> None:
    assert run(tree) == made


def test_a_hostile_answer_is_nowhere_in_the_markup(made: str) -> None:
    assert "owned" not in made
    assert "onerror" not in made


def test_beyond_its_characters_a_page_holds_the_texts_of_problems_drawn_by_hash(tree: Path) -> None:
    size = {("competition", f"p{i}"): 10 for i in range(50)}
    some, more = answers.chosen(size, 100), answers.chosen(size, 200)
    assert (len(some), len(more)) == (10, 20)
    assert some < more
    assert sorted(some)[:3] != sorted(size)[:3]
    (tree / "studies/tiny.yaml").write_text(
        yaml.safe_dump({"student": {"kind": "scratch"}} | STUDY | {"page": {"characters": 500, "max_chars": 9}})
    )
    try:
        held = unpacked(run(tree))["answers"]
    finally:
        (tree / "studies/tiny.yaml").write_text(yaml.safe_dump({"student": {"kind": "scratch"}} | STUDY))
        study.cache_clear()
    assert 0 < held["held"] < 106
    assert {held["problem"][i] for i, at in enumerate(held["text"]) if at >= 0} != set(held["problem"])
    assert len(held["problem"]) == 106 * 7  # every verdict is there


def test_a_study_without_the_section_is_told_so(tree: Path) -> None:
    text = (tree / "studies/tiny.yaml").read_text()
    (tree / "studies/tiny.yaml").write_text(text.replace("page:", "pages:"))
    try:
        with pytest.raises(InputError, match="no section 'page'"):
            run(tree)
    finally:
        (tree / "studies/tiny.yaml").write_text(text)
        study.cache_clear()


FORMULAS = {
    "a power": ("Find 12^{46}.", 1),
    "dollars": (r"Let $x = \frac{1}{2}$ and \(y\).", 2),
    "money": ("It costs $5.", 0),
    "two prices": ("A pack of 2 for $3, one of 4 for $6, and one at $ 7 or $8 each", 0),
    "broken": (r"Let $\frac{1}{$ be", 0),
    "a link": (r"$\href{javascript:alert(1)}{x}$", 1),
    "too long": ("$" + "x+" * 400 + "x$", 0),
}


@pytest.mark.parametrize(("text", "count"), FORMULAS.values(), ids=FORMULAS)
def test_formulas_become_mathml_and_anything_else_stays_text(text: str, count: int) -> None:
    found = mathml.pieces(text)
    formulas = [piece for piece in found if isinstance(piece, dict)]
    assert len(formulas) == count
    assert "".join(piece if isinstance(piece, str) else piece["text"] for piece in found) == text
    assert not any("javascript" in piece["math"] or "href" in piece["math"] for piece in formulas)


def test_each_file_of_the_page_can_be_read_in_one_sitting() -> None:
    sizes = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in html.FOLDER.iterdir() if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def until(place: Any) -> Any:
    """Return the expectations of an element, which wait for it: the page draws a view after the event that asks for it."""
    from playwright.sync_api import expect  # here: it is optional

    return expect(place)


def coloured(picture: Any) -> int:
    """Count the pixels of an RGB picture that are no grey: marks of a plot, not its text or axes."""
    return int((np.ptp(picture, axis=-1) > 60).sum())


class Seen:
    """A page in a browser, and what it complained of and asked for."""

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        self.page = browser.new_context(**settings).new_page()
        self.page.set_default_timeout(120_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda asked: asked.url.split("#")[0] == url or self.complaints.append(asked.url))
        self.url = url

    def open(self, address: str = "") -> Any:
        """Open the page at an address, as from a link."""
        self.page.goto("about:blank")
        self.page.goto(self.url + address)
        self.page.wait_for_selector("body[data-ready]")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright here: it drives the browser")
    if not BROWSER:
        pytest.skip("no Chromium on the path")
    driver.expect.set_options(timeout=120_000)
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def seen(browser: Any, made: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    path = tmp_path_factory.mktemp("opened") / "index.html"
    path.write_text(made, encoding="utf-8")
    return Seen(browser, path.as_uri())


@pytest.fixture
def quiet(seen: Seen) -> Iterator[Seen]:
    """The page; after the test it must not have complained or asked for anything."""
    seen.complaints.clear()
    yield seen
    assert seen.complaints == []


class TestInABrowser:
    """What a reader does."""

    def test_the_overview_draws_its_plots(self, quiet: Seen) -> None:
        opened = quiet.open()
        assert opened.locator(".card").count() == len(RULES)
        until(opened.locator(".plot svg.marks")).to_have_count(opened.locator(".plot").count())
        assert "It is <small>." in opened.inner_text("main")
        assert "−0.5000 [−0.6000, −0.4000]" in opened.inner_text("section[aria-labelledby=likelihood-title]")
        assert "grader: lenient (inconclusive)" in opened.inner_text("section[aria-labelledby=choices-title]")
        assert opened.inner_text("section[aria-labelledby=drops-title] tbody tr").split("\t") == ["split", "r1, r6", "9", "lost: 2", "7"]

    def test_a_card_says_unit_test_and_what_other_choices_say(self, quiet: Seen) -> None:
        card = quiet.open().locator(".card", has=quiet.page.locator("a:text-is('gain')"))
        until(card).to_contain_text(re.compile(r"effect [+−][\d.]+ \[[+−][\d.]+, [+−][\d.]+\] points, p 0\.\d{4} \(Holm\)"))
        until(card).to_contain_text("paired sign-flip test, two-sided, over 59 problem clusters; 750 random draws of signs")
        until(card.locator(".flip")).to_have_text(re.compile("(holds|fails|inconclusive) in 1 of 2 choices"))
        card.locator(".flip a").click()
        until(quiet.page.locator("#plot-multiverse")).to_be_in_viewport()
        assert "nats a token" in quiet.page.locator(".card", has=quiet.page.locator("a:text-is('likelier')")).inner_text()

    def test_a_claim_says_why_its_problems_are_not_an_arms_own(self, quiet: Seen) -> None:
        opened = quiet.open("#claim=loss")
        until(opened.locator("dl.facts")).to_contain_text("r1 alone has 67 held-out problems")
        until(opened.locator("dl.facts")).to_contain_text("without 8 that r6 was trained on")
        opened.click("a.term >> nth=0")
        until(opened.locator("h1")).to_have_text("Words")
        until(opened.locator(".wanted")).to_have_count(1)

    def test_what_distillation_changed_is_apart_by_set(self, quiet: Seen) -> None:
        opened = quiet.open()
        rows = opened.locator("section[aria-labelledby=changes-title] tbody tr")
        held = rows.filter(has=opened.locator("th:text-is('r1')")).filter(has_text="held out")
        broken = held.locator("a:has-text('broken')")
        count = int(broken.inner_text().split()[0])
        broken.click()
        until(opened.locator("#count")).to_have_text(re.compile(f"^{count} of 106 problems"))
        until(opened.locator("select[name=role]")).to_have_value("heldout")
        assert set(opened.locator("#found tbody tr td:nth-child(3)").all_inner_texts()) == {"held out"}

    def test_pictures_and_prints_of_the_page_have_every_plot(self, browser: Any, seen: Seen) -> None:
        opened = Seen(browser, seen.url, viewport={"width": 900, "height": 600}).open()
        until(opened.locator(f"body[data-drawn='{opened.locator('.plot').count()}']")).to_be_attached()
        with Image.open(BytesIO(opened.screenshot(full_page=True))) as shot:
            picture = np.asarray(shot.convert("RGB"), dtype=int)
        for place in opened.locator(".plot").all():
            box = place.bounding_box()
            part = picture[int(box["y"]) : int(box["y"] + box["height"]), int(box["x"]) : int(box["x"] + box["width"])]
            assert coloured(part) > 50, place.get_attribute("data-plot")
        printed = pdfium.PdfDocument(Seen(browser, seen.url).open().pdf())  # at once: a print does not wait for the plots
        pages = [page.render(scale=1).to_numpy()[..., :3].astype(int) for page in printed]
        words = "".join(page.get_textpage().get_text_bounded() for page in printed)
        assert sum(map(coloured, pages)) > 50 * opened.locator(".plot").count()
        titles = opened.locator(".plot svg .role-axis-title text").all_text_contents()
        assert len(titles) > 5
        assert [text for text in titles if text.split()[0] not in words] == []

    def test_a_problem_shows_what_its_exam_prints(self, quiet: Seen) -> None:
        opened = quiet.open("#problem=p031")
        opened.wait_for_selector("canvas.crop[data-drawn]")
        pixels = "c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ink = f"(c) => [c.width, c.height, {pixels}.filter((v, i) => i % 4 === 0 && v === 0).length]"
        assert opened.locator("canvas.crop").evaluate(ink) == [78, 20, 500]  # the region and 3 points around it; a bar of 50 by 10
        until(quiet.open("#problem=p032").locator("canvas.crop")).to_have_count(0)

    def test_clicks_lead_to_a_claim_its_problems_and_a_problem(self, quiet: Seen) -> None:
        opened = quiet.open()
        opened.click(".card a:text-is('gain')")
        until(opened.locator("h1")).to_have_text("gain")
        opened.click("#claim-computed tbody a >> nth=0")
        until(opened.locator("h1")).to_have_text(re.compile("^Problem p"))
        until(opened.locator(".answer").first).to_be_visible()

    def test_a_deep_link_opens_a_problem_and_keys_go_on(self, quiet: Seen) -> None:
        opened = quiet.open("#problem=p030")
        until(opened.locator("h1")).to_have_text("Problem p030")
        opened.keyboard.press("n")
        until(opened.locator("h1")).to_have_text("Problem p031")
        opened.keyboard.press("c")
        until(opened.locator("h1")).to_have_text("Claims")
        opened.keyboard.press("/")
        until(opened.locator("#search")).to_be_focused()
        until(quiet.open("#problem=%3Cb%3E").locator("h1")).to_have_text("No such problem")

    def test_filters_and_search(self, quiet: Seen) -> None:
        opened = quiet.open("#problems")
        count = opened.locator("#count")
        until(count).to_have_text(re.compile("^106 of 106 problems, 742 of 742"))
        opened.select_option("select[name=change]", "broken")
        broken = [i for i in range(76) if right("base", 0, "competition", i) and not right("r1", 1, "competition", i) and i != 18]
        more = [i for i in range(30) if right("base", 0, "transfer", i) and not right("r1", 1, "transfer", i) and i != 18]
        until(count).to_have_text(re.compile(f"^{len(broken) + len(more) + 2} of 106 problems"))
        until(opened).to_have_url(re.compile("change=broken"))
        opened.check("input[name=disagree]")
        until(count).to_have_text(re.compile("^0 of 106"))
        opened.select_option("select[name=change]", "")
        until(count).to_have_text(re.compile("^1 of 106 problems, 7 of 742"))
        opened.select_option("select[name=change]", "broken")
        opened.uncheck("input[name=disagree]")
        opened.fill("#search", "r6-2 says 3")
        until(count).not_to_have_text(re.compile(f"^{len(broken) + len(more) + 2} of"))
        assert 0 < int(count.inner_text().split()[0]) < len(broken) + len(more) + 2
        opened.click("#found thead button >> text=change")
        until(opened.locator("#found th[aria-sort]")).to_have_count(1)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_answer_is_text(self, quiet: Seen, name: str) -> None:
        opened = quiet.open(f"#problem=p0{20 + [*HOSTILE].index(name)}&arm=r1")
        shown = "\n".join(opened.locator("pre").all_inner_texts())
        expected = {"line": "x" * 1000, "direction": "answer ⟨U+202E⟩ 24 ⟨U+2066⟩ hidden ⟨U+0007⟩ bell"}.get(name, HOSTILE[name])
        assert expected.strip() in shown
        assert "owned" not in opened.title()
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_everything_computed_again_is_equal_to_the_ledger(self, quiet: Seen) -> None:
        opened = quiet.open()
        opened.click("#recompute")
        opened.wait_for_selector("#recomputed:has-text('again')")
        rows = opened.eval_on_selector_all(".recompute tbody tr", "rows => rows.map((row) => row.textContent)")
        assert [row for row in rows if not row.endswith("equal")] == []
        assert len(rows) > 80
        assert "1 claims rest on more" in opened.inner_text("#recomputed")

    def test_every_rule_finds_what_pythons_finds(self, quiet: Seen, tree: Path) -> None:
        opened = quiet.open()
        with chdir(tree):
            paths = layout("tiny")
            section = STUDY["claims"]
            table = score_table.read(paths.resolved, paths.problems, paths.split, paths.corpora, paths.benchmarks)
            inputs = RuleInputs(
                table, files.read_json(paths.summary),
                files.read_json(paths.teacher_metrics), files.read_json(paths.overfit_metrics), section["confidence"], section["power"],
                section["resamples"], section["seed"], likelihoods(),
            )  # fmt: skip
        for name, rule in RULES.items():
            if name == "absent":
                continue
            expected = msgspec.convert(rule, AnyRule).measure(inputs)
            found = opened.evaluate(
                "(n) => { const c = App.data().claims.find((e) => e.name === n); return Rules.measure(App.data(), c); }", name
            )
            for key, value in found["figures"].items():
                assert value == pytest.approx(getattr(expected, key), abs=1e-9), (name, key)

    def test_rules_on_printed_counts_find_what_pythons_find(self, quiet: Seen) -> None:
        opened = quiet.open()
        for name, rule in COUNTED.items():
            expected = msgspec.convert(rule, reported_count_rules.AnyRule).measure(
                ReportedCounts({key: msgspec.convert(count, Count) for key, count in COUNTS.items()}, 0.05, 0.8, 0.95)
            )
            found = opened.evaluate("([c, r]) => Counts.measure(c, r, {confidence: 0.95})", [COUNTS, rule])
            for key, value in found.items():
                assert value == pytest.approx(getattr(expected, key), abs=1e-9), (name, key)
        assert set(opened.evaluate("Object.keys(Counts.KINDS)")) == {rule["kind"] for rule in COUNTED.values()}

    def test_a_figure_that_differs_is_said(self, browser: Any, made: str, tmp_path: Path) -> None:
        data = unpacked(made)
        data["claims"][0]["ledger"]["effect"] += 0.001
        path = tmp_path / "index.html"
        path.write_text(html.render(data), encoding="utf-8")
        opened = Seen(browser, path.as_uri()).open("#claim=gain")
        opened.wait_for_selector(".differs")
        assert opened.inner_text("#claim-computed tr:has-text('effect') td:last-child") == "differs"

    def test_a_phone_needs_no_scrolling_sideways(self, browser: Any, seen: Seen) -> None:
        phone = Seen(browser, seen.url, viewport={"width": 360, "height": 700}, is_mobile=True)
        for address in ("", "#claims", "#claim=falls", "#problems", "#problem=p021", "#data"):
            opened = phone.open(address)
            if address.startswith("#claim="):
                until(opened.locator("#claim-computed table").first).to_be_visible()
            assert opened.evaluate("document.documentElement.scrollWidth") <= 360, address

    def test_statistics_are_those_of_python(self, seen: Seen) -> None:
        random = np.random.default_rng(3)
        opened = seen.open()
        for n, shared in ((40, 1), (61, 3), (9, 1)):
            differences = random.integers(-3, 4, n) / 3
            clusters = np.array([f"c{i // shared:02}" for i in range(n)], dtype=object)
            found = opened.evaluate(
                "([d, c]) => Stats.paired(d, c, {confidence: 0.95, resamples: 1750, seed: 11})", [differences.tolist(), clusters.tolist()]
            )
            expected = paired_tests.paired(differences, clusters, 0.95, 1750, 11)
            assert found["p"] == expected.p
            assert [found[key] for key in ("effect", "low", "high")] == pytest.approx(expected[:3], abs=1e-9)
        first, second = random.normal(size=17), random.normal(0.4, 2, size=23)
        effect, ends, p = intervals.welch(first, second, 0.9)
        found = opened.evaluate("([a, b]) => Stats.welch(a, b, 0.9)", [first.tolist(), second.tolist()])
        assert [found[key] for key in ("effect", "low", "high", "p")] == pytest.approx([effect, *ends, p], abs=1e-9)
        checks = {
            "Stats.newcombe(0.7, 50, 0.4, 90, 0.95)": intervals.newcombe(0.7, 50, 0.4, 90, 0.95),
            "Stats.wilson(0.93, 41, 0.9)": intervals.wilson(0.93, 41, 0.9),
            "Stats.deviationInterval(0.02, 5, 0.95)": intervals.deviation_interval(0.02, 5, 0.95),
        }
        for call, ends in checks.items():
            assert opened.evaluate(call) == pytest.approx(list(ends), abs=1e-9), call
        one, two = random.integers(0, 2, 60).astype(float), random.integers(0, 2, 60).astype(float)
        assert opened.evaluate("([a, b]) => Stats.mcnemar(a, b)", [one.tolist(), two.tolist()]) == pytest.approx(
            paired_tests.mcnemar(one, two), abs=1e-9
        )
        p_values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.9}
        assert opened.evaluate("(p) => Stats.holm(p)", p_values) == pytest.approx(paired_tests.holm(p_values), abs=1e-12)

    def test_draws_are_those_of_numpy(self, seen: Seen) -> None:
        opened = seen.open()
        for seed in (0, 6, 2**31, 2**32 + 12345):
            random = np.random.default_rng(seed)
            drawn = [*random.integers(0, 330, 999), *random.integers(0, 2, 30, dtype=np.int8), *random.integers(0, 7, 5)]
            many = "(n, below) => Array.from({length: n}, () => g.below(below))"
            call = f"(s) => {{const g = new Generator(s), many = {many}; return [...many(999, 330), ...g.coins(30), ...many(5, 7)]}}"
            assert opened.evaluate(call, seed) == [int(value) for value in drawn]


def test_make_page_says_where_the_page_lies() -> None:
    done = subprocess.run([sys.executable, "-m", "tools.page", "no/such"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("page: ")
