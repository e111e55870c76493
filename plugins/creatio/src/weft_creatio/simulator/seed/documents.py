"""Invented leads, opportunities, orders, invoices, contracts and activities."""

from __future__ import annotations

from typing import Any

from weft_creatio.simulator.behaviours.rates import primary
from weft_creatio.simulator.site import Site
from weft_creatio.simulator.values import only_date

from .generator import Generator
from .parties import Party
from .products import Item
from .reference import OUR_COMPANY, Reference, stable_id

_S = ("Id", "CreatedOn", "CreatedById", "ModifiedOn", "ModifiedById")
_LINE = (
    "Name", "ProductId", "UnitId", "Quantity", "BaseQuantity", "Price", "Amount", "DiscountTax", "TaxId", "TaxAmount",
    "TotalAmount", "PrimaryPrice", "PrimaryAmount", "PrimaryTaxAmount", "PrimaryTotalAmount",
)  # fmt: skip
_TABLES: dict[str, tuple[str, ...]] = {
    "Lead": (*_S, "LeadName", "Account", "Contact", "QualifiedAccountId", "QualifiedContactId", "StatusId",
             "QualifyStatusId", "LeadTypeId", "OwnerId", "CountryId", "Email"),
    "Opportunity": (*_S, "Title", "AccountId", "ContactId", "StageId", "OwnerId", "Budget", "Amount", "Probability",
                    "DueDate", "TypeId", "IsPrimary"),
    "OpportunityProductInterest": (*_S, "OpportunityId", "ProductId", "Quantity", "Price", "Amount", "OfferDate"),
    "Order": (*_S, "Number", "Date", "AccountId", "ContactId", "OwnerId", "StatusId", "PaymentStatusId",
              "DeliveryStatusId", "CurrencyId", "CurrencyRate", "Amount", "PrimaryAmount", "OpportunityId"),
    "OrderProduct": (*_S, "OrderId", *_LINE, "CurrencyId", "CurrencyRate"),
    "Invoice": (*_S, "Number", "StartDate", "DueDate", "AccountId", "ContactId", "OwnerId", "OrderId", "SupplierId",
                "PaymentStatusId", "CurrencyId", "CurrencyRate", "Amount", "PrimaryAmount"),
    "InvoiceProduct": (*_S, "InvoiceId", *_LINE),
    "SupplyPaymentElement": (*_S, "Name", "OrderId", "InvoiceId", "TypeId", "StateId", "Percentage", "DatePlan",
                             "AmountPlan", "PrimaryAmountPlan", "Position"),
    "Contract": (*_S, "Number", "StartDate", "TypeId", "StateId", "AccountId", "OurCompanyId", "OwnerId",
                 "CurrencyId", "CurrencyRate"),
    "Activity": (*_S, "Title", "StartDate", "DueDate", "PriorityId", "StatusId", "TypeId", "ActivityCategoryId",
                 "OwnerId", "AuthorId", "AccountId", "ContactId"),
}  # fmt: skip
_STAGES = (
    ("c2067b11-0ee0-df11-971b-001d60e938c6", 10), ("423774cb-5ae6-df11-971b-001d60e938c6", 50),
    ("60d5310c-5be6-df11-971b-001d60e938c6", 100), ("a9aafdfe-2242-4f42-8cd5-2ae3b9556d79", 0),
)  # fmt: skip
_WON = _STAGES[2][0]
_IN_PROGRESS = "c8742634-ea8b-46d9-ba71-1989b951772d"


