"""The read replica that Data-Access-Intent: ReadOnly reads: a copy of a company, some seconds old."""

from __future__ import annotations

from collections import deque

from weft.testing.odata.store import Row
from weft_bc.simulator.company import Change, Company


class Replica:
    """Changes wait until they are ``replica_lag`` seconds old, then are applied at the next read."""

    def __init__(self, primary: Company) -> None:
        self.primary = primary
        self.copy: Company | None = None
        self.waiting: deque[tuple[int, str, str, Row | None]] = deque()

    def _make(self) -> Company:
        source = self.primary
        copy = Company(
            source.id, source.name, schema=source.schema, settings=source.settings, clock=source.clock,
            rng=source.rng, lcy=source.lcy, country=source.country,
        )  # fmt: skip
        copy.roles = source.roles
        pending = {(name, key) for _, name, key, _ in self.waiting}
        for name, table in source.tables.items():
            copy.tables[name].load(row for row in table if (name, table.key_of(row)) not in pending)
        return copy

    def note(self, changes: list[Change]) -> None:
        """Remember committed changes; the copy is made with the first, before anything is missed."""
        now = self.primary.clock.now_ns()
        for change in changes:
            self.waiting.append((now, change.set, change.key, change.row))

    def start(self) -> None:
        """Take the copy of what is there now (after seeding)."""
        self.waiting.clear()
        self.copy = self._make()

    def current(self) -> Company:
        if self.copy is None:
            self.start()
        assert self.copy is not None
        due = self.primary.clock.now_ns() - round(self.primary.settings.replica_lag * 1e9)
        while self.waiting and self.waiting[0][0] <= due:
            _, name, key, row = self.waiting.popleft()
            table = self.copy.tables[name]
            old = table.get(key)
            if old is not None:
                table.delete(key)
            if row is not None:
                table.insert(row)
        return self.copy
