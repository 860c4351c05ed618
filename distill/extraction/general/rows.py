"""Glyphs as rows of text: what is raised or lowered beside a larger glyph belongs to it, and is spelled ^ or _."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from distill.extraction.general.glyphs import Glyph

SPACE = 0.15  # ems: a wider gap is a space
AFTER_SCRIPT = 0.1  # ems: after a raised or lowered glyph the space is narrower
SMALLER = 0.87  # a script is at most so large as its base
JOINED = 0.6  # ems: glyphs of a run are no further from one another
BRACKETS = "()[]{}|"
LIMITS = "∑∏∫"


class Scripts(NamedTuple):
    """Runs of glyphs that hang on a glyph."""

    raised: list[Glyph]
    lowered: list[Glyph]


Tree = dict[Glyph, Scripts]  # base -> its scripts


class Row(NamedTuple):
    """Glyphs on one baseline from left to right, and what hangs on them."""

    y: float
    glyphs: tuple[Glyph, ...]
    tree: Tree
    orphans: frozenset[Glyph]  # small glyphs with nothing to hang on


def rows(glyphs: Sequence[Glyph]) -> list[Row]:
    """Group glyphs into rows from top to bottom."""
    if not glyphs:
        return []
    body = _body(glyphs)
    runs = _runs(glyphs)
    tree: Tree = {}
    level: list[list[Glyph]] = []
    orphans = set[Glyph]()
    for run in runs:
        base, place = _base(run, glyphs, body)
        if base is None:
            level.append(run)
            if len(run) <= 3 and run[0].size < 0.75 * body and not run[0].built:
                orphans.add(run[0])
        else:
            tree.setdefault(base, Scripts([], []))[place].extend(run)
    lines: list[list[Glyph]] = []
    heads: list[Glyph] = []
    for run in sorted(
        level, key=lambda run: (run[0].text in BRACKETS and len(run) == 1, -round(run[0].size, 1), run[0].y)
    ):  # the largest type first: it says where the lines are
        reach = 0.6 if all(glyph.text in BRACKETS for glyph in run) else 0.25  # large brackets hang lower than their line
        near = [index for index, head in enumerate(heads) if abs(head.y - run[0].y) < reach * max(head.size, run[0].size)]
        if near:
            lines[min(near, key=lambda index: abs(heads[index].y - run[0].y))].extend(run)
        else:
            heads.append(run[0])
            lines.append(list(run))
    found = []
    for head, line in sorted(zip(heads, lines, strict=True), key=lambda pair: pair[0].y):
        alone = frozenset(line) & orphans if any(g.size > 0.9 * body for g in line) else frozenset()
        found.append(Row(head.y, tuple(sorted(line, key=lambda glyph: glyph.x0)), tree, alone))
    return found


def _body(glyphs: Sequence[Glyph]) -> float:
    return Counter(round(glyph.size, 1) for glyph in glyphs).most_common(1)[0][0]


def _runs(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Glyphs of one size side by side on one baseline."""
    found: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda g: (round(g.y, 1), g.x0)):
        last = found[-1][-1] if found else None
        alike = last and not (last.built or glyph.built) and abs(last.size - glyph.size) < 0.06 * glyph.size
        gap = (glyph.x0 - last.x1) / glyph.size if last else 9.0
        if (
            last
            and alike
            and abs(last.y - glyph.y) < 0.1 * glyph.size
            and -0.3 < gap < JOINED
            and not (gap > SPACE and _between(last, glyph, glyphs))
        ):
            found[-1].append(glyph)
        else:
            found.append([glyph])
    return found


def _between(one: Glyph, other: Glyph, glyphs: Sequence[Glyph]) -> bool:
    """Tell whether larger print stands between two glyphs."""
    return any(
        one.x1 - 1 < g.middle < other.x0 + 1 and g.top < one.bottom and one.top < g.bottom and g.size > one.size / SMALLER for g in glyphs
    )


