"""Order and Invoice headers: base amounts, payment status, re-pricing of lines."""

from __future__ import annotations

from collections.abc import Callable

from weft_creatio.simulator.database import quoted
from weft_creatio.simulator.pipeline import Handlers, Save
from weft_creatio.simulator.values import only_date

from . import rates

PAID = "4721338e-a5f1-4529-96be-d3f311518812"
PARTIALLY_PAID = "a2f17c7b-956b-47c8-9ea5-b545b74a26f6"


def _primary_amount(save: Save) -> None:
    row = save.row
    if row["PrimaryAmount"] != 0 or row["Amount"] == 0:
        return
    if save.entity.name == "Invoice":
        current = rates.current_rate(save.site, row["CurrencyId"], only_date(row["StartDate"]))
        if current is not None:
            save.set("CurrencyRate", current)
    per = rates.division(save.site, row["CurrencyId"])
    save.set("PrimaryAmount", rates.primary(row["Amount"], row["CurrencyRate"], per))


def _payment_status(save: Save) -> None:
    """Only on update, and never back to unpaid."""
    if save.old is None or not save.touched("Amount", "PaymentAmount"):
        return
    amount, paid = save.row["Amount"], save.row["PaymentAmount"]
    if amount > 0 and amount == paid:
        save.set("PaymentStatusId", PAID)
    elif paid > 0:
        save.set("PaymentStatusId", PARTIALLY_PAID)


def _reprice(lines: str, parent: str) -> Callable[[Save], None]:
    """A changed currency or rate re-prices the lines from their base amounts, by direct SQL."""

    def handler(save: Save) -> None:
        if save.old is None or not save.touched("CurrencyId", "CurrencyRate"):
            return
        db, row = save.site.db, save.row
        per = rates.division(save.site, row["CurrencyId"])
        for line in db.rows(lines, f"{quoted(parent)}=?", (save.id,)):
            changes = {name: rates.foreign(line[f"Primary{name}"], row["CurrencyRate"], per) for name in rates.PRICED}
            if "CurrencyId" in line:
                changes |= {"CurrencyId": row["CurrencyId"], "CurrencyRate": row["CurrencyRate"]}
            db.update(lines, line["Id"], changes)

    return handler


def register(of: Callable[[str], Handlers]) -> None:
    of("Order").before += [_primary_amount, _payment_status]
    of("Invoice").before.append(_primary_amount)
    of("Order").after.append(_reprice("OrderProduct", "OrderId"))
    of("Invoice").after.append(_reprice("InvoiceProduct", "InvoiceId"))
