"""Bulk loads as data packages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from weft.records import Item, Outcome

if TYPE_CHECKING:
    from weft_d365fo.settings import FoSettings
    from weft_d365fo.writing import Writer


def fits(settings: FoSettings, items: Sequence[Item]) -> list[Item]:
    """Those that go as a package."""
    return []


class Packages:
    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def write(self, items: Sequence[Item]) -> AsyncIterator[Outcome]:
        for item in items:
            yield Outcome(item.id, "retry")