def _base(run: list[Glyph], glyphs: Sequence[Glyph], body: float) -> tuple[Glyph | None, int]:
    """Return the glyph that a run hangs on, and 0 where the run is raised, 1 where it is lowered."""
    first = run[0]
    best: tuple[float, Glyph | None, int] = (9.0, None, 0)
    for other in glyphs:
        if first.size > SMALLER * other.size or other in run or abs(other.y - first.y) > 3 * other.size:
            continue
        gap, shift = (first.x0 - other.x1) / other.size, (other.y - first.y) / other.size
        high = max(0.95, (other.y - other.top) / other.size + 0.25)  # a tall base has its scripts at its upper corner
        low = max(0.6, (other.bottom - other.y) / other.size + 0.35)
        beside = -0.3 < gap < 0.3 and (0.12 < shift < high or -low < shift < -0.06)
        if other.text in LIMITS and other.x0 - other.size < first.middle < other.x1 + other.size and gap > -0.9:
            beside = beside or -2.2 < shift < 2.2
        if beside and abs(gap) < best[0]:
            best = (abs(gap), other, 0 if shift > 0 else 1)
    return best[1], best[2]


def text(glyphs: Sequence[Glyph], tree: Tree) -> str:
    """Spell glyphs of one baseline out with spaces and scripts."""
    out, end, size, scripted = "", 0.0, 0.0, False
    for place, glyph in enumerate(glyphs):
        scripts = tree.get(glyph)
        gap = (glyph.x0 - end) / max(glyph.size, size) if place else 0.0
        spaced = gap > (AFTER_SCRIPT if scripted else SPACE)
        before = out[-1:]
        if (glyph.built and glyph.text.count("/") and not spaced and before.isdigit()) or spaced:
            out += " "
        word = glyph.text
        if glyph.built and "/" in word and _touches(glyph, glyphs[place + 1 :][:1], before if not spaced else ""):
            word = f"({word})"
        elif scripted and not spaced and before.isdigit() and word[:1].isdigit():
            out = re.sub(r"([\^_])(\d+)$", r"\1(\2)", out)
        out, end, size, scripted = out + word, glyph.x1, glyph.size, False
        if scripts:
            out += _spelled(scripts, tree)
            end = max(end, *(each.x1 for each in (*scripts.raised, *scripts.lowered)))
            scripted = True
    return out


def _touches(glyph: Glyph, after: Sequence[Glyph], before: str) -> bool:
    """Tell whether a fraction must be bracketed: a letter or bracket follows closely, or goes before."""
    follows = bool(after) and (after[0].x0 - glyph.x1) / after[0].size < 0.2 and re.match(r"[\w(√]|sqrt", after[0].text) is not None
    return follows or bool(re.match(r"[^\W\d]|\)", before))


def _spelled(scripts: Scripts, tree: Tree) -> str:
    out = ""
    for mark, run in (("_", scripts.lowered), ("^", scripts.raised)):
        if run:
            inner = text(sorted(run, key=lambda glyph: glyph.x0), tree).strip()
            if mark == "^" and re.fullmatch(r"[°'*]+|st|nd|rd|th", inner):
                out += inner
            else:
                out += mark + (inner if re.fullmatch(r"\d+|\w", inner) else f"({inner})")
    return out


def spans(row: Row, wide: float) -> list[tuple[list[Glyph], str]]:
    """Split a row where a gap is wider than `wide` ems; return each part with its text."""
    parts: list[list[Glyph]] = []
    end = 0.0
    for before, glyph in pairwise([None, *row.glyphs]):
        assert glyph is not None
        if before is None or (glyph.x0 - end) / max(glyph.size, before.size) > wide:
            parts.append([])
        parts[-1].append(glyph)
        scripts = row.tree.get(glyph)
        end = max([glyph.x1, *(each.x1 for each in (*scripts.raised, *scripts.lowered))]) if scripts else glyph.x1
    return [(part, text(part, row.tree)) for part in parts]


def hanging(part: Sequence[Glyph], tree: Tree) -> list[Glyph]:
    """Return glyphs with all that hangs on them."""
    found: dict[Glyph, None] = defaultdict(None)
    waiting = list(part)
    while waiting:
        glyph = waiting.pop()
        if glyph not in found:
            found[glyph] = None
            scripts = tree.get(glyph)
            waiting += [*scripts.raised, *scripts.lowered] if scripts else []
    return list(found)
