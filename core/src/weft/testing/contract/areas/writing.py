"""Writes when nothing goes wrong on the wire: creates, guarded updates, deletes, batches, refusals."""

from __future__ import annotations

from weft.records import Condition
from weft.testing.contract.bench import NAME, Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.notes import MemoryNotes
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import DONE, bare, change, create, item_for, new_document, new_item, told, write

area = Area("write")


@area.check
async def create_answers_the_key(bench: Bench) -> None:
    """A create answers `created` with the key under which the record is read from then on; nothing else is made."""
    before = set(await bench.keys())
    item = await new_item(bench)
    outcome = await create(bench, item)
    added = set(await bench.keys()) - before
    bench.demand(added == {outcome.key}, f"a create answered the key {outcome.key}; new in the system are {added}")
    record = await bench.fetch(str(outcome.key))
    if outcome.version is not None:
        bench.demand(outcome.version == record.version, "a create answers another version than the record has")


@area.check
async def returned_record_is_the_record(bench: Bench) -> None:
    """A representation returned with an outcome is what the system holds: core takes it in place of a read."""
    outcome = await create(bench, await new_item(bench))
    if outcome.record is None:
        raise Unsupported("the connector returns no representation with a create; core reads it back")
    bench.demand(outcome.record.key == outcome.key, "the returned record has another key than the outcome")
    [returned] = await bench.canonical([outcome.record])
    now = await bench.fields_of(str(outcome.key))
    for name, value in returned.fields.items():
        bench.demand(
            bench.same(name, value, now.fields.get(name)),
            f"the create returned {name} {value!r}, the system holds {now.fields.get(name)!r}",
        )


@area.check
async def own_key_is_kept(bench: Bench) -> None:
    """Where the mapping names an own_key, a created record can be found by it, and a create repeated with the
    same key makes no second record where the key is the record's identity."""
    own = bench.compiled.mapping.own_key
    if own is None:
        raise Unsupported("the mapping names no own_key: a lost create is looked up by the match rules")
    item = await new_item(bench)
    outcome = await create(bench, item)
    groups = [(Condition(own.field, "eq", item.own_key),)]
    found = [r.key for page in await bench.pages(bench.query("search", search=groups)) for r in page.records]
    bench.demand(found == [outcome.key], f"a search for the own key {item.own_key} finds {found}, not {outcome.key}")
    if bench.compiled.mapping.key == [own.field]:
        before = len(await bench.keys())
        again = (await write(bench, [item]))[item.id]
        bench.demand(len(await bench.keys()) == before, "a create repeated with its own key made a second record")
        same = again.result in DONE and again.key == outcome.key
        bench.demand(same, f"a create whose own key is there already is {told(again)}, not created with that key")


@area.check
async def update_sends_only_what_is_given(bench: Bench) -> None:
    """An update changes the fields it is given and leaves every other as it is."""
    bench.allowed("updates")
    key = await bench.person_creates()
    before = await bench.fields_of(key)
    text = bench.role("text")
    await change(bench, await bench.fetch(key), {text: "only this changes"})
    after = await bench.fields_of(key)
    bench.demand(after.fields.get(text) == "only this changes", f"after an update {text} is {after.fields.get(text)!r}")
    for name in bench.subject.sample(1):
        if name != text and name in before.fields:
            bench.demand(
                bench.same(name, before.fields[name], after.fields.get(name)),
                f"an update of {text} alone turned {name} from {before.fields[name]!r} into {after.fields.get(name)!r}",
            )


@area.check
async def stale_version_is_a_conflict(bench: Bench) -> None:
    """An update guarded by a version that is no longer the record's is `conflict`, and nothing is written."""
    bench.allowed("updates")
    key = await bench.person_creates()
    record = await bench.fetch(key)
    if record.version is None:
        raise Unsupported("records of the system have no version; compare-before-write narrows the window")
    await bench.person_edits(key, "a person was quicker")
    text = bench.role("text")
    item = await item_for(bench, "update", {text: "would overwrite it"}, record=record)
    outcome = (await write(bench, [item]))[item.id]
    held = (await bench.fields_of(key)).fields.get(text)
    bench.demand(held == "a person was quicker", f"a stale update overwrote a person's edit: {text} is {held!r}")
    bench.demand(outcome.result == "conflict", f"a stale update is {told(outcome)}, not conflict")
    fresh = await item_for(bench, "update", {text: "written in the end"}, record=await bench.fetch(key))
    outcome = (await write(bench, [fresh]))[fresh.id]
    bench.demand(outcome.result == "updated", f"an update with the fresh version is {told(outcome)}")


@area.check
async def update_of_a_deleted_record(bench: Bench) -> None:
    """An update of a record that is no longer there is an outcome that is no success, and makes no record."""
    bench.allowed("updates")
    bench.allowed("deletes")
    key = await bench.person_creates()
    record = await bench.fetch(key)
    await bench.system.delete(bench.object, key, bench.company)
    item = await item_for(bench, "update", {bench.role("text"): "to nobody"}, record=record)
    outcome = (await write(bench, [item]))[item.id]
    bench.demand(outcome.result in ("conflict", "rejected"), f"an update of a deleted record is {told(outcome)}")
    bench.demand(key not in await bench.keys(), "an update of a deleted record made it anew")


