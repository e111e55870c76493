"""Buying: purchase orders, bills, vendor credits, payments to vendors."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.documents import Document, Line
from weft.model.entities.payments import Settlement
from weft.model.entities.sales import InvoiceStatus
from weft.model.entity import Entity, Money, about, ref
from weft.model.values import Ref


class PurchaseDocument(Document):
    """What every purchase document has."""

    vendor: Ref | None = ref("vendor", "Vendor one buys from")
    pay_to_vendor: Ref | None = ref("vendor", "Vendor who is paid, where it differs")
    contact: Ref | None = ref("contact", "Person at the vendor")
    vendor_reference: str | None = about("The vendor's own order number or reference")


class PurchaseOrderLine(Line):
    """A line of a purchase order."""

    received_quantity: Decimal | None = about("Quantity received so far")
    invoiced_quantity: Decimal | None = about("Quantity invoiced so far")


class PurchaseOrder(PurchaseDocument):
    """An order to a vendor."""

    status: (
        Literal[
            "draft", "in_review", "open", "on_hold", "partially_received", "received", "partially_invoiced",
            "invoiced", "completed", "canceled",
        ]
        | None
    ) = about("How far the order has come")  # fmt: skip
    delivery_date: datetime.date | None = about("Day of receipt asked for")
    confirmed_delivery_date: datetime.date | None = about("Day of receipt the vendor confirmed")
    sales_order: Ref | None = ref("sales_order", "Sales order it is bought for")
    opportunity: Ref | None = ref("opportunity", "Opportunity it is bought for")
    lines: list[PurchaseOrderLine] | None = about("Lines of the order")


class BillLine(Line):
    """A line of a bill."""


class Bill(PurchaseDocument):
    """An invoice from a vendor; external_number is the vendor's invoice number."""

    status: InvoiceStatus | None = about("posted means posted and nothing paid yet")
    due_date: datetime.date | None = about("Day payment is due")
    paid_amount: Money | None = about("What has been paid", currency="currency")
    remaining_amount: Money | None = about("What is still to be paid", currency="currency")
    purchase_order: Ref | None = ref("purchase_order", "Order it invoices")
    order_number: str | None = about("Number of the order it invoices")
    lines: list[BillLine] | None = about("Lines of the bill")


class VendorCreditLine(Line):
    """A line of a vendor credit."""


class VendorCredit(PurchaseDocument):
    """A credit from a vendor. Amounts are positive."""

    status: InvoiceStatus | None = about("paid means settled in full")
    due_date: datetime.date | None = about("Day the credit is due")
    reason: str | None = about("Why credit is given")
    paid_amount: Money | None = about("What has been settled", currency="currency")
    remaining_amount: Money | None = about("What is still open", currency="currency")
    bill: Ref | None = ref("bill", "Bill it corrects")
    invoice_number: str | None = about("Number of the bill it corrects")
    lines: list[VendorCreditLine] | None = about("Lines of the credit")


class BillPaymentApplication(Entity, kind="document", currency="currency", label=("position",)):
    """What part of a payment settles which bill."""

    position: int | None = about("Place among the applications, from 1")
    bill: Ref | None = ref("bill", "Bill settled")
    vendor_credit: Ref | None = ref("vendor_credit", "Vendor credit settled")
    document_number: str | None = about("Number of the document settled")
    date: datetime.date | None = about("Day of settlement")
    amount: Money | None = about("Amount settled", currency="currency")
    discount_amount: Money | None = about("Cash discount taken on it", currency="currency")


class BillPayment(Settlement):
    """Money paid to a vendor: transfer, check, card charge."""

    vendor: Ref | None = ref("vendor", "Vendor paid")
    bill: Ref | None = ref("bill", "Bill paid, when there is just one")
    invoice_number: str | None = about("Number of the bill paid, when there is just one")
    check_number: str | None = about("Number of the check")
    applications: list[BillPaymentApplication] | None = about("What the payment settles")
