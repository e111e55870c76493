from __future__ import annotations

import asyncio

import pytest

from weft.net.errors import Throttled
from weft.net.limiter import AdaptiveLimiter


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_never_more_in_flight_than_the_limit(clock):
    limiter = AdaptiveLimiter(initial=3, maximum=3, clock=clock, sleep=clock.sleep)
    highest = 0

    async def work():
        nonlocal highest
        async with limiter.slot():
            highest = max(highest, limiter.in_flight)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(20)))
    assert highest == 3
    assert limiter.in_flight == 0


async def test_live_overtakes_bulk(clock):
    limiter = AdaptiveLimiter(initial=1, maximum=1, clock=clock, sleep=clock.sleep)
    order = []

    async def work(name, lane):
        async with limiter.slot(lane):
            order.append(name)

    async with limiter.slot():
        tasks = [asyncio.create_task(work(f"bulk{i}", "bulk")) for i in range(3)]
        await settle()
        tasks.append(asyncio.create_task(work("live", "live")))
        await settle()
        assert limiter.waiting == 4
    await asyncio.gather(*tasks)
    assert order == ["live", "bulk0", "bulk1", "bulk2"]


async def test_grows_under_full_use_only(clock):
    limiter = AdaptiveLimiter(initial=2, maximum=4, clock=clock, sleep=clock.sleep)
    for _ in range(50):
        async with limiter.slot() as slot:
            limiter.succeeded(slot)
    assert limiter.limit == 2  # one at a time proves nothing about three
    for _ in range(20):
        slots = [limiter.slot() for _ in range(limiter.limit)]
        granted = [await s.__aenter__() for s in slots]
        for slot in granted:
            limiter.succeeded(slot)
        for s in slots:
            await s.__aexit__(None, None, None)
    assert limiter.limit == 4


async def test_a_wave_of_refusals_halves_once(clock):
    limiter = AdaptiveLimiter(initial=8, maximum=8, clock=clock, sleep=clock.sleep)
    slots = [limiter.slot() for _ in range(8)]
    granted = [await s.__aenter__() for s in slots]
    for slot in granted:
        limiter.throttled(slot, 2.0)
    assert limiter.limit == 4
    assert limiter.throttled_count == 8
    for s in slots:
        await s.__aexit__(None, None, None)
    async with limiter.slot() as slot:
        limiter.throttled(slot, 2.0)
    assert limiter.limit == 2


async def test_nobody_sends_during_a_hold(clock):
    limiter = AdaptiveLimiter(initial=4, maximum=4, clock=clock, sleep=clock.sleep)
    async with limiter.slot() as slot:
        limiter.throttled(slot, 30.0)
    assert limiter.held_for == 30.0
    starts = []

    async def work():
        async with limiter.slot():
            starts.append(clock.now)

    await asyncio.gather(*(work() for _ in range(4)))
    assert starts == [1030.0] * 4
    assert clock.slept == [30.0]


async def test_a_hold_beyond_patience_is_told_at_once(clock):
    limiter = AdaptiveLimiter(clock=clock, sleep=clock.sleep, system="erp")
    async with limiter.slot() as slot:
        limiter.throttled(slot, 300.0)
    with pytest.raises(Throttled, match="erp asked for a pause; 300 s") as caught:
        async with limiter.slot(patience=60):
            pytest.fail("must not be granted")
    assert caught.value.retry_after == 300.0
    assert clock.slept == []


async def test_cancelled_waiters_leave_no_trace(clock):
    limiter = AdaptiveLimiter(initial=1, maximum=1, clock=clock, sleep=clock.sleep)

    async def work():
        async with limiter.slot():
            pass

    async with limiter.slot():
        waiters = [asyncio.create_task(work()) for _ in range(3)]
        await settle()
        waiters[0].cancel()
        await settle()
    waiters[1].cancel()  # granted, but not yet run
    await asyncio.gather(*waiters, return_exceptions=True)
    assert limiter.in_flight == 0
    async with asyncio.timeout(1):
        async with limiter.slot():
            assert limiter.in_flight == 1


async def test_close_cancels_waiters(clock):
    limiter = AdaptiveLimiter(initial=1, maximum=1, clock=clock, sleep=clock.sleep)

    async def work():
        async with limiter.slot():
            pass

    async with limiter.slot():
        waiter = asyncio.create_task(work())
        await settle()
        limiter.close()
        with pytest.raises(asyncio.CancelledError):
            await waiter


@pytest.mark.parametrize("limits", [{"initial": 0}, {"initial": 9, "maximum": 8}, {"initial": 1, "minimum": 2}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(ValueError, match="limits must satisfy"):
        AdaptiveLimiter(**limits)
