"""Before the order: leads, opportunities, activities, and projects after it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Address, Dimensions
from weft.model.entity import Entity, Moment, Money, about, code, ref
from weft.model.values import Ref


class Lead(Entity, currency="currency", label=("name", "company_name")):
    """Somebody who may become a customer."""

    number: str | None = about("Lead number, assigned by the system of record")
    name: str | None = about("Subject of the lead")
    status: Literal["new", "contacted", "qualified", "disqualified", "converted"] | None = about(
        "How far the lead has come"
    )
    reason: str | None = about("Why it was disqualified")
    need: str | None = about("What is wanted")
    rating: str | None = about("Hot, warm, cold, or the system's own words")
    score: Decimal | None = about("Score, as the system computes it")
    source: str | None = about("Where the lead came from")
    channel: str | None = about("Medium by which it came")
    company_name: str | None = about("Name of the organisation, as given")
    contact_name: str | None = about("Name of the person, as given")
    salutation: str | None = about("Form of address")
    first_name: str | None = about("Given name")
    last_name: str | None = about("Family name")
    job_title: str | None = about("Job title")
    email: str | None = about("E-mail address")
    phone: str | None = about("Business telephone number")
    mobile: str | None = about("Mobile telephone number")
    fax: str | None = about("Fax number")
    website: str | None = about("Web address")
    industry: str | None = about("Line of business")
    employees: int | None = about("Number of employees")
    address: Address | None = about("Postal address")
    budget: Money | None = about("What may be spent", currency="currency")
    annual_revenue: Money | None = about("Yearly revenue of the organisation", currency="currency")
    currency: str | None = code("currency", "Currency of the amounts")
    decision_date: datetime.date | None = about("Day a decision is expected")
    customer: Ref | None = ref("customer", "Customer it was qualified as")
    contact: Ref | None = ref("contact", "Contact it was qualified as")
    opportunity: Ref | None = ref("opportunity", "Opportunity it became")
    owner: str | None = code("user", "Who works on it")
    notes: str | None = about("Free text")


class OpportunityLine(Entity, kind="document", currency="currency", label=("position", "description")):
    """A product the customer is interested in."""

    position: int | None = about("Place in the opportunity, in ascending order")
    product: Ref | None = ref("product", "Product wanted")
    description: str | None = about("Text of the line")
    quantity: Decimal | None = about("Quantity, in the line's unit")
    unit: str | None = code("unit", "Unit of the quantity")
    unit_price: Money | None = about("Price of one unit before discount", currency="currency")
    discount_percent: Decimal | None = about("Discount on the line, per cent")
    discount_amount: Money | None = about("Discount on the line", currency="currency")
    net_amount: Money | None = about("Amount after discount, without tax", currency="currency")
    tax: str | None = code("tax", "Tax code or group of the line")
    tax_amount: Money | None = about("Tax on the line", currency="currency")
    gross_amount: Money | None = about("Amount after discount, with tax", currency="currency")
    delivery_date: datetime.date | None = about("Day offered")
    notes: str | None = about("Free text")


class Opportunity(Entity, kind="document", currency="currency", label=("number", "name")):
    """A deal that may be won."""

    number: str | None = about("Opportunity number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows it")
    name: str | None = about("Title")
    status: Literal["open", "won", "lost", "canceled"] | None = about("Whether it is decided")
    stage: str | None = about("Stage, in the CRM's words")
    type: str | None = about("Kind of sale, in the CRM's words")
    reason: str | None = about("Why it was closed")
    customer: Ref | None = ref("customer", "Customer who may buy")
    contact: Ref | None = ref("contact", "Person at the customer")
    partner: Ref | None = ref("customer", "Partner who takes part")
    amount: Money | None = about("Expected amount", currency="currency")
    actual_amount: Money | None = about("Amount at the close", currency="currency")
    budget: Money | None = about("What the customer may spend", currency="currency")
    currency: str | None = code("currency", "Currency of the amounts")
    exchange_rate: Decimal | None = about("Company currency paid for one unit of the currency")
    probability: Decimal | None = about("Chance of winning, per cent")
    expected_close_date: datetime.date | None = about("Day the close is expected")
    closed_date: datetime.date | None = about("Day it was won or lost")
    source: str | None = about("Where it came from")
    price_list: str | None = code("price_list", "Price list the prices come from")
    payment_terms: str | None = code("payment_terms", "When payment is due")
    lead: Ref | None = ref("lead", "Lead it comes from")
    project: Ref | None = ref("project", "Project it belongs to")
    owner: str | None = code("user", "Who works on it")
    description: str | None = about("What it is about")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Financial dimensions")
    lines: list[OpportunityLine] | None = about("Products the customer is interested in")


class Activity(Entity, label=("name",)):
    """A task, call, meeting or letter."""

    number: str | None = about("Activity number, where the system has one")
    name: str | None = about("Subject")
    type: Literal["task", "call", "email", "meeting", "letter", "other"] | None = about("What is done")
    category: str | None = about("Finer kind, in the CRM's words")
    status: Literal["not_started", "in_progress", "completed", "canceled"] | None = about("How far it has come")
    priority: Literal["low", "medium", "high"] | None = about("Priority")
    start: Moment | None = about("When it begins")
    end: Moment | None = about("When it ends or is due")
    all_day: bool | None = about("Whether it lasts whole days")
    duration_minutes: int | None = about("How long it takes, minutes")
    location: str | None = about("Where it takes place")
    result: str | None = about("What came of it")
    customer: Ref | None = ref("customer", "Customer concerned")
    contact: Ref | None = ref("contact", "Person concerned")
    lead: Ref | None = ref("lead", "Lead concerned")
    opportunity: Ref | None = ref("opportunity", "Opportunity concerned")
    quote: Ref | None = ref("quote", "Quote concerned")
    sales_order: Ref | None = ref("sales_order", "Order concerned")
    sales_invoice: Ref | None = ref("sales_invoice", "Invoice concerned")
    project: Ref | None = ref("project", "Project concerned")
    author: str | None = code("user", "Who recorded it")
    owner: str | None = code("user", "Who does it")
    notes: str | None = about("Free text")


class Project(Entity, currency="currency"):
    """Work with a beginning, an end and costs of its own."""

    number: str | None = about("Project number, assigned by the system of record")
    external_number: str | None = about("Number under which the other system knows the project")
    name: str | None = about("Name")
    status: Literal["planned", "open", "in_progress", "on_hold", "completed", "canceled"] | None = about(
        "How far the project has come"
    )
    type: str | None = about("Kind of project, in the system's words")
    group: str | None = about("Project group, by code")
    customer: Ref | None = ref("customer", "Customer it is done for")
    contact: Ref | None = ref("contact", "Person at the customer")
    parent: Ref | None = ref("project", "Project it is part of")
    opportunity: Ref | None = ref("opportunity", "Opportunity it comes from")
    start_date: datetime.date | None = about("First day")
    end_date: datetime.date | None = about("Last day planned")
    actual_end_date: datetime.date | None = about("Day it was completed")
    budget: Money | None = about("What may be spent", currency="currency")
    currency: str | None = code("currency", "Currency of the amounts")
    owner: str | None = code("user", "Who leads it")
    active: bool | None = about("False when the project is no longer used")
    description: str | None = about("What it is about")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Financial dimensions")
