"""Who sits at the desk, and what lies on it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.runtime import Runtime
    from weft.state.store import State


@dataclass(frozen=True, slots=True)
class Desk:
    """Given to every action. ``by`` names the person for the record; ``runtime`` is called only by what
    needs connectors or their entities; ``later`` takes work that goes on after the answer."""

    config: Config
    state: State
    by: str
    clock: Any
    runtime: Callable[[], Runtime]
    later: Callable[[Coroutine[Any, Any, None]], None]
    memory: dict[str, tuple[datetime, Any]] = field(default_factory=dict)
    """What took long to find out, and until or since when it holds."""

    @property
    def now(self) -> datetime:
        now: datetime = self.clock.now()
        return now
