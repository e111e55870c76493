"""Settings of a Finance & Operations connection, as written under ``connections`` in ``weft.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from weft.net.address import checked
from weft.net.secrets import Secret
from weft.net.settings import LOGIN


class AuthSettings(BaseModel):
    """An application registered in Microsoft Entra, with a secret or a certificate."""

    model_config = ConfigDict(extra="forbid")

    client_id: str = Field(description="application (client) id registered in Microsoft Entra")
    client_secret: Secret | None = Field(None, description="client secret of the application")
    certificate: Path | None = Field(None, description="PEM file with the application's certificate and private key")
    certificate_passphrase: Secret | None = Field(None, description="passphrase of the private key")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("client_id needs either client_secret or certificate")
        return self


class DimensionNames(BaseModel):
    """Names of the environment's financial dimensions that play weft's four; empty: there is none."""

    model_config = ConfigDict(extra="forbid")

    business_unit: str = Field("BusinessUnit", description="dimension that is the business unit")
    department: str = Field("Department", description="dimension that is the department")
    cost_centre: str = Field("CostCenter", description="dimension that is the cost centre")
    project: str = Field("Project", description="dimension that is the project")

    def facets(self) -> dict[str, str]:
        """weft's name -> the environment's, for those that there are."""
        return {name: text for name, text in self.model_dump().items() if text}


class JournalNames(BaseModel):
    """Names of the journals that weft enters lines in; each has to exist in every company used."""

    model_config = ConfigDict(extra="forbid")

    customer_payment: str = Field("CustPay", max_length=10, description="customer payments")
    vendor_payment: str = Field("VendPay", max_length=10, description="payments to vendors, checks among them")
    general: str = Field("GenJrn", max_length=10, description="ledger entries that name no journal")
    sales_price: str = Field("SalesPrice", max_length=10, description="trade agreements: prices of products for sale")
    card: str = Field("CardJrn", max_length=10, description="company card charges; only they may be in it")


class PackageSettings(BaseModel):
    """Bulk loads through data packages in place of single writes."""

    model_config = ConfigDict(extra="forbid")

    from_records: int = Field(
        0, ge=0, description="new records of one kind in one go from which on they go as a package; 0: never"
    )
    project: str = Field("weft", description="name of the import project in Data management; made when it is missing")
    poll: float = Field(5, gt=0, description="seconds between two looks at a running import")
    patience: float = Field(3600, gt=0, description="seconds to wait for an import before its records are in doubt")


class FoSettings(BaseModel):
    """A connection to one environment. Times are seconds."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="address of the environment, e.g. https://acme.operations.dynamics.com")
    tenant: str = Field(description="Microsoft Entra tenant, as guid or domain")
    company: str | None = Field(None, description="company (legal entity id) when the connection works with one")
    companies: list[str] = Field(default_factory=list, description="companies when it works with several")
    auth: AuthSettings
    authority: str = Field(LOGIN, description="address that gives tokens; {tenant} stands for the tenant")
    scope: str | None = Field(None, description="scope tokens are asked for; default: the url with /.default")
    ca_file: Path | None = Field(None, description="PEM file with further certificate authorities to trust")
    proxy: str | None = Field(None, description="HTTP proxy for all requests")
    max_concurrency: int = Field(8, ge=1, le=52, description="requests at a time")
    connect_timeout: float = Field(15, gt=0, description="seconds to wait for a connection")
    read_timeout: float = Field(300, gt=0, description="seconds of silence before an answer counts as lost")
    retry_attempts: int = Field(5, ge=1, le=20, description="how often a request that is safe to repeat is sent")
    retry_patience: float = Field(300, ge=0, description="seconds a request waits while the environment throttles")
    page_size: int = Field(1000, ge=1, le=10_000, description="rows a page")
    batch_size: int = Field(100, ge=1, le=5_000, description="operations a $batch")
    overlap: float = Field(
        300, ge=0, description="seconds before the newest change seen that are read again: a change is stamped when "
        "it is made but seen when it is committed",
    )  # fmt: skip
    sweep_every: float = Field(
        600, ge=0, description="seconds between two comparisons of all version tags, which find what carries no time "
        "stamp: names and addresses, purchase orders, journals; 0: in every run",
    )  # fmt: skip
    settle_seconds: float = Field(600, ge=0, description="how long a write without an answer may still land")
    guard: Literal["etag", "compare"] = Field(
        "etag", description="how an update is kept from overwriting an edit: by If-Match alone, or by a look at the "
        "record's tag before as well, for environments that ignore If-Match",
    )  # fmt: skip
    dimensions: DimensionNames = DimensionNames()  # type: ignore[call-arg]
    journals: JournalNames = JournalNames()  # type: ignore[call-arg]
    journal_text: str = Field("weft", max_length=60, description="description of the open journals weft adds lines to")
    journal_lines: int = Field(500, ge=1, description="lines a journal holds before a new one is opened")
    revenue_account: str = Field(
        "", description="main account of free text invoice lines that name a product; empty: such lines are refused"
    )
    site: str = Field("", description="site that new orders and quotations ship from or are received at by default")
    base_price_list: str = Field(
        "Base price list", description="price list of the other side that stands for prices for everybody, of no group"
    )
    cash_terms: str = Field("COD", description="terms of payment, of the cash kind, that make an invoice a receipt")
    statement_charge: str = Field(
        "STMT", description="billing classification that makes a free text invoice a statement charge"
    )
    check_method: str = Field("CHECK", max_length=10, description="vendor payment method that makes a payment a check")
    rate_type: str = Field("Default", description="exchange rate type whose rates travel")
    product_defaults: dict[str, str] = Field(
        default_factory=lambda: {
            "ItemModelGroupId": "FIFO", "StorageDimensionGroupName": "SiteWH", "TrackingDimensionGroupName": "None",
        },
        description="fields of ReleasedProductCreationsV2 that every new product gets",
    )  # fmt: skip
    own_keys: dict[str, str] = Field(
        default_factory=dict, description="text field that may hold weft's key, by entity (customer: KnownAs): a "
        "create without an answer is found for certain then, and packages can carry the entity",
    )  # fmt: skip
    package: PackageSettings = PackageSettings()  # type: ignore[call-arg]

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return checked(value, "https://acme.operations.dynamics.com")

    @field_validator("company")
    @classmethod
    def _lower(cls, value: str | None) -> str | None:
        return value.lower() if value else value

    @field_validator("companies")
    @classmethod
    def _all_lower(cls, value: list[str]) -> list[str]:
        return [one.lower() for one in value]

    @model_validator(mode="after")
    def _one_company(self) -> Self:
        if self.company is not None and self.companies:
            raise ValueError("give company or companies, not both")
        return self

    @property
    def token_scope(self) -> str:
        return self.scope or f"{self.url.lower()}/.default"
