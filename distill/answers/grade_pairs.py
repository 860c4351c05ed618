"""Grade pairs of any origin: a row has an id, a gold answer, and an answer or a whole completion; it gets its outcome."""

from typing import Any

import msgspec

from distill.answers.final_answer import Profile, final_answer
from distill.answers.verify_pool import Pair, compare
from distill.core.errors import InputError

# Pairs belong to no study, so that their limits are here.
ANSWER_LINE = "Answer:"  # the declared answer line of a completion without \boxed{}
TIME_LIMIT, MEMORY_LIMIT, WORKERS = 5.0, 1024, 2  # processor seconds and MiB a comparison; processes
MAX_CHARS = 2000  # a longer answer is ungradable, unread


def read_pair(line: bytes, where: str) -> dict[str, Any]:
    """Return the row that a line of JSON holds; an InputError names the key that is missing, doubled or no text."""
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict) or "id" not in row:
        raise InputError(f'{where}: expected an object with the keys "id", "gold", and "answer" or "completion"')
    if ("answer" in row) == ("completion" in row):
        raise InputError(f'{where}: {row["id"]}: expected either "answer" or "completion", got {"both" if "answer" in row else "neither"}')
    for key in ("gold", "answer", "completion", "finish"):
        if key in row and not isinstance(row[key], str):
            raise InputError(f'{where}: {row["id"]}: "{key}" is {type(row[key]).__name__}, expected text in quotes')
    if not row.get("gold", "").strip():
        raise InputError(f'{where}: {row["id"]}: "gold" is missing or blank; leave the line out, since nothing can be right')
    if row.get("finish", "stop") not in ("stop", "length"):
        raise InputError(f'{where}: {row["id"]}: "finish" is "{row["finish"]}", expected "stop" or "length"')
    return row


def grade(rows: list[dict[str, Any]], profile: Profile) -> list[dict[str, Any]]:
    """Return rows with their outcome and the final answer as the profile finds it in a completion, "" where there is none."""
    answers = [
        row["answer"].strip() if "answer" in row else final_answer(row["completion"], ANSWER_LINE, row.get("finish", "stop"), profile)
        for row in rows
    ]
    pairs = {(row["gold"], answer) for row, answer in zip(rows, answers, strict=True) if 0 < len(answer) <= MAX_CHARS}
    equal = compare(pairs, TIME_LIMIT, MEMORY_LIMIT, WORKERS)
    return [
        row | {"outcome": outcome(row.get("finish", "stop"), (row["gold"], answer), equal), "extracted": answer[:MAX_CHARS]}
        for row, answer in zip(rows, answers, strict=True)
    ]


def outcome(finish: str, pair: Pair, equal: dict[Pair, bool | None]) -> str:
    """Name what became of an answer: correct, wrong, no_answer, truncated or ungradable; an empty answer is never compared."""
    if not pair[1]:
        return "truncated" if finish == "length" else "no_answer"
    return {True: "correct", False: "wrong", None: "ungradable"}[equal.get(pair)]
