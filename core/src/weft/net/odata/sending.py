"""Sending a connector's writes: one by one or in a $batch, with one answer each.

What an error answer means is the connector's to say (:class:`Judge`); what follows from it for a create,
which must not be repeated blindly, is the same everywhere and stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from weft.net import errors as net
from weft.net.failures import lost
from weft.net.limiter import Lane
from weft.net.odata.batch import Item as BatchItem
from weft.net.odata.batch import Result, send_batch
from weft.net.odata.client import ODataClient
from weft.net.odata.errors import BatchRejected, ODataError, entity
from weft.net.odata.rows import Row
from weft.records import Error, Fault, Intents, Item

State = Literal["done", "refused", "later", "doubt"]
STOPPED = "the batch stopped before this operation"


@dataclass(frozen=True, slots=True)
class Call:
    """One write of one item. ``url`` is relative to the root. ``creates`` says that repeating it would
    make a second record."""

    item: Item
    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    creates: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call. ``refused``: the service said no, ``odata`` tells why. ``later``: it was not
    carried out, or repeating is harmless. ``doubt``: it may have been carried out."""

    state: State
    row: Row | None = None
    etag: str | None = None
    location: str | None = None
    error: Error | None = None
    odata: ODataError | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """How a system's refusals are read: is it an outage, whose fault is it, what is to be told, and is it
    certain that the write was undone, so that it may be repeated."""

    outage: Callable[[ODataError], bool]
    fault: Callable[[ODataError], Fault]
    told: Callable[[ODataError], Error]
    undone: Callable[[ODataError], bool] = lambda error: False


class Halt(Exception):
    """Nothing further can be sent; ``why`` is core's exception for it."""

    def __init__(self, why: Exception, error: Error) -> None:
        super().__init__(str(why))
        self.why = why
        self.error = error


