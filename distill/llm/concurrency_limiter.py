"""How many calls may be in flight: fewer when the endpoint says so, none while it is silent, more again as answers come."""

import asyncio
from collections import deque
from random import Random

from distill.llm.endpoint_config import Endpoint

FLOOD = 8  # failures with no answer between them that speak of the endpoint, not of a call: 30 % of chance faults do so once in 15,000


class ConcurrencyLimiter:
    """Additive increase, multiplicative decrease, as TCP does it; lives within one event loop, times are the loop's."""

    def __init__(self, endpoint: Endpoint, random: Random) -> None:
        self._endpoint, self._random = endpoint, random
        self._limit = self._calm = float(endpoint.concurrency)  # calls in flight; below `calm` each answer raises the limit by a whole call
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._cut = self._until = 0.0  # when the limit was last cut; no call enters before this time
        self._failures = self._pauses = 0  # since the last answer
        self._since = 0.0  # first of those failures

    async def enter(self) -> float:
        """Wait for a place; return the time of entry."""
        loop = asyncio.get_running_loop()
        if self._waiting or not self._open(loop.time()):
            place = loop.create_future()
            self._waiting.append(place)
            self._wake()
            try:
                await place  # who wakes it has counted it as busy
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.leave()
                raise
        else:
            self._busy += 1
        return loop.time()

    def leave(self) -> None:
        """Give the place back."""
        self._busy -= 1
        self._wake()

    def answered(self) -> None:
        """Note a whole response: the endpoint is well."""
        self._failures = self._pauses = 0
        self._limit = min(float(self._endpoint.concurrency), self._limit + (1.0 if self._limit < self._calm else 1.0 / self._limit))

    def limited(self, entered: float, after: float) -> float:
        """Note a 429: halve the limit, once for all calls then in flight, and let all wait as Retry-After says; return as `failed`."""
        if self._halve(entered):
            self.hold(after or self.delay(self._pauses))
            self._pauses += 1
        else:
            self.hold(after)
        return self._silence()

    def failed(self, entered: float, alive: bool) -> float:
        """Note a failure; return for how many seconds there have been nothing but failures, 0 unless they are many in a row.

        `alive`: some text came, so that the endpoint is not down.
        """
        if alive:
            self._failures = self._pauses = 0
            return 0.0
        if (silence := self._silence()) and self._halve(entered):
            self.hold(self.delay(self._pauses))
            self._pauses += 1
        return silence

    def _silence(self) -> float:
        now = asyncio.get_running_loop().time()
        self._since = self._since if self._failures else now
        self._failures += 1
        return max(now - self._since, 1e-9) if self._failures >= FLOOD else 0.0

    def delay(self, number: int) -> float:
        """Return the seconds to wait after the failure `number`, 0-based: doubled each time, with jitter, bounded."""
        whole = min(self._endpoint.backoff_most, self._endpoint.backoff * 2.0 ** min(number, 60))
        return whole * self._random.uniform(0.5, 1.0)

    def hold(self, seconds: float) -> None:
        """Let nobody in for so many seconds, at most the endpoint's outage timeout."""
        self._until = max(self._until, asyncio.get_running_loop().time() + min(seconds, self._endpoint.outage_timeout))

    def _halve(self, entered: float) -> bool:
        if entered <= self._cut:  # this call was in flight when the limit was last cut
            return False
        self._cut = asyncio.get_running_loop().time()
        self._calm = max(1.0, self._limit / 2) if not self._pauses else self._calm
        self._limit = max(1.0, self._limit / 2)
        return True

    def _open(self, now: float) -> bool:
        return self._busy < int(self._limit) and now >= self._until

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and self._open(loop.time()):
            place = self._waiting.popleft()
            if not place.done():
                self._busy += 1
                place.set_result(None)
        if self._waiting and self._until > loop.time():
            loop.call_at(self._until + 0.001, self._wake)
