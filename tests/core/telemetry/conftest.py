"""Two small systems in memory, a flow between them, and a runtime over it whose clock a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.testing.memory import MemoryObject, MemorySystem

MAP = """
entity: customer
object: Rows
key: [Id]
match: [[name]]
fields: {Name: name, Phone: phone}
"""
CONFIG = """
connections:
  crm: {kind: memcrm}
  erp: {kind: memerp}
flows:
  customers: {entity: customer, between: [crm, erp]}
"""


@dataclass
class Clock:
    at: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Watched:
    """A runtime, its two systems and its clock."""

    runtime: Runtime
    crm: MemorySystem
    erp: MemorySystem
    clock: Clock


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    fields = {"Id": "text", "Name": "text", "Phone": "text"}
    systems = [MemorySystem([MemoryObject("Rows", fields)], MAP, title=title) for title in ("CRM", "ERP")]
    plugins, clock = Plugins(), Clock()
    for kind, system in zip(("memcrm", "memerp"), systems, strict=True):
        plugins.register(kind, system, f"weft-{kind}", "1")
        system.clock = clock.now
    config = load_text(CONFIG, plugins=plugins)
    async with (
        State.open(f"sqlite:///{tmp_path / 'weft.db'}") as state,
        Runtime(config, state, plugins, clock=clock) as runtime,
    ):
        yield Watched(runtime, *systems, clock)
