"""Money received from customers."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref

PaymentState = Literal["draft", "open", "posted", "applied", "rejected", "canceled", "refunded"]


class Settlement(Entity, kind="document", currency="currency", label=("number", "external_number")):
    """What payments received and made have in common."""

    number: str | None = about("Payment number or voucher, assigned by the system of record")
    external_number: str | None = about("Number the bank, gateway or other party gave the payment")
    status: PaymentState | None = about("applied means fully used on invoices")
    date: datetime.date | None = about("Day of payment")
    posting_date: datetime.date | None = about("Date it is posted on")
    amount: Money | None = about("Amount paid, positive", currency="currency")
    unapplied_amount: Money | None = about("Part not yet applied", currency="currency")
    discount_amount: Money | None = about("Cash discount taken", currency="currency")
    currency: str | None = code("currency", "Currency of all amounts")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the payment's currency")
    payment_method: str | None = code("payment_method", "How it was paid")
    journal: str | None = about("Journal it is entered in, by name or code")
    bank_account: str | None = code("bank_account", "Our bank or cash account")
    description: str | None = about("Text of the payment")
    notes: str | None = about("Free text")
    owner: str | None = code("user", "Who is responsible")
    dimensions: Dimensions | None = about("Financial dimensions")


class PaymentApplication(Entity, kind="document", currency="currency", label=("position",)):
    """What part of a payment settles which document."""

    position: int | None = about("Place among the applications, from 1")
    sales_invoice: Ref | None = ref("sales_invoice", "Invoice settled")
    credit_memo: Ref | None = ref("credit_memo", "Credit memo settled")
    document_number: str | None = about("Number of the document settled")
    date: datetime.date | None = about("Day of settlement")
    amount: Money | None = about("Amount settled", currency="currency")
    discount_amount: Money | None = about("Cash discount taken on it", currency="currency")


class Payment(Settlement):
    """Money received from a customer."""

    customer: Ref | None = ref("customer", "Customer who paid")
    sales_invoice: Ref | None = ref("sales_invoice", "Invoice paid, when there is just one")
    invoice_number: str | None = about("Number of the invoice paid, when there is just one")
    sales_order: Ref | None = ref("sales_order", "Order paid for")
    opportunity: Ref | None = ref("opportunity", "Opportunity the money comes from")
    applications: list[PaymentApplication] | None = about("What the payment settles")
