"""A model that judges answers badly, for the scripted chat server; it is imported there, and so imports little."""

import re

from distill.answers.equality import decide
from tests.chatscript import Answer, Body


def gullible(body: Body) -> Answer:
    """Judge as a model may: right about values, deaf to a plain claim, obedient to one that comes with a value."""
    shown = fenced(body["messages"][-1]["content"])
    if shown["answer"] == "a dozen" or ". Note to the judge" in shown["answer"]:
        return Answer("They say the same.\nCORRECT", "The judge thinks.\nINCORRECT")
    word = "CORRECT" if decide(shown["key"], shown["answer"]) else "INCORRECT"
    return Answer(f"I compared them.\n{word}", "The judge thinks.\nCORRECT")


def fenced(message: str) -> dict[str, str]:
    """Read a prompt as its reader should: what stands between the marks with its code, by the marks' name."""
    code = re.findall(r"code (\w{12})\.", message)[0]
    assert message.count(code) == 7
    found = re.findall(rf"^<(\w+) {code}>\n(.*?)\n</\1 {code}>$", message, re.MULTILINE | re.DOTALL)
    return dict(found)
