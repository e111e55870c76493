"""Sending writes: one by one or in a $batch, with one answer each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from weft.net import errors as net
from weft.net.failures import lost
from weft.net.limiter import Lane
from weft.net.odata.batch import Item as BatchItem
from weft.net.odata.batch import Result, send_batch
from weft.net.odata.errors import BatchRejected, ODataError, entity
from weft.net.odata.rows import Row
from weft.records import Error, Intents, Item
from weft_bc.failures import fault_of, is_outage, told
from weft_bc.rows import ETAG
from weft_bc.session import BcSession

State = Literal["done", "refused", "later", "doubt"]


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


class Halt(Exception):
    """Nothing further can be sent; ``why`` is core's exception for it."""

    def __init__(self, why: Exception, error: Error) -> None:
        super().__init__(str(why))
        self.why = why
        self.error = error


class Sender:
    def __init__(self, session: BcSession, intents: Intents, lane: Lane) -> None:
        self.session = session
        self.intents = intents
        self.lane = lane

    async def send(self, call: Call) -> Answer:
        """One request. :raises Halt: it was not sent, and no other would be."""
        client = self.session.client
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
            return refusal(call, error)
        except (net.MaybeSent, net.BadResponse) as error:
            return unanswered(call, error)
        except net.NetError as error:
            raise halt(error) from error
        etag = (row or {}).get(ETAG) or response.headers.get("etag")
        return Answer("done", row, etag, response.headers.get("location"))

    async def send_all(self, calls: Sequence[Call]) -> AsyncIterator[tuple[Call, Answer]]:
        """All calls, in batches. :raises Halt: for the calls not yielded by then."""
        size = self.session.settings.batch_size
        for at in range(0, len(calls), size):
            async for pair in self._batch(calls[at : at + size]):
                yield pair

    async def _batch(self, calls: Sequence[Call]) -> AsyncIterator[tuple[Call, Answer]]:
        if len(calls) == 1:
            yield calls[0], await self.send(calls[0])
            return
        language = {"Accept-Language": self.session.settings.language}
        items = [
            BatchItem(str(n), call.method, call.url, call.body, {**language, **call.headers})
            for n, call in enumerate(calls)
        ]
        await self.intents.still_mine()
        try:
            results = await send_batch(self.session.client, items, prefer="odata.continue-on-error", lane=self.lane)
        except BatchRejected as error:
            if error.ran is None:
                for call in calls:
                    yield call, unanswered(call, error)
                return
            half = len(calls) // 2
            for some in (calls[:half], calls[half:]):  # one of them spoils the whole: find it
                async for pair in self._batch(some):
                    yield pair
            return
        except net.MaybeSent as error:
            for call in calls:
                yield call, unanswered(call, error)
            return
        except net.NetError as error:
            raise halt(error) from error
        for call, result in zip(calls, results, strict=True):
            yield call, _answer(call, result)


def _answer(call: Call, result: Result) -> Answer:
    if result.state == "done":
        row = result.body if isinstance(result.body, dict) else None
        etag = (row or {}).get(ETAG) or result.headers.get("etag")
        return Answer("done", row, etag, result.headers.get("location"))
    if result.error is not None and result.state == "failed":
        return refusal(call, result.error)
    if result.state == "not_run":
        return Answer("later", error=Error("endpoint", "the batch stopped before this operation"))
    words = "the answer to the batch says nothing about this operation"
    return Answer("doubt" if call.creates else "later", error=Error("endpoint", words))


def refusal(call: Call, error: ODataError) -> Answer:
    """An error answer. One of the 5xx kind may come after the commit, so a create is then in doubt; a
    repeated update is stopped by its tag."""
    if error.status in (429, 503) or (is_outage(error) and not call.creates):
        return Answer("later", error=told(error), odata=error)
    if fault_of(error) == "endpoint":
        return Answer("doubt" if call.creates else "later", error=told(error), odata=error)
    if error.status == 401:
        return Answer("later", error=told(error), odata=error)
    return Answer("refused", error=told(error), odata=error)


def unanswered(call: Call, error: net.NetError) -> Answer:
    return Answer("doubt" if call.creates else "later", error=lost(error))


def halt(error: net.NetError) -> Halt:
    fault: Literal["configuration", "endpoint"] = "configuration" if isinstance(error, net.AuthError) else "endpoint"
    words = Error(fault, str(error), code=error.code, status=error.status, retry_after=error.retry_after,
                  request_id=error.request_id or None)  # fmt: skip
    return Halt(error, words)
