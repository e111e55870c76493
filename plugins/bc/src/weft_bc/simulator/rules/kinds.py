"""The seven kinds of document, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DocumentKind:
    """``party``: the set of its partner. ``party_name``: property prefix of the partner. ``side``/``pay``: prefixes of
    the addresses. ``price``: the line's price property. ``start``/``posted_start``: the numbers before the first."""

    set: str
    lines: str
    noun: str
    party: str
    party_name: str
    side: str
    pay: str
    price: str
    start: str
    posted_start: str
    date: str
    table: str  # as messages name it
    parent_type: str

    @property
    def sales(self) -> bool:
        return self.party == "customers"


def _sales(name: str, noun: str, start: str, posted: str, date: str) -> DocumentKind:
    return DocumentKind(
        f"sales{name}s", f"sales{name}Lines", noun, "customers", "customer", "sellTo", "billTo", "unitPrice",
        start, posted, date, "Sales Header", f"Sales_x0020_{name.replace('Memo', '_x0020_Memo')}",
    )  # fmt: skip


def _purchase(name: str, noun: str, price: str, start: str, posted: str, date: str) -> DocumentKind:
    return DocumentKind(
        f"purchase{name}s", f"purchase{name}Lines", noun, "vendors", "vendor", "buyFrom", "payTo", price,
        start, posted, date, "Purchase Header", f"Purchase_x0020_{name.replace('Memo', '_x0020_Memo')}",
    )  # fmt: skip


DOCUMENTS = {
    kind.set: kind
    for kind in (
        _sales("Quote", "quote", "S-QUO1000", "", "documentDate"),
        _sales("Order", "order", "S-ORD101000", "", "orderDate"),
        _sales("Invoice", "invoice", "S-INV102000", "PS-INV103000", "invoiceDate"),
        _sales("CreditMemo", "credit memo", "S-CR1000", "PS-CR104000", "creditMemoDate"),
        _purchase("Order", "order", "directUnitCost", "P-ORD106000", "", "orderDate"),
        _purchase("Invoice", "invoice", "unitCost", "P-INV107000", "PP-INV108000", "invoiceDate"),
        _purchase("CreditMemo", "credit memo", "unitCost", "P-CR1000", "PP-CR109000", "creditMemoDate"),
    )
}
