"""The packaged mappings: they compile, and hold against the environment's live metadata."""

from __future__ import annotations

import logging

from weft.mapping.check import check, objects
from weft.mapping.loading import impossible
from weft.model.catalogue import core_entities
from weft.records import Context
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


async def test_journal_names_that_nobody_has_set_up_are_told(open_bench):
    bench = await open_bench(settings={"journals": {"sales_price": "Prices", "card": "Cards"}})
    told = {}
    for entity in ("price", "payment", "card_charge", "journal_entry", "customer"):
        ctx = Context("d365fo", "erp", bench.settings, None, logging.getLogger("weft"), company="usmf")
        found = connector.weft_check(ctx=ctx, session=bench.session, mappings=mappings(bench.settings, entity))
        told[entity] = [one.message async for one in found]
    assert told == {
        "price": ["there is no journal name Prices in usmf (TradeAgreementJournalNames)"],
        "payment": [],
        "card_charge": ["there is no journal name Cards in usmf (JournalNames)"],
        "journal_entry": [],
        "customer": [],
    }
