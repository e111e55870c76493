"""What a flow needs that no file tells: base currencies that are the same where rates travel, what people have to
set up in the systems, and change times where the newest value is to win."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from weft.errors import WeftError
from weft.records import Concern, Side
from weft.sync.rates import Sides, base_currencies, carries_rates

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime


def undated(config: FlowConfig, sides: Sides) -> Iterator[Concern]:
    """A side without change times never wins as the newest: a person is asked every time."""
    fields = [name for name, rule in config.fields.items() if rule == "newest"]
    if config.on_conflict != "newest" and not fields:
        return
    what = "on_conflict: newest" if config.on_conflict == "newest" else f"`newest` for {', '.join(fields)}"
    for connection, mappings in sides.items():
        objects = [one.mapping.object.read for one in mappings if one.mapping.changed is None]
        if objects:
            yield Concern(
                "warning",
                f"{what}: {', '.join(dict.fromkeys(objects))} of {connection} tell no time of change, so every "
                "conflict is put to a person",
                "name an owner, or write `review` to say so",
            )


async def concerns(runtime: Runtime, name: str, config: FlowConfig, sides: Sides) -> AsyncIterator[tuple[str, Concern]]:
    """What the connectors find, with what it is about; a system that does not let itself be asked is a warning."""
    for connection, mappings in sides.items():
        try:
            async for concern in _set_up(runtime, name, config, connection, mappings):
                yield f"{name}: {connection}", concern
        except WeftError as error:
            yield f"{name}: {connection}", Concern("warning", f"what it needs there cannot be checked: {error}")
    if carries_rates(config, sides):
        try:
            async for concern in base_currencies(runtime, config):
                yield name, concern
        except WeftError as error:
            yield name, Concern("warning", f"base currencies cannot be compared: {error}")


async def _set_up(
    runtime: Runtime, name: str, config: FlowConfig, connection: str, mappings: Sequence[CompiledMapping]
) -> AsyncIterator[Concern]:
    kind = runtime.kind(connection)
    if not runtime.plugins.has(kind, "weft_check"):
        return
    session = await runtime.session(connection)
    documents = [one.mapping for one in mappings]
    for company in await runtime.companies(connection, config, _side(config, connection)):
        found = runtime.plugins.call(
            kind,
            "weft_check",
            ctx=runtime.context(connection, flow=name, company=company),
            session=session,
            mappings=documents,
            actions=config.after.get(connection, ()),
        )
        async for concern in found:
            yield concern


def _side(config: FlowConfig, connection: str) -> Side:
    return "left" if connection == config.left else "right"
