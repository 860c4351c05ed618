"""What the chat route shows on stderr: rate, time left, dollars billed, projected and reserved; at its end what failed and why."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping

from tqdm import tqdm

from distill.llm.budget import NANO
from distill.llm.call_store import CallStore
from distill.llm.request import Answer, Failure

SHOWN = 160  # characters of a server's words on a failure


class Reasons:
    """Failures counted by reason, each with the words that came with its first."""

    def __init__(self, failures: Iterable[Failure] = ()) -> None:
        self._counts, self._words = Counter[str](), dict[str, str]()
        for failure in failures:
            self.add(failure.reason, failure.detail)

    def add(self, reason: str, words: str = "") -> None:
        """Count one."""
        self._counts[reason] += 1
        self._words.setdefault(reason, words[:SHOWN])

    def total(self) -> int:
        """Return how many there are."""
        return self._counts.total()

    def __str__(self) -> str:
        """Return them in brackets; "" where there is none."""
        return listed(self._counts, self._words)


def listed(counts: Mapping[str, int], words: Mapping[str, str] | None = None) -> str:
    """Return counts in brackets, with the words that belong to them; "" where there is none.

    >>> listed({"reset": 1, "refused": 2}, {"refused": "400: no such field"})
    ' (refused: 2 "400: no such field", reset: 1)'
    """
    said = {reason: f' "{text}"' for reason, text in (words or {}).items() if text}
    rows = [f"{reason}: {count}{said.get(reason, '')}" for reason, count in sorted(counts.items())]
    return f" ({', '.join(rows)})" if rows else ""


class Progress:
    """A bar of problems and a closing line."""

    def __init__(self, total: int | None, label: str, store: CallStore) -> None:
        self._total, self._label, self._store = total, label, store
        self._before = store.ledger()
        self._answers, self._failed = 0, Reasons()
        self._bar = tqdm(total=total, desc=label, unit="problem", file=sys.stderr, mininterval=0.5)

    def count(self, answers: Iterable[Answer]) -> None:
        """Count answers, those of no use by their reason."""
        for answer in answers:
            self._answers += 1
            if isinstance(answer, Failure):
                self._failed.add(answer.reason, answer.detail)
            elif answer.unusable:
                self._failed.add(answer.unusable)

    def update(self) -> None:
        """Count one problem; show what is billed, what all problems will come to at this rate, and what is reserved."""
        ledger, done = self._store.ledger(), self._bar.n + 1
        billed = ledger.billed.nano
        ahead = (billed - self._before.billed.nano) * max(0, (self._total or 0) - done) // done
        text = f"${billed / NANO:.2f} of about ${(billed + ahead) / NANO:.2f} billed, ${ledger.reserved.dollars:.2f} reserved"
        self._bar.set_postfix_str(f"{text}, {self._failed.total()} failed", refresh=False)
        self._bar.update()

    def close(self, in_vain: Reasons) -> None:
        """End the bar and print the closing line."""
        self._bar.close()
        ledger = self._store.ledger()
        failed = f"{self._failed.total()} failed{self._failed}"
        attempts = f"{in_vain.total()} attempts in vain{in_vain}"
        money = f"${(ledger.billed - self._before.billed).dollars:.4f} billed now; {ledger} in all"
        print(f"{self._label}: {self._answers} answered, of these {failed}; {attempts}; {money}", file=sys.stderr)
