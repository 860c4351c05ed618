"""A vision model that copies the problems of a page: what it is asked, and its reply as rows."""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from distill.llm import prompts
from distill.llm.prompts import Prompt
from distill.llm.request import Answer, Failure, Image, Request
from distill.llm.role_client import Model
from distill.llm.route import Dialogue
from distill.transcriber import page_images
from distill.transcriber.page_images import Sheet
from distill.transcriber.transcription import Transcription

NUMBER = re.compile(r"\W*(?:problem|question|item|no)?\W*(\d+)\W*", re.IGNORECASE)
TIEBREAKER = re.compile(r"\W*(?:tie-?\s?breaker|tb|t)\W*(\d+)\W*", re.IGNORECASE)
KEYS = {"continued": str, "problems": dict, "answers": dict}


class Transcriber(Model, frozen=True):
    """Section `transcribe`; `{}` where no model reads the pages."""

    batch: None  # pages go by the chat route
    dpi: Annotated[int, Meta(ge=50, le=600)]  # of the pictures
    page_tokens: Annotated[int, Meta(ge=1)]  # prompt tokens that the endpoint counts for one picture at most: for the budget


Read = tuple[list[Transcription], str]  # the rows of a page, and why there are none


def load_prompt(params: Transcriber) -> Prompt:
    """Return the transcriber's prompt."""
    return prompts.load(params.prompt, "transcribe", set())


def build_request(params: Transcriber, prompt: Prompt, sheet: Sheet, folder: Path) -> Request:
    """Return the request that shows one page, whose picture lies in `folder` when it is sent."""
    url = partial(page_images.url, sheet.file(folder, params.dpi))
    picture = Image(sheet.name(params.dpi), params.page_tokens, url)
    return Request(params.model, prompt.messages({}), params.sampling, (picture,))


def transcribe(request: Request, sheet: Sheet) -> Dialogue[Read]:
    """Ask about one page."""
    (answer,) = yield [(request, 0)]
    return read(answer, sheet, request.model)


def read(answer: Answer, sheet: Sheet, model: str) -> Read:
    """Return the rows of a reply, or the reason why it is of no use."""
    if isinstance(answer, Failure):
        return [], answer.reason
    if answer.unusable:
        return [], answer.unusable
    try:
        document = parse(answer.text)
    except (ValueError, RecursionError) as error:
        return [], str(error) if type(error) is ValueError else "no JSON"
    model = answer.model or model
    rows = [Transcription(sheet.source, sheet.number, "continued", "", document["continued"].strip(), model)]
    for part in ("problem", "answer"):
        texts = document[f"{part}s"]
        rows += [Transcription(sheet.source, sheet.number, part, number(name), text.strip(), model) for name, text in texts.items()]
    return [row for row in rows if row.text], ""


def parse(text: str) -> dict[str, Any]:
    """Return the JSON object of a reply, whatever stands around it; ValueError where it is not of the form that was asked for.

    >>> parse('Here:\\n{"problems": {"1": "Add."}}')
    {'continued': '', 'problems': {'1': 'Add.'}, 'answers': {}}
    """
    document = json.loads(text[text.find("{") : text.rfind("}") + 1], object_pairs_hook=_once)
    found = {key: document.get(key) or kind() for key, kind in KEYS.items()}
    texts = [text for key in ("problems", "answers") if isinstance(found[key], dict) for text in found[key].values()]
    if not all(isinstance(found[key], kind) for key, kind in KEYS.items()) or not all(isinstance(each, str) for each in texts):
        raise ValueError("not of the form that was asked for")
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({number(name) for name, _ in pairs}) < len(pairs):
        raise ValueError("a number twice")
    return dict(pairs)


def number(name: str) -> str:
    """Return a number as an item has it.

    >>> number("7."), number("Problem 07"), number("Tiebreaker 1"), number("(A1)")
    ('7', '7', 'T1', 'A1')
    """
    if match := NUMBER.fullmatch(name):
        return str(int(match[1]))
    if match := TIEBREAKER.fullmatch(name):
        return f"T{int(match[1])}"
    return name.strip(" ().:#")
