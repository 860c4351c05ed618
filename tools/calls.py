"""A study's call store, by hand: `python -m tools.calls COMMAND .work/STUDY/calls.sqlite [ARGUMENTS]`.

list                  what is stored, by model; attempts in vain, by reason; what is billed and what is reserved
export FILE           write all calls as transcripts (.jsonl or .jsonl.gz)
import FILE...        read transcripts: calls that are stored already stay as they are, new ones cost nothing
verify                check every call against its key and its response, and the ledger against its rows
release [HOURS]       take back what is reserved for attempts that began more than so many hours ago (24), and whose usage no server
                      reported: killed, reset, timed out; those in batches are kept. Compare the provider's bill first: what it has beyond
                      the billed dollars is then in no sum, so lower the budget by it
prune attempts        forget the texts of attempts in vain as far as they came; what they cost stays counted
prune finish REASON   remove the responses that ended so (length, ...), to ask them again; what they cost stays counted
prune but FILE...     remove all calls that are in none of these transcripts; what they cost stays counted
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from time import time

from tabulate import tabulate

from distill.cli import command
from distill.core import files
from distill.core.errors import InputError
from distill.llm import transcripts
from distill.llm.batch_queue import in_flight_keys
from distill.llm.call_store import CallStore
from distill.llm.request import Empty, Malformed, parse

COMMANDS = ("list", "export", "import", "verify", "release", "prune")
SHOWN = 20  # faults listed before the rest is only counted


def main(action: str = "", store: str = "", *words: str) -> None:
    """Run one command on a store, which must exist unless it is imported into."""
    if action not in COMMANDS:
        raise InputError(f"no command '{action}'; commands: {', '.join(COMMANDS)}")
    if action != "import" and not Path(store).exists():
        raise InputError(f"{store}: no such call store; a study's is .work/STUDY/calls.sqlite")
    with CallStore(store) as opened:
        if action == "list":
            print(listed(opened))
        elif action == "export":
            print(f"{_one(words)}: {export(opened, Path(_one(words)))} calls")
        elif action == "import":
            print("\n".join(f"{word}: {transcripts.import_calls(Path(word), opened)} new calls" for word in words))
        elif action == "verify":
            verify(opened)
        elif action == "release":
            print(release(opened, *words))
        else:
            print(prune(opened, *words))


def _one(words: tuple[str, ...]) -> str:
    if len(words) != 1:
        raise InputError(f"expected one file, got {len(words)}")
    return words[0]


def listed(store: CallStore) -> str:
    """Return the tables of calls and of attempts."""
    money = "sum(nano * (1 - reserved)) / 1e9, sum(nano * reserved) / 1e9"
    calls = store.rows(
        f"SELECT model, finish, route, count(*), sum(prompt_tokens), sum(completion_tokens), {money}, avg(latency), max(attempts)"
        " FROM calls GROUP BY model, finish, route ORDER BY model, finish, route"
    )
    heads = [
        "model",
        "finish",
        "route",
        "calls",
        "prompt tokens",
        "completion tokens",
        "$ billed",
        "$ reserved",
        "s each",
        "attempts at most",
    ]
    attempts = store.rows(f"SELECT reason, count(*), sum(length(partial)), {money} FROM attempts GROUP BY reason ORDER BY reason")
    ledger = store.ledger()
    return "\n\n".join(
        (
            tabulate([list(row) for row in calls], headers=heads, floatfmt=".4f"),
            tabulate(
                [list(row) for row in attempts], headers=["in vain", "attempts", "characters", "$ billed", "$ reserved"], floatfmt=".4f"
            ),
            f"counted against the budget: {ledger}, {ledger.total.tokens} tokens in all",
        )
    )


def export(store: CallStore, path: Path) -> int:
    """Write all calls; return how many."""
    return transcripts.write(path, transcripts.export(store, {bytes.fromhex(row["key"]) for row in store.rows("SELECT key FROM calls")}))


def verify(store: CallStore) -> None:
    """Print that all is whole, or what is not and exit 1."""
    faults = list(wrong(store))
    if faults:
        print("\n".join(faults[:SHOWN]), file=sys.stderr)
        sys.exit(f"verify: {len(faults)} faults in {store.path}")
    count = next(store.rows("SELECT count(*) AS n FROM calls"))["n"]
    print(f"verify: {count} calls have the keys of their requests, and what is noted of them is what their responses say")


def wrong(store: CallStore) -> Iterator[str]:
    """Yield a line for each fault."""
    found = [row[0] for row in store.rows("PRAGMA integrity_check")]
    yield from (f"the file: {line}" for line in found if line != "ok")
    for row in store.rows("SELECT * FROM calls ORDER BY key"):
        if hashlib.sha256(row["request"].encode()).hexdigest() != row["key"]:
            yield f"{row['key']}: not the hash of its request"
        try:
            said = parse(row["raw"])
        except (Empty, Malformed) as error:
            yield f"{row['key']}: {error}"
            continue
        noted = (row["model"], row["finish"], row["prompt_tokens"], row["completion_tokens"])
        if noted != (said.model, said.finish, said.prompt_tokens, said.completion_tokens):
            yield f"{row['key']}: noted is {noted}, its response says otherwise"
    both = "(SELECT tokens, nano, reserved FROM calls UNION ALL SELECT tokens, nano, reserved FROM attempts)"
    for reserved, ledger in ((0, store.ledger().billed), (1, store.ledger().reserved)):
        query = f"SELECT coalesce(sum(tokens), 0), coalesce(sum(nano), 0) FROM {both} WHERE reserved = ?"
        tokens, nano = next(store.rows(query, reserved))
        if tokens > ledger.tokens or nano > ledger.nano:
            kind = "reserved" if reserved else "billed"
            yield f"the ledger: {ledger.tokens} tokens and {ledger.nano} nano-dollars {kind}, its rows add up to {tokens} and {nano}"


def release(store: CallStore, hours: str = "24") -> str:
    """Take old reservations back; return how many, and what is counted now."""
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", hours):
        raise InputError(f"release: expected a number of hours, got '{hours}'; 24 where none is given")
    count = store.release_old(time() - 3600 * float(hours), in_flight_keys(store))
    return f"{count} reservations taken back; counted against the budget: {store.ledger()}"


def prune(store: CallStore, what: str = "", *words: str) -> str:
    """Remove rows; return what was removed."""
    if what == "attempts" and not words:
        return f"{store.change('UPDATE attempts SET partial = ? WHERE partial <> ?', '', '')} texts forgotten"
    if what == "finish" and words:
        return f"{store.change('DELETE FROM calls WHERE finish = ?', _one(words))} calls removed"
    if what == "but" and words:
        kept = {call.key for word in words for call in files.iterate_records(Path(word), transcripts.StoredCall)}
        keys = [row["key"] for row in store.rows("SELECT key FROM calls") if row["key"] not in kept]
        return f"{sum(store.change('DELETE FROM calls WHERE key = ?', key) for key in keys)} calls removed, {len(kept)} kept"
    raise InputError(f"prune what? '{' '.join((what, *words))}' is none of: attempts | finish REASON | but FILE...")


if __name__ == "__main__":
    command.guarded("calls", lambda: main(*sys.argv[1:]))
