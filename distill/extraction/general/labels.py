"""Numbers that begin items: which of the styles of numbering a test uses, and which lines begin an item in it."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from distill.extraction.general.sheets import Line

NEAR = 14.0  # points: labels of one column begin, or end, within this of one another
SKIPPED = 3  # numbers that may be missing in a row
WORD = r"(?:problem|question|exercise|item|task|aufgabe|q)"
BREAKER = r"(?:t[il1]e[ -]?breakers?|t\s?b|t)"
# kind -> its form; the rest of the line follows the label
KINDS = {
    "breaker": re.compile(rf"[(\[]?{BREAKER}\s*(?:question|problem)?\s*[#.]?\s*(\d)\s*[)\].:]*(?=\s|$)", re.IGNORECASE),
    "word": re.compile(rf"{WORD}\s*[#.]?\s*(\d{{1,3}})\s*[.:)]*(?=\s|$|\()", re.IGNORECASE),
    "hash": re.compile(r"#\s?(\d{1,3})\s*[.:)]*(?=\s|$)"),
    "round": re.compile(r"\((\d{1,3})\)"),
    "close": re.compile(r"(\d{1,3})\)"),
    "dot": re.compile(r"(\d{1,3})\s?[.:](?!\d)"),
    "letter": re.compile(r"([A-HJ-SU-Z])[ -]?(\d{1,3})\s?[.:)]*(?=\s|$)"),
    "bare": re.compile(r"(\d{1,3})(?=\s|$)"),
}
LEAST = 3  # labels of a chain


class Start(NamedTuple):
    """A line that begins an item."""

    line: int  # its place among the lines
    kind: str
    number: str  # 7, A1, T1
    rest: str  # of its first span, after the label
    gap: int  # numbers that are missing before it
    restart: bool  # the numbers begin again


class _Label(NamedTuple):
    line: int
    kind: str
    letter: str
    value: int
    rest: str
    x0: float  # from the column's left edge
    x1: float


def starts(lines: Sequence[Line], scanned: bool = False) -> list[Start]:
    """Return the lines that begin an item: the longest chain of labels of one kind, and the tiebreakers after it."""
    labels = [label for place, line in enumerate(lines) for label in _labels(place, line, scanned)]
    chains = [_chain([label for label in labels if label.kind == kind]) for kind in KINDS if kind not in ("breaker", "letter")]
    letters = [label for label in labels if label.kind == "letter"]
    chains.append(
        [
            each
            for letter in sorted({label.letter for label in letters})
            for each in _chain([one for one in letters if one.letter == letter])
        ]
    )
    best = max(chains, key=len)
    if len(best) < LEAST:
        best = max(chains, key=len) if any(len(chain) > 0 and chain[0].value == 1 for chain in chains) else []
    best = sorted(best, key=lambda label: label.line)
    breakers = _chain([label for label in labels if label.kind == "breaker"]) if best else []
    found, last = [], 0
    for label in sorted([*best, *breakers], key=lambda label: label.line):
        if label.kind == "breaker":
            found.append(Start(label.line, label.kind, f"T{label.value}", label.rest, 0, False))
            continue
        restart = bool(last) and label.value <= last and label.kind != "letter"
        gap = label.value - (0 if restart or label.value == 1 else last) - 1
        found.append(Start(label.line, label.kind, f"{label.letter}{label.value}", label.rest, max(gap, 0), restart))
        last = label.value
    return found


def begins(line: Line) -> bool:
    """Tell whether a line begins with a marked number."""
    return any(form.match(line.spans[0].text) for kind, form in KINDS.items() if kind != "bare")


def _labels(place: int, line: Line, scanned: bool) -> list[_Label]:
    """Return the labels that a line may begin with."""
    first = line.spans[0]
    text = first.text
    if scanned:  # a point read as a comma, a bracket before as a point
        text = re.sub(r"^(\d{1,3})\s?[,;](?=\s|[A-Z]|$)", r"\1.", text)
    found = []
    for kind, form in KINDS.items():
        match = form.match(text)
        if not match or (kind == "bare" and not _stands_alone(match[0], line)):
            continue
        letter, value = (match[1], match[2]) if kind == "letter" else ("", match[1])
        width = (first.x1 - first.x0) * len(match[0]) / max(len(text), 1)
        x0 = first.x0 - first.left
        found.append(_Label(place, kind, letter, int(value), text[match.end() :].strip(), x0, x0 + width))
    return found


def _stands_alone(label: str, line: Line) -> bool:
    return line.spans[0].text.strip() == label.strip() and len(line.spans) > 1


def _chain(labels: Sequence[_Label]) -> list[_Label]:
    """Return the best chain of labels: each follows the one before, by few at most, or begins again at 1; all begin or end at one place."""
    best: list[tuple[float, list[_Label]]] = []
    for index, label in enumerate(labels):
        options = [(1.0 - min(0.4 * (label.value - 1), 2.5), [label])]
        for score, chain in best[max(0, index - 60) : index]:
            last = chain[-1]
            step = label.value - last.value
            if label.line == last.line or not (abs(label.x0 - last.x0) < NEAR or abs(label.x1 - last.x1) < NEAR):
                continue
            if 1 <= step <= SKIPPED + 1:
                options.append((score + 1 - 0.7 * (step - 1), [*chain, label]))
            elif label.value == 1 and last.value >= (1 if label.kind == "breaker" else LEAST):
                options.append((score + 0.6, [*chain, label]))
        best.append(max(options, key=lambda option: option[0]))
    return max(best, key=lambda option: option[0], default=(0.0, []))[1]
