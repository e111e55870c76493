"""Proofs while people go on working: what moves during a proof is no difference, what stays is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from weft.sync import verify as module
from weft.sync.cycle import sync
from weft.sync.verify import Agreement, verify


async def proof_during(
    world: Any, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None], *, synced: bool = True
) -> Agreement:
    """A proof; when it has read the right side, ``meanwhile`` happens and (perhaps) the daemon follows."""
    async with world.runtime() as runtime:
        scan, happened = module.scan, []

        async def follow() -> None:
            meanwhile()
            if synced:
                await sync(runtime, ["customers"])

        async def reading(run: Any, end: Any, *more: Any) -> AsyncIterator[Any]:
            if end.side == "left" and not happened:
                happened.append(True)
                await follow()
            async for page in scan(run, end, *more):
                yield page

        monkeypatch.setattr(module, "scan", reading)
        [proof] = await verify(runtime, ["customers"])
        assert happened
        return proof


@pytest.fixture
async def three(world: Any) -> list[str]:
    """Keys of customers that both sides agree about."""
    keys = [world.crm.put("Accounts", Name=f"A{n}", Tax=f"DE{n}", Limit=Decimal("10.10")) for n in range(3)]
    await world.sync("customers")
    return keys


def counts(proof: Agreement) -> tuple[int, ...]:
    return proof.agree, proof.differ, proof.only_left, proof.only_right, proof.not_compared


async def test_what_is_edited_made_and_deleted_meanwhile_is_no_difference(world, three, monkeypatch) -> None:
    def work() -> None:
        world.crm.edit("Accounts", three[0], Name="Renamed", Limit=Decimal("20.20"))
        world.crm.put("Accounts", Name="New", Tax="DE9", Limit=Decimal("5.00"))
        world.erp.put("customers", displayName="New in the ERP", taxNumber="DE8", creditLimit=Decimal("1.00"))

    proof = await proof_during(world, monkeypatch, work)
    assert counts(proof) == (5, 0, 0, 0, 0)
    assert proof.totals["credit_limit"]["-"] == {"left": Decimal("46.40"), "right": Decimal("46.40")}
    assert proof.proven
    assert proof.samples == []


async def test_what_nobody_has_carried_over_is_told_once(world, three, monkeypatch) -> None:
    gone = next(key for key, row in world.erp.rows("customers").items() if row["displayName"] == "A2")

    def work() -> None:
        world.crm.edit("Accounts", three[0], Name="Renamed")
        world.crm.put("Accounts", Name="New", Tax="DE9")
        world.crm.remove("Accounts", three[1])

    world.erp.remove("customers", gone)
    world.erp.put("customers", displayName="New in the ERP", taxNumber="DE8")
    proof = await proof_during(world, monkeypatch, work, synced=False)
    assert counts(proof) == (0, 1, 2, 2, 0)
    [differing] = [one for one in proof.samples if one.status == "differ"]
    assert differing.fields == {"name": {"left": "Renamed", "right": "A0"}}
    assert {(one.label, one.reason) for one in proof.samples if one.status == "only_right"} == {
        ("C00002 A1", "its counterpart is not there, or outside the flow"),
        ("C00004 New in the ERP", "not linked"),
    }


async def test_where_there_are_too_many_they_are_told_at_once(world, three, monkeypatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 1)
    for key in world.erp.rows("customers"):
        world.erp.edit("customers", key, displayName="Other")
    async with world.runtime() as runtime:
        [proof] = await verify(runtime, ["customers"])
    assert counts(proof) == (0, 3, 0, 0, 0)
    assert len(proof.samples) == 3
