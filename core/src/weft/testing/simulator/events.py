"""Outgoing webhook notifications of a simulator: queue, merge, deliver, retry."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from weft.testing.simulator.base import Simulator
from weft.testing.simulator.faults import EVENTS

Entry = dict[str, Any]


@dataclass(slots=True)
class Event:
    """One notification entry. ``target`` is the URL; an event with the ``merge_key`` of one that waits for the same
    target is merged into it."""

    target: str
    entry: Entry
    merge_key: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one POST. ``status`` None: no answer. ``attempt`` counts from 1."""

    target: str
    entries: Sequence[Entry]
    status: int | None
    attempt: int


@dataclass(slots=True)
class _Waiting:
    target: str
    entries: dict[str, Entry]
    due_ns: int
    attempt: int = 1


class EventSender:
    """Queue of notifications: waits ``delay`` seconds of the simulator's clock after the first event for a target,
    merges, POSTs, retries.

    ``render(entries)`` makes the body, ``headers()`` its headers. ``merge(old, new)`` says what remains of two
    events with one key (None: nothing; default: the new one). ``retry_after(attempt, status)`` gives seconds until
    the next attempt, None to give up; asked unless the answer is 2xx. ``on_result`` hears each delivery (a
    subscription may be dropped). ``together=False``: every event is a POST of its own. Nothing
    is sent before :meth:`flush`, or :meth:`begin`.
    """

    def __init__(
        self,
        sim: Simulator,
        *,
        delay: float = 30.0,
        timeout: float = 30.0,
        render: Callable[[Sequence[Entry]], bytes],
        headers: Callable[[], Mapping[str, str]] | None = None,
        merge: Callable[[Entry, Entry], Entry | None] | None = None,
        retry_after: Callable[[int, int | None], float | None] | None = None,
        on_result: Callable[[Delivery], Awaitable[None]] | None = None,
        ca_file: str | None = None,
        together: bool = True,
    ) -> None:
        self.delay, self.timeout, self.together = delay, timeout, together
        self._sim, self._render, self._headers = sim, render, headers
        self._merge, self._retry_after, self._on_result = merge, retry_after, on_result
        self._ca_file = ca_file
        self._fresh: dict[str, _Waiting] = {}  # per target (or per event), first attempt not made yet
        self._again: list[_Waiting] = []
        self._session: aiohttp.ClientSession | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Entries not delivered yet."""
        return sum(len(item.entries) for item in (*self._fresh.values(), *self._again))

    def put(self, event: Event) -> None:
        """Queue; merged with a waiting one of the same target and merge_key."""
        post = event.target if self.together else f"{event.target} {event.merge_key}"
        item = self._fresh.get(post)
        if item is None:
            due = self._sim.clock.now_ns() + round(self.delay * 1e9)
            item = self._fresh[post] = _Waiting(event.target, {}, due)
        old = item.entries.get(event.merge_key)
        entry: Entry | None = event.entry
        if old is not None and self._merge is not None:
            entry = self._merge(old, event.entry)
        if entry is not None:
            item.entries[event.merge_key] = entry
            return
        item.entries.pop(event.merge_key, None)
        if not item.entries:
            del self._fresh[post]

    def cancel(self, target: str, keep: Callable[[Entry], bool]) -> None:
        """Drop waiting entries for a target that ``keep`` says no to (a subscription that ended)."""
        for item in (*self._again, *self._fresh.values()):
            if item.target == target:
                item.entries = {key: entry for key, entry in item.entries.items() if keep(entry)}
        self._again = [item for item in self._again if item.entries]
        self._fresh = {post: item for post, item in self._fresh.items() if item.entries}

    async def flush(self, *, due_only: bool = False) -> list[Delivery]:
        """Send everything that waits (``due_only``: whose time has come), oldest first, each once; what fails is
        queued again as the retry schedule says. Returns what happened, in order."""
        now = self._sim.clock.now_ns()
        queue = sorted((*self._again, *self._fresh.values()), key=lambda item: item.due_ns)
        if due_only:
            queue = [item for item in queue if item.due_ns <= now]
        chosen = {id(item) for item in queue}
        self._again = [item for item in self._again if id(item) not in chosen]
        self._fresh = {post: item for post, item in self._fresh.items() if id(item) not in chosen}

        struck = [self._sim.faults.strike("POST", item.target, EVENTS) for item in queue]
        if any(effects.first("reorder_events") is not None for effects in struck):
            queue.reverse()
            struck.reverse()
            for item in queue:
                item.entries = dict(reversed(item.entries.items()))
        done: list[Delivery] = []
        for item, effects in zip(queue, struck, strict=True):
            done.append(await self._deliver(item))
            if effects.first("duplicate_event") is not None:
                done.append(await self._deliver(item, again=True))
        return done

    def begin(self, every: float = 1.0) -> None:
        """Flush what is due, every so many seconds, in the background until :meth:`close`."""
        self._running = asyncio.create_task(self._run(every))

    async def _run(self, every: float) -> None:
        while True:
            await self.flush(due_only=True)
            await asyncio.sleep(every)

    async def _deliver(self, item: _Waiting, *, again: bool = False) -> Delivery:
        entries = list(item.entries.values())
        headers = {"Content-Type": "application/json", **(self._headers() if self._headers is not None else {})}
        status, _ = await self.post(item.target, self._render(entries), headers)
        delivery = Delivery(item.target, entries, status, item.attempt)
        self._sim.counters["events_delivered" if status is not None and status < 300 else "events_failed"] += 1
        if not again and not (status is not None and 200 <= status < 300) and self._retry_after is not None:
            wait = self._retry_after(item.attempt, status)
            if wait is not None:
                due = self._sim.clock.now_ns() + round(wait * 1e9)
                self._again.append(_Waiting(item.target, item.entries, due, item.attempt + 1))
        if self._on_result is not None:
            await self._on_result(delivery)
        return delivery

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, bytes]:
        """One POST with the sender's timeout: (status, body); (None, b"") when there is no answer. For handshakes
        too. Redirects are not followed."""
        try:
            async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            self._sim.counters["events_no_answer"] += 1
            return None, b""

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            trust: ssl.SSLContext | bool = True
            if self._ca_file is not None:
                trust = ssl.create_default_context(cafile=self._ca_file)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.timeout), connector=aiohttp.TCPConnector(ssl=trust)
            )
        return self._session

    async def close(self) -> None:
        """Stop sending, and close connections; what waits stays."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        if self._session is not None:
            await self._session.close()
