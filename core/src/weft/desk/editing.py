"""Editing: which values may be sent instead of a record's, and whether they come back to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime
    from weft.state.issues import Issue


def stays(runtime: Runtime, issue: Issue, names: Iterable[str]) -> list[str]:
    """Those of the fields that will not travel back to the record the issue is about.

    :raises ConfigError: a field that cannot be sent at all.
    """
    flow = runtime.config.flows.get(issue.flow)
    if flow is None or issue.connection not in flow.between:
        return []
    told = issue.payload.get("side") if isinstance(issue.payload, dict) else None
    side = told or ("right" if issue.side == "left" else "left")
    rights = [issue.connection] if issue.side == "right" else flow.right
    there, here = (rights, [flow.left]) if side == "right" else ([flow.left], rights)

    def mappings(connections: Iterable[str]) -> list[CompiledMapping]:
        return [one for name in connections for one in runtime.mappings(name, issue.entity).values()]

    takes = frozenset().union(*(one.writable for one in mappings(there)))
    for name in names:
        if name not in takes:
            raise ConfigError(
                f"weft writes no {name} to {' or '.join(there)}; it can write: {', '.join(sorted(takes))}"
            )
    back = frozenset().union(*(one.updatable for one in mappings(here) if not one.mapping.read_only))
    shows = frozenset().union(*(one.readable for one in mappings(there)))
    owned = {name for name, rule in flow.fields.items() if rule in there}
    against = not all(map(flow.writes_to, here))
    return [name for name in names if name not in back & shows or (against and name not in owned)]
