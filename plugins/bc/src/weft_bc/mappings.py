"""The packaged mapping documents, with the connection's settings filled in."""

from __future__ import annotations

from functools import cache

from weft.mapping.document import Mapping
from weft.mapping.loading import packaged
from weft_bc.settings import BcSettings


def mappings(settings: BcSettings, entity: str) -> list[Mapping]:
    """Documents of one entity. The wait for an unanswered write comes from the settings."""
    places = {
        "payment_journal": settings.payment_journal,
        "payment_sign": "-1" if settings.payment_sign == "negative" else "1",
    }
    return [
        document if document.read_only else document.model_copy(update={"settle_seconds": settings.settle_seconds})
        for document in packaged(__package__, entity, places)
    ]


@cache
def objects() -> tuple[str, ...]:
    """Objects that master and document mappings read: those worth watching."""
    places = {"payment_journal": "", "payment_sign": "1"}
    watched = ("customer", "vendor", "product", "quote", "sales_order", "sales_invoice", "credit_memo", "bill")
    found = [m.object.read for entity in watched for m in packaged(__package__, entity, places) if not m.optional]
    return tuple(dict.fromkeys(found))
