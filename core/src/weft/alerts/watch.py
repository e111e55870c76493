"""The watch: looks at the state every few seconds and tells people what the rules say."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from weft.alerts.channels import PATIENCE, Channels
from weft.alerts.facts import Facts, gather
from weft.alerts.rules import judge
from weft.alerts.telling import Changes, due, follow, pause, told
from weft.alerts.wording import Wording, digest
from weft.errors import WeftError
from weft.state.alerts import Alert, Channel

if TYPE_CHECKING:
    from weft.runtime import Runtime
    from weft.state.tx import Tx

EVERY = 15.0
"""Seconds between two looks."""
HOLD = timedelta(seconds=3 * PATIENCE)
"""How long one worker has a channel for itself; then it is taken to have died while sending."""


class Watch:
    """Several workers may watch one state: each message is sent by one of them."""

    def __init__(self, runtime: Runtime, *, public_url: str = "") -> None:
        """
        :raises InvalidConfig: a channel cannot be used.
        """
        self._runtime = runtime
        self._settings = runtime.config.alerts
        self._channels = Channels(runtime.config, runtime.redactor)
        self._wording = Wording(public_url)
        self._me = uuid.uuid4().hex
        self._log = runtime.log.getChild("alerts")
        self._begun: datetime = runtime.clock.now()

    async def look(self) -> None:
        """Look once: store what is found, send what is due."""
        now: datetime = self._runtime.clock.now()

        def read(tx: Tx) -> tuple[Facts, list[Alert]]:
            return gather(tx, self._runtime.config, now, self._begun), tx.alerts.all()

        facts, known = await self._runtime.state.read(read)
        findings = judge(self._settings.rules, facts, self._wording)
        if follow(self._settings, findings, known):

            def store(tx: Tx) -> list[Alert]:
                # Held against what is stored now: another worker may have been quicker.
                _store(tx, follow(self._settings, findings, tx.alerts.all()))
                return tx.alerts.all()

            known = await self._runtime.state.write(store)
        for channel in self._settings.channels:
            if due(self._settings, channel, known, now):
                await self._tell(channel, now)

    async def _tell(self, channel: str, now: datetime) -> None:
        def hold(tx: Tx) -> tuple[Channel, list[Alert]] | None:
            if not tx.alerts.hold(channel, self._me, now, now + HOLD):
                return None
            held, found = tx.alerts.channels()[channel], due(self._settings, channel, tx.alerts.all(), now)
            if found and held.not_before <= now:
                return held, found
            tx.alerts.sent(channel, self._me, held.not_before, held.failures, held.error)
            return None

        held = await self._runtime.state.write(hold)
        if held is None:
            return
        state, alerts = held
        title, text = digest(alerts, now)
        sent = await self._channels.send(channel, title, text)
        ended: datetime = self._runtime.clock.now()

        def settle(tx: Tx) -> None:
            if sent.ok:
                _store(tx, told(alerts, ended))
                tx.alerts.sent(channel, self._me, ended + self._settings.digest, error=sent.words)
            else:
                failures = state.failures + 1
                tx.alerts.sent(channel, self._me, ended + pause(failures), failures, sent.words)

        await self._runtime.state.write(settle)
        if sent.ok:
            self._log.info("told %s on %s", title, channel)
            if sent.words:
                self._log.warning("an address of %s was not told: %s", channel, sent.words)
        else:
            self._log.warning("%s cannot be told anything: %s", channel, sent.words)


def _store(tx: Tx, changes: Changes) -> None:
    tx.alerts.put_many(changes.put)
    tx.alerts.drop_many(changes.drop)


@asynccontextmanager
async def watching(runtime: Runtime, *, public_url: str = "", every: float = EVERY) -> AsyncIterator[Watch | None]:
    """Watch until the context ends; None where no channel is configured.

    :raises InvalidConfig: a channel cannot be used.
    """
    if not runtime.config.alerts.channels:
        yield None
        return
    watch = Watch(runtime, public_url=public_url)
    task = asyncio.create_task(_keep_looking(watch, runtime, every), name="alerts")
    try:
        yield watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_looking(watch: Watch, runtime: Runtime, every: float) -> None:
    log = runtime.log.getChild("alerts")
    while True:
        try:
            await watch.look()
        except WeftError as error:  # the state is away for a while: said, and tried again
            log.warning("nothing can be told: %s", runtime.redactor(str(error)))
        except Exception as error:  # a defect here must not end the watch over everything else
            log.error("a look failed", exc_info=error)
        await asyncio.sleep(every)
