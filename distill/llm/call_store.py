"""The call store: every response that was paid for, whole, in one SQLite file keyed by the hash of the request.

Its journal is a write-ahead log with synchronous=NORMAL: a killed process loses nothing that was put, a power cut at most the last
seconds, and the file stays whole; FULL would wait for the disk at each of some hundred writes a second.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

import msgspec

from distill.core.errors import InputError
from distill.llm.budget import BudgetLimit, Cost, Ledger
from distill.llm.request import Response, parse

VERSION = 2  # of the tables
_TABLES = """
CREATE TABLE calls (            -- whole responses
  key TEXT NOT NULL UNIQUE,     -- sha256 of `request`
  request TEXT NOT NULL,        -- canonical JSON of {request, sample}
  sample INTEGER NOT NULL,
  model TEXT NOT NULL,          -- as the server names it
  finish TEXT NOT NULL,
  prompt_tokens INTEGER,        -- by the server's count
  completion_tokens INTEGER,
  raw TEXT NOT NULL,            -- the chat.completion JSON
  latency REAL NOT NULL,        -- seconds of the attempt that succeeded
  attempts INTEGER NOT NULL,
  route TEXT NOT NULL,          -- chat | batch | import
  tokens INTEGER NOT NULL,      -- counted against the budget: billed by usage, or reserved where the server reports none; 0 = imported
  nano INTEGER NOT NULL,        -- nano-dollars, likewise
  made REAL NOT NULL            -- seconds since 1970
);
CREATE TABLE attempts (         -- attempts without a whole response that are, or may have been, paid for
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  reason TEXT NOT NULL,         -- open: in flight, or its process was killed; else what went wrong
  partial TEXT NOT NULL,        -- the text as far as it came: counted, not used
  tokens INTEGER NOT NULL,
  nano INTEGER NOT NULL,
  made REAL NOT NULL
);
CREATE TABLE spent (            -- billed: the sum over both tables, and of what was pruned
  tokens INTEGER NOT NULL,
  nano INTEGER NOT NULL
);
INSERT INTO spent VALUES (0, 0);
"""
_RESERVED = """SELECT coalesce(sum(tokens), 0), coalesce(sum(nano), 0) FROM (
  SELECT tokens, nano FROM calls WHERE reserved = 1 UNION ALL SELECT tokens, nano FROM attempts WHERE reserved = 1
)"""
# To version 2, from the first, which counted reservations as spent. `reserved` is 1 for what is counted at its maximum: no usage is known.
_UPGRADE = f"""
ALTER TABLE calls ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spent ADD COLUMN reserved_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spent ADD COLUMN reserved_nano INTEGER NOT NULL DEFAULT 0;
UPDATE calls SET reserved = 1 WHERE prompt_tokens IS NULL OR completion_tokens IS NULL;
UPDATE attempts SET reserved = 1 WHERE reason NOT IN ('empty', 'twice');
UPDATE spent SET (reserved_tokens, reserved_nano) = ({_RESERVED});
UPDATE spent SET tokens = tokens - reserved_tokens, nano = nano - reserved_nano;
PRAGMA user_version = {VERSION}
"""
_ATTEMPT = "INSERT INTO attempts (key, reason, partial, tokens, nano, made, reserved) VALUES (?, ?, ?, ?, ?, ?, ?)"


class CallStore:
    """A store open for reading and writing, in one thread; several processes may share the file."""

    def __init__(self, path: Path | str) -> None:
        """Open a store, or make it; an InputError where the file is another one."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(self.path, timeout=60.0, isolation_level=None)
        try:
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            with self._change() as base:
                version = base.execute("PRAGMA user_version").fetchone()[0]
                if version > VERSION:
                    raise InputError(
                        f"{path}: a call store of version {version}, this program reads version {VERSION}; export it with that one"
                    )
                for statement in "".join((_TABLES, _UPGRADE)[version:]).split(";\n"):
                    base.execute(statement)
        except sqlite3.DatabaseError as error:
            self._base.close()
            raise InputError(f"{path}: no call store that can be opened ({error}); move it away, or import an export of it") from None

    def __enter__(self) -> "CallStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def get(self, key: str) -> Response | None:
        """Return the stored response of a key, or None."""
        row = self._base.execute("SELECT raw FROM calls WHERE key = ?", (key,)).fetchone()
        return parse(row[0]) if row else None

    def holds(self, key: str) -> bool:
        """Tell whether a key's response is stored, without reading it."""
        return self._base.execute("SELECT 1 FROM calls WHERE key = ?", (key,)).fetchone() is not None

    def reserve(self, key: str, most: Cost, limit: BudgetLimit) -> int | None:
        """Enter an attempt at the most that it can cost, before it is sent; return its number, or None where the limit would be passed.

        The check and the entry are one transaction, so that processes which share the store share the limit too.
        """
        with self._change() as base:
            if not limit.allows(self.ledger().total + most):
                return None
            self._count(most, reserved=True)
            return base.execute(_ATTEMPT, (key, "open", "", most.tokens, most.nano, time(), 1)).lastrowid

    def put(
        self, attempt: int | None, call: bytes, response: Response, paid: Cost | None, latency: float, attempts: int, route: str
    ) -> bool:
        """Store a whole response; what was paid replaces its reservation, which stays where `paid` is None: not known.

        `call` is the canonical JSON of the request and its sample index. Tell whether it is new.
        Where the key is stored already (another process was faster) the first response stays, and this one's cost is kept.
        """
        with self._change() as base:
            held = self._free(attempt)
            unknown, cost = paid is None, held if paid is None else paid
            name, sample = hashlib.sha256(call).hexdigest(), msgspec.json.decode(call)["sample"]
            told = (response.model, response.finish, response.prompt_tokens, response.completion_tokens, response.raw)
            row = (name, call.decode(), sample, *told, latency, attempts, route, cost.tokens, cost.nano, time(), unknown)
            new = base.execute(f"INSERT OR IGNORE INTO calls VALUES ({', '.join('?' * len(row))})", row).rowcount
            if not new and cost != Cost(0, 0):
                base.execute(_ATTEMPT, (name, "twice", "", cost.tokens, cost.nano, time(), unknown))
            self._count(cost, unknown)
            return bool(new)

    def release(self, attempt: int) -> None:
        """Take a reservation back: the attempt was refused and costs nothing."""
        with self._change():
            self._free(attempt)

    def lose(self, attempt: int, reason: str, partial: str, paid: Cost | None = None) -> None:
        """Keep an attempt that gave no response, with the text as far as it came: billed at what was paid, or reserved as it is."""
        with self._change() as base:
            base.execute("UPDATE attempts SET reason = ?, partial = ? WHERE id = ?", (reason, partial, attempt))
            if paid is not None:
                held = Cost(*base.execute("SELECT tokens, nano FROM attempts WHERE id = ?", (attempt,)).fetchone())
                base.execute("UPDATE attempts SET tokens = ?, nano = ?, reserved = 0 WHERE id = ?", (paid.tokens, paid.nano, attempt))
                self._count(paid)
                self._count(Cost(0, 0) - held, reserved=True)

    def release_old(self, before: float, in_flight: Iterable[str]) -> int:
        """Take back all reservations made before a time (seconds since 1970), except for calls with these keys; return their number."""
        values, count = (before, msgspec.json.encode(list(in_flight)).decode()), 0
        where = "reserved = 1 AND made < ? AND key NOT IN (SELECT value FROM json_each(?))"
        with self._change() as base:
            for table in ("calls", "attempts"):
                count += base.execute(f"UPDATE {table} SET tokens = 0, nano = 0, reserved = 0 WHERE {where}", values).rowcount
            base.execute(f"UPDATE spent SET (reserved_tokens, reserved_nano) = ({_RESERVED})")
        return count

    def ledger(self) -> Ledger:
        """Return what all calls cost so far."""
        row = self._base.execute("SELECT tokens, nano, reserved_tokens, reserved_nano FROM spent").fetchone()
        return Ledger(Cost(*row[:2]), Cost(*row[2:]))

    def rows(self, query: str, *values: object) -> Iterator[sqlite3.Row]:
        """Yield the rows of a query, for the command."""
        cursor = self._base.cursor()
        cursor.row_factory = sqlite3.Row
        yield from cursor.execute(query, values)

    def change(self, query: str, *values: object) -> int:
        """Run a changing statement, for the command; return how many rows it changed."""
        with self._change() as base:
            return base.execute(query, values).rowcount

    def _free(self, attempt: int | None) -> Cost:
        """Remove a reservation; return what it held."""
        row = self._base.execute("DELETE FROM attempts WHERE id = ? RETURNING tokens, nano", (attempt,)).fetchone()
        held = Cost(*row) if row else Cost(0, 0)
        self._count(Cost(0, 0) - held, reserved=True)
        return held

    def _count(self, cost: Cost, reserved: bool = False) -> None:
        of = "reserved_" if reserved else ""
        self._base.execute(f"UPDATE spent SET {of}tokens = {of}tokens + ?, {of}nano = {of}nano + ?", (cost.tokens, cost.nano))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock for one transaction."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:  # SQLite itself has ended it where the disk is full
                self._base.execute("ROLLBACK")
            raise