class _Documents:
    """Collects rows by table, numbers documents and loads everything at the end."""

    def __init__(self, site: Site, reference: Reference, products: list[Item], seed: int) -> None:
        self.rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _TABLES}
        self.numbers = {"Order": 0, "Invoice": 0, "Contract": 0}
        self._make = Generator(site, seed, "documents")
        self._site = site
        self._reference = reference
        self._products = products

    def number(self, name: str, mask: str) -> str:
        self.numbers[name] += 1
        return mask.format(self.numbers[name])

    def add(self, position: int, party: Party) -> None:
        """What one customer has bought or thinks about."""
        make, rows = self._make, self.rows
        stamps = (party.moment, party.owner, party.moment, party.owner)
        day = only_date(party.moment)
        title = f"Deal {position + 1}"
        opportunity: str | None = None
        if position % 3 == 0:
            opportunity = make.id()
            stage, probability = _STAGES[position // 3 % 4]
            item = self._products[position % len(self._products)]
            rows["Opportunity"].append((
                opportunity, *stamps, title, party.account, party.contact, stage, party.owner, item.price * 3,
                item.price * 2, probability, day, "3c3865f2-ada4-480c-ac91-e2d39c5bbaf9", 1,
            ))  # fmt: skip
            rows["OpportunityProductInterest"].append((
                make.id(), *stamps, opportunity, item.id, 200, item.price, item.price * 2, day,
            ))  # fmt: skip
        if position % 2 == 0:
            self._order(position, party, opportunity)
        if position % 5 == 0:
            self._others(position, party, stamps, day)

    def _order(self, position: int, party: Party, opportunity: str | None) -> None:
        make, rows, random = self._make, self.rows, self._make.random
        money = self._reference.currencies[party.place.currency]
        stamps = (party.moment, party.owner, party.moment, party.owner)
        order = make.id()
        lines: list[tuple[Any, ...]] = []
        for _ in range(1 + position % 3):
            item = random.choice(self._products)
            quantity = random.randrange(1, 20)
            price = item.price * money.rate // 10**8
            amount = price * quantity
            tax = amount * 8 // 100
            base = [primary(value, money.rate, 1) for value in (price, amount, tax, amount + tax)]
            lines.append((
                item.name, item.id, item.unit, quantity * 1000, quantity * 1000, price, amount, 800, item.tax, tax,
                amount + tax, *base,
            ))  # fmt: skip
        total, base_total = sum(line[10] for line in lines), sum(line[14] for line in lines)
        rows["Order"].append((
            order, *stamps, self.number("Order", "ORD-{}"), party.moment, party.account, party.contact, party.owner,
            _IN_PROGRESS, "448d1338-d3a5-4fd4-9a6e-769403f89896", "867ca155-bfa5-4aaa-9172-7813dd4e85f5", money.id,
            money.rate, total, base_total, opportunity,
        ))  # fmt: skip
        rows["OrderProduct"] += [(make.id(), *stamps, order, *line, money.id, money.rate) for line in lines]
        invoice = make.id() if position % 4 == 0 else None
        if invoice:
            rows["Invoice"].append((
                invoice, *stamps, self.number("Invoice", "INV-{}"), only_date(party.moment), only_date(party.moment),
                party.account, party.contact, party.owner, order, OUR_COMPANY, "36319d13-98e6-df11-971b-001d60e938c6",
                money.id, money.rate, total, base_total,
            ))  # fmt: skip
            rows["InvoiceProduct"] += [(make.id(), *stamps, invoice, *line) for line in lines]
        rows["SupplyPaymentElement"].append((
            make.id(), *stamps, "Payment 1", order, invoice, "d868f4b7-4946-4bb1-94bb-6fb93a513ce4",
            "b801edd0-33f8-45ed-aee8-2e26307b0456", 10_000, only_date(party.moment), total, base_total, 1,
        ))  # fmt: skip

    def _others(self, position: int, party: Party, stamps: tuple[str, ...], day: str | None) -> None:
        make, rows = self._make, self.rows
        money = self._reference.currencies[party.place.currency]
        need = ("Need for hardware", "Need for services")[position % 2]
        rows["Lead"].append((
            make.id(), *stamps, f"{need} / Sample enquirer {position}", "", f"Sample enquirer {position}", None, None,
            "bd3511f8-f36b-1410-4493-1c6f65e16a07", "d790a45d-03ff-4ddb-9dea-8087722c582c",
            stable_id("LeadType", need), party.owner, party.place.country, f"enquiry{position}@leads.example",
        ))  # fmt: skip
        rows["Contract"].append((
            make.id(), *stamps, self.number("Contract", "CON-{}"), day, "42b49a15-1d6c-4fa3-b24a-45711ba90cb3",
            "8f7197fb-af9c-4674-9c7d-3d7d32aa3d2e", party.account, OUR_COMPANY, party.owner, money.id, money.rate,
        ))  # fmt: skip
        rows["Activity"].append((
            make.id(), *stamps, f"Call about deal {position + 1}", party.moment, party.moment,
            "ab96fa02-7fe6-df11-971b-001d60e938c6", "384d4b84-58e6-df11-971b-001d60e938c6",
            "fbe0acdc-cfc0-df11-b00f-001d60e938c6", "f51c4643-58e6-df11-971b-001d60e938c6", party.owner, party.owner,
            party.account, party.contact,
        ))  # fmt: skip


def seed_documents(site: Site, reference: Reference, products: list[Item], parties: list[Party], seed: int) -> None:
    """Documents of up to 20,000 customers, and the number counters behind them."""
    documents = _Documents(site, reference, products, seed)
    for position, party in enumerate(parties):
        documents.add(position, party)
    for name, rows in documents.rows.items():
        site.db.load(name, _TABLES[name], rows)
    for name, last in documents.numbers.items():
        site.db.execute(
            "UPDATE SysSettingsValue SET IntegerValue=? WHERE Id=?",
            (last, stable_id("SysSettingsValue", f"{name}LastNumber")),
        )
