"""What a flow shows on stderr: rate, time left, dollars spent and projected; at its end what failed and why."""

import sys
from collections import Counter
from time import monotonic

from tqdm import tqdm

from distill.llm.async_worker import Sender
from distill.llm.budget import NANO
from distill.llm.call_store import Store
from distill.llm.request import Failure, Response


class Progress:
    """A bar and a closing line."""

    def __init__(self, total: int | None, label: str, store: Store) -> None:
        self._total, self._label, self._store = total, label, store
        self._before = store.spent()
        self._done, self._failed = 0, Counter[str]()
        self._next = 0.0
        self._bar = tqdm(total=total, desc=label, unit="call", file=sys.stderr, mininterval=0.5)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def count(self, answer: Response | Failure, sender: Sender | None) -> None:
        """Count one answer."""
        self._done += 1
        if isinstance(answer, Failure):
            self._failed[answer.reason] += 1
        if monotonic() >= self._next:
            self._next = monotonic() + 0.5
            self._bar.set_postfix_str(self._money(sender), refresh=False)
        self._bar.update()

    def _money(self, sender: Sender | None) -> str:
        """Say what is spent, without the worst case of the calls in flight, and what all calls will cost at this rate."""
        spent = self._store.spent().nano - (sender.reserved.nano if sender else 0)
        ahead = (spent - self._before.nano) * max(0, (self._total or 0) - self._done) // max(1, self._done)
        return f"${spent / NANO:.2f} of about ${(spent + ahead) / NANO:.2f}, {self._failed.total()} failed"

    def close(self, sender: Sender | None) -> None:
        """End the bar and print the closing line."""
        self._bar.set_postfix_str(self._money(sender), refresh=False)
        self._bar.close()
        troubles = sender.troubles if sender else Counter[str]()
        spent = self._store.spent()
        failed = f"{self._failed.total()} failed{_listed(self._failed)}"
        attempts = f"{troubles.total()} attempts in vain{_listed(troubles)}"
        money = f"${spent.dollars - self._before.dollars:.4f} spent now, ${spent.dollars:.4f} in all"
        print(f"{self._label}: {self._done} answered, of these {failed}; {attempts}; {money}", file=sys.stderr)


def _listed(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{reason}: {count}' for reason, count in sorted(counts.items()))})" if counts else ""
