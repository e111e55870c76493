"""What fails on one record fails for that record: in mappings, rules and plugins, in passes and for hints alike."""

from __future__ import annotations

from typing import Any

import pytest

from weft import around
from weft.errors import EndpointDown
from weft.records import Hint
from weft.sync.cycle import run_flow


class Fragile:
    """A plugin whose mapping has a defect that shows with some names only."""

    def __init__(self, direction: str, bad: str) -> None:
        @around("map", kind="memcrm" if direction == "in" else "memerp")
        async def wrapper(call: Any, direction: str, records: Any) -> Any:
            if direction == wanted:
                for record in records:
                    values = record.data if direction == "in" else record.fields
                    if bad in str(values):
                        raise KeyError("Region")
            return await call()

        wanted = direction
        self.wrapper = wrapper


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_a_defect_on_one_record_leaves_the_others_alone(world: Any, direction: str) -> None:
    for n in range(5):
        world.crm.put("Accounts", Name=f"Customer {n}", Tax=f"DE{n}")
    bad = world.crm.put("Accounts", Name="Broken", Tax="DE9")
    world.extra = {"fragile": Fragile(direction, "Broken")}
    [report] = await world.sync("customers")
    assert report.state == "issues"
    assert len(world.erp.rows("customers")) == 5
    [issue] = await world.issues()
    assert (issue.kind, issue.key, issue.code) == ("failed", bad, "defect")
    assert "KeyError: 'Region'" in issue.reason

    # Live: one hint for the record that fails, and one for another, in one batch.
    [good, *_] = world.crm.rows("Accounts")
    world.crm.edit("Accounts", good, Name="Renamed")
    world.crm.edit("Accounts", bad, Name="Broken again")
    async with world.runtime() as runtime:
        hints = [Hint("Accounts", key) for key in (bad, good)]
        now = runtime.clock.now()
        await runtime.state.write(lambda tx: tx.hints.put_many("customers", "crm", hints, now))
        done = await run_flow(runtime, "customers", mode="hints", lane="live")
        assert done.state == "issues", done.error
        assert not await runtime.state.read(lambda tx: tx.hints.counts())
    assert "Renamed" in {row["displayName"] for row in world.erp.rows("customers").values()}

    world.extra = {}  # the plugin is mended
    await world.sync("customers", sweep=True)
    assert len(world.erp.rows("customers")) == 6
    assert not await world.issues(state="open")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("owner: crm}", "owner: crm, when: name > 5 or tax_id != null}", "expression"),
        ("owner: crm}", "owner: crm, approve: name > 5}", "expression"),
        ("owner: crm}", "owner: crm, company: [{when: 'name > 5', to: erp}, {to: erp}]}", "expression"),
    ],
    ids=["when", "approve", "company"],
)
async def test_a_rule_that_fails_on_a_record_stops_that_record_only(world: Any, old: str, new: str, code: str) -> None:
    world.configure(old, new)
    world.crm.put("Accounts", Name="A text", Tax="DE1")
    world.crm.put("Accounts", Tax="DE2")  # has no name to be compared with a number
    [report] = await world.sync("customers")
    assert report.state == "issues"
    [issue] = await world.issues()
    assert (issue.kind, issue.code) == ("failed", code)
    assert "cannot be compared" in issue.reason
    assert [row["taxNumber"] for row in world.erp.rows("customers").values()] == ["DE2"]


async def test_what_is_no_record_s_fault_stops_the_flow(world: Any) -> None:
    class Register:
        @around("map", kind="memcrm")
        async def look_up(call: Any) -> Any:
            raise EndpointDown("the register of companies does not answer")

    world.crm.put("Accounts", Name="Adatum", Tax="DE1")
    world.extra = {"register": Register}
    [report] = await world.sync("customers")
    assert report.state == "down"
    assert not await world.issues()
