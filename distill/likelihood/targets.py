"""A text to score, as tokens: which of them are its chain, the answer form's opening, the answer, and the end of the turn.

The prompt is rendered and encoded as in training and in sampling. What follows it (chain, opening and answer as one text) is encoded as a
whole, as in training, so that tokens may span two parts; such a token counts to the part that its last character is of. The end token is
that of the chat template.
"""

from typing import NamedTuple

from distill.core.errors import InputError
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import Message


class Target(NamedTuple):
    """The tokens after a prompt."""

    tokens: list[int]
    chain: int  # ends of the parts, in tokens
    opening: int
    answer: int  # the rest is the end of the turn


def chain_of(text: str, opening: str) -> str:
    """Return what stands before the final answer line; of a text without one the whole, with an end of line.

    >>> chain_of("6 * 3 = 18\\n#### 18", "#### "), chain_of("It is 18.", "#### "), chain_of("#### 18", "#### ")
    ('6 * 3 = 18\\n', 'It is 18.\\n', '')
    """
    at = text.rfind(opening.strip())
    if at >= 0:
        return text[:at]
    return f"{text.rstrip()}\n" if text.strip() else ""


def end_token(tokenizer: ChatTokenizer) -> int:
    """Return the token that ends a turn; a template that adds to the text of an answer is an InputError."""
    tokens, prompt = tokenizer.example([Message("user", "1"), Message("assistant", "2")])
    if tokens[prompt:-1] != tokenizer.tokenizer.encode("2", add_special_tokens=False).ids:
        raise InputError(f"{tokenizer.folder}: the chat template adds to the text of an answer, so that its likelihood is not known")
    return tokens[-1]


def target(tokenizer: ChatTokenizer, end: int, chain: str, opening: str, answer: str) -> Target:
    """Return the tokens of a chain (or none), the opening and the answer, and where each part ends."""
    encoded = tokenizer.tokenizer.encode(chain + opening + answer, add_special_tokens=False)
    lasts = [last for _, last in encoded.offsets]
    borders = (len(chain), len(chain) + len(opening))
    first, second = (sum(last <= border for last in lasts) for border in borders)
    return Target([*encoded.ids, end], first, second, len(lasts))
