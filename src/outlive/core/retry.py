"""Retry arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Exception types that are retried, or a question asked of the exception.
RetryOn = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is followed by another and how long that one waits."""

    retries: int = 0
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float | None = None
    #: Share of the delay by which it may be shorter or longer, 0 to 1.
    jitter: float = 0.0
    retry_on: RetryOn = Exception

    def allows(self, attempts: int, error: BaseException) -> bool:
        """Say whether the failure of attempt number `attempts` (1 is the first) is retried."""
        return attempts <= self.retries and self._covers(error)

    def _covers(self, error: BaseException) -> bool:
        retry_on: Any = self.retry_on
        if isinstance(retry_on, (type, tuple)):
            return isinstance(error, retry_on)
        return bool(retry_on(error))

    def wait(self, attempts: int, chance: float) -> float:
        """Seconds to wait after attempt number `attempts`; `chance` is a random number from 0 to 1."""
        longest = LONGEST_WAIT if self.max_delay is None else min(self.max_delay, LONGEST_WAIT)
        # Jitter spreads around this, and what it adds may not go beyond the longest wait either.
        seconds = min(self._grown(attempts), longest / (1.0 + self.jitter))
        return min(seconds * (1.0 + self.jitter * (2.0 * chance - 1.0)), longest)

    def _grown(self, attempts: int) -> float:
        if not self.delay:
            return 0.0
        try:
            return self.delay * self.backoff ** (attempts - 1)
        except OverflowError:
            return LONGEST_WAIT


#: A year. A backoff that grew beyond it would leave what the clock can represent.
LONGEST_WAIT = 365.0 * 24 * 3600