class Sender:
    """``size`` calls go into a batch at most, ``at_once`` batches are under way together. ``headers`` go with
    each operation of a batch. With ``changesets`` each unit is one transaction of its own. ``prefer`` None: the
    service is left to stop a batch at a failure; what it did not get to is sent again."""

    def __init__(
        self,
        client: ODataClient,
        intents: Intents,
        lane: Lane,
        judge: Judge,
        *,
        size: int,
        form: Literal["json", "multipart"] = "json",
        changesets: bool = False,
        headers: Mapping[str, str] | None = None,
        at_once: int = 1,
        prefer: str | None = "odata.continue-on-error",
    ) -> None:
        self.client = client
        self.intents = intents
        self.lane = lane
        self.judge = judge
        self.size = size
        self.form = form
        self.changesets = changesets
        self.headers = dict(headers or {})
        self.at_once = at_once
        self.prefer = prefer

    async def send(self, call: Call) -> Answer:
        """One request. :raises Halt: it was not sent, and no other would be."""
        client = self.client
        await self.intents.still_mine()
        try:
            response = await client.send(
                call.method,
                f"{client.root}/{call.url}",
                body=call.body,
                content=b"" if call.body is None and call.method == "POST" else None,
                headers=call.headers,
                lane=self.lane,
            )
            row = entity(response) if response.content.strip() and response.status != 204 else None
        except ODataError as error:
            return self.refusal(call, error)
        except (net.MaybeSent, net.BadResponse) as error:
            return unanswered(call, error)
        except net.NetError as error:
            raise halt(error) from error
        etag = client.dialect.etag(row or {}) or response.headers.get("etag")
        return Answer("done", row, etag, response.headers.get("location"))

    async def send_all(self, calls: Sequence[Call]) -> AsyncIterator[tuple[Call, Answer]]:
        """All calls, in batches, in any order. :raises Halt: for the calls not yielded by then."""
        async for unit, answers in self.send_units([[call] for call in calls]):
            yield unit[0], answers[0]

    async def send_units(self, units: Sequence[Sequence[Call]]) -> AsyncIterator[tuple[Sequence[Call], list[Answer]]]:
        """Calls that belong together, in batches. With changesets a unit is carried out whole or not at all;
        then one of its calls is ``refused`` and the others are ``later``."""
        batches = list(self._batches(units))
        if self.at_once == 1 or len(batches) == 1:
            for batch in batches:
                async for pair in self._batch(batch):
                    yield pair
            return
        gate = asyncio.Semaphore(self.at_once)

        async def one(batch: Sequence[Sequence[Call]]) -> list[tuple[Sequence[Call], list[Answer]]]:
            async with gate:
                return [pair async for pair in self._batch(batch)]

        tasks = [asyncio.create_task(one(batch)) for batch in batches]
        stopped: Halt | None = None
        try:
            for task in asyncio.as_completed(tasks):
                try:
                    found = await task
                except Halt as stop:
                    stopped = stop
                    continue
                for pair in found:
                    yield pair
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if stopped is not None:
            raise stopped

    def _batches(self, units: Sequence[Sequence[Call]]) -> list[list[Sequence[Call]]]:
        batches: list[list[Sequence[Call]]] = []
        room = 0
        for unit in units:
            if not batches or len(unit) > room:
                batches.append([])
                room = self.size
            batches[-1].append(unit)
            room -= len(unit)
        return batches

    async def _batch(self, units: Sequence[Sequence[Call]]) -> AsyncIterator[tuple[Sequence[Call], list[Answer]]]:
        if len(units) == 1 and len(units[0]) == 1:
            yield units[0], [await self.send(units[0][0])]
            return
        number = count()
        items = [
            BatchItem(
                str(next(number)), call.method, call.url, call.body, {**self.headers, **call.headers},
                f"g{at}" if self.changesets else None,
            )
            for at, unit in enumerate(units)
            for call in unit
        ]  # fmt: skip
        await self.intents.still_mine()
        try:
            results = await send_batch(self.client, items, form=self.form, prefer=self.prefer, lane=self.lane)
        except BatchRejected as error:
            if error.ran is None or len(units) == 1:
                for unit in units:
                    yield unit, [unanswered(call, error) if error.ran is None else self.refusal(call, error)
                                 for call in unit]  # fmt: skip
                return
            half = len(units) // 2
            for some in (units[:half], units[half:]):  # one of them spoils the whole: find it
                async for pair in self._batch(some):
                    yield pair
            return
        except net.MaybeSent as error:
            for unit in units:
                yield unit, [unanswered(call, error) for call in unit]
            return
        except net.NetError as error:
            raise halt(error) from error
        at = 0
        left: list[Sequence[Call]] = []
        for unit in units:
            mine = results[at : at + len(unit)]
            at += len(unit)
            if all(result.state == "not_run" for result in mine):
                left.append(unit)
            else:
                yield unit, [self._answer(call, result) for call, result in zip(unit, mine, strict=True)]
        if left and len(left) < len(units):  # the batch stopped before them
            async for pair in self._batch(left):
                yield pair
        else:
            for unit in left:
                yield unit, [Answer("later", error=Error("endpoint", STOPPED)) for _ in unit]

    def _answer(self, call: Call, result: Result) -> Answer:
        if result.state == "done":
            row = result.body if isinstance(result.body, dict) else None
            etag = self.client.dialect.etag(row or {}) or result.headers.get("etag")
            return Answer("done", row, etag, result.headers.get("location"))
        if result.error is not None and result.state == "failed":
            return self.refusal(call, result.error)
        if result.state == "not_run":
            return Answer("later", error=Error("endpoint", STOPPED))
        words = "the answer to the batch says nothing about this operation"
        return Answer("doubt" if call.creates else "later", error=Error("endpoint", words))

    def refusal(self, call: Call, error: ODataError) -> Answer:
        """An error answer. One of the 5xx kind may come after the commit, so a create is then in doubt; a
        repeated update is stopped by its tag."""
        judge = self.judge
        told = judge.told(error)
        if error.status in (429, 503) or judge.undone(error) or (judge.outage(error) and not call.creates):
            return Answer("later", error=told, odata=error)
        if judge.fault(error) == "endpoint":
            return Answer("doubt" if call.creates else "later", error=told, odata=error)
        if error.status == 401:
            return Answer("later", error=told, odata=error)
        return Answer("refused", error=told, odata=error)


def unanswered(call: Call, error: net.NetError) -> Answer:
    return Answer("doubt" if call.creates else "later", error=lost(error))


def halt(error: net.NetError) -> Halt:
    fault: Literal["configuration", "endpoint"] = "configuration" if isinstance(error, net.AuthError) else "endpoint"
    words = Error(fault, str(error), code=error.code, status=error.status, retry_after=error.retry_after,
                  request_id=error.request_id or None)  # fmt: skip
    return Halt(error, words)
