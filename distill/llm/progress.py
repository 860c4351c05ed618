"""What the chat route shows on stderr: rate, time left, dollars spent and projected; at its end what failed and why."""

import sys
from collections import Counter
from collections.abc import Iterable

from tqdm import tqdm

from distill.llm.budget import NANO, Cost
from distill.llm.call_store import CallStore
from distill.llm.request import Answer, Failure


class Progress:
    """A bar of problems and a closing line."""

    def __init__(self, total: int | None, label: str, store: CallStore) -> None:
        self._total, self._label, self._store = total, label, store
        self._before = store.spent()
        self._answers, self._failed = 0, Counter[str]()
        self._bar = tqdm(total=total, desc=label, unit="problem", file=sys.stderr, mininterval=0.5)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def count(self, answers: Iterable[Answer]) -> None:
        """Count answers, those of no use by their reason."""
        for answer in answers:
            self._answers += 1
            if reason := answer.reason if isinstance(answer, Failure) else answer.unusable:
                self._failed[reason] += 1

    def update(self, reserved: Cost) -> None:
        """Count one problem; `reserved` is what the calls in flight may cost."""
        self._money(reserved)
        self._bar.update()

    def _money(self, reserved: Cost) -> None:
        """Show what is spent, without the reservations of the calls in flight, and what all problems will cost at this rate."""
        spent, done = self._store.spent().nano - reserved.nano, self._bar.n
        ahead = (spent - self._before.nano) * max(0, (self._total or 0) - done) // max(1, done)
        text = f"${spent / NANO:.2f} of about ${(spent + ahead) / NANO:.2f}, {self._failed.total()} failed"
        self._bar.set_postfix_str(text, refresh=False)

    def close(self, reserved: Cost, in_vain: Counter[str]) -> None:
        """End the bar and print the closing line."""
        self._money(reserved)
        self._bar.close()
        spent = self._store.spent()
        failed = f"{self._failed.total()} failed{listed(self._failed)}"
        attempts = f"{in_vain.total()} attempts in vain{listed(in_vain)}"
        money = f"${spent.dollars - self._before.dollars:.4f} spent now, ${spent.dollars:.4f} in all"
        print(f"{self._label}: {self._answers} answered, of these {failed}; {attempts}; {money}", file=sys.stderr)


def listed(counts: Counter[str]) -> str:
    """Return counts in brackets: " (reset: 2, timeout: 1)", or "" where there is none."""
    return f" ({', '.join(f'{reason}: {count}' for reason, count in sorted(counts.items()))})" if counts else ""
