"""What may be chosen about a simulated environment, with the strict or worse value as default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from weft.testing.simulator import SimSettings


@dataclass(kw_only=True)
class Settings(SimSettings):
    """Settings of one simulated environment, besides seed, latency and jitter of every simulator.

    Those of the first group stand for behaviour that no public source settles; a connector has to
    survive every value. Times are in seconds.
    """

    # Unconfirmed behaviour.
    error_status: Literal[400, 500] = 400  # of broken business rules; older builds answer 500
    nested_errors: bool = False  # the text stands in innererror.internalexception
    stale_etag_status: int | None = 412  # None: If-Match is not looked at
    read_only_fields: Literal["refuse", "ignore"] = "refuse"  # a read-only field in a body
    overlong: Literal["refuse", "cut"] = "refuse"  # a text longer than its field
    text_functions: bool = False  # contains, startswith, endswith on /data
    next_link: Literal["skip", "token"] = "skip"
    put_resets: bool = False  # PUT empties what the body leaves out; else it is a PATCH
    deep_insert: bool = False  # lines in the body of their header
    batch_references: bool = False  # $1 in the URL of a part stands for what part 1 of its change set made
    json_batch: bool = False  # $batch in JSON
    batch_stops: bool = False  # a $batch stops at the first failing part
    unmapped_status: Literal[401, 403] = 401  # of a valid token whose client is not in SysAADClients
    throttle_body: Literal["odata", "message", "text"] = "odata"
    totals_calculated: bool = False  # totals of a sales order are there at once; else 0 until it is invoiced
    free_text_in_invoices: bool = True  # the sales invoice sets show posted free text invoices too
    unfilterable: tuple[str, ...] = ()  # "Set.Property" that $select and $filter refuse though it is shown
    enum_texts: bool = False  # an enum compares with a plain text too
    null_clears: bool = True  # null for an enum, number or date in a body empties it; else 400
    case_sensitive: bool = False  # keys and filters tell capitals from small letters
    invoice_site: bool = True  # lines of vendor invoices with an item need a site, as order lines do
    posted_vendor_invoices: Literal["removed", "kept"] = "removed"  # pending invoices after posting
    settled_due_dates: bool = True  # a row of what a payment settles has to name the day its invoice is due
    settled_after_posting: Literal["kept", "gone"] = "kept"  # rows of what a payment settles, once it is posted
    prices_writable: bool = False  # price agreements; else only trade agreement journals make them
    line_prices_per: Literal["item", "one"] = "item"  # lines take over for how many the item's price is
    party_types: bool = True  # customers and vendors have to say what they are; else organizations
    project_contracts: bool = False  # projects for customers need a contract
    execution_errors: Literal["listed", "empty"] = "listed"  # what GetExecutionErrors has to say
    error_record: Literal["empty", "row"] = "empty"  # RecordId in it: nothing, or the row of the file
    error_keys: Literal["csv", "xml"] = "csv"  # form of the file with the keys of failed records
    nested_values: bool = False  # exports answer {"value": {"value": …}}, as the documentation shows
    event_time: Literal["both", "legacy"] = "both"  # EventTimeIso8601 is newer

    # The environment.
    tenant: str = "0d5d8a32-6b0c-4a55-9c3f-2f6f8d0d7a10"
    page_size: int = 10_000
    batch_limit: int = 5_000
    application_version: str = "10.0.44"
    platform_version: str = "7.0.7690.33"
    delimiter: str = "-"  # of financial dimension display values
    default_dimensions: tuple[str, ...] = ("BusinessUnit", "Department", "CostCenter", "Project")
    ledger_dimensions: tuple[str, ...] = ("MainAccount", "BusinessUnit", "Department", "CostCenter", "Project")
    dimension_formats: bool = True  # an active format exists; without one dimension fields fail
    automatic_numbers: tuple[str, ...] = ("customers", "vendors", "products")  # sequences that parameters name
    manual_numbers: tuple[str, ...] = ("customers", "vendors", "products")  # sequences that allow manual entry
    tax_percent: str = "0"  # of domestic, fully taxed lines; a decimal as text
    journal_write_time: float = 0.002  # how long a write holds its journal
    package_time: float = 0.0  # how long an import or export runs before it is done
    stamp_digits: int = 0  # fraction digits of SysModifiedDateTime

    # Limits, off by default.
    rate_limit: int | None = None  # requests in a sliding rate_window; 6000 in 300 s in versions before 10.0.36
    rate_window: float = 300.0
    retry_after: int | None = 5  # None: 429 without Retry-After

    # Business events.
    events: bool = True
    event_every: float | None = 0.2  # how often what is due is sent; None: only by the command flush_events
    event_timeout: float = 10.0
    event_retries: int = 3
    event_retry_delay: float = 1.0
    event_ca: str | None = None  # PEM file trusted for event URLs besides the simulators' own CA
