"""Subscriptions: systems are told where to push, and told again before they forget it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from weft.errors import WeftError
from weft.jobs import listening
from weft.jobs.hooks import plain_secrets
from weft.state.membership import elapsed

if TYPE_CHECKING:
    from weft.records import Subscription
    from weft.runtime import Runtime
    from weft.state.tx import Tx

EARLY = timedelta(hours=24)
"""So long before the end of a subscription it is renewed; of short ones when half of their time is over."""
LOOK = timedelta(hours=1)
"""After so long it is looked at whether the system still has them: it may drop one without a word."""
FIRST, LONGEST = 5.0, 900.0
"""Seconds until a subscription that failed is tried again, doubling each time."""


@dataclass
class Subscriber:
    """Looks after the subscriptions of all connections. ``public_url`` None: nothing can be pushed to us."""

    runtime: Runtime
    public_url: str | None
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong, by connection."""
    _tried: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By connection: when to try again, and how long after that."""

    async def look(self) -> None:
        """Subscribe or renew where that is due. Failures are told, and tried again later."""
        state, now = self.runtime.state, self.runtime.clock.now()
        asked = [one for one in await state.read(lambda tx: tx.requests.waiting()) if one.what == "subscribe"]
        wanted = {name for one in asked if one.flow in self.runtime.config.flows
                  for name in self.runtime.config.flows[one.flow].between}  # fmt: skip
        for name in self.runtime.config.webhooks:
            if not self._concerns(name):
                continue
            if self.public_url is None:
                self._told(name, "server.public_url is not set: no address to push to")
                continue
            if name in wanted or (self._may_try(name) and await self._due(name, now)):
                await self._subscribe(name, self.public_url)
            elif self._may_try(name):
                self.problems.pop(name, None)  # another worker has subscribed meanwhile
        if asked:
            await state.write(lambda tx: tx.requests.taken(asked))

    def _concerns(self, connection: str) -> bool:
        """Can the system be told where to push, and does a flow listen?"""
        runtime = self.runtime
        try:
            able = runtime.plugins.has(runtime.kind(connection), "weft_subscribe")
            return able and bool(listening.objects(runtime, connection))
        except WeftError as error:  # written wrongly: its flows fail, those of others need not
            self._told(connection, runtime.redactor(str(error)))
            return False

    def _may_try(self, connection: str) -> bool:
        return elapsed() >= self._tried.get(connection, (0.0, 0.0))[0]

    async def _due(self, connection: str, now: datetime) -> bool:
        def read(tx: Tx) -> tuple[tuple[str, datetime] | None, list[Subscription]]:
            return tx.subscriptions.told(connection), tx.subscriptions.of(connection)

        told, known = await self.runtime.state.read(read)
        if told is None or told[0] != self._mark(connection):
            return True
        if not timedelta(0) <= now - told[1] < LOOK:
            return True
        ends = min((one.expires for one in known if one.expires is not None), default=None)
        return ends is not None and ends - now <= EARLY

    def _url(self, connection: str) -> str:
        secret = plain_secrets(self.runtime, connection)[0]
        return f"{self.public_url}/hooks/{quote(connection)}/{quote(secret, safe='')}"

    def _mark(self, connection: str) -> str:
        """Tells one address, or set of objects, from another without holding the secret that is in it."""
        read = {one for several in listening.objects(self.runtime, connection).values() for one in several}
        return hashlib.sha256("\n".join([self._url(connection), *sorted(read)]).encode()).hexdigest()

    async def _subscribe(self, connection: str, public_url: str) -> None:
        runtime = self.runtime
        lock = await runtime.state.try_lock(f"subscribe:{connection}")
        if lock is None:
            return  # another worker is at it
        try:
            url = self._url(connection)
            current = await runtime.state.read(lambda tx: tx.subscriptions.of(connection))
            session = await runtime.session(connection)
            found: list[Subscription] = await runtime.plugins.call(
                runtime.kind(connection), "weft_subscribe", ctx=runtime.context(connection), session=session, url=url,
                watches=await listening.watches(runtime, connection), current=current,
            )  # fmt: skip
            now, mark = runtime.clock.now(), self._mark(connection)
            await runtime.state.write(lambda tx: tx.subscriptions.put(connection, mark, found, now))
        except Exception as error:  # pushes are a comfort: without them the schedule finds what changed
            known = isinstance(error, WeftError)
            self._told(connection, runtime.redactor(str(error)), None if known else error)
            _, pause = self._tried.get(connection, (0.0, FIRST / 2))
            pause = min(pause * 2, LONGEST)
            self._tried[connection] = (elapsed() + pause, pause)
        else:
            self.problems.pop(connection, None)
            self._tried[connection] = (elapsed() + self._patience(found, now), FIRST / 2)
            runtime.log.info("%s pushes changes of %d objects", connection, len(found))
        finally:
            lock.release()

    def _patience(self, found: list[Subscription], now: datetime) -> float:
        """Those that last less than :data:`LOOK` are left alone until half of their time is over."""
        ends = min((one.expires for one in found if one.expires is not None), default=now + 2 * LOOK)
        return max(FIRST, min((ends - now).total_seconds() / 2, LOOK.total_seconds()))

    def _told(self, connection: str, problem: str, error: Exception | None = None) -> None:
        if self.problems.get(connection) != problem:
            self.runtime.log.warning("%s does not push changes: %s", connection, problem, exc_info=error)
        self.problems[connection] = problem
