"""Markdown as a browser would show it: what a page opens beside text."""

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)> ![i](http://evil.example) [a](javascript:alert(3)) </td> | `b"


def opened(page: str) -> tuple[list[str], set[str]]:
    """Return a page's pieces of HTML, and where its links and images lead."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # a javascript: link shall be seen here
    tokens: list[Token] = []
    for token in parser.parse(page):
        tokens += [token, *(token.children or [])]
    html = [token.content for token in tokens if token.type.startswith("html")]
    return html, {str(token.attrs[key]) for token in tokens for key in ("href", "src") if key in token.attrs}
