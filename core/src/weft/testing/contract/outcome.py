"""What a check can say: broken, with what the contract demands and where; or unsupported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.testing.contract.bench import Bench

Body = Callable[["Bench"], Awaitable[None]]


class Broken(AssertionError):
    """The connector does not keep the contract."""


@dataclass(frozen=True, slots=True)
class Check:
    """One demand. ``says`` is the demand in words, ``where`` the place that makes it."""

    name: str
    area: str
    says: str
    where: str
    body: Body


CHECKS_OF: dict[str, str] = {
    "hooks": "weft.hookspecs",
    "read": "weft.hookspecs.weft_read and weft.records.Query",
    "keys": "weft.records.Query (mode keys) and weft.records.Page",
    "search": "weft.records.Query (mode search)",
    "values": "weft.model.values and weft.hookspecs.weft_read",
    "write": "weft.hookspecs.weft_write and weft.records.Outcome",
    "lost": "weft.hookspecs.weft_write (in_doubt) and weft.net.errors",
    "documents": "weft.records.Intents, Child and Outcome.children",
    "faults": "weft.hookspecs (Exceptions) and weft.errors",
    "secrets": "weft.net.secrets and weft.hookspecs.weft_open",
    "push": "weft.hookspecs.weft_receive and weft_subscribe",
}
"""Area -> where its demands are written, unless a check says otherwise."""


class Area:
    """Collects the checks of one module: ``@area.check`` over an async function; its docstring is the demand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.checks: list[Check] = []

    def check(self, body: Body) -> Body:
        words = " ".join((body.__doc__ or "").split())
        name = getattr(body, "__name__", "")
        self.checks.append(Check(name, self.name, words, CHECKS_OF[self.name], body))
        return body
