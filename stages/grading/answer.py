"""The final answer of a completion, and its plain notation: text in, text out, nothing is evaluated."""

import re
import unicodedata

_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SYMBOLS = {
    "−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "⁄": "/", "∕": "/", "**": "^", "°": "", "\\left": "", "\\right": "",
    "\\cdot": "*", "\\times": "*", "\\div": "/", "\\pi": "π", "\\pm": "±", "\\%": "%", "\\$": "", "$": "", "\\!": "", "\\,": " ",
    "\\;": " ", "\\:": " ", "\\ ": " ", "~": " ", "{,}": "", "^{\\circ}": "", "^\\circ": "", "\\degree": "", "\\{": "⦃", "\\}": "⦄",
    "\\(": "", "\\)": "", "\\[": "", "\\]": "", "\\dfrac": "\\frac", "\\tfrac": "\\frac",
}  # fmt: skip
# Longest first, so that `^{\circ}` and `\dfrac` are seen before their parts; a command ends where its letters end.
_SYMBOL = re.compile("|".join(re.escape(s) + ("(?![A-Za-z])" if s[-1].isalpha() else "") for s in sorted(_SYMBOLS, key=len, reverse=True)))
_GROUPS = [  # innermost LaTeX groups first; applied until nothing changes
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"(?<=\d)\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}"), r" \1/\2"),  # a mixed number
    (re.compile(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"(\1/\2)"),
    (re.compile(r"\\sqrt\s*\{([^{}]*)\}"), r"√(\1)"),
    (re.compile(r"\\sqrt\s*(\d)"), r"√(\1)"),
    (re.compile(r"\^\s*\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"√\s*\{([^{}]*)\}"), r"√(\1)"),
]


def final_answer(text: str, line: str, finish: str) -> str:
    """Return the last balanced ``\\boxed{}``, else what follows the last `line` on its line; "" where there is none.

    In a completion cut off by its token limit an answer line counts only once it is ended: "Answer: 12" may have become 123.
    """
    if box := _boxed(text):
        return box
    start = text.rfind(line)
    if start < 0:
        return ""
    answer, ended, _ = text[start + len(line) :].partition("\n")
    return "" if finish == "length" and not ended else answer.strip(" \t\r*_")


def _boxed(text: str) -> str:
    """Return the content of the last box to close, or ""; one pass, so that a megabyte of open braces costs no more."""
    opened: list[int] = []  # where a box's content starts; -1 for any other brace
    content = ""
    for match in _BRACES.finditer(text):
        token = match.group()
        if token.startswith("\\boxed"):
            opened.append(match.end())
        elif token == "{":
            opened.append(-1)
        elif token == "}" and opened and (start := opened.pop()) >= 0:
            content = text[start : match.start()].strip() or content
    return _boxed(content) or content if "\\boxed" in content else content


def plain(answer: str) -> str:
    """Return an answer in one plain notation: fractions by ``/``, roots by ``√``, LaTeX's dress removed.

    >>> plain(r"$\\dfrac{\\sqrt{3}}{2}$.")
    '((√(3))/(2))'
    """
    text = re.sub(r"[⁰¹²³⁴-⁹⁻]+", lambda m: f"^({m.group().translate(_SUPERSCRIPTS)})", answer)  # before NFKC makes x² into x2
    text = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " ", text)  # and 2½ into 21/2
    text = _SYMBOL.sub(lambda m: _SYMBOLS[m.group()], unicodedata.normalize("NFKC", text))
    for _ in range(20):  # as deep as a sane answer nests
        before = text
        for pattern, replacement in _GROUPS:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    text = re.sub(r"\bsqrt\s*(?=[\d(])", "√", re.sub(r"(?<![A-Za-z])pi(?![A-Za-z])", "π", text))
    text = " ".join(text.split()).removesuffix(".").strip()
    mixed = re.search(r"\d \d+/", text)  # the blank of 2 1/2 counts, and that of 100, 200
    return text if mixed else re.sub(r"\s*([^\w\s,])\s*", r"\1", text)
