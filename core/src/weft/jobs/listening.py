"""Which flows listen to what a connection pushes, and what they read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.records import Side, Watch

if TYPE_CHECKING:
    from weft.runtime import Runtime


def objects(runtime: Runtime, connection: str) -> dict[str, list[str]]:
    """By flow that listens to the connection's pushes: the objects it reads there."""
    found: dict[str, list[str]] = {}
    for name, config in runtime.config.flows.items():
        if not config.enabled or config.on != "webhook" or connection not in config.between:
            continue
        chosen = config.variants.get(connection)
        variants = runtime.mappings(connection, config.entity).items()
        found[name] = list(
            dict.fromkeys(
                compiled.mapping.object.read for variant, compiled in variants if chosen is None or variant in chosen
            )
        )
    return found


async def watches(runtime: Runtime, connection: str) -> list[Watch]:
    """What the system has to tell of: the objects, in each of the companies that the flows work with.

    :raises ConfigError, AuthError, EndpointDown: as :meth:`weft.runtime.Runtime.companies`.
    """
    found: dict[Watch, None] = {}
    for name, read in objects(runtime, connection).items():
        config = runtime.config.flows[name]
        side: Side = "left" if config.between[0] == connection else "right"
        for company in await runtime.companies(connection, config, side):
            found |= dict.fromkeys(Watch(one, company) for one in read)
    return list(found)
