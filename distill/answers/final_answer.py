"""The final answer of a completion, and its plain notation: text in, text out, nothing is evaluated."""

import re
import unicodedata
from typing import Literal

from distill.answers.stated_answer import hashed, stated

Profile = Literal["strict", "gsm8k", "lenient"]
PROFILES: tuple[Profile, ...] = ("strict", "gsm8k", "lenient")
MAX_BOXES = 20  # a box in a box, and so on: a deeper nest is no answer
_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp"
_GREEK = "pi theta alpha beta gamma delta lambda mu phi omega sigma rho"
_SYMBOLS = {
    "−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "⁄": "/", "∕": "/", "**": "^", "º": "°", "\\left": "", "\\right": "",
    "\\cdot": "*", "\\times": "*", "\\div": "/", "\\pm": "±", "\\%": "%", "\\!": "", ",\\!": ",", ",\\! ": ",", "\\,": " ",
    "\\;": " ", "\\:": " ", "\\ ": " ", "~": " ", "\\quad": " ", "{,}": "", "{:}": ":", "^{\\circ}": "°", "^\\circ": "°", "\\degree": "°",
    "\\{": "⦃", "\\}": "⦄",
    "\\lbrace": "⦃", "\\rbrace": "⦄", "\\(": "", "\\)": "", "\\[": "", "\\]": "", "\\dfrac": "\\frac", "\\tfrac": "\\frac",
    "\\le": "≤", "\\leq": "≤", "\\leqslant": "≤", "\\ge": "≥", "\\geq": "≥", "\\geqslant": "≥",
    "\\lt": "<", "\\gt": ">", "\\infty": "∞",
    "\\cup": "∪", "\\bigcup": "∪", "\\mathbb{R}": "ℝ", "\\mathbb R": "ℝ", "\\R": "ℝ", "\\mid": "|", "\\vert": "|",
    "\\lvert": "|", "\\rvert": "|",
    "\\langle": "⟨", "\\rangle": "⟩", "\\imath": "i", "\\jmath": "j", "\\top": "T",
    "+/-": "±", "\\in": "∈", "\\emptyset": "∅", "\\varnothing": "∅", "\\approx": "≈", "\\colon": ":",
    "\\displaystyle": "", "\\cents": "¢", "\\ne": "≠", "\\neq": "≠", "\\setminus": "∖",
    "\\triangle": "triangle ", "△": "triangle ", "\\cong": "≅",
    "\\land": " and ", "\\lor": " or ", "\\dbinom": "\\binom", "\\tbinom": "\\binom",
    "\\nicefrac": "\\frac", "\\sfrac": "\\frac", "\\cfrac": "\\frac",
    "\\angle": "∠", "\\bigl": "", "\\bigr": "", "\\Bigl": "", "\\Bigr": "", "\\big": "", "\\Big": "", "∛": "\\sqrt[3]", "∜": "\\sqrt[4]",
    "^{\\prime}": "'", "^\\prime": "'", "′": "'", "’": "'", "<=": "≤", ">=": "≥", "$": "", "\\$": "$",
    **{f"\\{name}": name for name in FUNCTIONS.split("|")},
    **{f"\\{name}": letter for name, letter in zip(_GREEK.split(), "πθαβγδλμφωσρ", strict=True)},
}  # fmt: skip
# Longest first, so that `^{\circ}` and `\dfrac` are seen before their parts; a command ends where its letters end.
_SYMBOL = re.compile("|".join(re.escape(s) + ("(?![A-Za-z])" if s[-1].isalpha() else "") for s in sorted(_SYMBOLS, key=len, reverse=True)))
_GOES_ON = re.compile(r"(\d*)\.(\d+)\s*(?:\.\.\.|\\[lc]?dots(?![a-z]))")
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|[pbB]?smallmatrix|array)\}(?:\{[lcr| ]*\})?(.*?)\\end\{\1\}", re.DOTALL)
_ANGLES = re.compile(r"⟨([^⟨⟩]*)⟩|(?:^|(?<==)|(?<== ))<([^<>]*,[^<>]*)>$")  # a vector
_ACCENTED = re.compile(r"\\(?:vec|hat|mathbf|boldsymbol|overrightarrow)(?:\s*(\\[ij]math)|\s+([A-Za-z]))(?![A-Za-z])")
_CHOOSE = re.compile(
    r"(?<![\w.)])C\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)"
    r"|(?<![\w.)])(?:\{\}\s*)?(?:[_^]\s*\(?|\{)?(\d{1,4})[)}]?\s*C\s*_?\s*(\d{1,4})(?![\w.])"
)
_ARRANGE = re.compile(r"(?<![\w.)])(?:\{\}\s*)?_\s*\(?(\d{1,3})\)?\s*P_\s*(\d{1,3})(?!\w)|(?<![\w.)])(\d{1,3})P(\d{1,3})(?!\w)")
_INFINITY = re.compile(r"(?<![A-Za-z])(?:inf|infty|infinity|oo)(?![A-Za-z])", re.IGNORECASE)
_PLUS_MINUS = re.compile(r"(?:^|(?<==)|(?<== ))\+ ?-(?= ?[\d√(])")
_ROWS = re.compile(r"\[\s*\[[^\[\]()]*\](?:\s*,\s*\[[^\[\]()]*\])*\s*\]$")
_SPACED_ROWS = re.compile(r"^(?:[A-Z] ?= ?)?\[\s*([-\d./]+(?:[ ,]+[-\d./]+)+(?:\s*;\s*[-\d./]+(?:[ ,]+[-\d./]+)+)+)\s*\]$")  # [1 2; 3 4]
_VECTOR = re.compile(r"-?[\d./]+(?: -?[\d./]+){2,}|[\[(]\s*-?[\d./]+(?: -?[\d./]+)+\s*[\])]")
_JOINED = re.compile(r"(?:(?<=[^\w\s,])| )(and|or)(?: |(?=[^\w\s,]))")
_PART = r"\s*(?:\{([^{}]*)\}|([A-Za-z0-9π]))"
_GROUPS = [  # innermost LaTeX groups first; applied until nothing changes
    (re.compile(r"_\s*\{\s*(?:\\(?:text|mathrm)\s*\{\s*)?\(?\s*(\w+)\s*\)?\s*\}?\}"), r"_\1 "),  # an index or a base
    (
        re.compile(
            r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|bold|boldsymbol|mbox|operatorname|hat|vec|overrightarrow)\s*\{([^{}]*)\}"
        ),
        r" \1 ",
    ),
    (re.compile(r"(\.\d*)\\(?:overline|bar)\s*\{(\d+)\}"), r"\1⟨\2⟩"),  # a repeating decimal
    (re.compile(r"(?<=\d)\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|(?<=\d)\s*\\frac\s*(\d)\s*(\d)"), r" \1\3/\2\4"),  # a mixed number
    (re.compile(r"\\frac" + _PART + _PART), r"((\1\2)/(\3\4))"),
    (re.compile(r"\\binom\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}"), r"binom(\1,\2)"),
    (re.compile(r"\{\s*(\d+)\s*\\choose\s*(\d+)\s*\}"), r"binom(\1,\2)"),
    (re.compile(r"\\sqrt\s*\[([^\[\]{}]*)\]" + _PART), r"((\2\3)^(1/(\1)))"),
    (re.compile(r"\\sqrt\s*\[([^\[\]{}]*)\]\s*(\d+|\([^()]*\))"), r"((\2)^(1/(\1)))"),
    (re.compile(r"\\sqrt" + _PART), r"√(\1\2)"),
    (re.compile(rf"([\^√]|(?:{FUNCTIONS})|log_\w+)\s*\{{([^{{}}]*)\}}"), r"\1(\2)"),
]


