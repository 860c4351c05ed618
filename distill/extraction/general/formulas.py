"""Roots and fractions put together: a rule with a radical sign at its corner, a rule with print above and below it."""

import re
from collections.abc import Sequence

from distill.extraction.general import rows
from distill.extraction.general.glyphs import LOST, Glyph, Rule

AXIS = 0.25  # ems: a fraction's rule is so high above the baseline
LEVEL = 0.6  # ems: the baselines of one line's glyphs are no further apart
OVER = re.compile(r"[\w.√π]+|sqrt\([^()]*\)|-\w+")  # a numerator that needs no brackets


def built(glyphs: list[Glyph], rules: Sequence[Rule]) -> list[Glyph]:
    """Return the glyphs of a page with its roots and fractions as one glyph each."""
    for rule in rules:
        near = [g for g in glyphs if rule.x0 - 2 * g.size < g.middle < rule.x1 + 2 * g.size and abs(g.y - rule.y) < 5 * g.size]
        made = _root(near, rule) or _fraction(near, rule)
        if made:
            whole, parts = made
            glyphs = [g for g in glyphs if g not in parts] + [whole]
    return glyphs


def _within(rule: Rule, glyph: Glyph) -> bool:
    return rule.x0 - 1 < glyph.middle < rule.x1 + 0.4


def _root(near: list[Glyph], rule: Rule) -> tuple[Glyph, set[Glyph]] | None:
    """Join a radical sign, whose upper corner the rule begins at, what the rule covers, and a degree before the sign."""
    signs = [g for g in near if g.text in ("√", LOST) and abs(g.x1 - rule.x0) < 0.25 * g.size and abs(g.top - rule.y) < 0.3 * g.size]
    if not signs:
        return None
    sign = min(signs, key=lambda g: abs(g.x1 - rule.x0) + abs(g.top - rule.y))
    foot = max(sign.bottom, rule.y + 0.8 * sign.size) + 0.3 * sign.size
    under = [g for g in near if g is not sign and _within(rule, g) and g.top > rule.y - 1.5 and (g.top + g.bottom) / 2 < foot]
    if not under:
        return None
    degree = [g for g in near if _is_degree(g, sign, near, under)]
    inner, line = spelled(under)
    text = f"{tight(inner)}^(1/{spelled(degree)[0]})" if degree else f"sqrt({inner})"
    parts = {sign, *under, *degree}
    x0 = min(g.x0 for g in parts)
    return Glyph(text, x0, max(rule.x1, line.x1), line.y, rule.y, max(g.bottom for g in under), max(g.size for g in under), True), parts


def _is_degree(glyph: Glyph, sign: Glyph, near: Sequence[Glyph], under: Sequence[Glyph]) -> bool:
    """Tell a degree: small, in the upper left of the sign, and no exponent of what is before the sign."""
    if glyph is sign or glyph in under or glyph.size > 0.8 * sign.size or not glyph.text.isalnum():
        return False
    middle = (sign.top + sign.bottom) / 2
    if not (glyph.bottom < middle + 0.15 * sign.size and glyph.top > sign.top - 0.5 * sign.size):
        return False
    if sign.x0 < glyph.middle < sign.x1:
        return True
    alone = not any(
        0 <= glyph.x0 - other.x1 < 0.15 * other.size and abs(other.y - under[0].y) < 0.2 * other.size
        for other in near
        if other is not glyph
    )
    return alone and -0.1 * sign.size < sign.x0 - glyph.x1 < 0.12 * sign.size


