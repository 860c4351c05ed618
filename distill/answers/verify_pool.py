"""Comparison of many pairs: what our grammar leaves open goes to math-verify, in processes that can be killed."""

import logging
import re
from collections.abc import Iterable

from tqdm import tqdm

from distill.answers.answer_key import read_key
from distill.answers.equality import decide, formed
from distill.answers.expression_parser import prose
from distill.answers.final_answer import notation
from distill.answers.versions import check_installed
from distill.processes import worker_pool
from distill.processes.worker_pool import Limits

Pair = tuple[str, str]  # (gold, answer), in this order: the library is not symmetric

_FAILURES = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RuntimeError, AssertionError, MemoryError)
_COMMANDS = {
    "π": "\\pi ",
    "±": "\\pm ",
    "≤": "\\le ",
    "≥": "\\ge ",
    "−": "-",
    "×": "\\times ",
    "·": "\\cdot ",
    "*": "\\cdot ",
    "∞": "\\infty ",
}


def compare(pairs: Iterable[Pair], limit: float, memory: int, workers: int) -> dict[Pair, bool | None]:
    """Decide each distinct pair once; None = not within `limit` seconds of processor time and `memory` MiB, or without a reading."""
    check_installed()
    verdicts = {pair: decide(*pair) for pair in sorted(set(pairs))}
    hard = {pair: (read_key(pair[0]).gold, pair[1]) for pair, verdict in verdicts.items() if verdict is None}
    hard = {pair: bare for pair, bare in hard.items() if not any(_beyond(text) for text in bare)}
    found = symbolic(sorted(set(hard.values())), limit, memory, workers)
    for pair, bare in hard.items():
        verdicts[pair] = found[bare] and formed(read_key(pair[0]).form, notation(pair[1]))
    return verdicts


def _beyond(text: str) -> bool:
    """Return whether the library would misread a text: of words it makes products, of "21 1" the first number, of {11}1 the number 12."""
    bare = notation(text)
    if re.search(r"[}⦄]\s*\d|\d\s*[{⦃]", bare):
        return True
    return len(text) > 500 or prose(bare) or re.search(r"(?<![\w_])\d+\s+[\d.](?!\d*/)", re.sub("√", " ", bare)) is not None


def symbolic(pairs: list[Pair], limit: float, memory: int, workers: int) -> dict[Pair, bool | None]:
    """Compare pairs by math-verify; a pair over its limit costs its worker and is undecided."""
    limits = Limits(limit, memory << 20)
    outcomes = worker_pool.run(math_verify_equal, pairs, limits, workers, preload="math_verify")
    return {pair: outcome.value for pair, outcome in tqdm(outcomes, total=len(pairs), unit="pair", desc="math-verify", disable=not pairs)}


def math_verify_equal(pair: Pair) -> bool | None:
    """Compare by math-verify in this process; None where either has no reading. Runs in a worker only: it may not end."""
    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)  # the library logs every text that it cannot parse
    try:
        left, right = (
            parse(f"${latex(text)}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True)
            for text in pair
        )
        return bool(verify(left, right, timeout_seconds=None, raise_on_error=True)) if left and right else None
    except _FAILURES:  # the library meets text it was not made for
        return None


def latex(text: str) -> str:
    """Return an answer as math-verify wants it: it reads 20√21 as 20, and 20\\sqrt{21} right."""
    text = re.sub(r"√\s*\(([^()]*)\)", r"\\sqrt{\1}", text.strip().strip("$"))
    text = re.sub(r"√\s*\{", r"\\sqrt{", text)
    text = re.sub(r"√\s*(\d+|[A-Za-z])", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<![\\A-Za-z])(sin|cos|tan|cot|sec|csc|log|ln|exp)(?![A-Za-z])", r"\\\1", text)
    for sign, command in _COMMANDS.items():
        text = text.replace(sign, command)
    return text
