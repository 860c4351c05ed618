"""Equality of two parsed answers: True, False, or None where they contain functions that our arithmetic does not know."""

import re
from fractions import Fraction

from distill.answers.answer_ast import Node, lowest, number
from distill.answers.exact_algebra import ONE, Monomial, Value, add, multiply, rational, same, symbol
from distill.answers.trig_values import FUNCTIONS


def equal(gold: Node, answer: Node) -> bool | None:
    """Decide equality; symmetric but for a ratio that a key gives in higher terms, which only the same ratio equals."""
    kinds = gold.kind, answer.kind
    if gold.name and answer.name and gold.name != answer.name:
        names = [re.sub("[() ]", "", name) for name in (gold.name, answer.name)]
        if names[0] != names[1] and all(re.fullmatch(rf"(?:{'|'.join(FUNCTIONS)})?[A-Za-zα-ω]", name) for name in names):
            return False  # x = 5 and y = 5, or sin x = 5
    if "equation" in kinds:
        return _same_equation(gold, answer)
    if "ratio" in kinds:
        return _same_ratio(gold, answer)
    if kinds == ("value", "value"):
        return _same_value(gold, answer)
    if parts := _from_unit_vectors(gold, answer) or _from_unit_vectors(answer, gold):
        return _ordered(*parts)
    if "matrix" in kinds:
        return _same_matrix(gold, answer)
    if kinds in (("tuple", "tuple"), ("tuple", "list"), ("list", "tuple")):
        return _ordered(gold, answer)
    if set(kinds) <= {"list", "set"}:
        return _unordered(gold.items, answer.items)
    if set(kinds) == {"union", "list"} and all(item.kind in ("interval", "tuple") for item in (*gold.items, *answer.items)):
        return _unordered(gold.items, answer.items)
    if set(kinds) <= {"interval", "union"}:
        if kinds[0] != kinds[1] or len(gold.items) != len(answer.items):
            return False
        return _ordered(gold, answer) if gold.kind == "union" or gold.note == answer.note else False
    if set(kinds) == {"interval", "tuple"}:  # (2, 7) is both
        interval = gold if gold.kind == "interval" else answer
        low, high = (number(end) for end in interval.items)
        backwards = low is not None and high is not None and low >= high  # x > 5 and x < 2
        return _ordered(gold, answer) if interval.note == "()" and not backwards else False
    if kinds == ("remainder", "remainder"):
        return _ordered(gold, answer)
    return False if gold.kind != answer.kind else gold.kind == "empty"


def _same_matrix(gold: Node, answer: Node) -> bool | None:
    """Compare matrices; one of a single row or column is a vector too, written as a tuple, in square brackets or bare."""
    if gold.kind == answer.kind:
        return _ordered(gold, answer) if gold.note == answer.note else False
    matrix, other = (gold, answer) if gold.kind == "matrix" else (answer, gold)
    if other.kind in ("tuple", "list") and other.items and all(item.kind == "tuple" for item in other.items):
        rows = Node(
            "matrix", tuple(cell for row in other.items for cell in row.items), note=f"{len(other.items)}x{len(other.items[0].items)}"
        )
        return _ordered(matrix, rows) if rows.note == matrix.note else False
    if not re.fullmatch(r"1x\d+|\d+x1", matrix.note):
        return False
    return _ordered(matrix, other) if _may_be_vector(other) else False


def _may_be_vector(node: Node) -> bool:
    """Return whether a node is what a vector may be written as: a tuple, bare, in square brackets, or a single row or column."""
    shape = {"matrix": r"1x\d+|\d+x1", "interval": r"\[\]", "tuple": "", "list": ""}.get(node.kind)
    return shape is not None and re.fullmatch(shape, node.note) is not None


def _from_unit_vectors(sum_of_units: Node, other: Node) -> tuple[Node, Node] | None:
    """Return 2i + 3j by its components, and the vector that it is to be compared with; None of any other two."""
    if sum_of_units.kind != "value" or not _may_be_vector(other):
        return None
    components = _components(sum_of_units, len(other.items))
    return (Node("tuple", components), other) if components else None


