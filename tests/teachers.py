"""A model's roles played by exact solvers, for the scripted chat server and for tests: what is asked is told by the prompts' own words.

With a problem's number (the digits of its statement) the answers vary: some are wrong, some in another notation, some texts not shorter.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml

from distill.cli.layout import Paths, layout
from distill.competition.competition_problems import EXAMS, FAMILIES, draw
from distill.core import files, study_file
from distill.records.problem import Problem
from distill.symbolic import symbolic_teacher
from tests.chatscript import Answer, Body
from tests.chatscript import draw as lot
from tests.pipeline import ROOT

_PARTS = {
    "verify": re.compile(r"key gives:\n\n(?P<gold>.*?)\n\nThe answer to be judged:\n\n(?P<answer>.*?)\n\nDoes the answer", re.DOTALL),
    "condense": re.compile(r"A worked solution of \d+ words:\n\n(?P<work>.*?)\n\n(?:Rewrite|The official)", re.DOTALL),
    "solve": re.compile(r"competition\.\n\n(?P<statement>.*?)\n\nWork it out", re.DOTALL),
}


def answer(body: Body) -> Answer:
    """Answer as the role that the last message asks for, always well."""
    return _answer(body, 0.0)


def flawed(body: Body) -> Answer:
    """Answer as `answer` does, but for every sixth call, where a solution is wrong, a verdict illegible, a text longer."""
    return _answer(body, 1 / 6)


def _answer(body: Body, share: float) -> Answer:
    asked = str(body["messages"][-1]["content"])
    role, match = next((role, match) for role, form in _PARTS.items() if (match := form.search(asked)))
    spoilt = lot(role, asked, body.get("seed")) < share
    if role == "solve":
        return Answer(*_solved(match["statement"], spoilt))
    if role == "verify":
        return Answer(
            "They look alike." if spoilt else f"Compared.\n**Verdict: {'CORRECT' if match['gold'] == match['answer'] else 'INCORRECT'}**"
        )
    return Answer(_shortened(match["work"], spoilt))


def _solved(statement: str, spoilt: bool) -> tuple[str, str]:
    try:
        chain, result = symbolic_teacher.solve(statement)
    except symbolic_teacher.Unsolved as unsolved:
        return f"I cannot solve this: {unsolved}.", ""
    if spoilt:
        chain = chain.removesuffix(result) + "-1"
    return f"{chain.replace('Answer: ', '**Answer:** ')}", f"Let me see. {statement} Is it {result}? I think so."


def _shortened(work: str, spoilt: bool) -> str:
    body, _, last = work.rpartition("\n")
    words = body.split()
    kept = [*words, "and", "so", "on"] if spoilt else words[: max(1, 4 * len(words) // 5 if len(words) > 5 else len(words) - 1)]
    return " ".join(kept) + "\n" + last


def problems(count: int) -> list[Problem]:
    """Write problems of the invented competition's families, in turn, as those of the study `new` in the current folder."""
    found = list(drawn(count))
    files.write_records(layout("new").problems, found)
    return found


def drawn(count: int, seed: int = 1) -> Iterator[Problem]:
    """Yield such problems; where a family has no more numbers they come again, as other problems of one text."""
    random = Random(seed)
    stock = [draw(family, EXAMS, random, 2) for family in FAMILIES]
    for number in range(count):
        family = FAMILIES[number % len(FAMILIES)]
        if (numbers := next(stock[number % len(FAMILIES)], None)) is None:
            stock[number % len(FAMILIES)] = draw(family, EXAMS, random, 2)
            numbers = next(stock[number % len(FAMILIES)])
        statement = family.statement(random.choice(family.exam), numbers)
        row = (f"p-{number:06d}", "competition", "two-person", 2015, str(number), statement, family.gold(*numbers), "toy", 1, "generated")
        yield Problem(*row)


PRICE = {"prompt": 3.0, "completion": 7.0, "batch": 0.5, "dated": "2026-11-01"}
ENDPOINT = {
    "base_url": "", "key_variable": "", "key_page": "", "concurrency": 16, "connect": 5.0, "timeout": 5.0, "deadline": 20.0, "attempts": 5,
    "backoff": 0.02, "backoff_most": 0.2, "outage_timeout": 20.0, "prices": {"r1": PRICE},
}  # fmt: skip
SAMPLING = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 2000, "seed": None, "other": {}}
ROLE: dict[str, Any] = {"teacher": "chat", "endpoint": "here", "model": "r1", "sampling": SAMPLING, "batch": None, "max_failed_calls": 0}
SECTIONS: dict[str, Any] = {
    "levels": ["r1", "r2", "r3", "r4", "r5", "r6"],
    "endpoints": {"here": ENDPOINT},
    "budget": {"dollars": None, "tokens": None},
    "transcripts": {},
    "solve": ROLE | {"prompt": "prompts/solve/1.md", "samples": 1, "keep": "text"},
    "verify": ROLE
    | {"prompt": "prompts/verify/1.md", "asks": "undecided", "choose": "first", "time_limit": 5.0, "memory_limit": 1024, "workers": 1},
    "condense": ROLE | {"prompt": "prompts/condense/1.md", "r1": "trace", "told_gold": False, "attempts": 2},
}


def study(root: Path, url: str, **changes: Any) -> Paths:
    """Write studies/new.yaml, some keys of some sections changed, and the prompts under `root`; return the study's paths."""
    sections = {
        name: keys | changes.get(name, {}) if isinstance(keys, dict) else changes.get(name, keys) for name, keys in SECTIONS.items()
    }
    sections["endpoints"] = {name: row | {"base_url": row["base_url"] or url} for name, row in sections["endpoints"].items()}
    file = root / "studies" / "new.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(sections))
    shutil.copytree(ROOT / "prompts", root / "prompts", dirs_exist_ok=True)
    study_file.study.cache_clear()
    return layout("new")
