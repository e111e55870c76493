"""When a request is repeated, and how long to wait before."""

from __future__ import annotations

import email.utils
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry settings of a connection. Times are seconds.

    `unprocessed_503` says when a 503 to a write counts as "not processed" and may be repeated:
    only if the system names a Retry-After (default), always, or never.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    patience: float = 120.0
    """A request waits no longer than this in all for throttling; then Throttled tells what is left."""
    retry_after_cap: float = 600.0
    """No Retry-After holds the connection longer than this, however absurd the answer."""
    unprocessed_503: Literal["with_retry_after", "always", "never"] = "with_retry_after"
    in_doubt: frozenset[int] = frozenset({408, 502, 504})
    """Answers by a gateway or watchdog while the system may still be working."""

    def backoff(self, attempt: int, rng: random.Random) -> float:
        """Exponential with jitter: between half and all of base * 2**(attempt-1), capped."""
        full = min(self.cap, self.base * 2.0 ** min(attempt - 1, 30))
        return full * (0.5 + 0.5 * rng.random())

    def repeats_503(self, retry_after: float | None) -> bool:
        if self.unprocessed_503 == "with_retry_after":
            return retry_after is not None
        return self.unprocessed_503 == "always"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the Retry-After header: a number, or an HTTP date held against `now` (Unix time).

    None if there is none, or it makes no sense.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = moment.timestamp() - now
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None
