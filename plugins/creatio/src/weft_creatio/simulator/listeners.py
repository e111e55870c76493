"""Event listeners of installed packages: one outbox row per saved or deleted record of a heard object, and a push.

Which objects are heard, where the rows go and which setting holds the address to push to is read from the
package's C# source and objects (:class:`weft_creatio.package.contents.PackageContents`). The rows are written in
the transaction of the save. A push is made in the background, once, whatever becomes of the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from weft.testing.simulator import Simulator
from weft.testing.simulator.events import Event, EventSender

from .database import Raw
from .model import Entity
from .values import cut_instant, raw_instant

if TYPE_CHECKING:
    from .pipeline import User
    from .site import Site


_NOBODY = "00000000-0000-0000-0000-000000000000"
_TICKS_1970 = 621_355_968_000_000_000
"""1970-01-01 in .NET ticks of 100 ns."""


@dataclass(frozen=True)
class Outbox:
    """The object a package's listeners write to, and which of its columns hold what."""

    object: str
    entity: str
    record: str
    operation: str
    occurred: str | None
    sequence: str | None
    parent_name: str | None
    parent_id: str | None


def find_outbox(entity: Entity) -> Outbox | None:
    """Recognise an outbox by its columns, whatever their prefix (`UsrEntityName`, `UsrRecordId` ...); else None."""

    def named(ending: str) -> str | None:
        return next((c for c in entity.columns if c.endswith(ending)), None)

    record, name, operation = named("RecordId"), named("EntityName"), named("Operation")
    if record is None or name is None or operation is None:
        return None
    return Outbox(
        entity.name, name, record, operation, named("OccurredOn"), named("Sequence"), named("ParentName"),
        named("ParentId"),
    )  # fmt: skip


class Listeners:
    """Objects heard by installed packages."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._heard: dict[str, tuple[Outbox, str | None, str | None]] = {}
        self._sequence = 0
        self._pushes = 0
        self.sender: EventSender | None = None
        """Pushes what is queued; there once the site is served."""

    def attach(self, sim: Simulator, ca_file: str | None) -> None:
        """Push as the C# does: each hint by itself, once, for at most five seconds."""
        self.sender = EventSender(
            sim, delay=0, timeout=5, render=lambda entries: orjson.dumps(entries[0]), ca_file=ca_file, together=False
        )

    def hear(self, name: str, outbox: Outbox, parent: str | None = None, push: str | None = None) -> None:
        """Write a row to `outbox` for each save of `name`; `parent`: its lookup (without Id) to its document;
        `push`: the system setting with the address to push to."""
        self._heard[name] = (outbox, parent, push)

    @property
    def heard(self) -> frozenset[str]:
        return frozenset(self._heard)

    def notify(self, name: str, row: Raw, operation: str, user: User) -> None:
        """A record was saved or deleted through the entity layer."""
        found = self._heard.get(name)
        if found is None:
            return
        outbox, parent, push = found
        site = self._site
        values: Raw = {outbox.entity: name, outbox.record: row["Id"], outbox.operation: operation}
        stamp = site.clock.stamp_ns()
        if outbox.occurred:
            values[outbox.occurred] = cut_instant(raw_instant(stamp), site.settings.fraction_digits)
        if outbox.sequence:
            self._sequence += 1
            values[outbox.sequence] = f"{stamp // 100 + _TICKS_1970:019d}-{self._sequence % 1_000_000:06d}"
        column = site.model.entity(name).navs.get(parent) if parent else None
        if column is not None:
            if outbox.parent_name:
                values[outbox.parent_name] = column.ref
            if outbox.parent_id:
                values[outbox.parent_id] = row.get(column.name)
        site.pipeline.create(outbox.object, values, user)
        url = site.setting_value(push) if push else None
        if url and self.sender is not None:
            entry = {"entity": name, "id": row["Id"], "parentName": "", "parentId": _NOBODY}
            if column is not None:
                entry |= {"parentName": column.ref or "", "parentId": row.get(column.name) or _NOBODY}
            self._pushes += 1
            self.sender.put(Event(str(url), entry, str(self._pushes)))
