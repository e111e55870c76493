"""Settings of the Creatio simulator: one per behaviour that differs between sites or is unconfirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from weft.testing.simulator import SimSettings

SUPERVISOR_USER = "7f3b869f-34f3-4f20-ab4d-7480a5fdf647"
SUPERVISOR_CONTACT = "410006e1-ca4e-4502-a9ec-e54d922d2c00"


@dataclass(slots=True)
class CreatioSettings(SimSettings):
    """How this simulated site is built and behaves. Every attribute may be changed while it runs.

    The defaults are a .NET Framework cloud site on PostgreSQL with the 8.1 sales bundle.
    """

    runtime: Literal["framework", "core"] = "framework"
    """`framework` serves OData and services under `/0`, `core` at the root."""
    database: Literal["postgres", "mssql"] = "postgres"
    """Decides stored precision (6 or 7 digits), the order of GUIDs and the text of SQL errors."""
    without_packages: frozenset[str] = frozenset()
    """Packages this bundle does not have; their columns are absent (for example `CrtOCMInLeadOppMgmt`)."""

    user: str = "Supervisor"
    password: str = field(default="Supervisor", repr=False)
    client_id: str = "weft-client"
    client_secret: str = field(default="weft-secret", repr=False)
    token_lifetime: int = 3600
    """Seconds an access token lives (`Clients.AccessTokenLifetime`)."""
    technical_user: str = "Integration"
    """System user behind the OAuth client; its contact is CreatedBy/ModifiedBy."""
    use_csrf: bool = True
    csrf_on_get: bool = True
    """Unconfirmed: whether a GET without the BPMCSRF header is refused."""

    unknown_property_on_patch: Literal["reject", "ignore"] = "reject"
    """Newer builds name the property (400); older ones answer 204 and write nothing at all."""
    text_too_long: Literal["reject", "truncate"] = "reject"
    zoneless_datetime: Literal["reject", "zero"] = "reject"
    """A datetime without a zone in a body: refused, or stored as 0001-01-01."""
    server_utc_offset_minutes: int = 0
    """Zone of the server, applied to date-only values in bodies (may shift them by a day)."""
    local_time_labelled_utc: bool = False
    """The 10.1.37 fault: OData returns the server's local time but still says Z."""
    system_columns_writable: bool = False
    """Unconfirmed: whether CreatedOn, ModifiedOn and the like in a body are kept."""
    missing_on_patch: Literal["404", "204"] = "204"
    """PATCH of an Id that is not there; inside a recorded batch it answered 204. DELETE answers 404."""
    required_empty: Literal["reject", "accept"] = "reject"
    unbounded_read: Literal["cap", "error"] = "cap"
    """A read of more than `max_rows` rows: cut off silently, or a 500."""
    max_rows: int = 20_000
    guid_comparison: bool = True
    """Unconfirmed: whether `Id gt <guid>` is accepted."""
    extended_functions: bool = True
    """Unconfirmed: tolower, toupper, length, year, month, day in $filter."""
    lambda_filters: bool = False
    """Unconfirmed: any/all over collections in $filter."""
    text_case_insensitive: bool = True
    no_rights_status: Literal[403, 500] = 403
    unknown_entity: Literal["json", "html", "401"] = "json"
    batch_over_limit_status: int = 400
    atomic_groups: bool = True
    """Unconfirmed: whether a failure inside an atomicityGroup rolls the group back."""
    contact_name_order: Literal["given_first", "surname_first"] = "given_first"
    """How a Contact's Name is split into its parts when only Name was sent."""
    cascade_details: bool = True
    """Whether deleting a parent removes its own detail rows (addresses, lines); other references always block."""

    background_touch_seconds: float = 0.0
    """When above 0, a background process moves ModifiedOn this long after each write through the API."""
    line_totals_on_server: bool = False
    """Unconfirmed for 8.2 and later: the server computes Amount, TaxAmount, TotalAmount of lines itself."""

    rebuild_requests: int = 0
    """OData requests refused after a publication, while the assembly is rebuilt."""
    rebuild_seconds: float = 0.0
    """Seconds on the simulator's clock during which OData requests are refused after a publication."""
    rebuild_answer: Literal["404", "invalid"] = "404"
    strict_metadata: bool = False
    """When set, a schema whose metadata lacks its embedded event process is refused at installation."""

    push_every: float | None = 0.2
    """How often what an installed package pushes is sent, in seconds; None: only by the command `flush_pushes`."""
    push_ca: str | None = None
    """PEM file trusted for addresses pushed to, besides the simulators' own CA."""

    system_settings: dict[str, str | int | bool] = field(default_factory=dict)
    """Values that override the seeded system settings, by code."""

    @property
    def prefix(self) -> str:
        """Path prefix of the application: `/0` on .NET Framework, empty on .NET Core."""
        return "/0" if self.runtime == "framework" else ""

    @property
    def odata_root(self) -> str:
        return f"{self.prefix}/odata"

    @property
    def fraction_digits(self) -> int:
        """Digits of a second the database keeps."""
        return 7 if self.database == "mssql" else 6
