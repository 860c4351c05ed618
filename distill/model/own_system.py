"""Whether a chat template adds a system prompt of its own where a study gives none: SmolLM2's and Qwen2.5's do."""

from pathlib import Path

from distill.core.errors import InputError
from distill.model.chat_tokenizer import ChatTokenizer
from distill.records.example import Message

SYSTEM = "SYSTEM"


def own_system(folder: Path) -> str:
    """Return the system prompt that a student's template adds; "" where it adds none, or takes none at all."""
    user, tokenizer = Message("user", "USER"), ChatTokenizer(folder)
    without = tokenizer.decode(tokenizer.prompt([user]))
    try:
        head, _, tail = tokenizer.decode(tokenizer.prompt([Message("system", SYSTEM), user])).partition(SYSTEM)
    except InputError:  # of a template that refuses system prompts
        return ""
    added = without.startswith(head) and without.endswith(tail) and len(without) > len(head) + len(tail)
    return without[len(head) : len(without) - len(tail)] if added else ""
