"""Money that moves without an invoice behind it: deposits, checks, card charges."""

from __future__ import annotations

import datetime
from decimal import Decimal

from weft.model.entities.parts import Dimensions
from weft.model.entities.payments import PaymentState
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref


class BankEntry(Entity, kind="document", currency="currency", label=("number", "external_number", "description")):
    """What deposits, checks and card charges have in common: one amount between a bank account and another one."""

    number: str | None = about("Document number or voucher, assigned by the system of record")
    external_number: str | None = about("Number the other system or the other party gave it")
    status: PaymentState | None = about("How far it has come")
    date: datetime.date | None = about("Day of the transaction")
    posting_date: datetime.date | None = about("Date it is posted on")
    bank_account: str | None = code("bank_account", "Our bank, cash or card account")
    account: Ref | None = ref("gl_account", "Ledger account on the other side, where it is no customer or vendor")
    amount: Money | None = about("Amount, positive", currency="currency")
    currency: str | None = code("currency", "Currency of the amount")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the currency")
    tax: str | None = code("tax", "Tax code, where tax is contained")
    payment_method: str | None = code("payment_method", "How it was paid")
    journal: str | None = about("Journal it is entered in, by name or code")
    description: str | None = about("Text of the entry")
    notes: str | None = about("Free text")
    owner: str | None = code("user", "Who is responsible")
    project: Ref | None = ref("project", "Project it belongs to")
    dimensions: Dimensions | None = about("Financial dimensions")


class Deposit(BankEntry):
    """Money brought to the bank."""

    customer: Ref | None = ref("customer", "Customer it comes from")
    payment: Ref | None = ref("payment", "Payment that is deposited")
    sales_order: Ref | None = ref("sales_order", "Order it is paid for in advance")
    slip_number: str | None = about("Number of the deposit slip")


class Check(BankEntry):
    """A check written on a bank account, for an expense or to a vendor."""

    vendor: Ref | None = ref("vendor", "Vendor it is made out to")
    payee: str | None = about("Name it is made out to")
    check_number: str | None = about("Number of the check")
    bill: Ref | None = ref("bill", "Bill it pays, when there is just one")


class CardCharge(BankEntry):
    """A purchase paid with a company card. Holds no card number."""

    vendor: Ref | None = ref("vendor", "Vendor bought from")
    merchant: str | None = about("Name on the statement of the card")
