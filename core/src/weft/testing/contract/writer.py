"""Writing through the connector as core does, doubts included."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from weft.errors import WeftError
from weft.model.values import Fields
from weft.records import Canonical, Child, Condition, Item, LineChange, Mapped, Op, Outcome, Record
from weft.testing.contract.bench import Bench
from weft.testing.contract.notes import MemoryNotes
from weft.testing.contract.outcome import Broken

DONE = ("created", "updated", "deleted", "unchanged")
_ROUNDS = 8


async def item_for(
    bench: Bench,
    op: Op,
    fields: Fields,
    *,
    record: Record | None = None,
    changes: Sequence[LineChange] = (),
    version: str | None = None,
) -> Item:
    """An item with canonical fields mapped out; ``record`` is the one to be changed."""
    compiled = bench.compiled
    mapping = compiled.mapping
    tables = await bench.tables()
    number = uuid.uuid4()
    own_key = None
    if op == "create" and mapping.own_key is not None:
        own = mapping.own_key
        own_key = str(number) if own.form == "guid" else number.hex[: own.length]
    object_ = mapping.object.to_create if op == "create" else mapping.object.to_update
    key = record.key if record is not None else ""
    canonical = Canonical(bench.subject.entity, object_, key, fields, bench.company, changes=list(changes))

    async def inner(records: Sequence[Canonical], **_: Any) -> list[Mapped]:
        return [
            compiled.write(one, op, tables, full=one.fields, children=one.changes, own_key=own_key) for one in records
        ]

    [mapped] = await bench.plugins.await_around(
        bench.harness.kind, "map", inner, ctx=bench.context(), direction="out", records=[canonical]
    )
    if mapped.native is None:
        reason = mapped.excluded or "; ".join(f"{p.field}: {p.message}" for p in mapped.problems)
        bench.fail(f"the {op} of a {bench.subject.entity} cannot be mapped out: {reason}")
    return Item(
        id=uuid.uuid4().hex,
        op=op,
        mapping=mapping,
        object=object_,
        data=mapped.native,
        company=bench.company,
        key=key or None,
        version=version if version is not None else record.version if record is not None else None,
        own_key=own_key,
        children=mapped.children,
    )


def bare(bench: Bench, op: Op, record: Record) -> Item:
    """A delete."""
    mapping = bench.compiled.mapping
    return Item(uuid.uuid4().hex, op, mapping, record.object, {}, bench.company, record.key, record.version)


async def new_item(bench: Bench, changes: Fields | None = None) -> Item:
    """A create of the next sample, with some fields changed."""
    bench.allowed("creates")
    bench.serial += 1
    return await item_for(bench, "create", {**bench.subject.sample(bench.serial), **(changes or {})})


async def line_items(bench: Bench, count: int, first: int = 1) -> list[LineChange]:
    lines = bench.subject.lines
    assert lines is not None
    return [
        LineChange(lines.collection, "create", uuid.uuid4().hex, fields=dict(lines.sample(n)))
        for n in range(first, first + count)
    ]


async def new_document(bench: Bench, lines: int = 3) -> Item:
    bench.allowed("creates")
    bench.serial += 1
    fields = bench.subject.sample(bench.serial)
    return await item_for(bench, "create", fields, changes=await line_items(bench, lines))


async def write(bench: Bench, items: Sequence[Item], notes: MemoryNotes | None = None) -> dict[str, Outcome]:
    """Outcomes by item; what has none gets the one that is safe to assume, as in core."""
    notes = notes or MemoryNotes()
    session = await bench.session()
    ids = {item.id for item in items}
    told: dict[str, Outcome] = {}
    stopped: Exception | None = None
    try:
        async for outcome in bench.plugins.iterate_around(
            bench.harness.kind, "write", ctx=bench.context(), session=session, items=list(items), intents=notes
        ):
            if not isinstance(outcome, Outcome):
                bench.fail(f"weft_write yields {type(outcome).__name__}, not weft.records.Outcome")
            bench.demand(outcome.id in ids, f"an outcome names {outcome.id!r}, which is no item's id")
            bench.demand(outcome.id not in told, f"the item {outcome.id} got two outcomes")
            told[outcome.id] = outcome
    except WeftError as error:
        stopped = error
    except Broken:
        raise
    except Exception as error:
        bench.fail(f"weft_write raises {type(error).__name__} ({str(error)[:200]}); a write yields an outcome")
    for item in items:
        if item.id in told:
            continue
        if stopped is None:
            bench.fail(f"the {item.op} {item.id} got no outcome, and nothing was raised")
        creates = item.op == "create" or any(child.op == "create" for child in item.children)
        told[item.id] = Outcome(item.id, "in_doubt" if creates and notes.sending else "retry")
    return told


async def create(bench: Bench, item: Item, notes: MemoryNotes | None = None) -> Outcome:
    """A create that must succeed at once; answers its outcome."""
    outcome = (await write(bench, [item], notes))[item.id]
    bench.demand(outcome.result == "created", f"a create of a good record is {told(outcome)}, not created")
    bench.demand(outcome.key, "a created outcome carries no key")
    return outcome


async def change(bench: Bench, record: Record, fields: Fields, changes: Sequence[LineChange] = ()) -> Outcome:
    """An update that must succeed at once."""
    item = await item_for(bench, "update", fields, record=record, changes=changes)
    outcome = (await write(bench, [item]))[item.id]
    bench.demand(outcome.result in ("updated", "unchanged"), f"an update of a record is {told(outcome)}, not updated")
    return outcome


def told(outcome: Outcome) -> str:
    error = outcome.error
    return outcome.result + (f" ({error.fault}: {error.message})" if error is not None else "")


async def look_up(bench: Bench, item: Item, notes: MemoryNotes) -> Record | None:
    """Core's look-up of a create in doubt: by the noted key, by weft's own key, by the match rules."""
    mapping = bench.compiled.mapping
    own = mapping.own_key
    key = (notes.noted(item).get("header") or {}).get("key") or item.key
    by_id = own is not None and mapping.key == [own.field]
    if key is None and by_id:
        key = item.own_key
    if key is not None:
        found = await bench.by_keys([str(key)])
        if found.records or by_id:
            return found.records[0] if found.records else None
    if own is not None and item.own_key:
        groups = [(Condition(own.field, "eq", item.own_key),)]
        for page in await bench.pages(bench.query("search", search=groups, fresh=True)):
            if page.records:
                return page.records[0]
        return None
    return await _by_rules(bench, item)


async def _by_rules(bench: Bench, item: Item) -> Record | None:
    fields = (await bench.canonical([Record(item.object, "sent", item.data, item.company)]))[0]
    tables = await bench.tables()
    asked = False
    for rule in bench.compiled.mapping.match:
        groups = bench.compiled.search(rule, fields, tables)
        if not groups:
            continue
        asked = True
        for page in await bench.pages(bench.query("search", search=groups, fresh=True)):
            if page.records:
                return page.records[0]
    if not asked:
        bench.fail(
            "a create in doubt cannot be looked up: the mapping has neither an own_key nor a match rule that can be "
            "searched, so every lost answer waits for a person"
        )
    return None


async def finish(bench: Bench, item: Item, outcome: Outcome, notes: MemoryNotes) -> str:
    """What core does until the create is settled; answers the record's key."""
    for _ in range(_ROUNDS):
        if outcome.result == "created":
            bench.demand(outcome.key, "a created outcome carries no key")
            return str(outcome.key)
        if outcome.result not in ("in_doubt", "retry", "partial"):
            bench.fail(f"a create that met a failing system is {told(outcome)}; it must end as created")
        if outcome.result == "in_doubt":
            record = await look_up(bench, item, notes)
            if record is not None:
                return await _adopted(bench, item, record, notes)
        if outcome.result == "partial":
            item.key = outcome.key or item.key
        outcome = (await write(bench, [item], notes))[item.id]
    raise bench.wrong(f"a create is still {told(outcome)} after {_ROUNDS} attempts against a system that works again")