def _components(node: Node, size: int) -> tuple[Node, ...]:
    """Return the components of 2i + 3j, () of a value that is no sum of the unit vectors; i alone may be a complex number."""
    units = "ijk"[:size]
    found: dict[str, dict[Monomial, Fraction]] = {unit: {} for unit in units}
    for monomial, coefficient in node.value.top.items() if node.value and node.value.bottom == ONE else ():
        named = [s for s, p in monomial if s in units and p == 1]
        if len(named) != 1:
            return ()
        found[named[0]][tuple(part for part in monomial if part[0] != named[0])] = coefficient
    return tuple(Node("value", value=Value(top)) for top in found.values()) if any(found[unit] for unit in units[1:]) else ()


def every(verdicts: list[bool | None]) -> bool | None:
    """Return False if one is, else None if one is, else True."""
    return False if False in verdicts else None if None in verdicts else True


def _ordered(gold: Node, answer: Node) -> bool | None:
    if len(gold.items) != len(answer.items):
        return False
    return every([equal(left, right) for left, right in zip(gold.items, answer.items, strict=True)])


def _unordered(gold: tuple[Node, ...], answer: tuple[Node, ...]) -> bool | None:
    """Match each item with one of the other side's."""
    if len(gold) != len(answer):
        return False
    rest = list(answer)
    undecided = False
    for item in gold:
        verdicts = [equal(item, other) for other in rest]
        if True in verdicts:
            rest.pop(verdicts.index(True))
        elif None in verdicts:
            undecided = True
        else:
            return False
    return None if undecided else True


def _same_value(gold: Node, answer: Node) -> bool | None:
    """Compare numbers with their units: a unit that one side leaves out is taken to be the other's; 50% is 50, and 1/2 too."""
    if gold.value is None or answer.value is None:
        return None
    left, right = gold.unit, answer.unit
    if left and right and left.dimensions == right.dimensions:
        return same(multiply(gold.value, rational(left.factor)), multiply(answer.value, rational(right.factor)))
    verdict = same(gold.value, answer.value)
    if left and right:
        degrees = {left.dimensions[0][0], right.dimensions[0][0]} in ({"angle", "celsius"}, {"angle", "fahrenheit"})
        return verdict if degrees else False
    if gold.words != answer.words and verdict and (gold.words or left) and (answer.words or right):
        return None
    if verdict is False and (other := (gold if left else answer).items) and other[0].value:  # 150 is 2 hours 30 minutes, in the last unit
        return same(other[0].value, (answer if left else gold).value or other[0].value)
    unit, whole, part = (left, answer.value, gold.value) if left else (right, gold.value, answer.value)
    if verdict is False and unit and unit.dimensions == (("percent", 1),):
        return same(multiply(whole, rational(100)), part)
    return verdict


def _same_ratio(gold: Node, answer: Node) -> bool | None:
    terms = lowest(gold)
    if gold.kind == answer.kind == "ratio":
        if (verdict := _ordered(gold, answer)) is not False:
            return verdict
        return lowest(answer) == terms if terms == tuple(item.value for item in gold.items) else False
    ratio, other = (gold, answer) if gold.kind == "ratio" else (answer, gold)
    if len(ratio.items) != 2 or other.kind != "value" or other.value is None or terms != tuple(i.value for i in gold.items if i.value):
        return False
    first, second = (item.value for item in ratio.items)
    if first is None or second is None:
        return None
    return same(multiply(other.value, second), first) if second.top else False  # 0:0 is no number


def _same_equation(gold: Node, answer: Node) -> bool | None:
    """Two equations agree up to a constant factor; against an expression the right side of y = ... counts."""
    if gold.kind == answer.kind:
        return _proportional(gold.value, answer.value) if gold.value and answer.value else None
    equation, other = (gold, answer) if gold.kind == "equation" else (answer, gold)
    if other.kind != "value":  # v = 2i + 3j and (2, 3)
        return equal(equation.items[0], other) if equation.items else False
    if not equation.items and re.fullmatch("[a-z]", other.name) and other.value and equation.value:  # y - 7 = 0 and y = 7
        return _proportional(equation.value, add(symbol(other.name), other.value, -1))
    return equal(equation.items[0], other) if equation.items else False


def _proportional(left: Value, right: Value) -> bool | None:
    if not left.top or not right.top or set(left.top) != set(right.top):
        return same(left, right)
    first = next(iter(left.top))
    factor = Fraction(left.top[first]) / right.top[first]
    return same(left, multiply(right, rational(factor)))
