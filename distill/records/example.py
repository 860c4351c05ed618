"""A training example in chat form: the corpus that a student learns from."""

import msgspec


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn."""

    role: str  # system | user | assistant
    content: str


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One chat example; the loss is taken on the assistant's turn only where the study masks the prompt."""

    id: str  # the problem's
    messages: list[Message]


def prompt(system: str, statement: str) -> list[Message]:
    """Return the turns before the assistant's; an empty system prompt is no turn."""
    head = [Message("system", system)] if system else []
    return [*head, Message("user", statement)]
