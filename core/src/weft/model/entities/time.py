"""Working time."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

from weft.model.entities.parts import Dimensions
from weft.model.entity import Entity, Money, about, code, ref
from weft.model.values import Ref


class TimeEntry(Entity, kind="document", currency="currency", label=("number", "date", "description")):
    """Time one person spent on one thing on one day."""

    number: str | None = about("Number of the entry or timesheet, assigned by the system of record")
    employee: str | None = code("user", "Who worked")
    date: datetime.date | None = about("Day of work")
    quantity: Decimal | None = about("Time worked, in the unit; hours unless said otherwise")
    unit: str | None = code("unit", "Unit of the quantity")
    project: Ref | None = ref("project", "Project worked on")
    task: str | None = about("Task of the project, by number")
    category: str | None = about("Kind of work, in the system's words")
    customer: Ref | None = ref("customer", "Customer worked for")
    activity: Ref | None = ref("activity", "Activity it comes from")
    description: str | None = about("What was done")
    billable: bool | None = about("Whether it is invoiced")
    status: Literal["draft", "submitted", "approved", "rejected", "posted", "canceled"] | None = about(
        "How far the entry has come"
    )
    unit_price: Money | None = about("Price of one unit", currency="currency")
    unit_cost: Money | None = about("Cost of one unit", currency="currency")
    amount: Money | None = about("Amount to invoice", currency="currency")
    currency: str | None = code("currency", "Currency of the amounts")
    notes: str | None = about("Free text")
    dimensions: Dimensions | None = about("Financial dimensions")
