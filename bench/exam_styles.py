"""Invented exams in many styles: what is printed where, by four engines, with the truth beside it.

Engines: LaTeX (`pdflatex`), Typst (package `typst`), a browser that prints HTML with MathML (`chromium`), reportlab.
"""

import html
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench import exam_paper
from bench.exam_texts import Node, Problem, parse, problem, split, truth


class Style(NamedTuple):
    """How an exam looks."""

    name: str
    engine: str  # latex | typst | html | paper
    label: str = "{n}."
    columns: int = 1
    choices: int = 0
    across: bool = True  # choices on one line, or one below another
    key: str = "list"  # list | table | grid | lines | solutions
    key_file: bool = True  # a file of its own, or the last page
    head: str = ""
    foot: str = ""
    sections: tuple[str, ...] = ("",)
    count: int = 16  # problems of a section
    tiebreakers: int = 0
    parts: int = 0  # every so many problems one with parts
    font: str = ""
    size: int = 11


STYLES = [
    Style("latex-plain", "latex", foot="page"),
    Style("latex-choices", "latex", label="{n}.", choices=5, key="table", key_file=False, head="Lakeside Mathematics League {year}"),
    Style("latex-two-columns", "latex", label="({n})", columns=2, key="grid", count=22, size=10),
    Style("latex-parts", "latex", label="Problem {n}.", parts=4, key="lines", head="Harbour Contest {year}", foot="page"),
    Style("typst-plain", "typst", label="{n})", key="table", foot="page", head="Northfield Open {year}"),
    Style("typst-sections", "typst", label="{n}.", sections=("Algebra", "Geometry"), key="list", key_file=False, tiebreakers=2),
    Style("typst-two-columns", "typst", label="Question {n}:", columns=2, choices=4, across=False, key="lines",
          count=14, font="Libertinus Serif"),
    Style("html-plain", "html", label="{n}.", key="table", font="DejaVu Serif"),
    Style("html-sans-choices", "html", label="{n})", choices=5, key="grid", key_file=False, font="DejaVu Sans", size=10, foot="page"),
    Style("html-letters", "html", label="{s}{n}.", sections=("A", "B"), key="lines", count=10, font="Latin Modern Roman"),
    Style("paper-plain", "paper", label="{n}.", key="list", head="Hillview School Tournament {year}", foot="page", tiebreakers=1),
    Style("paper-solutions", "paper", label="#{n}", key="solutions", count=12),
]  # fmt: skip
# Kept unseen while the reader was written: other layouts, fonts and keys.
BLIND = [
    Style("blind-latex", "latex", label="{n})", columns=2, choices=4, across=False, key="list", key_file=False,
          head="Fenwick Cup {year}", foot="page", count=20, size=10),
    Style("blind-typst", "typst", label="Problem {n}:", parts=5, key="grid", head="Round of {year}", foot="page",
          font="New Computer Modern", size=12, tiebreakers=1),
    Style("blind-html", "html", label="({n})", columns=2, sections=("Part I", "Part II"), key="table", key_file=False,
          font="DejaVu Sans", size=9, count=12),
    Style("blind-paper", "paper", label="Q{n}.", choices=4, key="lines", head="Invitational {year}", foot="page", size=12),
    Style("blind-browser", "html", label="{n}.", choices=4, across=False, key="lines",
          head="Moorland Mathematics Day {year}", font="Latin Modern Roman", size=12, tiebreakers=2),
]  # fmt: skip


class Truth(NamedTuple):
    """One item of an exam as it should be read."""

    section: str
    number: str
    text: str
    key: str


Block = tuple[Any, ...]  # title, heading, item (label, Problem), newpage, keys (form, [(label, answer)])


def compose(style: Style, seed: int, year: int) -> tuple[list[Block], list[Block], list[Truth]]:
    """Return the blocks of an exam and of its key's file, and the truth."""
    rng = random.Random(f"{style.name} {seed}")
    exam: list[Block] = [("title", f"{style.name.replace('-', ' ').title()} Competition {year}")]
    key: list[Block] = [("title", f"Answer Key {year}")]
    items = []
    for section in style.sections:
        lettered = "{s}" in style.label
        if section and not lettered:
            exam.append(("heading", section))
            key.append(("heading", section))
        answers = []
        for n in range(1, style.count + style.tiebreakers + 1):
            drawn = problem(rng, style.choices, bool(style.parts) and n % style.parts == 0)
            late = n > style.count
            label = f"Tiebreaker {n - style.count}." if late else style.label.format(n=n, s=section)
            number = f"T{n - style.count}" if late else f"{section if lettered else ''}{n}"
            exam.append(("item", label, drawn))
            answers.append((f"T{n - style.count}" if late else f"{section if lettered else ''}{n}", drawn))
            items.append(Truth(section, number, *truth(drawn)))
        key.append(("keys", style.key, answers))
    if not style.key_file:
        exam += [("newpage",), *key]
    return exam, key if style.key_file else [], items


