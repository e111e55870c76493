"""Writes whose answer does not arrive: exactly one record in the end."""

from __future__ import annotations

from typing import Any

from weft.records import Item
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.notes import MemoryNotes
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import finish, item_for, new_item, told, write

area = Area("lost")


async def _struck(bench: Bench, items: list[Item], kind: str, **options: Any) -> tuple[list[str], MemoryNotes]:
    """Write under a fault, then do what core does; answers the results of the first attempt."""
    await bench.session()
    before = await bench.keys()
    notes = MemoryNotes()
    strike = await bench.system.strike(kind, on="write", **options)
    outcomes = await write(bench, items, notes)
    await bench.system.calm()
    if not strike.struck:
        raise Unsupported(f"the fault {kind} never met a writing request of this connector")
    results: list[str] = [outcomes[item.id].result for item in items]
    keys = [await finish(bench, item, outcomes[item.id], notes) for item in items]
    added = [key for key in await bench.keys() if key not in before]
    bench.demand(
        len(added) == len(items),
        f"{len(items)} creates made {len(added)} records ({kind}; the outcomes were {', '.join(results)})",
    )
    bench.demand(set(keys) == set(added), f"core holds the keys {sorted(keys)}, the system {sorted(added)} ({kind})")
    return results, notes


@area.check
async def lost_answer_is_not_doubled(bench: Bench) -> None:
    """A create whose answer is lost is never repeated by the connector: it is `in_doubt`, and core's look-up
    finds the record."""
    results, _ = await _struck(bench, [await new_item(bench)], "lost_answer")
    bench.demand(results[0] in ("in_doubt", "created"), f"a create whose answer was lost is {results[0]}, not in_doubt")


@area.check
async def gateway_timeout_is_not_doubled(bench: Bench) -> None:
    """A create answered by a gateway (504) after it was carried out is `in_doubt`."""
    results, _ = await _struck(bench, [await new_item(bench)], "error_after_commit", status=504)
    bench.demand(results[0] in ("in_doubt", "created"), f"a create answered 504 is {results[0]}, not in_doubt")


@area.check
async def error_after_commit_is_not_doubled(bench: Bench) -> None:
    """A create answered 500 may have been carried out all the same: it is `in_doubt`, not `retry`."""
    results, _ = await _struck(bench, [await new_item(bench)], "error_after_commit", status=500)
    bench.demand(results[0] in ("in_doubt", "created"), f"a create answered 500 is {results[0]}, not in_doubt")


@area.check
async def unusable_answer_is_not_doubled(bench: Bench) -> None:
    """A create whose answer breaks off in the middle is carried out as far as anybody can tell: `in_doubt`."""
    results, _ = await _struck(bench, [await new_item(bench)], "truncate", framed=False)
    known = results[0] in ("in_doubt", "created")
    bench.demand(known, f"a create whose answer breaks off is {results[0]}, not in_doubt")


@area.check
async def error_before_commit_creates_nothing(bench: Bench) -> None:
    """A create that the system did not carry out is not `created`, leaves nothing behind, and works when repeated."""
    await bench.session()
    before = await bench.keys()
    item, notes = await new_item(bench), MemoryNotes()
    strike = await bench.system.strike("error_before", on="write", status=500, count=None)
    outcome = (await write(bench, [item], notes))[item.id]
    await bench.system.calm()
    bench.demand(strike.struck, "the fault did not strike")
    bench.demand(outcome.result not in ("created", "rejected"), f"a create answered 500 is {told(outcome)}")
    bench.demand(await bench.keys() == before, "a create that was not carried out left a record")
    await finish(bench, item, outcome, notes)
    bench.demand(len(await bench.keys()) == len(before) + 1, "a create that was repeated did not make one record")


@area.check
async def connection_refused_is_no_doubt(bench: Bench) -> None:
    """When the system is off the net, a write is `retry` (or EndpointDown is raised): never created, and no other
    exception."""
    await bench.session()
    items = [await new_item(bench) for _ in range(2)]
    await bench.system.stop()
    outcomes = await write(bench, items)
    for item in items:
        result = outcomes[item.id].result
        bench.demand(result in ("retry", "in_doubt"), f"a create to a system off the net is {told(outcomes[item.id])}")


@area.check
async def lost_update_is_not_created(bench: Bench) -> None:
    """An update whose answer is lost is `retry` (or `in_doubt`), never a success and never a new record."""
    bench.allowed("updates")
    key = await bench.person_creates()
    before = await bench.keys()
    item = await item_for(bench, "update", {bench.role("text"): "perhaps"}, record=await bench.fetch(key))
    strike = await bench.system.strike("lost_answer", on="write")
    outcome = (await write(bench, [item]))[item.id]
    await bench.system.calm()
    if not strike.struck:
        raise Unsupported("the fault never met a writing request of this connector")
    text = (await bench.fields_of(key)).fields.get(bench.role("text"))
    careful = outcome.result in ("retry", "in_doubt", "conflict")
    happened = careful or (outcome.result in ("updated", "unchanged") and text == "perhaps")
    bench.demand(happened, f"an update whose answer was lost is {told(outcome)}; the text is {text!r}")
    bench.demand(await bench.keys() == before, "an update whose answer was lost changed which records there are")


@area.check
async def part_of_a_batch_fails(bench: Bench) -> None:
    """When one request of a batch fails, every item has its own outcome under its own id; the others are written."""
    items = [await new_item(bench) for _ in range(5)]
    results, _ = await _struck(bench, items, "partial_batch", index=2)
    bench.demand(
        results[:2] == ["created", "created"] and results[3:] == ["created", "created"],
        f"the third of five was made to fail, and the outcomes are {results}",
    )
    bench.demand(results[2] in ("retry", "in_doubt", "rejected"), f"the item that failed is {results[2]}")


@area.check
async def batch_answer_is_lost(bench: Bench) -> None:
    """When the answer to a batch is lost, each create in it is in doubt on its own, and none is doubled."""
    await _struck(bench, [await new_item(bench) for _ in range(4)], "lost_answer")


@area.check
async def batch_fails_as_a_whole(bench: Bench) -> None:
    """When a batch fails as a whole, each item has an outcome, and each record exists once in the end."""
    await _struck(bench, [await new_item(bench) for _ in range(4)], "error_before", status=500)
