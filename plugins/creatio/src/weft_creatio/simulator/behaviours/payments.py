"""Payment facts: invoices, the instalment plan of an order, and the order's paid amount."""

from __future__ import annotations

from collections.abc import Callable

from weft_creatio.simulator.database import Raw
from weft_creatio.simulator.pipeline import Handlers, Save, User
from weft_creatio.simulator.site import Site
from weft_creatio.simulator.values import only_date, raw_instant

PAID = "698d39fd-52e6-df11-971b-001d60e938c6"
PARTIALLY_PAID = "03794bf5-52e6-df11-971b-001d60e938c6"
CANCELED = "3fb932ea-f36b-1410-2691-00155d043205"
FINISHED = "e9eb323c-b1ed-4b4b-8dd9-414ad95075d3"
TYPE_PAYMENT = "d868f4b7-4946-4bb1-94bb-6fb93a513ce4"


def _set_paid(site: Site, order: str | None, paid: int, primary: int, user: User) -> None:
    row = site.db.row("Order", order)
    if row is not None and (row["PaymentAmount"], row["PrimaryPaymentAmount"]) != (paid, primary):
        site.pipeline.update("Order", row["Id"], {"PaymentAmount": paid, "PrimaryPaymentAmount": primary}, user)


def _from_elements(site: Site, order: str | None, user: User) -> None:
    found = site.db.execute(
        "SELECT total(AmountFact), total(PrimaryAmountFact) FROM SupplyPaymentElement WHERE OrderId=? AND TypeId=?",
        (order, TYPE_PAYMENT),
    ).fetchone()
    _set_paid(site, order, int(found[0]), int(found[1]), user)


def _from_invoices(site: Site, order: str | None, user: User) -> None:
    found = site.db.execute(
        "SELECT total(PaymentAmount), total(PrimaryPaymentAmount) FROM Invoice "
        "WHERE OrderId=? AND PaymentStatusId IN (?,?)",
        (order, PAID, PARTIALLY_PAID),
    ).fetchone()
    _set_paid(site, order, int(found[0]), int(found[1]), user)


def _invoice(save: Save) -> None:
    """A changed payment status or paid amount moves the linked instalments and the order."""
    if save.old is None or not save.touched("PaymentStatusId", "PrimaryPaymentAmount"):
        return
    site, row = save.site, save.row
    status = row["PaymentStatusId"]
    for element in site.db.rows("SupplyPaymentElement", "InvoiceId=?", (save.id,)):
        changes: Raw = {}
        if status == CANCELED:
            changes["InvoiceId"] = None
        elif status in (PAID, PARTIALLY_PAID):
            changes["AmountFact"] = row["PaymentAmount"]
            changes["PrimaryAmountFact"] = row["PrimaryPaymentAmount"]
            if status == PAID:
                changes["StateId"] = FINISHED
                changes["DateFact"] = only_date(raw_instant(site.clock.now_ns()))
        if any(element[name] != value for name, value in changes.items()):
            site.pipeline.update("SupplyPaymentElement", element["Id"], changes, save.user)
    if row["OrderId"] is not None:
        _from_invoices(site, row["OrderId"], save.user)


def _element(save: Save) -> None:
    if save.row["OrderId"] is not None and save.touched("AmountFact", "PrimaryAmountFact", "OrderId", "TypeId"):
        _from_elements(save.site, save.row["OrderId"], save.user)


def _element_deleted(site: Site, row: Raw, user: User) -> None:
    if row["OrderId"] is not None:
        _from_elements(site, row["OrderId"], user)


def register(of: Callable[[str], Handlers]) -> None:
    of("Invoice").after.append(_invoice)
    of("SupplyPaymentElement").after.append(_element)
    of("SupplyPaymentElement").deleted.append(_element_deleted)