def make(style: Style, folder: Path, seed: int, year: int) -> list[Truth]:
    """Write NAME-YEAR.pdf, and NAME-YEAR-key.pdf where the key is a file of its own."""
    exam, key, items = compose(style, seed, year)
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    for name, blocks in (("", exam), ("-key", key)):
        if blocks:
            columns = style.columns if not name else 1
            ENGINES[style.engine](
                blocks, style._replace(columns=columns, head=style.head.format(year=year)), work, folder / f"{style.name}-{year}{name}.pdf"
            )
    shutil.rmtree(work)
    return items


# LaTeX

SIGNS = {"≤": "\\le ", "≥": "\\ge ", "·": "\\cdot ", "π": "\\pi ", "⋯": "\\cdots ", "°": "^{\\circ}"}


def latex(blocks: list[Block], style: Style, work: Path, out: Path) -> None:
    """Typeset with pdflatex, its fonts as they come."""
    body = "\n".join(_latex_block(block, style) for block in blocks)
    columns = ("\\begin{multicols}{2}\n", "\n\\end{multicols}") if style.columns == 2 else ("", "")
    title, _, rest = body.partition("\n")
    head = "\\usepackage{{fancyhdr}}\\pagestyle{{fancy}}\\fancyhf{{}}\\lhead{{{}}}\\cfoot{{{}}}".format(
        style.head, "\\thepage" if style.foot else "")  # fmt: skip
    page = f"{head}\\renewcommand{{\\headrulewidth}}{{{'0.4pt' if style.head else '0pt'}}}"
    source = (
        f"\\documentclass[{style.size}pt]{{article}}\\usepackage[margin=2.4cm]{{geometry}}\\usepackage{{amsmath,multicol}}{page}\n"
        f"\\setlength\\parindent{{0pt}}\\setlength\\parskip{{7pt}}\\begin{{document}}\n{title}\n{columns[0]}{rest}{columns[1]}\n\\end{{document}}\n"
    )
    (work / "exam.tex").write_text(source)
    subprocess.run(["pdflatex", "-interaction=batchmode", "exam.tex"], cwd=work, check=True, capture_output=True)
    shutil.copyfile(work / "exam.pdf", out)


def _latex_text(text: str) -> str:
    parts = []
    for formula, part in split(text):
        signs = "".join(
            SIGNS.get(sign, sign) if formula else {"%": "\\%", "$": "\\$", "#": "\\#", "°": "$^{\\circ}$"}.get(sign, sign) for sign in part
        )
        parts.append(f"${signs}$" if formula else signs)
    return "".join(parts)


def _latex_block(block: Block, style: Style) -> str:
    kind = block[0]
    if kind in ("title", "heading"):
        return f"\\begin{{center}}\\{'Large' if kind == 'title' else 'large'}\\textbf{{{block[1]}}}\\end{{center}}"
    if kind == "newpage":
        return "\\newpage"
    if kind == "item":
        _, label, item = block
        lines = [f"{label.replace('#', chr(92) + '#')} {_latex_text(item.text)}"]
        lines += [f"\\quad ({letter}) {_latex_text(part)}" for letter, part in zip("ab", item.parts, strict=False)]
        chosen = [f"({letter})~{_latex_text(part)}" for letter, part in zip("ABCDE", item.choices, strict=False)]
        lines += ["\\qquad ".join(chosen)] if style.across and chosen else chosen
        return "\\par\\noindent " + "\\\\\n".join(lines) + "\n"
    _, form, answers = block
    pairs = [(label, _latex_text(item.answer), item) for label, item in answers]
    if form == "solutions":
        return "\n".join(
            f"\\par {label}. {_latex_text(item.text)} Hence the result follows. Answer: {answer}" for label, answer, item in pairs
        )
    if form == "lines":
        return "\n".join(f"\\par {label}. {answer}" for label, answer, _ in pairs)
    if form == "list":
        return (
            "\\begin{tabular}{llll}"
            + _rows([f"{label}. {answer}" for label, answer, _ in pairs], 4, " & ", "\\\\[4pt] ")
            + "\\end{tabular}"
        )
    if form == "table":
        cells = [f"{label} & {answer}" for label, answer, _ in pairs]
        return (
            "\\begin{tabular}{|c|c|c|c|}\\hline No. & Answer & No. & Answer\\\\\\hline "
            + _down(cells, 2, " & ", "\\\\\\hline ")
            + "\\end{tabular}"
        )
    rows = []
    for start in range(0, len(pairs), 8):
        run = pairs[start : start + 8]
        rows += [" & ".join(label for label, _, _ in run), " & ".join(answer for _, answer, _ in run)]
    return "\\begin{tabular}{|" + "c|" * 8 + "}\\hline " + "".join(f"{row}\\\\\\hline " for row in rows) + "\\end{tabular}"


