"""Mathematics in statements as MathML, which a browser draws by itself: made by latex2mathml, and only of elements known to be harmless."""

import re
from xml.etree import ElementTree

Piece = str | dict[str, str]  # plain text; or {"math": MathML, "text": its source}
MATHML = "http://www.w3.org/1998/Math/MathML"
ELEMENTS = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "msup",
        "msub",
        "msubsup",
        "mfrac",
        "msqrt",
        "mroot",
        "munder",
        "mover",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
    ]
)
ATTRIBUTES = set(
    [
        "display",
        "displaystyle",
        "scriptlevel",
        "mathvariant",
        "stretchy",
        "fence",
        "form",
        "separator",
        "linethickness",
        "columnalign",
        "columnspacing",
        "rowspacing",
        "accent",
        "accentunder",
        "lspace",
        "rspace",
        "width",
        "height",
        "depth",
        "minsize",
        "maxsize",
        "movablelimits",
        "notation",
        "columnlines",
        "rowlines",
    ]
)
# $$..$$, \[..\], \(..\), $..$, and a power written without any of them: 12^{46}, x^2. A dollar sign before a space opens nothing, and one
# after a space or before a digit closes nothing: it is money.
MATH = re.compile(
    r"\$\$(?P<a>.+?)\$\$|\\\[(?P<b>.+?)\\\]|\\\((?P<c>.+?)\\\)|\$(?P<d>(?!\s)[^$\n]+?(?<!\s))\$(?!\d)"
    r"|(?P<e>[A-Za-z0-9]+\^(?:\{[^{}]{1,20}\}|[A-Za-z0-9]+))",
    re.DOTALL,
)
LONGEST = 600  # characters of one formula; a longer one stays text


def pieces(text: str) -> list[Piece]:
    """Return a text in pieces, its formulas as MathML; a formula that cannot be read stays text.

    >>> pieces("no $5 here")
    ['no $5 here']
    """
    found: list[Piece] = []
    end = 0
    for match in MATH.finditer(text):
        latex = next(filter(None, match.groups()), "")
        if math := convert(latex):
            found += [text[end : match.start()], {"math": math, "text": match[0]}]
            end = match.end()
    return [piece for piece in [*found, text[end:]] if piece]


def convert(latex: str) -> str:
    """Return the MathML of a formula; "" where it cannot be read, or holds an element that is not listed here."""
    tree = read(latex)
    if tree is None:
        return ""
    for element in tree.iter():
        name = element.tag.rpartition("}")[2]
        if name not in ELEMENTS:
            return ""
        element.tag = f"{{{MATHML}}}{name}"
        element.attrib = {key: value for key, value in element.attrib.items() if key in ATTRIBUTES}
    ElementTree.register_namespace("", MATHML)
    return ElementTree.tostring(tree, encoding="unicode")


def read(latex: str) -> ElementTree.Element | None:
    """Return the tree of a formula; None where it is too long or is none."""
    from latex2mathml import converter, exceptions  # here: only a statement with a formula needs it

    if len(latex) > LONGEST:
        return None
    known = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    broken: tuple[type[Exception], ...] = (
        *known,
        ElementTree.ParseError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    )
    try:
        return ElementTree.fromstring(converter.convert(latex))
    except broken:
        return None  # what the library raises on broken LaTeX
