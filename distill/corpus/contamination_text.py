"""A statement as contamination compares it: what it says, not how it is typeset."""

import re
import unicodedata

DASHES = str.maketrans("−–—", "---")
FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)", re.DOTALL | re.IGNORECASE)  # the drawing's program: boilerplate that many problems share
ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[lcr| ]*\})?")
COMMAND = re.compile(r"\\(?:([a-zA-Z]+)|.)", re.DOTALL)
TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s.,;:!?'\"`’‘“”${}&~#]")  # numbers, words, and signs that carry meaning
LAYOUT = re.compile(
    r"left|right|middle|[bB]igg?[lr]?|displaystyle|textstyle|(no)?limits|q?quad|[hv]space|thinspace|text(bf|it|rm)?|emph|math(rm|bf|it|cal|bb|sf|op)"
    r"|operatorname|boldsymbol|bold|rm|bf|[hm]box|[lc]?dots[cb]?|hfill|noindent|par|newline|underline|ensuremath"
)
ALIASES = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leq": "≤", "le": "≤", "leqslant": "≤", "geq": "≥", "ge": "≥", "geqslant": "≥",
    "neq": "≠", "ne": "≠", "cdot": "*", "times": "*", "div": "/", "lt": "<", "gt": ">", "circ": "°", "degree": "°", "infty": "∞", "pi": "π",
    "lbrace": "", "rbrace": "", "lbrack": "[", "rbrack": "]", "vert": "|", "mid": "|", "pm": "±", "to": "→", "rightarrow": "→",
}  # fmt: skip


def tokens(text: str) -> list[str]:
    r"""Return a statement's words, numbers and signs in order, without case, figures, layout and the punctuation of prose.

    >>> tokens(r"Find $\left(\dfrac{1}{2}\right)^{3} \cdot x$, please!") == tokens(r"find (\frac 1 2)^3 \times x please")
    True
    """
    plain = COMMAND.sub(_command, ENVIRONMENT.sub(" ", FIGURE.sub(" ", text)))
    folded = unicodedata.normalize("NFKC", plain).translate(DASHES).casefold()
    return TOKEN.findall(re.sub(r"\^\s*\{?\s*°", "°", re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", folded)))


def _command(found: re.Match[str]) -> str:
    name = found[1]
    if not name or LAYOUT.fullmatch(name):
        return " "  # a space, a line break, or an escaped sign of layout
    return f" {ALIASES.get(name, name)} "
