"""What a flow needs that no file tells: base currencies that are the same where rates travel, what people have to
set up in the systems, and change times where the newest value is to win."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from weft.errors import WeftError
from weft.records import Concern, Side

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime

Sides = Mapping[str, Sequence["CompiledMapping"]]
"""Connection -> its mappings in a flow."""
RATE = "exchange_rate"
"""The canonical field of every document that holds its rate against the company's base currency."""


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
            async for concern in _different_currencies(runtime, config):
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


# -- base currencies -------------------------------------------------------------------------------


def carries_rates(config: FlowConfig, sides: Sides) -> bool:
    """Does a document's exchange rate go from one side to the other?"""
    reads = {connection: any(_read(one) for one in mappings) for connection, mappings in sides.items()}
    writes = {connection: any(_written(one) for one in mappings) for connection, mappings in sides.items()}
    return any(
        (reads.get(config.left) and writes.get(right) and config.writes_to(right))
        or (reads.get(right) and writes.get(config.left) and config.writes_to(config.left))
        for right in config.right
    )


def _read(one: CompiledMapping) -> bool:
    return RATE in one.readable or any(RATE in fields for fields in one.line_readable.values())


def _written(one: CompiledMapping) -> bool:
    return RATE in one.writable or any(RATE in fields for fields in one.line_writable.values())


async def _different_currencies(runtime: Runtime, config: FlowConfig) -> AsyncIterator[Concern]:
    mine = await _currencies(runtime, config, config.left)
    for connection in config.right:
        theirs = await _currencies(runtime, config, connection)
        for here, ours in mine.items():
            for there, currency in theirs.items():
                if None not in (ours, currency) and ours != currency:
                    yield Concern(
                        "error",
                        f"documents keep their exchange rate on the way ({RATE}), which is against the base currency, "
                        f"but that of {runtime.place(config.left, here)} is {ours} and that of "
                        f"{runtime.place(connection, there)} is {currency}: amounts in base currency would be wrong",
                        _remedy(runtime, config, connection),
                    )
        unknown = [
            runtime.place(name, company)
            for name, found in ((config.left, mine), (connection, theirs))
            for company, code in found.items()
            if code is None
        ]
        if unknown:
            yield Concern(
                "warning",
                f"documents keep their exchange rate on the way ({RATE}), but the base currency of "
                f"{', '.join(unknown)} is not known: see to it that both sides have the same",
            )


def _remedy(runtime: Runtime, config: FlowConfig, connection: str) -> str:
    for name in (config.left, connection):
        setting = runtime.plugins.connector(runtime.kind(name)).no_rates
        if setting:
            return (
                f"set `{setting}` under connections.{name}: each side then takes its own rate of the day; companies "
                f"with the same base currency can keep theirs over a connection of their own"
            )
    return f"take {RATE} out of the mapping of one side"


async def _currencies(runtime: Runtime, config: FlowConfig, connection: str) -> dict[str, str | None]:
    """Company of the flow -> its base currency, None where it is not known."""
    companies = await runtime.companies(connection, config, _side(config, connection))
    kind = runtime.kind(connection)
    known: dict[str, str] = {}
    if runtime.plugins.has(kind, "weft_base_currencies"):
        session = await runtime.session(connection)
        ctx = runtime.context(connection)
        known = await runtime.plugins.call(kind, "weft_base_currencies", ctx=ctx, session=session)
    return {company: known.get(company) or None for company in companies}


def _side(config: FlowConfig, connection: str) -> Side:
    return "left" if connection == config.left else "right"
