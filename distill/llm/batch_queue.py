"""What the batch route remembers between runs, in tables of the call store: the calls to be sent and the batches that they are in.

A batch's file and job are noted before they are used, so that a killed process finds them again.
"""

from collections.abc import Iterator

import msgspec

from distill.llm.budget import BudgetLimit, max_cost
from distill.llm.call_store import CallStore
from distill.llm.endpoint_config import Price
from distill.llm.request import Failure, Request, canonical, key

_TABLES = (
    """CREATE TABLE IF NOT EXISTS batches (
         id INTEGER PRIMARY KEY,
         url TEXT NOT NULL,          -- the endpoint's
         model TEXT NOT NULL,        -- one for all lines of a batch
         file TEXT NOT NULL,         -- its id there; '' until it is uploaded
         job TEXT NOT NULL,          -- its id there; '' until it is created
         state TEXT NOT NULL,        -- open, or how it ended: COMPLETED | FAILED | EXPIRED | CANCELLED
         said TEXT NOT NULL          -- the endpoint's word on a failure
       )""",
    """CREATE TABLE IF NOT EXISTS lines (
         key TEXT PRIMARY KEY,       -- of the call; a line goes when its response is stored
         request TEXT NOT NULL,      -- canonical JSON of {request, sample}
         model TEXT NOT NULL,
         batch INTEGER,              -- NULL: not in one (yet, or any more)
         attempt INTEGER,            -- its reservation
         rounds INTEGER NOT NULL,    -- batches that it was in without a response
         reason TEXT NOT NULL,       -- why the last one gave none
         detail TEXT NOT NULL,
         final INTEGER NOT NULL      -- 1: not to be sent again
       )""",
    "CREATE INDEX IF NOT EXISTS lines_waiting ON lines (batch, final, model, key)",
    "CREATE INDEX IF NOT EXISTS lines_batch ON lines (batch, key)",
)
_WAITING = "batch IS NULL AND final = 0"


class Batch(msgspec.Struct, frozen=True):
    """A batch that has not ended."""

    id: int
    model: str
    file: str
    job: str


class Line(msgspec.Struct, frozen=True):
    """One call of a batch."""

    key: str
    request: str  # canonical JSON of {request, sample}
    attempt: int | None
    rounds: int

    def encoded(self) -> bytes:
        """Return the line of the uploaded file."""
        body = msgspec.json.decode(self.request, type=_Canonical).request
        return b'{"custom_id":"' + self.key.encode() + b'","body":' + bytes(body) + b"}\n"


class _Canonical(msgspec.Struct):
    request: msgspec.Raw


def in_flight_keys(store: CallStore) -> set[str]:
    """Return the keys of all calls in batches that have not ended: they are paid for, or will be."""
    if not list(store.rows("SELECT 1 FROM sqlite_master WHERE name = 'lines'")):
        return set()
    return {row[0] for row in store.rows("SELECT key FROM lines WHERE batch IS NOT NULL")}