@area.check
async def field_can_be_cleared(bench: Bench) -> None:
    """A field given as EMPTY is cleared the way the system clears it, and is EMPTY when read."""
    bench.allowed("updates")
    name = bench.role("clear")
    key = await bench.person_creates()
    bench.demand((await bench.fields_of(key)).fields.get(name) is not None, f"the sample leaves {name} EMPTY")
    await change(bench, await bench.fetch(key), {name: None})
    held = (await bench.fields_of(key)).fields.get(name, "ABSENT")
    bench.demand(held is None, f"{name} was cleared and is read as {held!r}")


@area.check
async def delete_removes_the_record(bench: Bench) -> None:
    """A delete removes the record, and only it; a second one of the same is an outcome, not an exception."""
    bench.allowed("deletes")
    stays, goes = await bench.person_creates(), await bench.person_creates()
    record = await bench.fetch(goes)
    item = bare(bench, "delete", record)
    outcome = (await write(bench, [item]))[item.id]
    bench.demand(outcome.result == "deleted", f"a delete is {told(outcome)}, not deleted")
    keys = await bench.keys()
    bench.demand(goes not in keys and stays in keys, "after a delete the wrong records are there")
    bench.demand(goes in (await bench.by_keys([goes])).gone, "a deleted record is not reported gone")
    again = (await write(bench, [bare(bench, "delete", record)])).popitem()[1]
    ended = again.result in ("deleted", "unchanged", "conflict", "rejected")
    bench.demand(ended, f"a delete of a deleted record is {told(again)}")


@area.check
async def batch_answers_each_item(bench: Bench) -> None:
    """A batch yields one outcome per item, each under its own id and with its own record's key."""
    items = [await new_item(bench) for _ in range(7)]
    outcomes = await write(bench, items)
    native = bench.spec(bench.role("text")).native
    for item in items:
        outcome = outcomes[item.id]
        bench.demand(outcome.result == "created", f"an item of a batch of good records is {told(outcome)}")
        held = (await bench.fetch(str(outcome.key))).data.get(native)
        bench.demand(
            held == item.data[native],
            f"the outcome of {item.data[native]!r} carries the key of the record {held!r}: outcomes are mixed up",
        )


@area.check
async def batch_with_a_bad_record(bench: Bench) -> None:
    """One record the system refuses takes no other of its batch with it."""
    if bench.subject.refused is None:
        raise Unsupported("the subject names no record that the system refuses")
    bad, _ = bench.subject.refused
    items = [await new_item(bench), await new_item(bench, bad), await new_item(bench)]
    outcomes = await write(bench, items)
    results = [outcomes[item.id].result for item in items]
    bench.demand(results == ["created", "rejected", "created"], f"good, refused, good became {results}")


@area.check
async def refusal_is_told_in_the_systems_words(bench: Bench) -> None:
    """A record that the system refuses is `rejected`, with fault "record" and the system's own words."""
    if bench.subject.refused is None:
        raise Unsupported("the subject names no record that the system refuses")
    bad, words = bench.subject.refused
    before = await bench.keys()
    item = await new_item(bench, bad)
    outcome = (await write(bench, [item]))[item.id]
    bench.demand(outcome.result == "rejected", f"a record the system refuses is {told(outcome)}, not rejected")
    error = outcome.error
    if error is None:
        bench.fail("a rejected outcome carries no error")
    bench.demand(error.fault == "record", f"a refused record is said to be the fault of the {error.fault}")
    bench.demand(words in error.message, f"the system said {words!r}; the outcome says {error.message!r}")
    bench.demand(await bench.keys() == before, "a rejected create left a record behind")


@area.check
async def lease_is_asked_for_before_each_send(bench: Bench) -> None:
    """intents.still_mine() is called right before every send; once it raises, nothing more is sent."""
    await bench.session()
    before, keys = bench.system.writes(), await bench.keys()
    items = [await new_item(bench) for _ in range(3)]
    notes = MemoryNotes(lose_at=1)
    await write(bench, items, notes)
    bench.demand(notes.asked, "still_mine was never called")
    bench.demand(bench.system.writes() == before, "a writing request was sent although the lease was lost")
    bench.demand(await bench.keys() == keys, "records were written although the lease was lost")
    sent: list[int] = []
    notes = MemoryNotes(on_send=lambda: sent.append(bench.system.writes()))
    documents = any(subject.lines is not None for subject in bench.system.subjects)
    if documents:
        bench.document()
    item = await new_document(bench) if documents else await new_item(bench)
    start = bench.system.writes()
    await write(bench, [item], notes)
    requests = bench.system.writes() - start
    bench.demand(
        notes.asked >= requests, f"{requests} writing requests went out after {notes.asked} calls of still_mine"
    )


@area.check
async def own_writes_are_recognised(bench: Bench) -> None:
    """session.identity is what changed_by shows for our own writes, or None where the system does not tell."""
    identity = getattr(await bench.runtime.session(NAME), "identity", None)
    outcome = await create(bench, await new_item(bench))
    record = await bench.fetch(str(outcome.key))
    if identity is None:
        raise Unsupported("the session has no identity; core then goes by versions alone")
    bench.demand(record.changed_by == identity, f"we are {identity!r}, and our own write shows {record.changed_by!r}")
