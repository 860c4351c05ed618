"""Rewrite an answer in other forms with code of its own (sympy and patterns), sharing nothing with distill/answers."""

import re
from fractions import Fraction
from random import Random

import sympy

_FRACTION = re.compile(r"(-?)(\d+)/(\d+)|(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_ALGEBRA = re.compile(r"(?:[-+*/^() \d.]|√\d+|π|(?<![a-z])[a-z](?![a-z])|\\sqrt\{?\d+\}?|\\frac\{\d+\}\{\d+\}|\\pi)+")


def rewrite(answer: str, draw: Random) -> list[str]:
    """Return other forms of an answer, each equal to it."""
    found = _FRACTION.fullmatch(answer)
    if re.fullmatch(r"-?\d+", answer):
        forms = _whole(int(answer))
    elif found:
        sign, top, bottom = found.group(1, 2, 3) if found[3] else found.group(4, 5, 6)
        forms = _fraction(sign, int(top), int(bottom), draw.randint(2, 9))
    elif re.fullmatch(r"-?\d*\.\d+", answer):
        ratio = Fraction(answer)
        forms = [
            f"{answer}0",
            f"{ratio.numerator}/{ratio.denominator}",
            sympy.latex(sympy.Rational(answer)),
            f"\\approx {answer}",
            f"y={answer}",
        ]
    else:
        forms = _dressed(answer) + _algebra(answer)
    return [form for form in dict.fromkeys(forms) if form != answer]


def _whole(n: int) -> list[str]:
    forms = [
        f"{n:,}",
        f"{n}.0",
        f"${n}$",
        f"\\boxed{{{n}}}",
        f"n = {n}",
        f"{n}.",
        f"\\frac{{{2 * n}}}{{2}}",
        f"{n + 3} - 3",
        f"\\text{{{n}}}",
        f"{n} units",
    ]
    return [
        *forms,
        f"{n:,}".replace(",", "{,}"),
        " \\cdot ".join(f"{p}^{{{k}}}" for p, k in sympy.factorint(n).items()) if n > 1 else f"({n})",
    ]


def _fraction(sign: str, top: int, bottom: int, k: int) -> list[str]:
    forms = [f"{sign}{top}/{bottom}", f"{sign}\\frac{{{top}}}{{{bottom}}}", f"\\frac{{{sign}{top}}}{{{bottom}}}", f"({sign}{top})/{bottom}"]
    forms += [
        f"{sign}\\dfrac{{{top * k}}}{{{bottom * k}}}",
        f"x = {sign}{top} / {bottom}",
        f"{sign}{top}⁄{bottom}",
        f"-\\frac{{-{top}}}{{{sign}{bottom}}}".replace("--", "-"),
    ]
    forms = forms if not sign else forms[:-1]
    if top > bottom:
        forms.append(f"{sign}{top // bottom}\\frac{{{top % bottom}}}{{{bottom}}}")
    if not set(sympy.primefactors(bottom)) - {2, 5}:
        forms.append(sign + format(top / bottom, ".12f").rstrip("0"))
    return forms


def _dressed(answer: str) -> list[str]:
    """Return an answer in other LaTeX or without it."""
    latex = re.sub(r"√(\d+|[a-z])", r"\\sqrt{\1}", answer).replace("π", r"\pi ")
    bare = answer.replace("\\left", "").replace("\\right", "").replace("\\!", "")
    forms = [
        latex,
        f"${latex}$",
        f"\\boxed{{{latex}}}",
        bare,
        answer.replace("\\dfrac", "\\frac").replace("\\frac", "\\tfrac"),
        f"{answer}.",
    ]
    forms += [re.sub(r"\\sqrt\{?(\d+)\}?", r"√\1", answer).replace("\\pi", "π"), re.sub(r"\\text\{(.*?)\}", r"\1", answer), f" {answer}\n"]
    if re.fullmatch(r"[A-Z]?[A-Za-z]{2,}", bare):
        forms += [bare.lower(), bare.upper(), f"\\text{{{bare}}}"]
    if re.fullmatch(r"\([-\d, ]+\)|\{[\d, ]+\}", bare):
        forms += [bare.replace(",", " , "), bare.replace(",", ",").replace(" ", "")]
    return forms


def _algebra(answer: str) -> list[str]:
    """Return an expression as sympy writes it: expanded, factored, over one denominator, with a radical-free denominator."""
    text = re.sub(r"\\sqrt\{?(\d+)\}?|√(\d+)", r"sqrt(\1\2)", re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"(\1/\2)", answer.replace("\\pi", "π")))
    if not _ALGEBRA.fullmatch(answer) or re.search(r"\d\s*\\frac", answer):  # 1\frac{4}{5} is a mixed number
        return []
    text = text.replace("π", "pi").replace("^", "**")
    transformations = (*sympy.parsing.sympy_parser.standard_transformations, sympy.parsing.sympy_parser.implicit_multiplication)
    try:
        value = sympy.parse_expr(text, {"i": sympy.I, "e": sympy.E}, transformations)  # of our own golds alone, each seen to match _ALGEBRA
    except (SyntaxError, TypeError):
        return []
    variants = [value, sympy.expand(value), sympy.factor(value), sympy.together(value), sympy.radsimp(value), sympy.expand(7 * value) / 7]
    plain = str(value).replace("**", "^").replace("I", "i").replace("E", "e")
    return [
        *(sympy.latex(variant) for variant in variants),
        plain,
        f"{sympy.latex(value + 1)} - 1",
        f"2 - \\left({sympy.latex(2 - value)}\\right)",
    ]
