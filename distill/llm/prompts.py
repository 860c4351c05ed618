"""What a model is told: prompt files of our own words, whose text is part of every request and so of its key.

A file holds parts under ``# NAME`` lines: `system` (may be left out), `user`, and what a role asks for besides. ``{{name}}`` stands for a
value; what is put in is never searched for further names.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from distill.core.errors import InputError
from distill.records.example import Message

_HEAD = re.compile(r"^# (\w+)[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"\{\{(\w+)\}\}")


class Prompt(msgspec.Struct, frozen=True):
    """One prompt file."""

    path: str
    parts: dict[str, str]

    def names(self) -> set[str]:
        """Return the names of the values that it asks for."""
        return {name for text in self.parts.values() for name in _NAME.findall(text)}

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Return the turns with the values put in; a value `NAME` may be a part of the file."""
        turns = [(role, self.parts[role]) for role in ("system", "user") if role in self.parts]
        return tuple(Message(role, _NAME.sub(lambda match: values[match[1]], text)) for role, text in turns)


def load(path: str, role: str, names: Collection[str], parts: Collection[str] = ()) -> Prompt:
    """Read a prompt file of a role; `names` are the values that it may ask for, `parts` those that it must hold beside `user`."""
    folder = Path("prompts", role)
    if Path(path).parent != folder:
        raise InputError(f"{path}: a prompt of this role lies in {folder}/, which its stage depends on; move it there")
    try:
        head, *rest = _HEAD.split(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(str(other) for other in folder.glob("*.md"))) or "none"
        raise InputError(f"{path}: no such prompt; prompts here: {known}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error}") from None
    prompt = Prompt(path, dict(zip(rest[::2], (text.strip() for text in rest[1::2]), strict=True)))
    if head.strip() or len(prompt.parts) * 2 < len(rest):
        raise InputError(
            f"{path}: {'text before the first part' if head.strip() else 'a part stands twice'}; a part starts with a line '# NAME'"
        )
    needed = {"user", *parts}
    if needed - prompt.parts.keys() or prompt.parts.keys() - needed - {"system"}:
        raise InputError(f"{path}: its parts are {', '.join(prompt.parts)}; needed: {', '.join(sorted(needed))}; allowed besides: system")
    if strange := sorted(prompt.names() - set(names)):
        raise InputError(f"{path}: asks for {{{{{strange[0]}}}}}; it may ask for {', '.join(sorted(names))}")
    return prompt