def _rows(cells: list[str], columns: int, between: str, end: str) -> str:
    return "".join(between.join(cells[start : start + columns]) + end for start in range(0, len(cells), columns))


def _down(cells: list[str], columns: int, between: str, end: str) -> str:
    """Fill a table column by column."""
    height = -(-len(cells) // columns)
    return "".join(between.join(cells[row::height]) + end for row in range(height))


# Typst


def typst(blocks: list[Block], style: Style, work: Path, out: Path) -> None:
    """Typeset with Typst."""
    import typst as engine

    font = f', font: "{style.font}"' if style.font else ""
    numbers = '"1 / 1"' if style.foot else "none"
    page = f'#set page(paper: "us-letter", columns: {style.columns}, header: [{style.head}], numbering: {numbers})'
    source = f"{page}\n#set text(size: {style.size}pt{font})\n#set par(spacing: 1.3em)\n" + "\n\n".join(
        _typst_block(block, style) for block in blocks
    )
    (work / "exam.typ").write_text(source)
    out.write_bytes(engine.compile(str(work / "exam.typ")))


def _typst_text(text: str) -> str:
    return "".join(
        f"${_typst_math(parse(part))}$" if formula else re.sub(r"([#$*_@<`\\\[\]])", r"\\\1", part) for formula, part in split(text)
    )


def _typst_math(node: Node) -> str:
    if isinstance(node, str):
        return node if len(node) == 1 or node[0].isdigit() or node == "log" else f'"{node}"'
    kind, *rest = node
    inner = [_typst_math(each) for each in rest]
    if kind == "row":
        return " ".join(f"\\{each}" if each == "/" else each for each in inner)
    if kind in ("sup", "sub"):
        return f"{inner[0]}{'^' if kind == 'sup' else '_'}({inner[1]})"
    return f"{ {'frac': 'frac', 'sqrt': 'sqrt', 'root': 'root'}[kind] }({', '.join(inner)})".strip()


def _typst_block(block: Block, style: Style) -> str:
    kind = block[0]
    if kind in ("title", "heading"):
        return f'#align(center, text(size: {1.4 if kind == "title" else 1.2}em, weight: "bold")[{block[1]}])'
    if kind == "newpage":
        return "#pagebreak()"
    if kind == "item":
        _, label, item = block
        lines = [f"#[{label[:-1]}\\{label[-1]}] {_typst_text(item.text)}"]
        lines += [f"({letter}) {_typst_text(part)}" for letter, part in zip("ab", item.parts, strict=False)]
        chosen = [f"({letter}) {_typst_text(part)}" for letter, part in zip("ABCDE", item.choices, strict=False)]
        lines += [" #h(2em) ".join(chosen)] if style.across and chosen else chosen
        return " \\\n".join(lines)
    _, form, answers = block
    pairs = [(label, _typst_text(item.answer), item) for label, item in answers]
    if form == "lines":
        return "\n\n".join(f"#[{label}\\.] {answer}" for label, answer, _ in pairs)
    if form == "list":
        return "#grid(columns: 4, gutter: 2em, " + ", ".join(f"[#[{label}\\.] {answer}]" for label, answer, _ in pairs) + ")"
    if form == "table":
        height = -(-len(pairs) // 2)
        cells = [cell for row in range(height) for label, answer, _ in pairs[row::height] for cell in (label, answer)]
        return "#table(columns: 4, [No.], [Answer], [No.], [Answer], " + ", ".join(f"[{cell}]" for cell in cells) + ")"
    cells = []
    for start in range(0, len(pairs), 8):
        run = pairs[start : start + 8]
        empty = [""] * (8 - len(run))
        cells += [label for label, _, _ in run] + empty + [answer for _, answer, _ in run] + empty
    return "#table(columns: 8, " + ", ".join(f"[{cell}]" for cell in cells) + ")"


# A browser


def browser(blocks: list[Block], style: Style, work: Path, out: Path) -> None:
    """Print HTML with MathML."""
    columns = "column-count:2;column-gap:3em;" if style.columns == 2 else ""
    foot = "@bottom-center{content:counter(page)}" if style.foot else ""
    head = f"@top-left{{content:'{style.head}'}}" if style.head else ""
    css = f"@page{{size:letter;margin:2.2cm;{foot}{head}}}body{{font:{style.size}pt '{style.font}';{columns}}}"
    css += "h1,h2{text-align:center;column-span:all}"
    css += "td,th{padding:.3em .8em}table.r td,table.r th{border:1px solid #333}table{border-collapse:collapse}"
    body = "\n".join(_html_block(block, style) for block in blocks)
    (work / "exam.html").write_text(f"<!doctype html><meta charset=utf-8><style>{css}</style>{body}")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={work / 'profile'}"]
    subprocess.run([*command, f"--print-to-pdf={out}", str(work / "exam.html")], check=True, capture_output=True)


def _html_text(text: str) -> str:
    return "".join(f"<math>{_mathml(parse(part))}</math>" if formula else html.escape(part) for formula, part in split(text))


def _mathml(node: Node) -> str:
    if isinstance(node, str):
        tag = "mn" if node[0].isdigit() else "mi" if node.isalpha() else "mo"
        return f"<{tag}>{html.escape(node)}</{tag}>"
    kind, *rest = node
    inner = "".join(_mathml(each) for each in rest)
    if kind == "root":
        return f"<mroot>{_mathml(rest[1])}{_mathml(rest[0])}</mroot>"
    return f"<{(tag := {'row': 'mrow', 'frac': 'mfrac', 'sup': 'msup', 'sub': 'msub', 'sqrt': 'msqrt'}[kind])}>{inner}</{tag}>"


def _html_block(block: Block, style: Style) -> str:
    kind = block[0]
    if kind in ("title", "heading"):
        return f"<{(tag := 'h1' if kind == 'title' else 'h2')}>{block[1]}</{tag}>"
    if kind == "newpage":
        return "<div style='break-after:page'></div>"
    if kind == "item":
        _, label, item = block
        lines = [f"{label} {_html_text(item.text)}"]
        lines += [f"({letter}) {_html_text(part)}" for letter, part in zip("ab", item.parts, strict=False)]
        chosen = [f"({letter}) {_html_text(part)}" for letter, part in zip("ABCDE", item.choices, strict=False)]
        lines += ["&emsp;&emsp;".join(chosen)] if style.across and chosen else chosen
        return f"<p>{'<br>'.join(lines)}</p>"
    _, form, answers = block
    pairs = [(label, _html_text(item.answer), item) for label, item in answers]
    if form == "lines":
        return "".join(f"<p>{label}. {answer}</p>" for label, answer, _ in pairs)
    if form == "list":
        return "<table>" + _rows([f"<td>{label}. {answer}" for label, answer, _ in pairs], 4, "", "<tr>") + "</table>"
    if form == "table":
        cells = [f"<td>{label}<td>{answer}" for label, answer, _ in pairs]
        return "<table class=r><tr><th>No.<th>Answer<th>No.<th>Answer<tr>" + _down(cells, 2, "", "<tr>") + "</table>"
    rows = []
    for start in range(0, len(pairs), 8):
        run = pairs[start : start + 8]
        rows += ["".join(f"<td>{label}" for label, _, _ in run), "".join(f"<td>{answer}" for _, answer, _ in run)]
    return "<table class=r><tr>" + "<tr>".join(rows) + "</table>"


ENGINES: dict[str, Callable[[list[Block], Style, Path, Path], None]] = {
    "latex": latex, "typst": typst, "html": browser, "paper": exam_paper.paper,
}  # fmt: skip
__all__ = ["BLIND", "STYLES", "Problem", "Style", "Truth", "compose", "make"]
