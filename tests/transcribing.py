"""A transcriber for the scripted chat server, which knows the pages by their pictures; and errors planted in what it copies."""

import hashlib
import json
import os
import re
from pathlib import Path
from random import Random

from distill.competition.competition_problems import EXAMS, FAMILIES, draw
from tests.chatscript import Answer, Body

KINDS = ("digit", "sign", "word", "swap")
FLIP = {"+": "-", "-": "+", "<": ">", ">": "<", "=": "<"}
SIGN = re.compile(r"(?<=\s)[-+=<>](?=\s)|(?<=[\s(])-(?=\d)")
PLAIN_WORDS = frozenset(
    ["a", "an", "the", "of", "is", "are", "be", "to", "in", "on", "at", "it", "its", "by", "for", "and", "as", "with", "what", "find"]
)  # without them a problem is the same


def answer(body: Body) -> Answer:
    """Answer a page with what the file that PAGES names says of its picture."""
    text, picture = body["messages"][-1]["content"]
    assert text["type"] == "text"
    known = json.loads(Path(os.environ["PAGES"]).read_text(encoding="utf-8"))
    return Answer(known[hashlib.sha256(picture["image_url"]["url"].encode()).hexdigest()])


def statements(tests: int, items: int, seed: int) -> dict[str, str]:
    """Draw the problems of some tests, by id: of the invented competition's families, every fourth one an equation with signs."""
    random = Random(seed)
    stock = [draw(family, EXAMS, random, 2) for family in FAMILIES]
    found = {}
    for place in range(tests * items):
        name, kind = f"{2000 + place // items}-fs-{place % items + 1:02}", (place * 7 + place // items) % len(FAMILIES)
        a, b, c, d = (random.randint(2, 60) for _ in range(4))
        equation = f"If {a}x + {b} = {c}y - {d} and x > -{b}, find the smallest integer value of x + y."
        found[name] = FAMILIES[kind].statement(random.choice(FAMILIES[kind].exam), next(stock[kind])) if place % 4 else equation
    return found


def plant(texts: dict[str, str], share: float, seed: int) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Change a share of the texts; return all texts, the kind of each change, and the ids whose problem is another one now."""
    random, ids = Random(seed), list(texts)
    found, kinds, other = dict(texts), dict[str, str](), set[str]()
    for place in random.sample(range(len(ids) - 1), round(share * len(ids))):
        name, kind = ids[place], KINDS[len(kinds) % len(KINDS)]
        text = texts[name]
        if kind == "sign" and not SIGN.search(text):
            kind = "digit"
        if kind == "swap" and (ids[place + 1] in kinds or name in kinds or ids[place + 1][:7] != name[:7]):
            kind = "word"
        if name in kinds:
            continue
        if kind == "swap":
            found[name], found[ids[place + 1]] = texts[ids[place + 1]], text
            kinds[ids[place + 1]] = kind
            other |= {name, ids[place + 1]}
        else:
            found[name], changes = CHANGES[kind](text, random)
            other |= {name} if changes else set()
        kinds[name] = kind
    return found, kinds, other


def _digit(text: str, random: Random) -> tuple[str, bool]:
    match = random.choice(list(re.finditer(r"\d", text)))
    return text[: match.start()] + random.choice([each for each in "123456789" if each != match[0]]) + text[match.end() :], True


def _sign(text: str, random: Random) -> tuple[str, bool]:
    match = random.choice(list(SIGN.finditer(text)))
    put = "" if match[0] == "-" and random.random() < 0.5 else FLIP[match[0]]
    return text[: match.start()] + put + text[match.end() :], True


def _word(text: str, random: Random) -> tuple[str, bool]:
    match = random.choice(list(re.finditer(r"\b[A-Za-z]{2,} ?", text)))
    return text[: match.start()] + text[match.end() :], match[0].strip().casefold() not in PLAIN_WORDS


CHANGES = {"digit": _digit, "sign": _sign, "word": _word}


def misread(text: str, random: Random) -> str:
    """Return a text as OCR may read it: now and then a letter for another, a sign lost."""
    swapped = re.sub(
        r"[elnt]", lambda match: {"e": "c", "l": "1", "n": "r", "t": "f"}[match[0]] if random.random() < 0.01 else match[0], text
    )
    return re.sub(r"[-+=]", lambda match: "" if random.random() < 0.03 else match[0], swapped)
