"""Four wrappers, one for each hook that can be wrapped. See ``weft.around`` for the rules.

``call`` makes the wrapped call. The other parameters are arguments of the hook; name just those you
need. ``read`` and ``write`` are async generators, ``map`` and ``route`` async functions.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from weft import around
from weft.model.values import EMPTY
from weft.records import Canonical, Context, Error, Item, Mapped, Outcome, Page, Target

PERSONAL = ("notes", "birth_date")


@around("read")
async def meter(call: Any, ctx: Context) -> AsyncIterator[Page]:
    """Log how many records a read brought and how long the system took, also when it failed."""
    count, waited, began = 0, 0.0, time.monotonic()
    try:
        async for page in call():
            count += len(page.records)
            waited += time.monotonic() - began
            yield page
            began = time.monotonic()
    finally:
        ctx.log.info("%s: %d records in %.3f s", ctx.connection, count, waited)


@around("map")
async def mask(call: Any, direction: Literal["in", "out"]) -> list[Mapped]:
    """Keep personal data out of the other system: what is read of these fields is EMPTY."""
    mapped: list[Mapped] = await call()
    for one in mapped if direction == "in" else ():
        if one.canonical is not None:
            for name in one.canonical.fields.keys() & set(PERSONAL):
                one.canonical.fields[name] = EMPTY
    return mapped


@around("write")
async def no_deletes(call: Any, items: Sequence[Item]) -> AsyncIterator[Outcome]:
    """Refuse every delete. The refused get their outcome here, the rest goes on."""
    refused = [item for item in items if item.op == "delete"]
    for item in refused:
        words = "deletes are switched off by weft-around-example"
        yield Outcome(item.id, "rejected", key=item.key, error=Error("configuration", words, "no_deletes"))
    allowed = [item for item in items if item.op != "delete"]
    if allowed:
        async for outcome in call(items=allowed):
            yield outcome


@around("route")
async def no_sanctioned(call: Any, entities: Sequence[Canonical]) -> list[list[Target]]:
    """Send records of a blocked country nowhere: each becomes an issue that a person sees."""
    targets: list[list[Target]] = await call()
    return [
        [] if entity.fields.get("address.country") == "XX" else found
        for entity, found in zip(entities, targets, strict=True)
    ]
