"""Settings and status of a connection's HTTP session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from weft.net.retry import Retry

LOGIN = "https://login.microsoftonline.com/{tenant}"
"""Where Microsoft Entra gives tokens."""


class Reached(Protocol):
    """What a connection's settings say of how its system is reached. Times are seconds."""

    @property
    def ca_file(self) -> Path | None: ...
    @property
    def proxy(self) -> str | None: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def read_timeout(self) -> float: ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def retry_attempts(self) -> int: ...
    @property
    def retry_patience(self) -> float: ...


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

    @classmethod
    def of(cls, connection: Reached, *, retry_base: float = 0.5) -> Self:
        """As a connection's settings have it; the rest by default."""
        plain = cls()
        return replace(
            plain,
            ca_file=connection.ca_file,
            proxy=connection.proxy,
            connect_timeout=connection.connect_timeout,
            read_timeout=connection.read_timeout,
            total_timeout=max(plain.total_timeout, connection.read_timeout),
            initial_concurrency=min(plain.initial_concurrency, connection.max_concurrency),
            max_concurrency=connection.max_concurrency,
            retry=Retry(attempts=connection.retry_attempts, patience=connection.retry_patience, base=retry_base),
        )


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
