"""Systems that are busy, away, or answer nonsense; tokens that expire."""

from __future__ import annotations

import asyncio
import time

from weft.errors import AuthError, ConfigError, EndpointDown
from weft.records import Page
from weft.testing.contract.bench import Bench
from weft.testing.contract.notes import MemoryNotes
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import create, finish, new_item, write

area = Area("faults")

PAUSE = 1.0
"""Seconds that a throttling system asks for."""


@area.check
async def retry_after_is_obeyed(bench: Bench) -> None:
    """A system that throttles (429) with Retry-After is asked again no sooner, and then the read succeeds; or the
    read raises EndpointDown with retry_after."""
    key = await bench.person_creates()
    await bench.session()
    strike = await bench.system.strike("throttle", on="read", retry_after=PAUSE)
    began = time.monotonic()
    try:
        records, _ = await bench.read("scan")
    except EndpointDown as error:
        bench.demand((error.retry_after or 0) >= PAUSE * 0.5, f"EndpointDown says retry_after={error.retry_after}")
        return
    took = time.monotonic() - began
    bench.demand(strike.struck, "the fault did not strike")
    bench.demand(key in records, "a scan that was throttled leaves out a record")
    bench.demand(took >= PAUSE * 0.95, f"Retry-After said {PAUSE:g} s, and the read was done after {took:.2f} s")


@area.check
async def throttled_write_is_written_once(bench: Bench) -> None:
    """A write refused with 429 was not carried out: it is repeated after the time asked for, or `retry`."""
    await bench.session()
    before = await bench.keys()
    item, notes = await new_item(bench), MemoryNotes()
    await bench.system.strike("throttle", on="write", retry_after=PAUSE)
    outcome = (await write(bench, [item], notes))[item.id]
    bench.demand(outcome.result in ("created", "retry"), f"a throttled create is {outcome.result}")
    await bench.system.calm()
    await finish(bench, item, outcome, notes)
    bench.demand(len(await bench.keys()) == len(before) + 1, "a throttled create did not make exactly one record")


@area.check
async def short_outage_is_survived(bench: Bench) -> None:
    """One 503 does not end a read: it is repeated, or EndpointDown is raised; records are never left out."""
    keys = {await bench.person_creates() for _ in range(bench.harness.page_size + 1)}
    await bench.session()
    await bench.system.strike("throttle", on="read", status=503, retry_after=0)
    try:
        records, _ = await bench.read("scan")
    except EndpointDown:
        return
    bench.demand(keys <= records.keys(), "a scan during a short outage leaves out records")


@area.check
async def outage_is_endpoint_down(bench: Bench) -> None:
    """A system that is off the net raises EndpointDown when it is read: core tries later and alarms nobody else."""
    await bench.person_creates()
    await bench.session()
    await bench.system.stop()
    error = await bench.raises(lambda: bench.read("scan"), "a scan of a system off the net")
    bench.demand(isinstance(error, EndpointDown), f"a system off the net raises {type(error).__name__}: {error}")


async def _unusable(bench: Bench, kind: str, **options: object) -> None:
    await bench.person_creates()
    await bench.session()
    strike = await bench.system.strike(kind, on="read", count=None, **options)
    error = await bench.raises(lambda: bench.read("scan"), f"a scan answered with {kind}")
    bench.demand(strike.struck, "the fault did not strike")
    bench.demand(isinstance(error, EndpointDown | AuthError | ConfigError), f"it raises {type(error).__name__}")
    python = ("JSONDecodeError", "Expecting value", "KeyError", "Traceback", "NoneType")
    said = str(error)
    inside = any(word in said for word in python)
    bench.demand(not inside, f"the error speaks of Python, not of the system: {said[:200]}")


@area.check
async def html_in_place_of_data(bench: Bench) -> None:
    """An HTML page in place of data (a login or maintenance page) is an error in words, never records and never an
    empty answer."""
    await _unusable(bench, "html")


@area.check
async def truncated_data(bench: Bench) -> None:
    """Data that breaks off in the middle is an error in words; what was read so far is not taken for all there is."""
    await _unusable(bench, "truncate")


@area.check
async def expired_token_is_renewed(bench: Bench) -> None:
    """A token that expires between pages is renewed by the session itself; the read goes on and misses nothing."""
    keys = {await bench.person_creates() for _ in range(2 * bench.harness.page_size + 1)}
    await bench.session()

    async def expire(number: int, page: Page) -> None:
        if number == 0:
            await bench.system.strike("token_expiry", on="any")

    try:
        records, _ = await bench.read("scan", expire)
    except (AuthError, EndpointDown) as error:
        bench.fail(f"a token that expired in the middle of a scan ends it: {error}")
    bench.demand(keys <= records.keys(), "a scan during which the token expired leaves out records")


@area.check
async def expired_token_does_not_double(bench: Bench) -> None:
    """A create refused because the token expired was not carried out: it is sent again with a fresh one, once."""
    await bench.session()
    before = len(await bench.keys())
    await bench.system.strike("token_expiry", on="write")
    await create(bench, await new_item(bench))
    bench.demand(len(await bench.keys()) == before + 1, "a create during which the token expired made several records")


@area.check
async def concurrent_calls_renew_once(bench: Bench) -> None:
    """When a token expires under several calls at once, all of them go on, and there is one login, not one each:
    repeated logins lock accounts."""
    keys = {await bench.person_creates() for _ in range(3)}
    await bench.session()
    await bench.read("scan")
    before = bench.system.logins()
    await bench.system.strike("token_expiry", on="any")
    try:
        reads = await asyncio.gather(*(bench.read("scan") for _ in range(6)))
    except (AuthError, EndpointDown) as error:
        bench.fail(f"several reads at once do not survive an expired token: {error}")
    bench.demand(all(keys <= records.keys() for records, _ in reads), "reads at once leave out records")
    logins = bench.system.logins() - before
    bench.demand(logins <= 2, f"six calls at once made {logins} logins after the token expired")


@area.check
async def calls_may_overlap(bench: Bench) -> None:
    """Calls for one session may overlap: reads and writes at once do not mix up their results."""
    keys = {await bench.person_creates() for _ in range(2 * bench.harness.page_size)}
    items = [await new_item(bench) for _ in range(4)]
    await bench.session()
    scans = [bench.read("scan") for _ in range(3)]
    fetches = [bench.by_keys([key]) for key in sorted(keys)]
    writes = [create(bench, item) for item in items]
    scanned, fetched, written = await asyncio.gather(
        asyncio.gather(*scans), asyncio.gather(*fetches), asyncio.gather(*writes)
    )
    bench.demand(all(keys <= records.keys() for records, _ in scanned), "scans at once leave out records")
    for key, page in zip(sorted(keys), fetched, strict=True):
        got = [record.key for record in page.records]
        bench.demand(got == [key], f"a read of {key} among others gets another record: {got}")
    native = bench.spec(bench.role("text")).native
    for item, outcome in zip(items, written, strict=True):
        held = (await bench.fetch(str(outcome.key))).data.get(native)
        bench.demand(held == item.data[native], f"writes at once mix up keys: {outcome.key} holds {held!r}")
