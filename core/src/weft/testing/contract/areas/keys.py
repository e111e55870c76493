"""Reading by key: found, gone, moved and invisible are told apart."""

from __future__ import annotations

from weft.errors import WeftError
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import create, new_document

area = Area("keys")


@area.check
async def key_reads_find(bench: Bench) -> None:
    """A keys read delivers each record that is there, under the key it was asked by, however many are asked."""
    keys = [await bench.person_creates() for _ in range(4 * bench.harness.page_size + 1)]
    page = await bench.by_keys(keys)
    found = {record.key for record in page.records}
    bench.demand(found == set(keys), f"of {len(keys)} keys, {len(set(keys) - found)} are not found")
    bench.demand(not page.gone and not page.invisible, "records that are there are reported gone or invisible")


@area.check
async def deleted_is_gone(bench: Bench) -> None:
    """A deleted record is reported gone, beside others that are found, and each key is answered once."""
    bench.allowed("deletes")
    stays, goes = await bench.person_creates(), await bench.person_creates()
    await bench.system.delete(bench.object, goes, bench.company)
    page = await bench.by_keys([goes, stays])
    bench.demand(goes in page.gone, "a deleted record is not reported gone, so core takes it for invisible")
    bench.demand([record.key for record in page.records] == [stays], "the record beside a deleted one is not found")
    bench.demand(stays not in page.gone, "a record that is there is reported gone")


@area.check
async def hidden_is_not_gone(bench: Bench) -> None:
    """A record the user may no longer see is invisible, never gone: core would carry out a delete.
    Where the system itself does not let the two be told apart, saying nothing about the key is the same."""
    hidden, seen = await bench.person_creates(), await bench.person_creates()
    await bench.session()
    await bench.system.hide(bench.object, hidden, bench.company)
    try:
        page = await bench.by_keys([hidden, seen])
    except WeftError:
        return  # a right that is missing may be an error in words; it says nothing of gone
    bench.demand(hidden not in page.gone, "a record that is only hidden from the user is reported gone")
    bench.demand(hidden not in {record.key for record in page.records}, "the harness hid a record that is still read")


@area.check
async def moved_is_not_gone(bench: Bench) -> None:
    """A record that lives on elsewhere (posted, converted, merged) is reported moved, with its new object and key."""
    key = await bench.person_creates()
    try:
        moved = await bench.system.move(bench.object, key, bench.company)
    except Unsupported:
        bench.document()
        key = str((await create(bench, await new_document(bench))).key)
        moved = await bench.system.move(bench.object, key, bench.company)
    page = await bench.by_keys([key])
    bench.demand(key not in page.gone, f"a record that moved to {moved.to_object} is reported gone")
    told = [one for one in page.moved if one.key == key]
    bench.demand(told, f"a record that moved to {moved.to_object} is not reported moved")
    bench.demand(
        (told[0].to_object, told[0].to_key) == (moved.to_object, moved.to_key),
        f"the record lives on as {moved.to_object}({moved.to_key}), told is {told[0].to_object}({told[0].to_key})",
    )


@area.check
async def failed_key_read_says_nothing_of_gone(bench: Bench) -> None:
    """A keys read that fails raises; no key of it is gone."""
    keys = [await bench.person_creates() for _ in range(2)]
    await bench.session()
    for status in (500, 503):
        strike = await bench.system.strike("error_before", on="read", status=status, count=None)
        error = await bench.raises(lambda: bench.by_keys(keys), f"a keys read answered {status}")
        bench.demand(strike.struck, "the fault did not strike")
        bench.demand("gone" not in str(error).split(), "the error speaks of gone records")
        await bench.system.calm()


@area.check
async def failed_scan_raises(bench: Bench) -> None:
    """A scan that fails between pages raises EndpointDown; what it yielded before carries no cursor that passes
    what was not read."""
    for _ in range(3 * bench.harness.page_size):
        await bench.person_creates()
    await bench.age()
    every = set(await bench.keys())
    seen: set[str] = set()
    cursors: list[str] = []

    async def read() -> None:
        session = await bench.session()
        query = bench.query("scan")
        pages = bench.plugins.iterate_around(
            bench.harness.kind, "read", ctx=bench.context(), session=session, query=query
        )
        async for page in pages:
            seen.update(record.key for record in page.records)
            if page.cursor is not None and seen != every:
                cursors.append(page.cursor)
            await bench.system.strike("error_before", on="read", status=500, count=None)

    await bench.raises(read, "a scan whose second page is answered 500")
    await bench.system.calm()
    for cursor in cursors:
        later, _ = await bench.read("changes", cursor=cursor)
        bench.demand(every - seen <= later.keys(), "a scan that failed gave out a cursor that passes unread records")
