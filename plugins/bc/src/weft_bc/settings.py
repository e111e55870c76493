"""Settings of a Business Central connection, as written under ``connections`` in ``weft.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from weft.net.address import checked
from weft.net.secrets import Secret
from weft.net.settings import LOGIN

ONLINE = "https://api.businesscentral.dynamics.com"


DimensionName = Literal["business_unit", "department", "cost_centre", "project"]


class AuthSettings(BaseModel):
    """Either an application registered in Microsoft Entra (``client_id`` with a secret or a
    certificate), or, on premises, a user with a web service access key or password."""

    model_config = ConfigDict(extra="forbid")

    client_id: str | None = Field(None, description="application (client) id registered in Microsoft Entra")
    client_secret: Secret | None = Field(None, description="client secret of the application")
    certificate: Path | None = Field(None, description="PEM file with the application's certificate and private key")
    certificate_passphrase: Secret | None = Field(None, description="passphrase of the private key")
    user: str | None = Field(None, description="on premises: user name for HTTP Basic")
    password: Secret | None = Field(None, description="on premises: web service access key or password of the user")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.client_id is not None:
            if self.user is not None or self.password is not None:
                raise ValueError("give client_id or user, not both")
            if (self.client_secret is None) == (self.certificate is None):
                raise ValueError("client_id needs either client_secret or certificate")
        elif self.user is None or self.password is None:
            raise ValueError("give client_id with client_secret or certificate, or user with password")
        return self


class BcSettings(BaseModel):
    """A connection to one environment (online) or server instance (on premises).

    Times are seconds. The service's own limits, for orientation: 6000 requests in 5 minutes and 5
    concurrent requests per user, 8 minutes an operation, 100 operations a batch, 20,000 rows a page.
    """

    model_config = ConfigDict(extra="forbid")

    url: str = Field(ONLINE, description="address of the service; on premises https://server:7048")
    tenant: str | None = Field(None, description="Microsoft Entra tenant, as guid or domain")
    environment: str = Field("production", description="name of the environment (online)")
    instance: str | None = Field(None, description="name of the server instance (on premises), e.g. BC250")
    company: str | None = Field(None, description="company by name or id, when the connection works with one")
    companies: list[str] = Field(default_factory=list, description="companies by name or id, when with several")
    auth: AuthSettings
    authority: str = Field(LOGIN, description="address that gives tokens; {tenant} stands for the tenant")
    scope: str = Field(ONLINE + "/.default", description="scope tokens are asked for")
    ca_file: Path | None = Field(None, description="PEM file with further certificate authorities to trust")
    proxy: str | None = Field(None, description="HTTP proxy for all requests")
    language: str = Field("en-US", description="language of the system's messages (Accept-Language)")
    max_concurrency: int = Field(
        5, ge=1, le=100, description="requests at a time; the service runs 5 and queues the rest"
    )
    connect_timeout: float = Field(15, gt=0, description="seconds to wait for a connection")
    read_timeout: float = Field(
        500, gt=0, description="seconds of silence before an answer counts as lost; operations may take 480"
    )
    retry_attempts: int = Field(5, ge=1, le=20, description="how often a request that is safe to repeat is sent")
    retry_patience: float = Field(120, ge=0, description="seconds a request waits while the service throttles")
    page_size: int = Field(1000, ge=1, le=20_000, description="rows a page")
    batch_size: int = Field(50, ge=1, le=100, description="operations a $batch")
    overlap: float = Field(
        540, ge=0, description="seconds before the newest change seen that are read again: a change is stamped when it "
        "is made but seen when it is committed, and an operation may take 480",
    )  # fmt: skip
    settle_seconds: float = Field(
        480, ge=0, description="how long a write without an answer may still land: the server's operation limit"
    )
    read_replica: bool = Field(
        False, description="let sweeps read the replica (Data-Access-Intent: ReadOnly), which lags by seconds"
    )
    enum_literals: Literal["escaped", "caption"] = Field(
        "escaped", description="spelling of enum values in filters: In_x0020_Review or In Review"
    )
    payment_journal: str = Field(
        "WEFT", description="code of the customer payment journal that receipts are entered in"
    )
    payment_sign: Literal["negative", "positive"] = Field(
        "negative", description="sign of a receipt in that journal; try it out in a sandbox before the first run"
    )
    vendor_payment_journal: str = Field("WEFT", description="code of the vendor payment journal")
    receipt_journal: str = Field(
        "WEFTSR",
        description="code of the customer payment journal in which sales receipts are paid; weft posts it whole",
    )
    deposit_journal: str = Field("WEFTDEP", description="code of the general journal that deposits are entered in")
    check_journal: str = Field("WEFTCHK", description="code of the general journal that checks are entered in")
    card_journal: str = Field("WEFTCARD", description="code of the general journal that card charges are entered in")
    journal_prefix: str = Field(
        "WJ", min_length=1, max_length=4, description="what the codes of batches that are journal entries begin with"
    )
    dimensions: dict[DimensionName, str] = Field(
        default_factory=dict, description="which dimensions travel: business_unit, department, cost_centre, project -> "
        "code of the dimension in Business Central",
    )  # fmt: skip

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return checked(value, "https://server:7048")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.auth.client_id is not None and self.tenant is None:
            raise ValueError("tenant is required with client_id: the Microsoft Entra tenant's guid or domain")
        if self.auth.user is not None and self.url == ONLINE:
            raise ValueError("user and password work on premises only; online use client_id")
        if self.company is not None and self.companies:
            raise ValueError("give company or companies, not both")
        return self

    @property
    def root(self) -> str:
        """Root of API v2.0."""
        if self.instance is not None:
            return f"{self.url}/{quote(self.instance, safe='')}/api/v2.0"
        tenant = f"/{quote(self.tenant, safe='')}" if self.tenant else ""
        return f"{self.url}/v2.0{tenant}/{quote(self.environment, safe='')}/api/v2.0"
