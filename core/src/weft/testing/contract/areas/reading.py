"""Scans, changes and cursors: nothing is skipped."""

from __future__ import annotations

from weft.records import Page
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area

area = Area("read")


@area.check
async def scan_delivers_everything(bench: Bench) -> None:
    """A scan delivers every record, also when their number is just below, at or above a page's."""
    size = bench.harness.page_size
    there = set(await bench.keys())
    for _ in range(2 * size + 1):
        there.add(await bench.person_creates())
        records, _ = await bench.read("scan")
        missing = there - records.keys()
        bench.demand(not missing, f"a scan of {len(there)} records by pages of {size} leaves out {sorted(missing)}")
        more = records.keys() - there
        bench.demand(not more, f"a scan delivers records that are not there: {sorted(more)}")


@area.check
async def cursor_passes_no_unread_page(bench: Bench) -> None:
    """A cursor is given only when everything before it has been delivered: going on from any of them misses
    nothing that was not delivered yet."""
    for _ in range(2 * bench.harness.page_size + 1):
        await bench.person_creates()
    await bench.age()
    pages = await bench.pages(bench.query("scan"))
    seen: set[str] = set()
    every = {record.key for page in pages for record in page.records}
    for number, page in enumerate(pages):
        seen |= {record.key for record in page.records}
        if page.cursor is None or seen == every:
            continue
        later, _ = await bench.read("changes", cursor=page.cursor)
        missing = every - seen - later.keys()
        bench.demand(
            not missing,
            f"page {number + 1} of {len(pages)} of a scan carries a cursor, and going on from it never delivers "
            f"{sorted(missing)}, which later pages hold",
        )


@area.check
async def quiet_after_a_scan(bench: Bench) -> None:
    """Changes from the cursor of a scan, with nothing changed since, deliver nothing new: at most repeats."""
    await bench.person_creates()
    records, cursor = await bench.read("scan")
    for _ in range(2):
        again, cursor = await bench.read("changes", cursor=cursor)
        for key, record in again.items():
            bench.demand(key in records, f"the record {key} was not in the scan, and nothing was added since")
            bench.demand(record.version == records[key].version, f"an untouched record's version changes: {key}")


@area.check
async def change_appears(bench: Bench) -> None:
    """What was added or edited after a cursor is in the changes read from it, with what it holds now."""
    text = bench.role("text")
    edited = await bench.person_creates()
    _, cursor = await bench.read("scan")
    added = await bench.person_creates()
    await bench.person_edits(edited, "edited after the scan")
    records, cursor = await bench.read("changes", cursor=cursor)
    bench.demand(added in records, "a record added after the cursor is not in the changes")
    bench.demand(edited in records, "a record edited after the cursor is not in the changes")
    value = (await bench.canonical([records[edited]]))[0].fields.get(text)
    bench.demand(value == "edited after the scan", f"an edited record is delivered with {text} {value!r}")
    await bench.person_edits(added, "edited later")
    records, _ = await bench.read("changes", cursor=cursor)
    bench.demand(added in records, "a second change, after the cursor of a changes read, is not delivered")


@area.check
async def version_follows_the_record(bench: Bench) -> None:
    """A record's version changes whenever the record does, whichever way it is read."""
    key = await bench.person_creates()
    before = await bench.fetch(key)
    scanned = (await bench.read("scan"))[0][key]
    bench.demand(before.version == scanned.version, "a scan and a keys read tell different versions of one record")
    await bench.person_edits(key, "another text")
    after = await bench.fetch(key)
    if before.version is not None:
        bench.demand(before.version != after.version, "a record was edited and its version stayed the same")


@area.check
async def changes_without_a_cursor(bench: Bench) -> None:
    """Changes without a cursor start from now: no record, but a cursor that later changes are found from."""
    await bench.person_creates()
    records, cursor = await bench.read("changes", cursor=None)
    bench.demand(not records, f"changes without a cursor deliver {len(records)} records")
    added = await bench.person_creates()
    records, _ = await bench.read("changes", cursor=cursor)
    bench.demand(added in records, "a record added after the first cursor is not delivered")


