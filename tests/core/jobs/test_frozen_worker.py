"""A worker frozen between the last look at its lease and the send, until another one has done its work: what
docs/daemon.md says remains."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from weft.state.workers import LeaseLost
from weft.sync.cycle import run_flow
from weft.sync.verify import verify
from weft.testing.memory import MemoryObject, MemorySystem

KEPT_APART = """
entity: customer
object: customers
key: [id]
match: [[tax_id]]
own_key: {field: own, form: text, length: 32}
returns: [number]
settle_seconds: 1
fields: {displayName: name, taxNumber: tax_id, number: {from: number, on: read}}
"""


class Frozen:
    """Stops the first write in the system itself, loop and all, as SIGSTOP stops a process."""

    def __init__(self, erp: MemorySystem, *, apart: bool) -> None:
        self.there, self.goes_on = threading.Event(), threading.Event()
        self.erp, self.apart = erp, apart
        erp.check = self.check

    def check(self, name: str, data: dict[str, Any]) -> str | None:
        if not self.there.is_set():
            self.there.set()
            assert self.goes_on.wait(60)
        taken = {row["own"] for row in self.erp.rows(name).values()} if self.apart else set()
        return f"own key {data['own']} is taken" if data.get("own") in taken else None


@pytest.mark.parametrize("apart", [True, False], ids=["keys kept apart", "keys not kept apart"])
async def test_what_a_frozen_worker_sends_late(pair: Any, postgres_url: str, until: Any, apart: bool) -> None:
    pair.state_url = postgres_url
    if apart:
        fields = dict.fromkeys(("id", "displayName", "taxNumber", "number", "own"), "text")
        customers = MemoryObject("customers", fields, key=("id",), assigns={"number": "C{:05d}".format})
        pair.erp = MemorySystem([customers], KEPT_APART, title="ERP")
    frozen = Frozen(pair.erp, apart=apart)
    pair.crm.put("Accounts", Name="Adatum", Tax="DE1")
    ended: list[BaseException] = []

    async def first() -> None:
        async with pair.runtime() as runtime:
            await run_flow(runtime, "customers")

    def worker() -> None:
        try:
            asyncio.run(first())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=worker)
    thread.start()
    try:
        await asyncio.to_thread(frozen.there.wait, 60)
        async with pair.working() as daemon:
            await until(lambda: pair.names() == ["Adatum"] and not daemon._active)
            frozen.goes_on.set()
            await asyncio.to_thread(thread.join, 60)
            assert [type(error) for error in ended] == [LeaseLost]
            pair.clock.forward(hours=2)
            state = daemon.runtime.state
            if apart:
                assert pair.names() == ["Adatum"]
                [proof] = await verify(daemon.runtime, ["customers"])
                assert proof.proven
            else:
                assert pair.names() == ["Adatum", "Adatum"]
                await until(lambda: state.read(lambda tx: tx.issues.page()))
                [issue] = await state.read(lambda tx: tx.issues.page())
                assert issue.kind == "ambiguous"
                assert issue.key in pair.erp.rows("customers")
                [proof] = await verify(daemon.runtime, ["customers"])
                assert (proof.agree, proof.only_right) == (1, 1)
    finally:
        frozen.goes_on.set()
        thread.join()
