"""Exchange rates that travel with documents. They are against the base currency of a company, so what is carried
from one to another is right only where both keep their books in the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from weft.errors import ConfigError, EndpointDown, WeftError
from weft.records import Concern, Side

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime
    from weft.sync.flow import Flow

Sides = Mapping[str, Sequence["CompiledMapping"]]
"""Connection -> its mappings in a flow."""
RATE = "exchange_rate"
"""The canonical field of every document that holds its rate against the company's base currency."""


async def require_same_base(runtime: Runtime, flow: Flow) -> None:
    """Refuse a flow whose rates would be against another currency than the one they come from.

    :raises ConfigError: it names both companies and both currencies, and what to do.
    """
    if not carries_rates(flow.config, {end.connection: list(end.mappings.values()) for end in flow.ends()}):
        return
    try:
        concerns = [one async for one in base_currencies(runtime, flow.config)]
    except EndpointDown:
        raise
    except WeftError as error:  # as where a system does not tell its currency: `weft check` warns of both
        words = runtime.redactor(str(error))
        runtime.log.warning("flow %s: base currencies cannot be compared: %s", flow.name, words)
        return
    for concern in concerns:
        if concern.level == "error":
            where = runtime.config.where("flows", flow.name)
            raise ConfigError(f"{where}: {flow.name} is not run: {concern.message}; {concern.remedy}")


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


async def base_currencies(runtime: Runtime, config: FlowConfig) -> AsyncIterator[Concern]:
    """What is wrong with the base currencies of the companies between which a flow carries rates: an error where two
    differ, a warning where one is not known."""
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
    side: Side = "left" if connection == config.left else "right"
    companies = await runtime.companies(connection, config, side)
    known = await runtime.base_currencies(connection)
    return {company: known.get(company) or None for company in companies}
