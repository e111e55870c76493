"""Settings and status of a connection's HTTP session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.net.retry import Retry


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Settings of a connection's HTTP session. Times are seconds, sizes bytes."""

    ca_file: str | Path | None = None
    proxy: str | None = None
    connect_timeout: float = 15.0
    read_timeout: float = 150.0
    """Longest silence while waiting for, or reading, an answer."""
    total_timeout: float = 600.0
    """Longest duration of one attempt, so that a trickling answer cannot hold a slot for ever."""
    max_response: int = 64 * 1024 * 1024
    initial_concurrency: int = 4
    max_concurrency: int = 16
    auth_pause: float = 30.0
    """After a refusal, how long no new login is tried: repeated wrong logins lock accounts."""
    request_id_header: str = "x-ms-client-request-id"
    user_agent: str = "weft"
    headers: Mapping[str, str] = field(default_factory=dict)
    trusted_origins: frozenset[str] = frozenset()
    """Origins (scheme://host[:port]) besides the base URL's that may be sent the credentials."""
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class SessionStats:
    """A snapshot for status displays; holds no secret."""

    in_flight: int
    waiting: int
    limit: int
    held_for: float
    requests: int
    retries: int
    throttled: int
    failures: int
    auth: Mapping[str, Any]
    skew: float | None = None
    """Seconds the system's clock is ahead of ours, for certain; 0.0 within what can be told, None not known."""
