"""Documents: several calls, one unit."""

from __future__ import annotations

from weft.records import LineChange, Record
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.notes import Killed, MemoryNotes
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import change, create, finish, line_items, line_text, new_document, told, write

area = Area("documents")

LINES = 3


def _lines(bench: Bench, record: Record) -> list[Record]:
    lines = bench.subject.lines
    assert lines is not None
    bench.demand(lines.collection in record.children, f"a document is read without its {lines.collection}")
    return record.children[lines.collection]


async def _texts(bench: Bench, key: str) -> list[str]:
    record = await bench.fetch(key)
    return sorted(str(row.data.get(line_text(bench))) for row in _lines(bench, record))


@area.check
async def lines_come_with_the_document(bench: Bench) -> None:
    """A document is created with its lines; the outcome maps each Child.id to the key of its own line; lines are
    read with the document in every mode."""
    bench.document()
    _, cursor = await bench.read("scan")
    item = await new_document(bench, LINES)
    outcome = await create(bench, item)
    record = await bench.fetch(str(outcome.key))
    rows = {row.key: row for row in _lines(bench, record)}
    bench.demand(len(rows) == LINES, f"a document with {LINES} lines is read with {len(rows)}")
    native = line_text(bench)
    for child in item.children:
        key = outcome.children.get(child.id)
        bench.demand(key in rows, f"Outcome.children gives the line {child.id} the key {key!r}, which no line has")
        held = rows[str(key)].data.get(native)
        bench.demand(held == child.data[native], f"the line {child.data[native]!r} got the key of the line {held!r}")
    for mode, options in (("scan", {}), ("changes", {"cursor": cursor})):
        records, _ = await bench.read(mode, **options)  # type: ignore[arg-type]
        found = _lines(bench, records[str(outcome.key)])
        bench.demand({row.key for row in found} == rows.keys(), f"a {mode} read delivers a document with other lines")


@area.check
async def line_changes_are_written(bench: Bench) -> None:
    """Of an existing document, single lines are changed, added and deleted; the others stay as they are."""
    subject = bench.document()
    lines = subject.lines
    assert lines is not None
    if not lines.editable:
        raise Unsupported("lines of an existing document cannot be written here")
    outcome = await create(bench, await new_document(bench, LINES))
    record = await bench.fetch(str(outcome.key))
    native = line_text(bench)
    rows = sorted(_lines(bench, record), key=lambda row: str(row.data.get(native)))
    bench.demand(len(rows) == LINES, f"a document with {LINES} lines is read with {len(rows)}")
    first, second, third = rows
    [added] = await line_items(bench, 1, first=LINES + 1)
    changes = [
        LineChange(lines.collection, "update", "u", first.key, first.version, {lines.text: "changed line"}),
        LineChange(lines.collection, "delete", "d", second.key, second.version),
        added,
    ]
    written = await change(bench, record, {}, changes)
    fresh = await bench.fetch(record.key)
    now = {row.key: str(row.data.get(native)) for row in _lines(bench, fresh)}
    bench.demand(now.get(first.key) == "changed line", f"a changed line holds {now.get(first.key)!r}")
    bench.demand(second.key not in now, "a deleted line is still there")
    bench.demand(now.get(third.key) == third.data.get(native), "a line that was not touched changed")
    left = f"after one line was changed, one deleted and one added, there are {len(now)} of {LINES}"
    bench.demand(len(now) == LINES, left)
    key = written.children.get(added.id)
    bench.demand(key in now, f"Outcome.children gives an added line the key {key!r}, which no line has")


@area.check
async def a_changed_line_changes_the_document(bench: Bench) -> None:
    """A change of a line alone brings its document into the changes."""
    subject = bench.document()
    lines = subject.lines
    assert lines is not None
    if not lines.editable:
        raise Unsupported("lines of an existing document cannot be written here")
    outcome = await create(bench, await new_document(bench, 2))
    _, cursor = await bench.read("scan")
    record = await bench.fetch(str(outcome.key))
    rows = _lines(bench, record)
    bench.demand(rows, "a document with 2 lines is read without any")
    line = rows[0]
    change_ = LineChange(lines.collection, "update", "u", line.key, line.version, {lines.text: "only the line"})
    await change(bench, record, {}, [change_])
    records, _ = await bench.read("changes", cursor=cursor)
    bench.demand(record.key in records, "a document of which one line changed is not in the changes")
    held = {row.data.get(line_text(bench)) for row in _lines(bench, records[record.key])}
    bench.demand("only the line" in held, "the changes deliver the document without the line's change")


@area.check
async def killed_document_is_continued(bench: Bench) -> None:
    """A process that dies after any noted step continues there: one document, each line once. Steps the system
    committed on its own are noted before the next is taken."""
    bench.document()
    await bench.session()
    for step in range(1, 3 * LINES):
        before = await bench.keys()
        item = await new_document(bench, LINES)
        notes = MemoryNotes(kill_at=step)
        try:
            outcome = (await write(bench, [item], notes))[item.id]
        except Killed:
            await bench.restart()
            again = MemoryNotes(notes.steps)
            item.key = (notes.noted(item).get("header") or {}).get("key") or item.key
            outcome = (await write(bench, [item], again))[item.id]
            key = await finish(bench, item, outcome, again)
            await _whole(bench, before, key, [str(c.data[line_text(bench)]) for c in item.children], f"step {step}")
            continue
        if step == 1:
            raise Unsupported("the connector writes a document in one call: there is no step to continue after")
        bench.demand(outcome.result == "created", f"a document is {told(outcome)}")
        return


@area.check
async def lost_answer_within_a_document(bench: Bench) -> None:
    """A lost answer to any call of a document leaves one document in the end, with each line once."""
    bench.document()
    await bench.session()
    struck = False
    for skip in range(LINES + 2):
        before = await bench.keys()
        item, notes = await new_document(bench, LINES), MemoryNotes()
        strike = await bench.system.strike("lost_answer", on="write", skip=skip)
        outcome = (await write(bench, [item], notes))[item.id]
        await bench.system.calm()
        if not strike.struck:
            break
        struck = True
        key = await finish(bench, item, outcome, notes)
        texts = [str(child.data[line_text(bench)]) for child in item.children]
        await _whole(bench, before, key, texts, f"call {skip + 1} lost its answer")
    if not struck:
        raise Unsupported("the fault never met a writing request of this connector")


async def _whole(bench: Bench, before: list[str], key: str, texts: list[str], when: str) -> None:
    added = [one for one in await bench.keys() if one not in before]
    bench.demand(added == [key], f"one document was to be made, the system holds {added} ({when})")
    held = await _texts(bench, key)
    bench.demand(held == sorted(texts), f"the lines {sorted(texts)} were to be made, the document has {held} ({when})")
