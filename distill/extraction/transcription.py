"""The authors' transcription, datafile/YEAR.json: {section: {question_k: {question, answer}}}, taken over byte for byte."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from distill.core.errors import InputError
from distill.extraction.item_numbers import named, position

KEY = re.compile(r"question_(T?\d+)")
FILE = re.compile(r"(\d{4})\.json")


class Entry(NamedTuple):
    """One transcribed item."""

    year: int
    section: str
    number: str  # 7, T1
    question: str
    answer: str


def read(folder: Path, sections: dict[str, str], rounds: int) -> list[Entry]:
    """Return every entry of a folder of YEAR.json files, by year, section and position; `sections` maps their names to ours."""
    paths = sorted(path for path in folder.glob("*.json") if FILE.fullmatch(path.name))
    if not paths:
        raise InputError(f"{folder}: no YEAR.json in it; run `dvc repro` for fetch")
    return [entry for path in paths for entry in _of_year(path, sections, rounds)]


def _of_year(path: Path, sections: dict[str, str], rounds: int) -> list[Entry]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}; run `dvc repro` for fetch") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected sections, got {type(document).__name__}; run `dvc repro` for fetch")
    entries = []
    for title, questions in document.items():
        if title not in sections:
            raise InputError(f"{path}: section {title!r}; allowed: {', '.join(sections)}; fix extract.transcription.sections")
        if not isinstance(questions, dict):
            raise InputError(f"{path}: {title}: expected a mapping of questions, got {type(questions).__name__}; run `dvc repro` for fetch")
        for key, entry in questions.items():
            match = KEY.fullmatch(key)
            if not match or set(entry) != {"question", "answer"} or not all(isinstance(text, str) for text in entry.values()):
                raise InputError(f"{path}: {title}.{key}: expected question_K with a question and an answer, both text")
            section = sections[title]
            at = named(position(match[1], rounds), rounds) if section == "two-person" else match[1]
            entries.append(Entry(int(path.stem), section, at, entry["question"], entry["answer"]))
    return entries
