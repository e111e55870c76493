"""What a ``$batch`` is made of, whatever its wire form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SubRequest:
    """``url`` as sent (relative or absolute); ``headers`` with lower-case names; ``group``: atomicityGroup or
    change set; ``depends_on``: ids."""

    id: str | None
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    group: str | None = None
    depends_on: tuple[str, ...] = ()


@dataclass(slots=True)
class SubResponse:
    """One answer. ``headers`` as to be sent; ``body`` b"" for none; ``id`` and ``group`` are filled in by
    run_batch."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    id: str | None = None
    group: str | None = None
