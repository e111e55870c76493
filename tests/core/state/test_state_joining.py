"""Small writes that share a transaction: together on disk, each with its own result and its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import pytest

from weft.records import Hint
from weft.state import State
from weft.state.tx import Tx


def put(key: str, now: datetime) -> Callable[[Tx], str]:
    def write(tx: Tx) -> str:
        tx.hints.put_many("customers", "crm", [Hint("Account", key, "")], now)
        return key

    return write


def kept(state: State) -> set[str]:
    with state.begin(writes=False) as tx:
        return {hint.key for hint in tx.hints.peek("customers")}


async def test_writes_of_one_moment_share_few_transactions(state: State, now: datetime) -> None:
    waits: list[float] = []
    state.meter.state_write = waits.append  # type: ignore[method-assign]
    keys = [str(number) for number in range(50)]
    assert await asyncio.gather(*(state.join(put(key, now)) for key in keys)) == keys
    assert kept(state) == set(keys)
    assert len(waits) <= 2


async def test_one_that_fails_takes_no_other_with_it(state: State, now: datetime) -> None:
    def broken(tx: Tx) -> None:
        put("half", now)(tx)
        raise ValueError("this one")

    works = [put("a", now), broken, put("b", now)]
    results = await asyncio.gather(*(state.join(work) for work in works), return_exceptions=True)
    assert results[0] == "a"
    assert results[2] == "b"
    assert isinstance(results[1], ValueError)
    assert kept(state) == {"a", "b"}


async def test_a_cancelled_caller_waits_until_its_write_is_over(state: State, now: datetime) -> None:
    task = asyncio.create_task(state.join(put("a", now)))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert kept(state) == {"a"}


async def test_writes_are_taken_up_again_after_a_pause(state: State, now: datetime) -> None:
    with pytest.raises(ZeroDivisionError):
        await state.join(lambda tx: 1 // 0)
    assert await state.join(put("later", now)) == "later"