def final_answer(text: str, line: str, finish: str, profile: Profile) -> str:
    """Return the final answer of a completion, "" where there is none.

    Profile strict: the last balanced ``\\boxed{}``, else what follows the last `line` on its line. gsm8k: what follows the last `####`.
    lenient: the last box, else whatever the text states as its answer, in these forms or in prose. In a completion cut off by its token
    limit a line counts only once it is ended: "Answer: 12" may have become 123.
    """
    if profile == "gsm8k":
        return hashed(text, finish)
    if box := _boxed(text):
        return box
    return stated(text, line, finish) if profile == "lenient" else _on_line(text, line, finish)


def _on_line(text: str, line: str, finish: str) -> str:
    """Return what follows the last `line` on its line."""
    start = text.rfind(line)
    if start < 0:
        return ""
    answer, ended, _ = text[start + len(line) :].partition("\n")
    return "" if finish == "length" and not ended else answer.strip(" \t\r*_")


def _boxed(text: str) -> str:
    """Return the content of the last box to close, of a box in a box the inner one's; "" where there is none, or over MAX_BOXES deep.

    One pass, so that a megabyte of braces costs no more.
    """
    opened: list[int] = []  # where a box's content starts; -1 for any other brace
    closed: list[tuple[int, int]] = []  # the contents of boxes that are not blank, by their ends
    for match in _BRACES.finditer(text):
        token = match.group()
        if token.startswith("\\boxed"):
            opened.append(match.end())
        elif token == "{":
            opened.append(-1)
        elif token == "}" and opened and (start := opened.pop()) >= 0 and text[start : match.start()].strip():
            closed.append((start, match.start()))
    start, end = closed.pop() if closed else (0, 0)
    for depth in range(len(closed)):
        if closed[-1 - depth][0] < start:
            break
        if depth == MAX_BOXES:
            return ""
        start, end = closed[-1 - depth]
    return text[start:end].strip()


def plain(answer: str) -> str:
    """Return an answer in one plain notation: fractions by ``/``, roots by ``√``, without LaTeX commands, ° and $.

    >>> plain(r"$\\dfrac{\\sqrt{3}}{2}$.")
    '((√(3))/(2))'
    """
    return notation(answer).replace("°", "").replace("$", "")