def _fraction(near: list[Glyph], rule: Rule) -> tuple[Glyph, set[Glyph]] | None:
    """Join what is close above and below a rule, if both are as wide as the rule at most, in its middle, and end with it."""
    over = _stack([g for g in near if _within(rule, g) and g.bottom < rule.y + 1.5], rule, above=True)
    under = _stack([g for g in near if _within(rule, g) and g.top > rule.y - 1.5], rule, above=False)
    if not over or not under or any(set(g.text) <= {"_"} for g in over):
        return None
    size = max(g.size for g in (*over, *under))
    width = max(max(g.x1 for g in part) - min(g.x0 for g in part) for part in (over, under))
    if rule.x1 - rule.x0 > width + 0.9 * size or any(_goes_on(part, near) for part in (over, under)):
        return None
    for part in (over, under):
        off = (min(g.x0 for g in part) + max(g.x1 for g in part) - rule.x0 - rule.x1) / 2
        if abs(off) > 0.3 * size:
            return None
    above, below = spelled(over)[0], spelled(under)[0]
    text = f"{above if OVER.fullmatch(above) else f'({above})'}/{tight(below)}"
    parts = {*over, *under}
    y, scale = _level(rule, parts, near, size)
    top, bottom = min(g.top for g in over), max(g.bottom for g in under)
    return Glyph(text, min(rule.x0, *(g.x0 for g in parts)), max(rule.x1, *(g.x1 for g in parts)), y, top, bottom, scale, True), parts


def _stack(inside: list[Glyph], rule: Rule, *, above: bool) -> list[Glyph]:
    """Return what is next to a rule on one side: the nearest glyphs, and those on their height."""

    def distance(glyph: Glyph) -> float:
        return rule.y - glyph.bottom if above else glyph.top - rule.y

    near = [g for g in inside if distance(g) < (0.5 if above else 0.55) * g.size]
    if not near:
        return []
    first = min(near, key=distance)
    found = [g for g in near if abs(g.y - first.y) < LEVEL * first.size]
    while more := [g for g in inside if g not in found and any(_beside(g, other) for other in found)]:
        found += more
    return found


def _beside(one: Glyph, other: Glyph) -> bool:
    """Tell whether two glyphs may be of one line: they overlap in height, and their baselines are as far apart as a script's at most."""
    return min(one.bottom, other.bottom) > max(one.top, other.top) and abs(one.y - other.y) < LEVEL * max(one.size, other.size)


def _goes_on(part: Sequence[Glyph], near: Sequence[Glyph]) -> bool:
    """Tell whether a part's line goes on beside the rule: underlined words, a cell's text."""
    x0, x1 = min(g.x0 for g in part), max(g.x1 for g in part)
    main = max(part, key=lambda g: g.size)
    beside = (g for g in near if g not in part and abs(g.y - main.y) < 0.08 * main.size and abs(g.size - main.size) < 0.05 * main.size)
    return any(-0.1 < (x0 - g.x1) / g.size < 0.35 or -0.1 < (g.x0 - x1) / g.size < 0.35 for g in beside)


def _level(rule: Rule, parts: set[Glyph], near: Sequence[Glyph], size: float) -> tuple[float, float]:
    """Return a fraction's baseline and size: those of the glyphs beside it on whose axis its rule is."""
    beside = [
        g for g in near
        if g not in parts and not g.built and g.size > 0.95 * size and -0.2 < max(rule.x0 - g.x1, g.x0 - rule.x1) / g.size < 1.5
        and abs(g.y - rule.y - AXIS * g.size) < 0.13 * g.size
    ]  # fmt: skip
    if not beside:
        return rule.y + AXIS * size, size
    best = min(beside, key=lambda g: max(rule.x0 - g.x1, g.x0 - rule.x1))
    return best.y, best.size


def spelled(glyphs: Sequence[Glyph]) -> tuple[str, Glyph]:
    """Return the text of a formula's part, and its first glyph on the baseline with the part's right edge."""
    found = rows.rows(glyphs)
    main = max(found, key=lambda row: max(g.size for g in row.glyphs))
    text = " ".join(rows.text(row.glyphs, row.tree) for row in found)
    return text, main.glyphs[0]._replace(x1=max(g.x1 for g in glyphs))


def tight(text: str) -> str:
    """Bracket what is no single number, letter, root or power.

    >>> tight("12"), tight("2x"), tight("x^2")
    ('12', '(2x)', 'x^2')
    """
    return text if re.fullmatch(r"\d+(\.\d+)?|[^\W\d]|sqrt\([^()]*\)|\w\^\d", text) else f"({text})"
