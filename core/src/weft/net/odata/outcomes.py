"""From answers to outcomes: one for every item, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from weft.net.odata.errors import ODataError
from weft.net.odata.sending import Answer, Halt
from weft.records import Item, Outcome


async def until_halt(items: Sequence[Item], outcomes: AsyncIterator[Outcome]) -> AsyncIterator[Outcome]:
    """The outcomes of items. Once nothing can be sent any more, the rest is told to be tried later and core's
    exception is raised."""
    waiting = {item.id: item for item in items}
    try:
        async for outcome in outcomes:
            waiting.pop(outcome.id, None)
            yield outcome
    except Halt as halt:
        for item in waiting.values():
            yield Outcome(item.id, "retry", key=item.key, error=halt.error)
        raise halt.why from None


async def side_by_side(
    items: Sequence[Item], write: Callable[[Item], Awaitable[Outcome]], at_once: int
) -> AsyncIterator[Outcome]:
    """Items written each by itself, so many at a time. :raises Halt: after the outcomes that there are."""
    if not items:
        return
    gate = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Outcome | Halt:
        async with gate:
            try:
                return await write(item)
            except Halt as halt:
                return halt

    tasks = [asyncio.create_task(one(item)) for item in items]
    halted: Halt | None = None
    try:
        for task in asyncio.as_completed(tasks):
            result = await task
            if isinstance(result, Halt):
                halted = result
            else:
                yield result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if halted is not None:
        raise halted


def failed(item: Item, answer: Answer, conflicts: Callable[[ODataError], bool]) -> Outcome:
    """The outcome of a call that did not succeed. ``conflicts`` tells a refusal because the record was changed
    or is not there any more: core reads it again and learns what became of it."""
    if answer.state == "doubt":
        return Outcome(item.id, "in_doubt", key=item.key, error=answer.error)
    if answer.state == "later":
        return Outcome(item.id, "retry", key=item.key, error=answer.error)
    odata = answer.odata
    stale = odata is not None and item.op != "create" and conflicts(odata)
    return Outcome(item.id, "conflict" if stale else "rejected", key=item.key, error=answer.error)