def notation(answer: str) -> str:
    """Return an answer in plain notation with its ° and $ of money."""
    if "\\boxed" in answer:
        answer = _boxed(answer) or answer
    text = answer.strip(" \t\r\n*_")
    text = re.sub(r"[⁰¹²³⁴-⁹⁻]+", lambda m: f"^({m.group().translate(_SUPERSCRIPTS)})", text)  # before NFKC makes x² into x2
    text = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " ", text)  # and 2½ into 21/2
    text = unicodedata.normalize("NFKC", text.replace("ℝ", "\\mathbb{R}"))
    text = _GOES_ON.sub(_repeating, text) if "..." in text or "dots" in text else text
    if text.count("$") % 2 and text.count("$") < 40:  # an unpaired $ is money
        text = re.sub(r"(?<![\\$])\$(?=\s*[\d.])", r"\\$", text, count=1)
    if "\\begin" in text:
        text = re.sub(r"[(\[]\s*(⟦[^⟧]*⟧)\s*[)\]]", r"\1", _MATRIX.sub(_cells, re.sub(r"\\(?:left|right)(?![a-z])", "", text)))
    text = _ACCENTED.sub(r"\1\2", text) if "\\" in text else text
    text = _SYMBOL.sub(lambda m: _SYMBOLS[m.group()], text)
    text = _ANGLES.sub(_column, text)
    if "\\" in text or "{" in text:
        text = _ungrouped(text)
    text = re.sub(r"(?<![A-Za-z])sqrt\s*(?=[\d(])", "√", re.sub(r"(?<![A-Za-z])pi(?![A-Za-z])", "π", text))
    text = re.sub(r"(?<=\.)\((\d+)\)|(?<=\b0)(\.\d+)\((\d+)\)", lambda m: f"{m[2] or ''}⟨{m[1] or m[3]}⟩", text)  # 0.(3)
    text = re.sub(r"(?<=\d) ?[xX] ?(?=10 ?\^)", "*", text) if "10" in text else text
    text = _ARRANGE.sub(r"binom(\1\3,\2\4)*\2\4!", text) if "P" in text else text
    text = _CHOOSE.sub(lambda m: f"binom({m[1] or m[3]},{m[2] or m[4]})", _INFINITY.sub("∞", _PLUS_MINUS.sub("±", text)))
    text = _SPACED_ROWS.sub(_spaced_rows, text) if ";" in text and "[" in text else text
    text = _ROWS.sub(_nested_rows, text) if "[[" in text.replace(" ", "") else text
    text = " ".join(text.split()).removesuffix(".").strip()
    # The blank of 2 1/2, "5 m" and "option C" counts, that of 100, 200, and that of a vector without commas.
    spaced = re.search(r"\d \d+/|[A-Za-z] ?[-(\d]|\d [a-z]", text) or _VECTOR.fullmatch(text)
    return text if spaced else _JOINED.sub(r" \1 ", re.sub(r"\s*([^\w\s,$])\s*", r"\1", text)).strip()


def _repeating(match: re.Match[str]) -> str:
    """Return a decimal that goes on, 0.333..., as a repeating one, 0.⟨3⟩; as written where no period shows (π is no 3.14⟨1⟩).

    A period shows in decimals that are nothing but it, twice or more, or that end in it three times: e = 2.718281828... is no 2.7⟨1828⟩.
    """
    whole, decimals = match[1] or "0", match[2]
    period = re.fullmatch(r"(\d+?)\1+", decimals) or re.search(r"(\d{1,6}?)\1\1$", decimals)
    if not period or not period[1].strip("0"):
        return match.group()
    head = decimals[: period.start()]
    while head.endswith(period[1]):
        head = head.removesuffix(period[1])
    return f"{whole}.{head}⟨{period[1]}⟩"


def _ungrouped(text: str) -> str:
    """Replace LaTeX's groups, innermost first, as deep as a sane answer nests."""
    for _ in range(20):
        before = text
        for pattern, replacement in _GROUPS:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    return text


def _column(match: re.Match[str]) -> str:
    """Return ⟨1, 2⟩ as a matrix of one column, ⟨3⟩ as (3)."""
    inner = match[1] or match[2] or ""
    return f"⟦{inner.replace(',', '⸵')}⟧" if "," in inner else f"({inner})"


def _cells(match: re.Match[str]) -> str:
    """Return a matrix as ⟦a⸴b⸵c⸴d⟧."""
    rows = [row.strip() for row in re.sub(r"\\hline", "", match[2]).replace("\\cr", "\\\\").replace("\\\\", "⸵").split("⸵")]
    return f"⟦{'⸵'.join(row.replace('&', '⸴') for row in rows if row)}⟧"


def _spaced_rows(match: re.Match[str]) -> str:
    """Return [1 2; 3 4] as ⟦1⸴2⸵3⸴4⟧."""
    return f"⟦{'⸵'.join('⸴'.join(re.split('[ ,]+', row.strip())) for row in match[1].split(';'))}⟧"


def _nested_rows(match: re.Match[str]) -> str:
    """Return [[a,b],[c,d]] as ⟦a⸴b⸵c⸴d⟧."""
    return f"⟦{'⸵'.join(row.replace(',', '⸴') for row in re.findall(r'[^][]*[^][ ,][^][]*', match.group()))}⟧"
