"""The packaged mappings: they compile, and hold against the environment's live metadata."""

from __future__ import annotations

from weft.mapping.check import check, objects
from weft.mapping.loading import impossible
from weft.model.catalogue import core_entities
from weft_d365fo import connector
from weft_d365fo.mappings import mappings


async def test_every_document_holds_against_live_metadata(bench):
    wrong = []
    for entity in core_entities():
        for document in mappings(bench.settings, entity.name):
            compiled = bench.compiled(entity.name, document.variant)
            named = objects(document)
            schemas = {s.name: s async for s in connector.weft_describe(bench.session, named)}
            wrong += [str(found) for found in check(compiled, schemas) if found.level == "error"]
    assert not wrong


def test_what_cannot_be_done_is_said_of_entities_that_there_are():
    known = {entity.name for entity in core_entities()}
    told = [one for name in known for one in impossible("weft_d365fo", name)]
    assert {one.entity for one in told} >= {"time_entry", "price", "inventory_level", "opportunity"}
    assert all(one.reason for one in told)
