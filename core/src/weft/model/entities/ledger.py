"""The general ledger: accounts, journal entries, exchange rates."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref


class GlAccount(Entity, currency="currency", shown_as="G/L account"):
    """An account of the chart of accounts."""

    number: str | None = about("Account number")
    name: str | None = about("Name")
    category: Literal["assets", "liabilities", "equity", "income", "cost_of_goods_sold", "expense"] | None = about(
        "Kind of account"
    )
    subcategory: str | None = about("Finer kind, in the system's own words")
    type: Literal["posting", "heading", "total", "begin_total", "end_total"] | None = about(
        "Whether amounts are posted to it or it structures the chart"
    )
    normal_side: Literal["debit", "credit"] | None = about("Side on which the account usually stands")
    currency: str | None = code("currency", "Currency of the account, where it is kept in one")
    direct_posting: bool | None = about("Whether journals may post to it")
    parent: Ref | None = ref("gl_account", "Account it is summed into")
    balance: Money | None = about("Balance now; debit is positive", currency="currency")
    blocked: bool | None = about("Whether posting is forbidden")
    active: bool | None = about("False when the account is no longer used")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Default financial dimensions")


class JournalEntryLine(Entity, kind="ledger", currency="currency", label=("position", "description")):
    """One posting of a journal entry: an amount on one account."""

    position: int | None = about("Place in the entry, in ascending order")
    account: Ref | None = ref("gl_account", "Ledger account")
    customer: Ref | None = ref("customer", "Customer posted to, instead of a ledger account")
    vendor: Ref | None = ref("vendor", "Vendor posted to, instead of a ledger account")
    bank_account: str | None = code("bank_account", "Bank account posted to, instead of a ledger account")
    offset_account: Ref | None = ref("gl_account", "Balancing account, where the line carries its own")
    description: str | None = about("Text of the posting")
    document_number: str | None = about("Voucher or document number")
    external_number: str | None = about("Number of the document at the other party")
    amount: Money | None = about("Amount; debit is positive, credit negative", currency="currency")
    debit_amount: Money | None = about("Debit, zero or positive", currency="currency")
    credit_amount: Money | None = about("Credit, zero or positive", currency="currency")
    currency: str | None = code("currency", "Currency of the amounts")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the currency")
    tax: str | None = code("tax", "Tax code")
    tax_amount: Money | None = about("Tax contained", currency="currency")
    date: datetime.date | None = about("Date of the posting, where lines differ")
    dimensions: Dimensions | None = about("Financial dimensions")


class JournalEntry(
    Entity, kind="ledger", currency="currency", label=("number",), totals=("debit_amount", "credit_amount")
):
    """A balanced set of postings."""

    number: str | None = about("Journal or batch number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows the entry")
    journal: str | None = about("Journal name or template, by code")
    description: str | None = about("Text of the entry")
    date: datetime.date | None = about("Date of the document")
    posting_date: datetime.date | None = about("Date it is posted on")
    status: Literal["draft", "in_review", "open", "posted", "reversed", "canceled"] | None = about(
        "How far the entry has come"
    )
    currency: str | None = code("currency", "Currency of all amounts")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the currency")
    debit_amount: Money | None = about("Sum of the debits", currency="currency")
    credit_amount: Money | None = about("Sum of the credits", currency="currency")
    reversal_of: Ref | None = ref("journal_entry", "Entry this one takes back")
    owner: str | None = code("user", "Who is responsible")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Financial dimensions that hold for all postings")
    lines: list[JournalEntryLine] | None = about("Postings of the entry")


class ExchangeRate(Entity, label=("currency", "to_currency", "valid_from")):
    """What one currency costs in another from a day on."""

    currency: str | None = code("currency", "Currency that is priced")
    to_currency: str | None = code("currency", "Currency it is priced in")
    rate: Decimal | None = about("Units of to_currency paid for one unit of currency")
    type: str | None = about("Kind of rate: default, average, budget")
    valid_from: datetime.date | None = about("First day the rate holds")
    valid_to: datetime.date | None = about("Last day the rate holds")