class BatchQueue:
    """The lines and batches of one endpoint."""

    def __init__(self, store: CallStore, url: str) -> None:
        self._store, self._url = store, url
        for statement in _TABLES:
            store.change(statement)

    def clear(self) -> None:
        """Forget the lines that are in no batch: an earlier run wrote them, and this one queues its calls anew."""
        self._store.change("DELETE FROM lines WHERE batch IS NULL")

    def add(self, request: Request, sample: int) -> None:
        """Queue a call, unless it is queued or in a batch already."""
        row = (key(request, sample), canonical(request, sample).decode(), request.model)
        self._store.change("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, NULL, NULL, 0, '', '', 0)", *row)

    def waiting(self) -> int:
        """Count the lines that are yet to be sent."""
        return self._count(f"lines WHERE {_WAITING}")

    def in_flight(self) -> int:
        """Count the lines in this endpoint's batches that have not ended."""
        return self._count("lines JOIN batches ON lines.batch = batches.id WHERE batches.url = ?", self._url)

    def _count(self, rows: str, *values: object) -> int:
        return int(next(self._store.rows(f"SELECT count(*) FROM {rows}", *values))[0])

    def models(self) -> list[str]:
        """Return the models of the waiting lines."""
        return [row[0] for row in self._store.rows(f"SELECT DISTINCT model FROM lines WHERE {_WAITING} ORDER BY model")]

    def batches(self) -> list[Batch]:
        """Return the batches of this endpoint that have not ended, oldest first."""
        query = "SELECT id, model, file, job FROM batches WHERE url = ? AND state = 'open' ORDER BY id"
        return [Batch(*row) for row in self._store.rows(query, self._url)]

    def jobs(self) -> set[str]:
        """Return the ids of all jobs known here, ended ones too."""
        return {row[0] for row in self._store.rows("SELECT job FROM batches WHERE url = ?", self._url)}

    def lines(self, batch: int) -> Iterator[Line]:
        """Yield a batch's lines that have no response yet, in the order of their keys; they may be changed meanwhile."""
        return self._pages("batch = ?", batch)

    def _pages(self, where: str, *values: object) -> Iterator[Line]:
        last = ""
        while rows := list(self._select(f"{where} AND key > ? ORDER BY key LIMIT 1000", *values, last)):
            yield from rows
            last = rows[-1].key

    def _select(self, where: str, *values: object) -> Iterator[Line]:
        return (Line(*row) for row in self._store.rows(f"SELECT key, request, attempt, rounds FROM lines WHERE {where}", *values))

    def line(self, batch: int, name: str) -> Line | None:
        """Return one line of a batch, or None where it has no such line (any more)."""
        return next(self._select("batch = ? AND key = ?", batch, name), None)

    def compose(self, model: str, price: Price, limit: BudgetLimit, most_lines: int, most_bytes: int) -> int:
        """Put waiting lines of a model into a new batch, each reserved at its maximum cost; return how many the budget allowed."""
        count = size = number = 0
        for line in self._pages(f"{_WAITING} AND model = ?", model):
            size += len(line.encoded())
            if count == most_lines or (count and size > most_bytes):
                break
            most = max_cost(price, msgspec.json.decode(line.request)["request"], batch=True)
            attempt = self._store.reserve(line.key, most, limit)
            if attempt is None:
                break
            number = number or self._new(model)
            self._store.change("UPDATE lines SET batch = ?, attempt = ? WHERE key = ?", number, attempt, line.key)
            count += 1
        return count

    def _new(self, model: str) -> int:
        self._store.change("INSERT INTO batches (url, model, file, job, state, said) VALUES (?, ?, '', '', 'open', '')", self._url, model)
        return int(next(self._store.rows("SELECT max(id) FROM batches"))[0])

    def note(self, batch: int, **columns: str) -> None:
        """Write down a batch's file, its job, or how it ended (state, said)."""
        for name, value in columns.items():
            self._store.change(f"UPDATE batches SET {name} = ? WHERE id = ?", value, batch)

    def done(self, line: Line) -> None:
        """Take a line out: its response is stored."""
        self._store.change("DELETE FROM lines WHERE key = ?", line.key)

    def back(self, line: Line, reason: str, detail: str, final: bool) -> None:
        """Put a line back into the queue, or (`final`) leave it as failed."""
        query = "UPDATE lines SET batch = NULL, attempt = NULL, rounds = ?, reason = ?, detail = ?, final = ? WHERE key = ?"
        self._store.change(query, line.rounds + 1, reason, detail, int(final), line.key)

    def failed(self) -> dict[str, Failure]:
        """Return why the lines that are left have no response, by key; one that is in another endpoint's batch was not sent to this one."""
        return {row[0]: Failure(row[1] or "not sent", row[2]) for row in self._store.rows("SELECT key, reason, detail FROM lines")}
