"""Selling: quotes, orders, invoices, receipts, charges, credit memos."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.documents import Document, Line
from weft.model.entity import Money, about, code, ref
from weft.model.values import Ref

PaymentStatus = Literal["planned", "unpaid", "partially_paid", "paid", "canceled"]
InvoiceStatus = Literal["draft", "in_review", "posted", "partially_paid", "paid", "canceled", "corrected"]


class SalesDocument(Document):
    """What every sales document has."""

    customer: Ref | None = ref("customer", "Customer who buys")
    bill_to_customer: Ref | None = ref("customer", "Customer who receives the invoice, where it differs")
    contact: Ref | None = ref("contact", "Person at the customer")
    customer_reference: str | None = about("The customer's own order number or reference")
    email: str | None = about("E-mail address for this document")
    phone: str | None = about("Telephone number for this document")
    price_list: str | None = code("price_list", "Price list the prices come from")
    opportunity: Ref | None = ref("opportunity", "Opportunity it comes from")


class QuoteLine(Line):
    """A line of a quote."""


class Quote(SalesDocument):
    """An offer to a customer."""

    status: Literal["draft", "open", "sent", "accepted", "declined", "expired", "canceled"] | None = about(
        "How far the quote has come"
    )
    valid_until: datetime.date | None = about("Last day the offer holds")
    accepted_date: datetime.date | None = about("Day the customer accepted")
    delivery_date: datetime.date | None = about("Day of delivery offered")
    lines: list[QuoteLine] | None = about("Lines of the quote")


class SalesOrderLine(Line):
    """A line of a sales order."""

    delivered_quantity: Decimal | None = about("Quantity delivered so far")
    invoiced_quantity: Decimal | None = about("Quantity invoiced so far")


class SalesOrder(SalesDocument):
    """An order from a customer."""

    status: (
        Literal[
            "draft", "in_review", "open", "in_progress", "on_hold", "partially_delivered", "delivered",
            "partially_invoiced", "invoiced", "completed", "canceled",
        ]
        | None
    ) = about("How far the order has come")  # fmt: skip
    payment_status: PaymentStatus | None = about("How far the order is paid")
    delivery_status: Literal["planned", "waiting", "partially_delivered", "delivered", "canceled"] | None = about(
        "How far the order is delivered"
    )
    delivery_date: datetime.date | None = about("Day of delivery asked for")
    shipment_date: datetime.date | None = about("Day the goods leave")
    partial_shipping: bool | None = about("Whether it may be delivered in parts")
    due_date: datetime.date | None = about("Day the order is to be completed")
    invoice_number: str | None = about("Number of the invoice posted from the order")
    paid_amount: Money | None = about("What has been paid", currency="currency")
    remaining_amount: Money | None = about("What is still to be paid", currency="currency")
    quote: Ref | None = ref("quote", "Quote it was made from")
    lines: list[SalesOrderLine] | None = about("Lines of the order")


class SalesInvoiceLine(Line):
    """A line of a sales invoice."""


class SalesInvoice(SalesDocument):
    """An invoice to a customer."""

    status: InvoiceStatus | None = about("posted means posted and nothing paid yet")
    due_date: datetime.date | None = about("Day payment is due")
    paid_date: datetime.date | None = about("Day the last part was paid")
    paid_amount: Money | None = about("What has been paid", currency="currency")
    remaining_amount: Money | None = about("What is still to be paid", currency="currency")
    sales_order: Ref | None = ref("sales_order", "Order it invoices")
    order_number: str | None = about("Number of the order it invoices")
    lines: list[SalesInvoiceLine] | None = about("Lines of the invoice")


class SalesReceiptLine(Line):
    """A line of a sales receipt."""


class SalesReceipt(SalesDocument):
    """A sale that is paid on the spot: invoice and payment in one."""

    status: InvoiceStatus | None = about("paid is what a receipt comes to once it is posted")
    paid_date: datetime.date | None = about("Day the money was received")
    paid_amount: Money | None = about("What has been received", currency="currency")
    payment_reference: str | None = about("Number of the check, card slip or transfer")
    bank_account: str | None = code("bank_account", "Bank or cash account the money goes to")
    invoice_number: str | None = about("Number of the posted invoice that the receipt became, where it became one")
    sales_order: Ref | None = ref("sales_order", "Order it is for")
    lines: list[SalesReceiptLine] | None = about("Lines of the receipt")


class StatementChargeLine(Line):
    """What is charged."""


class StatementCharge(SalesDocument):
    """An amount charged to a customer's account that shows on the statement rather than on an invoice."""

    status: InvoiceStatus | None = about("posted means that it is on the customer's account")
    due_date: datetime.date | None = about("Day payment is due")
    paid_amount: Money | None = about("What has been paid", currency="currency")
    remaining_amount: Money | None = about("What is still to be paid", currency="currency")
    sales_order: Ref | None = ref("sales_order", "Order it belongs to")
    lines: list[StatementChargeLine] | None = about("What is charged; usually one line")


class CreditMemoLine(Line):
    """A line of a credit memo."""


class CreditMemo(SalesDocument):
    """A credit to a customer. Amounts are positive."""

    status: InvoiceStatus | None = about("paid means settled in full")
    due_date: datetime.date | None = about("Day the credit is due")
    reason: str | None = about("Why credit is given")
    paid_amount: Money | None = about("What has been settled", currency="currency")
    remaining_amount: Money | None = about("What is still open", currency="currency")
    sales_invoice: Ref | None = ref("sales_invoice", "Invoice it corrects")
    sales_order: Ref | None = ref("sales_order", "Order it belongs to")
    invoice_number: str | None = about("Number of the invoice it corrects")
    lines: list[CreditMemoLine] | None = about("Lines of the credit memo")
