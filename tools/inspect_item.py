"""`python -m tools.inspect_item job 2015-js-07`: an item as printed, as read and as transcribed, side by side, with its flags.

Writes one page to .work/STUDY/inspect_item.html on the reader's own machine; crops of the PDFs are never part of the repository.
In place of an id, a flag (suspect_text, suspect_answer, misnumbered, ...) shows every item that has it.
"""

import base64
import html
import io
import re
import sys
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from distill.cli import command
from distill.cli.layout import layout
from distill.core import files
from distill.core.errors import InputError
from distill.extraction.read_item import DOUBTS
from distill.records.extracted_item import ExtractedItem
from distill.records.problem import Problem

DPI = 110
EDGE = 6.0  # points around an item's region
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
section{border-top:2px solid #888;padding:.6em 0 1.2em} img{max-width:100%;border:1px solid #ccc}
dl{display:grid;grid-template-columns:9em 1fr;gap:.3em 1em;margin:.6em 0} dt{color:#666} dd{margin:0}
mark{background:#ffd54d} .flag{background:#c62828;color:#fff;border-radius:3px;padding:0 .4em;margin-right:.4em}
"""


def main(study: str = "", *wanted: str) -> None:
    """Write the page for the items that `wanted` names by id or by flag."""
    if not wanted:
        raise InputError(f"expected STUDY and an item's id (job 2015-js-07) or a flag ({', '.join(DOUBTS)}), got {study or 'nothing'}")
    paths = layout(study)
    problems = {problem.id: problem for problem in files.read_records(paths.problems, Problem)}
    chosen = choose(files.read_records(paths.extracted, ExtractedItem), wanted)
    files_here = sorted(paths.raw.rglob("*.[pP][dD][fF]"))
    pdfs = {path.name: path for path in files_here} | {path.relative_to(paths.raw).as_posix(): path for path in files_here}
    parts = [_section(item, problems.get(item.id), pdfs.get(item.source)) for item in chosen]
    out = paths.work / "inspect_item.html"
    files.write_text(out, f"<!doctype html><meta charset=utf-8><title>{html.escape(study)}</title><style>{STYLE}</style>{''.join(parts)}")
    for item in chosen:
        print(f"{item.id}  {item.source} page {item.page}  similarity {item.similarity:.3f}  {' '.join(item.flags) or 'no flag'}")
    print(f"inspect_item: {out}")


def choose(items: Sequence[ExtractedItem], wanted: Sequence[str]) -> list[ExtractedItem]:
    """Return the items named by id or flag: suspects by rank, all others by id."""
    known = {item.id for item in items}
    if strange := [word for word in wanted if word not in known and word not in DOUBTS]:
        raise InputError(f"expected an item's id (2015-js-07) or a flag ({', '.join(DOUBTS)}), got {strange[0]!r}")
    chosen = [item for item in items if item.id in wanted or set(wanted) & set(item.flags)]
    return sorted(chosen, key=lambda item: (item.rank or len(items), item.id))


def _section(item: ExtractedItem, problem: Problem | None, path: Path | None) -> str:
    flags = "".join(f"<span class=flag>{flag}</span>" for flag in item.flags)
    agrees = {True: "agrees", False: "differs", None: "not read"}[item.agrees]
    rows = {"printed": _picture(path, item) if path else "not found in any file"}
    rows["as read"], rows["statement"] = marked(item.text, problem.statement if problem else "")
    rows["differs"] = html.escape(" ".join(item.differs)) or "no number or word"
    rows["key as read"] = html.escape(item.key)
    rows["gold"] = f"{html.escape(problem.gold)} ({agrees})" if problem else "not transcribed"
    rows["cluster"] = html.escape(item.cluster)
    listed = "".join(f"<dt>{name}<dd>{value}" for name, value in rows.items())
    head = f"{item.id} · {html.escape(item.source)} page {item.page} · similarity {item.similarity:.3f}"
    return f"<section><h2>{head}</h2>{flags}<dl>{listed}</dl></section>"


def _picture(path: Path, item: ExtractedItem) -> str:
    out = io.BytesIO()
    crop(path, item).save(out, "PNG")
    return f'<img alt="{item.id}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'


def crop(path: Path, item: ExtractedItem, dpi: int = DPI) -> Image.Image:
    """Return the image of an item's region of its page."""
    document = pdfium.PdfDocument(path)
    page = document[item.page - 1]
    left, top, right, bottom = item.region
    width, height = page.get_size()
    # pdfium crops from the left, the bottom, the right and the top
    edges = (max(left - EDGE, 0), max(height - bottom - EDGE, 0), max(width - right - EDGE, 0), max(top - EDGE, 0))
    image: Image.Image = page.render(scale=dpi / 72, crop=edges, grayscale=True).to_pil()
    document.close()
    return image


def marked(read: str, stated: str) -> tuple[str, str]:
    """Return two texts as HTML with the words marked that the other lacks.

    >>> marked("add 2 apples", "add 3 apples")
    ('add <mark>2</mark> apples', 'add <mark>3</mark> apples')
    """
    one, other = re.findall(r"\s+|\w+|[^\w\s]", read), re.findall(r"\s+|\w+|[^\w\s]", stated)
    out: tuple[list[str], list[str]] = ([], [])
    for what, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        for words, texts in ((one[a:b], out[0]), (other[c:d], out[1])):
            text = html.escape("".join(words))
            texts.append(f"<mark>{text}</mark>" if what != "equal" and text.strip() else text)
    return "".join(out[0]), "".join(out[1])


if __name__ == "__main__":
    command.guarded("inspect_item", lambda: main(*sys.argv[1:]))
