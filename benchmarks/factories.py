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


def business_central(left: int, right: int) -> list[Simulator]:
    """One environment with two companies, *Left* and *Right*, that hold so many of the same customers."""
    from weft.testing.simulator.parties import party, rng
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

    async def edit(count: int | None = None, every: int = EVERY) -> dict[str, list[str]]:
        """People change credit limits on the left and telephone numbers on the right; which, by side."""
        changed: dict[str, list[str]] = {}
        for side, co, offset in (("left", left_co, 0), ("right", right_co, every // 2)):
            rows = [row for index, row in enumerate(list(co.tables["customers"])) if index % every == offset][:count]
            for index, row in enumerate(rows):
                value: Any = Decimal(50_000 + index) if side == "left" else f"+1 555 {index:07d}"
                field = "creditLimit" if side == "left" else "phoneNumber"
                sim.env.writer.update(co, co.schema["customers"], row, {field: value}, "*")
            changed[side] = [str(row["id"]) for row in rows]
        return changed

    sim.register("edit_some", edit, "edit some of the customers on both sides: count, every (50: 2 %)")
    return [sim]


def creatio(records: int) -> list[Simulator]:
    """A Creatio site with weft's package and so many accounts, all of them customers."""
    from weft_creatio.package.build import BuildOptions, build_archive
    from weft_creatio.package.contents import read_package
    from weft_creatio.package.model import load_model
    from weft_creatio.simulator import CreatioSimulator
    from weft_creatio.simulator.seed.parties import CUSTOMER, PARTNER, SUPPLIER

    sim = CreatioSimulator.create(records, 7, clock=SimClock(START))
    sim.installer.apply(read_package(build_archive(load_model(), BuildOptions())))
    sim.site.db.execute("UPDATE Account SET TypeId=? WHERE TypeId IN (?, ?)", (CUSTOMER, SUPPLIER, PARTNER))

    async def edit(count: int | None = None) -> dict[str, list[str]]:
        """People change credit limits; of which accounts."""
        ids = [key for (key,) in sim.site.db.execute("SELECT Id FROM Account ORDER BY Id")][::EVERY][:count]
        person = sim.as_user(None)
        for index, key in enumerate(ids):
            person.edit("Account", key, {"UsrCreditLimit": Decimal(50_000 + index)})
        return {"left": ids}

    sim.register("edit_some", edit, "edit 2 % of the accounts: count")
    return [sim]


def finance_operations() -> list[Simulator]:
    """An environment with one company and a handful of records."""
    from weft_d365fo.simulator import FinanceOperationsSimulator

    clock = SimClock(START, precision_ns=1_000_000)
    return [
        FinanceOperationsSimulator.create(records=4, documents=0, seed=5, companies=["usmf"], clock=clock, events=False)
    ]
