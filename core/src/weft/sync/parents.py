"""Parents: records that others refer to and that are not linked yet are fetched once, on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.sync.references import Asked
    from weft.sync.run import Run

FetchKeys = Callable[["Run", str, str, str, list[str]], Awaitable[int]]
"""(parent run, flow name, connection, object, keys) -> how many of them went through the cycle."""

DEEPEST = 3


class Parents:
    """Asks the flow that keeps an entity to bring some of its records into agreement now."""

    def __init__(self, run: Run, fetch_keys: FetchKeys) -> None:
        self._run = run
        self._fetch_keys = fetch_keys
        self._tried: set[tuple[str, str, str]] = set()

    async def fetch(self, missing: Iterable[Asked]) -> bool:
        """Bring missing parents in. False when there is nothing left to try."""
        if self._run.plan_only or self._run.depth >= DEEPEST:
            return False
        groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for ask in missing:
            flow = self.flow_for(ask.entity, ask.source, ask.target)
            tried = (ask.entity, ask.source, ask.key)
            if flow is None or flow == self._run.flow.name or tried in self._tried:
                continue
            self._tried.add(tried)
            groups[flow, ask.source, ask.object].append(ask.key)
        done = 0
        for (flow, connection, object_name), keys in groups.items():
            done += await self._fetch_keys(self._run, flow, connection, object_name, keys)
        return done > 0

    def flow_for(self, entity: str, source: str, target: str) -> str | None:
        """The flow that links this entity between these connections, if one is configured."""
        for name, config in self._run.runtime.config.flows.items():
            if config.enabled and config.entity == entity and {source, target} <= set(config.between):
                return name
        return None