async def _adopted(bench: Bench, item: Item, record: Record, notes: MemoryNotes) -> str:
    """The record was found: lines that are missing from it are written as new lines of it."""
    missing = missing_lines(bench, item, record)
    if not missing:
        return record.key
    update = Item(
        uuid.uuid4().hex, "update", item.mapping, item.mapping.object.to_update, {}, item.company,
        record.key, record.version, children=missing,
    )  # fmt: skip
    outcome = (await write(bench, [update], notes))[update.id]
    for _ in range(_ROUNDS):
        if outcome.result in DONE:
            return record.key
        fresh = await bench.fetch(record.key)
        update.children, update.version = missing_lines(bench, item, fresh), fresh.version
        if not update.children:
            return record.key
        outcome = (await write(bench, [update], notes))[update.id]
    raise bench.wrong(f"lines missing from a document cannot be added: {told(outcome)}")


def missing_lines(bench: Bench, item: Item, record: Record) -> list[Child]:
    lines = bench.subject.lines
    if lines is None:
        return []
    native = line_text(bench)
    there = {row.data.get(native) for row in record.children.get(lines.collection, [])}
    return [child for child in item.children if child.op == "create" and child.data.get(native) not in there]


def line_text(bench: Bench) -> str:
    """The native field of a line's text."""
    lines = bench.subject.lines
    assert lines is not None
    for spec in bench.compiled.lines[lines.collection].fields:
        if spec.canonical == lines.text and spec.in_ is None and not spec.map.values:
            return spec.native
    raise bench.wrong(f"the lines do not map {lines.text} plainly")
