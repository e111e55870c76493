"""Business events: what one that arrives tells. They are notifications; the records are read fresh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.net import json as exact_json
from weft.records import Context, Hint, Reply, Request


@dataclass(frozen=True, slots=True)
class Told:
    """``object``: what changed. ``member``: where the event names its key; "" where it names none that is one."""

    object: str
    member: str = ""


EVENTS: Mapping[str, tuple[Told, ...]] = {
    "SalesInvoicePostedBusinessEvent": (
        Told("SalesInvoiceHeadersV2"),
        Told("SalesOrderHeadersV2", "SalesOrderId"),
    ),
    "CustFreeTextInvoicePostedBusinessEvent": (Told("FreeTextInvoiceHeaders"),),
    "CustomerPaymentPostedBusinessEvent": (Told("CustomerPaymentJournalLines"),),
    "VendorInvoicePostedBusinessEvent": (Told("VendorInvoiceHeaders"), Told("VendInvoiceJourBiEntities")),
    "VendorPaymentPostedBusinessEvent": (Told("VendorPaymentJournalLines"),),
    "PurchaseOrderConfirmedBusinessEvent": (Told("PurchaseOrderHeadersV2", "PurchaseOrderNumber"),),
    "PurchaseOrderReceivedBusinessEvent": (Told("PurchaseOrderHeadersV2", "PurchaseOrderNumber"),),
}


def receive(ctx: Context, request: Request) -> Reply:
    """The sender is owed 200; an event that says nothing to weft is accepted all the same, or it would be sent
    again."""
    try:
        document: Any = exact_json.loads(request.body)
    except ValueError as error:
        ctx.log.warning("a business event that cannot be read: %s", error)
        return Reply(status=400, body=b"not JSON")
    events = document if isinstance(document, list) else [document]
    hints: dict[Hint, None] = {}
    for event in events:
        if not isinstance(event, dict) or not isinstance(event.get("BusinessEventId"), str):
            ctx.log.warning("a request that is no business event: BusinessEventId is missing")
            return Reply(status=400, body=b"not a business event")
        hints |= dict.fromkeys(_hints(ctx, event))
    return Reply(hints=tuple(hints))


def _hints(ctx: Context, event: Mapping[str, Any]) -> list[Hint]:
    name = event["BusinessEventId"]
    told = EVENTS.get(name)
    if told is None:
        ctx.log.info("business event %s: nothing weft keeps depends on it", name)
        return []
    company = str(event.get("BusinessEventLegalEntity") or event.get("LegalEntity") or "").lower()
    found = []
    for one in told:
        key = event.get(one.member) if one.member else None
        found.append(Hint(one.object, key if isinstance(key, str) and key else None, company))
    return found
