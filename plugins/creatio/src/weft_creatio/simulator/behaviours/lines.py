# ruff: noqa: S608 - names come from the model, values are bound
"""Lines of orders, invoices and opportunities, and the header sums they cause."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from weft_creatio.simulator.database import Raw, quoted
from weft_creatio.simulator.pipeline import Handlers, Save, User
from weft_creatio.simulator.site import Site
from weft_creatio.simulator.values import decimal, scaled

from . import rates


def _order_product(save: Save) -> None:
    """Only an insert without a currency gets the order's, and only then are the base amounts computed."""
    row = save.row
    if save.old is not None or row["CurrencyId"] is not None:
        return
    order = save.site.db.row("Order", row["OrderId"])
    if order is None:
        return
    save.set("CurrencyId", order["CurrencyId"])
    save.set("CurrencyRate", order["CurrencyRate"])
    per = rates.division(save.site, order["CurrencyId"])
    for name, value in rates.fill_primary(row, order["CurrencyRate"], per).items():
        save.set(name, value)


def _invoice_product(save: Save) -> None:
    """Base amounts are always computed from the invoice's rate."""
    invoice = save.site.db.row("Invoice", save.row["InvoiceId"])
    if invoice is None:
        return
    per = rates.division(save.site, invoice["CurrencyId"])
    for name, value in rates.fill_primary(save.row, invoice["CurrencyRate"], per).items():
        save.set(name, value)


def _totals(save: Save) -> None:
    """Later builds compute line totals themselves; in 8.1 the page does it."""
    if not save.site.settings.line_totals_on_server:
        return
    row = save.row
    amount = decimal(row["Price"]) * decimal(row["Quantity"], 3)
    discount = amount * decimal(row["DiscountPercent"]) / 100
    tax = (amount - discount) * decimal(row["DiscountTax"]) / 100
    parts: dict[str, Decimal] = {
        "Amount": amount, "DiscountAmount": discount, "TaxAmount": tax, "TotalAmount": amount - discount + tax,
    }  # fmt: skip
    for name, value in parts.items():
        save.set(name, scaled(value, 2))


def _sum(site: Site, table: str, column: str, parent: str, key: str) -> int:
    return int(site.db.value(f"SELECT total({column}) FROM {quoted(table)} WHERE {quoted(parent)}=?", (key,)))


def _sum_order(site: Site, key: str | None, user: User) -> None:
    """Order totals are written through an entity save: ModifiedOn moves and a sent header amount is lost."""
    if key is None:
        return
    amounts = {
        "Amount": _sum(site, "OrderProduct", "TotalAmount", "OrderId", key),
        "PrimaryAmount": _sum(site, "OrderProduct", "PrimaryTotalAmount", "OrderId", key),
    }
    order = site.db.row("Order", key)
    if order is not None and any(order[name] != value for name, value in amounts.items()):
        site.pipeline.update("Order", key, amounts, user)


def _sum_invoice(site: Site, key: str | None, user: User) -> None:
    """Invoice totals are written by direct SQL: ModifiedOn of the invoice stays."""
    if key is None:
        return
    amounts = {
        "Amount": _sum(site, "InvoiceProduct", "TotalAmount", "InvoiceId", key),
        "PrimaryAmount": _sum(site, "InvoiceProduct", "PrimaryTotalAmount", "InvoiceId", key),
    }
    site.db.update("Invoice", key, amounts)


def _sum_opportunity(site: Site, key: str | None, user: User) -> None:
    if key is None:
        return
    amount = _sum(site, "OpportunityProductInterest", "Amount", "OpportunityId", key)
    if site.db.value("SELECT Amount FROM Opportunity WHERE Id=?", (key,)) not in (None, amount):
        site.pipeline.update("Opportunity", key, {"Amount": amount}, user)


Sum = Callable[[Site, str | None, User], None]


def _saved(parent: str, columns: tuple[str, ...], sum_up: Sum) -> Callable[[Save], None]:
    def handler(save: Save) -> None:
        if columns and not save.touched(*columns, parent):
            return
        sum_up(save.site, save.row[parent], save.user)
        if save.old is not None and save.old[parent] != save.row[parent]:
            sum_up(save.site, save.old[parent], save.user)

    return handler


def _deleted(parent: str, sum_up: Sum) -> Callable[[Site, Raw, User], None]:
    def handler(site: Site, row: Raw, user: User) -> None:
        sum_up(site, row[parent], user)

    return handler


def register(of: Callable[[str], Handlers]) -> None:
    order, invoice, interest = of("OrderProduct"), of("InvoiceProduct"), of("OpportunityProductInterest")
    order.before += [_totals, _order_product]
    order.after.append(_saved("OrderId", ("TotalAmount", "PrimaryTotalAmount"), _sum_order))
    order.deleted.append(_deleted("OrderId", _sum_order))
    invoice.before += [_totals, _invoice_product]
    invoice.after.append(_saved("InvoiceId", (), _sum_invoice))
    invoice.deleted.append(_deleted("InvoiceId", _sum_invoice))
    interest.after.append(_saved("OpportunityId", (), _sum_opportunity))
    interest.deleted.append(_deleted("OpportunityId", _sum_opportunity))
