"""Simulators with the same data every time: clocks start at a fixed moment, ids come from a seed.

A request recorded against one of them means the same to the next one, which is what lets the floor send
exactly what weft sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from weft.testing.simulator import SimClock, Simulator

START = datetime(2024, 6, 3, 8, 0, tzinfo=UTC)
EVERY = 50
"""One record in so many is edited on each side: 2 %."""


def edited(index: int, offset: int) -> bool:
    """The left side edits one record of fifty, the right side another one."""
    return index % EVERY == offset


def business_central(left: int, right: int) -> list[Simulator]:
    """One environment with two companies, *Left* and *Right*, that hold so many of the same customers."""
    from weft_bc.simulator.parties import party, rng
    from weft_bc.simulator.seed import customers
    from weft_bc.simulator.seed_setup import setup
    from weft_bc.simulator.server import BusinessCentralSimulator
    from weft_bc.simulator.settings import Settings
    from weft_bc.simulator.values import stamp

    sim = BusinessCentralSimulator(Settings(webhooks=False), clock=SimClock(START, precision_ns=1_000_000))
    now = START.timestamp()
    for name, count in (("Left", left), ("Right", right)):
        co = sim.env.add_company(name, lcy="USD", country="US", rng=rng(0, f"company {name}"))
        setup(co, stamp(now - 90 * 86_400), START.date().isoformat())
        customers(co, [party(index) for index in range(count)], now)
    left_co, right_co = sim.env.companies.values()

    async def edit(offset: int = 0, count: int | None = None) -> int:
        """People change credit limits on the left and telephone numbers on the right."""
        done = 0
        for co, place, values in ((left_co, offset, "creditLimit"), (right_co, offset + EVERY // 2, "phoneNumber")):
            for index, row in enumerate(list(co.tables["customers"])):
                if edited(index, place % EVERY) and (count is None or done < count):
                    value: Any = Decimal(500 + index) if values == "creditLimit" else f"+1 555 {index:07d}"
                    sim.env.writer.update(co, co.schema["customers"], row, {values: value}, "*")
                    done += 1
        return done

    sim.register("edit_some", edit, "edit 2 % of the customers on both sides: offset, count")
    return [sim]
