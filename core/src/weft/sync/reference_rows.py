"""Reference rows that are missing on one side and that the mapping says to create (``missing: create``)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from weft.net.fence import fenced
from weft.records import Canonical, Item
from weft.state.membership import elapsed
from weft.sync.claims import Claim, place
from weft.sync.notes import Notes

if TYPE_CHECKING:
    from weft.sync.flow import End
    from weft.sync.run import Run


PATIENCE = 60.0
"""Seconds to wait for another worker that creates the same rows; the claims of a dead one fall sooner."""
LOOK = 0.1
"""Seconds between two looks whether it has."""


async def create_rows(
    run: Run, end: End, company: str, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Create rows given as (reference entity, code); returns those that failed, with the reason.

    A code identifies its row, so an answer that got lost is settled by reading the rows again. Pages at once,
    here and on other workers, may lack the same row: whoever claims its code first creates it.
    """
    codes = sorted(set(wanted))
    failed: dict[tuple[str, str], str] = {}
    tables = run.tables(end, company)
    async with tables.creating:
        claim = Claim(run)
        try:
            if not await _claimed(claim, end, company, codes):
                return dict.fromkeys(codes, f"another worker has been at it for more than {PATIENCE:.0f} s")
            if not run.runtime.state.claims.in_memory:  # another worker may have made some since they were read
                await tables.load({entity for entity, _ in codes}, again=True)
            for entity, code in codes:
                problem = await _create(run, end, company, entity, code)
                if problem is not None:
                    failed[entity, code] = problem
        finally:
            await claim.release()
    return failed


async def _claimed(claim: Claim, end: End, company: str, codes: Sequence[tuple[str, str]]) -> bool:
    """Have these codes to oneself: all at once, so that nobody waits who holds some. False: it took too long."""
    places = {place(end.connection, company, f"row of {entity}", code) for entity, code in codes}
    deadline = elapsed() + PATIENCE
    while await claim.more({"": places}):
        if elapsed() > deadline:
            return False
        await asyncio.sleep(LOOK)
    return True


async def _create(run: Run, end: End, company: str, entity: str, code: str) -> str | None:
    runtime = run.runtime
    tables = run.tables(end, company)
    if tables.id_of(entity, code) is not None:
        return None
    entity_type = runtime.catalogue.get(entity)
    mappings = [c for c in runtime.mappings(end.connection, entity).values() if not c.mapping.read_only]
    if not mappings or entity_type.code is None:
        return f"{end.connection} has no writable mapping of {entity}"
    compiled = mappings[0]
    await tables.load(compiled.references())
    fields = {name: code for name in (entity_type.code, "name") if name in compiled.creatable}
    number = uuid.uuid4().hex
    row = Canonical(entity, compiled.mapping.object.to_create, "", dict(fields), company=company)
    mapped = compiled.write(row, "create", tables, own_key=compiled.own_key_of(number))
    if mapped.problems or mapped.native is None:
        return "; ".join(f"{p.field}: {p.message}" for p in mapped.problems)
    item = Item(number, "create", compiled.mapping, row.object, mapped.native, company=company, own_key=number)
    session = await runtime.session(end.connection)
    context = runtime.context(end.connection, flow=run.flow.name, run=run.id, entity=entity, company=company)
    notes = await Notes.load(run, [item])
    error = ""
    outcomes = runtime.plugins.iterate_around(
        end.kind, "write", ctx=context, session=session, items=[item], intents=notes
    )
    with fenced(notes.still_mine):
        async for outcome in outcomes:
            if outcome.result == "created" and outcome.key is not None:
                tables.learn(entity, code, outcome.key)
                run.counts["reference rows created"] += 1
                return None
            error = outcome.error.message if outcome.error else outcome.result
    await tables.load([entity], again=True)
    return None if tables.id_of(entity, code) is not None else error