async def _moving(bench: Bench, mode: str, cursor: str | None, ours: list[str]) -> None:
    """People work while pages are read: an edit, an addition and a deletion between any two pages. What is
    deleted was delivered already, so that the rest moves up in its place."""
    touched: set[str] = set()
    gone: set[str] = set()
    before = set(await bench.keys()) if mode == "scan" else set(ours)
    order = sorted(ours)

    async def between(number: int, page: Page) -> None:
        if number > 2:
            return
        delivered = [record.key for record in page.records if record.key in order]
        if bench.subject.deletes and delivered and len(order) > 4:
            order.remove(delivered[0])
            await bench.system.delete(bench.object, delivered[0], bench.company)
            gone.add(delivered[0])
        key = order[len(order) // 2]
        await bench.person_edits(key, f"moved while reading {number}")
        touched.update([key, await bench.person_creates()])

    records, after = await bench.read("scan" if mode == "scan" else "changes", between, cursor=cursor)
    later, _ = await bench.read("changes", cursor=after)
    missing = (before | touched) - gone - records.keys() - later.keys()
    bench.demand(not missing, f"{sorted(missing)} are neither in the {mode} read during which people worked nor after")
    for key in touched - gone:
        newest = (later.get(key) or records[key]).version
        now = (await bench.fetch(key)).version
        bench.demand(newest == now, f"the edit of {key} while pages were read is never delivered")


@area.check
async def nothing_skipped_while_scanning(bench: Bench) -> None:
    """A record changed, added or moved while a scan is paging appears in it or in the changes after it."""
    ours = [await bench.person_creates() for _ in range(3 * bench.harness.page_size)]
    await bench.age()
    await _moving(bench, "scan", None, ours)


@area.check
async def nothing_skipped_while_reading_changes(bench: Bench) -> None:
    """A record changed, added or moved while changes are paging appears in them or in the next ones."""
    _, cursor = await bench.read("scan")
    ours = [await bench.person_creates() for _ in range(3 * bench.harness.page_size)]
    await _moving(bench, "changes", cursor, ours)


@area.check
async def late_commit_not_missed(bench: Bench) -> None:
    """A change stamped before the cursor and committed after it is delivered by the next changes read."""
    late, prompt = await bench.person_creates(), await bench.person_creates()
    await bench.age()
    _, cursor = await bench.read("scan")
    with bench.system.late():
        await bench.person_edits(late, "committed late")
    await bench.tick()
    await bench.person_edits(prompt, "committed in time")
    await bench.tick()
    records, cursor = await bench.read("changes", cursor=cursor)
    bench.demand(prompt in records, "a change committed in time is not delivered")
    native = bench.spec(bench.role("text")).native
    early = records.get(late)
    if early is not None and early.data.get(native) == "committed late":
        raise Unsupported("the harness did not hold the commit back: the late change is read at once")
    await bench.system.release()
    records, _ = await bench.read("changes", cursor=cursor)
    held = records[late].data.get(native) if late in records else None
    bench.demand(held == "committed late", "a change that was stamped early and committed late is never delivered")


@area.check
async def equal_times_not_skipped(bench: Bench) -> None:
    """Records with one and the same time of change are all delivered, also across pages and cursors."""
    _, cursor = await bench.read("scan")
    with bench.system.same_moment():
        together = {await bench.person_creates() for _ in range(2 * bench.harness.page_size + 1)}
        records, cursor = await bench.read("changes", cursor=cursor)
        missing = together - records.keys()
        bench.demand(not missing, f"{len(missing)} of {len(together)} records changed in one moment are skipped")
        straggler = await bench.person_creates()
        records, _ = await bench.read("changes", cursor=cursor)
        bench.demand(straggler in records, "a record changed in the very moment of the cursor is skipped")


@area.check
async def cursor_outlives_the_process(bench: Bench) -> None:
    """A cursor is all a new process needs to go on, and delivers the same again when it is used again."""
    _, cursor = await bench.read("scan")
    added = await bench.person_creates()
    first, _ = await bench.read("changes", cursor=cursor)
    await bench.restart()
    again, _ = await bench.read("changes", cursor=cursor)
    bench.demand(added in again, "after a restart, a record changed since the cursor is not delivered")
    bench.demand(first.keys() <= again.keys(), "the same cursor delivers less when it is used a second time")


@area.check
async def unknown_cursor_is_expired(bench: Bench) -> None:
    """A cursor that is no longer known, or never was, yields a page with expired=True: core sweeps in full."""
    await bench.person_creates()
    for cursor in ("no cursor of yours", '{"v": 99}', "\u00e9\u4e2d"):
        try:
            pages = await bench.pages(bench.query("changes", cursor=cursor))
        except AssertionError:
            raise
        except Exception as error:
            bench.fail(f"the cursor {cursor!r} raises {type(error).__name__}: {error}")
        bench.demand(any(page.expired for page in pages), f"the cursor {cursor!r} is taken as if it were a good one")


@area.check
async def keys_only_tells_the_same_keys(bench: Bench) -> None:
    """A scan with keys_only delivers the same keys and versions as one with data."""
    for _ in range(bench.harness.page_size + 1):
        await bench.person_creates()
    full, _ = await bench.read("scan")
    bare, _ = await bench.read("scan", keys_only=True)
    bench.demand(full.keys() == bare.keys(), "keys_only delivers other keys than a scan")
    bench.demand(
        all(bare[key].version == full[key].version for key in full), "keys_only delivers other versions than a scan"
    )
