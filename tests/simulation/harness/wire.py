"""Between the process that synchronises (and may end at any step) and the one that keeps the systems.

The engine's process is forked and talks over a pipe, one request at a time: :class:`Remote` is the
connector it sees, :class:`Wire` its end. What a request did has been done, whether or not whoever asked
lives to read the answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from harness.killing import Steps
from harness.pair import Clock, System

from weft import hookimpl
from weft.errors import EndpointDown
from weft.hookspecs import Connector
from weft.records import Item, ObjectSchema, Outcome, Page, Query


class Wire:
    """The engine's end of the pipe. Each call may let other tasks run before and after it."""

    def __init__(self, pipe: Connection, clock: Clock, steps: Steps, rng: random.Random) -> None:
        self._pipe, self._clock, self._steps, self._rng = pipe, clock, steps, rng

    async def call(self, *request: Any) -> Any:
        await self.breathe()
        self._pipe.send((self._clock.at, request))
        self._clock.at, answer, error = self._pipe.recv()
        await self.breathe()
        if error is not None:
            kind, words, after = error
            raise EndpointDown(words, retry_after=after) if kind == "down" else RuntimeError(words)
        return answer

    async def write(self, *request: Any) -> Any:
        self._steps.write("before")
        await self.breathe()
        self._pipe.send((self._clock.at, request))
        self._clock.at, answer, error = self._pipe.recv()
        self._steps.write("after")
        await self.breathe()
        if error is not None:
            kind, words, after = error
            raise EndpointDown(words, retry_after=after) if kind == "down" else RuntimeError(words)
        return answer

    async def breathe(self) -> None:
        for _ in range(self._rng.choice((0, 0, 1, 1, 2, 5))):
            await asyncio.sleep(0)


class Remote:
    """The connector of a system that lives in the other process.

    ``stepwise``: a document takes one call for its header and one for each line, each committed by itself.
    """

    wire: Wire
    """Set once the process has begun."""

    def __init__(self, side: str, system: System, *, stepwise: bool) -> None:
        self._side, self._system, self._stepwise = side, system, stepwise

    @hookimpl
    def weft_connector(self) -> Connector:
        return replace(self._system.weft_connector(), max_batch=self._system.max_batch)

    @hookimpl
    def weft_mappings(self, entity: str) -> list[Any]:
        return self._system.weft_mappings(entity=entity)

    @hookimpl
    def weft_open(self, ctx: Any) -> AbstractAsyncContextManager[Any]:
        return self._system.weft_open(ctx)

    @hookimpl
    async def weft_describe(self, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
        async for schema in self._system.weft_describe(objects=objects):
            yield schema

    @hookimpl
    async def weft_read(self, ctx: Any, query: Query) -> AsyncIterator[Page]:
        document = (query.mapping.entity, query.mapping.variant)
        asked = replace(query, mapping=document)  # type: ignore[arg-type]
        for page in await self.wire.call("read", self._side, ctx.settings.page_size, asked):
            yield page
            await self.wire.breathe()

    @hookimpl
    async def weft_write(self, items: Sequence[Item], intents: Any) -> AsyncIterator[Outcome]:
        for item in items:
            if self._stepwise and item.op == "create" and item.children:
                yield await self._document(item, intents)
            else:
                await intents.still_mine()
                yield await self._send(item)

    async def _send(self, item: Item) -> Outcome:
        document = (item.mapping.entity, item.mapping.variant)
        sent = replace(item, mapping=document)  # type: ignore[arg-type]
        outcome: Outcome = await self.wire.write("write", self._side, sent)
        return outcome

    async def _document(self, item: Item, intents: Any) -> Outcome:
        done = intents.noted(item)
        key = item.key or (done.get("header") or {}).get("key")
        if key is None:
            await intents.still_mine()
            outcome = await self._send(replace(item, children=[]))
            if outcome.result != "created":
                return outcome
            key = outcome.key
            await intents.note(item, "header", key)
        outcome = Outcome(item.id, "created", key)
        children: dict[str, str] = {}
        for child in item.children:
            step = f"line:{child.id}"
            if step in done:
                children[child.id] = done[step]["key"]
                continue
            await intents.still_mine()
            one = replace(item, op="update", key=key, version=None, data={}, children=[child], actions=())
            outcome = await self._send(one)
            if outcome.result not in ("updated", "unchanged"):
                return replace(outcome, result="partial") if outcome.result == "retry" else outcome
            children.update(outcome.children)
            await intents.note(item, step, outcome.children.get(child.id))
        return replace(outcome, id=item.id, result="created", key=key, children=children)
