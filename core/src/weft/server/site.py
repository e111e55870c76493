"""What every request is answered with: the runtime, who may come in, work in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from weft.desk.desk import Desk
from weft.server.people import Person, SignIns, Tokens
from weft.server.throttle import Throttle

if TYPE_CHECKING:
    from weft.config.server import ServerConfig
    from weft.records import Reply
    from weft.records import Request as Incoming
    from weft.runtime import Runtime

Receive = Callable[[str, str, "Incoming"], Awaitable["Reply"]]
"""``(connection, secret, request)`` of a webhook; raises errors with a ``status`` for what is refused."""


@dataclass
class Site:
    """One per server. ``receive`` takes webhooks, where the daemon has somebody who does."""

    runtime: Runtime
    config: ServerConfig
    receive: Receive | None = None
    throttle: Throttle = field(default_factory=Throttle)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _memory: dict[str, tuple[datetime, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens = Tokens.of(self.runtime.config, self.runtime.redactor)
        self.signins = SignIns(self.runtime.state, self.tokens, self.config.session)
        self.log = self.runtime.log.getChild("server")

    @property
    def now(self) -> datetime:
        now: datetime = self.runtime.clock.now()
        return now

    @property
    def guarded(self) -> bool:
        """Whether everybody must say who they are."""
        return bool(self.tokens) or self.config.reachable

    def desk(self, person: Person) -> Desk:
        """The desk as this person sits at it."""
        runtime = self.runtime
        return Desk(
            runtime.config, runtime.state, person.name, runtime.clock, lambda: runtime, self.later, self._memory
        )

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with something after the answer."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.error("work in the background failed", exc_info=error)

    async def close(self) -> None:
        """Stop what goes on in the background; it says so where its result would be."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
