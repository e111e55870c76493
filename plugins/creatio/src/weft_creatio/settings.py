"""Settings of a Creatio connection, as written under ``connections`` in ``weft.yaml``."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from weft.net.address import checked
from weft.net.secrets import Secret

_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_PREFIX = re.compile(r"(?:[A-Z][A-Za-z0-9]*)?\Z")


class AuthSettings(BaseModel):
    """Either a user with a password (forms login), or an OAuth client bound to a technical user."""

    model_config = ConfigDict(extra="forbid")

    username: str | None = Field(None, description="user name of the forms login")
    password: Secret | None = Field(None, description="password of that user")
    client_id: str | None = Field(None, description="OAuth client id registered in Creatio")
    client_secret: Secret | None = Field(None, description="secret of the OAuth client")
    identity_url: str | None = Field(
        None,
        description="address of the identity service, e.g. https://acme-is.creatio.com; default: the site itself",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        forms = self.username is not None or self.password is not None
        oauth = self.client_id is not None or self.client_secret is not None
        if forms == oauth:
            raise ValueError("give username with password, or client_id with client_secret")
        if forms and (not self.username or not self.password):
            raise ValueError("username needs password, and the other way round")
        if oauth and (not self.client_id or not self.client_secret):
            raise ValueError("client_id needs client_secret, and the other way round")
        if forms and self.identity_url is not None:
            raise ValueError("identity_url goes with client_id")
        return self


class CreatioSettings(BaseModel):
    """A connection to one Creatio site. Times are seconds.

    The service's own limits, for orientation: 100 requests a batch, 20,000 rows an answer, 100 nodes a
    filter, 120 s a request; on the Growth plan 10,000 OData calls a day and full user.
    """

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="address of the site, e.g. https://acme.creatio.com")
    runtime: Literal["framework", "core"] = Field(
        "framework",
        description="`framework`: .NET Framework, services under /0 (most cloud sites); `core`: .NET, at the root",
    )
    auth: AuthSettings
    identity: str | None = Field(
        None,
        description="Id of the contact of weft's own user, which ModifiedBy shows; looked up, or learnt from the "
        "first record weft creates, when left out",
    )
    technical_user: str | None = Field(
        None, description="with OAuth: name of the system user behind the client, to look its contact up"
    )
    prefix: str = Field("Usr", description="prefix of custom objects and columns (setting SchemaNamePrefix)")
    package: bool = Field(
        True,
        description="whether weft's package is installed (weft creatio package); false: its objects and columns "
        "are left out of the packaged mappings",
    )
    document_rates: bool = Field(
        False,
        description="whether documents keep their exchange rate on the way: for companies whose own currency is the "
        "site's base currency. false: each side takes its own rate of the day",
    )
    base_currency: str | None = Field(
        None,
        description="code of the site's base currency, such as USD; default: what the system setting PrimaryCurrency "
        "says",
    )
    outbox: bool = Field(True, description="use the package's outbox for fast deletes, where it is installed")
    outbox_days: float = Field(7, gt=0, description="age in days at which handled rows of the outbox are deleted")
    admin_reader: bool = Field(
        True,
        description="weft's user may read every row: one that is missing has been deleted. false: it may only have "
        "become invisible, so nothing is ever taken for deleted",
    )
    ca_file: Path | None = Field(None, description="PEM file with further certificate authorities to trust")
    proxy: str | None = Field(None, description="HTTP proxy for all requests")
    max_concurrency: int = Field(6, ge=1, le=100, description="requests at a time")
    connect_timeout: float = Field(15, gt=0, description="seconds to wait for a connection")
    read_timeout: float = Field(150, gt=0, description="seconds of silence before an answer counts as lost")
    retry_attempts: int = Field(5, ge=1, le=20, description="how often a request that is safe to repeat is sent")
    retry_patience: float = Field(120, ge=0, description="seconds a request waits in all while throttled")
    retry_base: float = Field(0.5, gt=0, description="seconds before the first repetition; doubles each time")
    page_size: int = Field(1000, ge=1, le=20_000, description="rows a page")
    overlap: float = Field(
        180, ge=0, description="seconds before the newest change seen that are read again: a save may be stamped "
        "before and seen after, and takes up to 120",
    )  # fmt: skip
    batch: Literal["json", "multipart", "none"] = Field("json", description="form of $batch; none: single requests")
    batch_size: int = Field(100, ge=1, le=100, description="requests a $batch")
    continue_on_error: bool = Field(
        True, description="ask a batch to go on after a failure (Prefer: continue-on-error)"
    )
    filter_ids: int = Field(12, ge=1, le=15, description="ids joined by `or` in one filter; about 15 is the limit")
    guid_comparison: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="whether the site accepts `Id gt <guid>`: yes, no, or auto, which tries it and remembers",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        address = checked(value, "https://acme.creatio.com")
        parts = urlsplit(address)
        if parts.path.rstrip("/").endswith("/0"):
            raise ValueError("leave the /0 out: it follows from `runtime`")
        if parts.query or parts.fragment:
            raise ValueError("must not have a query or fragment")
        return address

    @field_validator("prefix")
    @classmethod
    def _latin(cls, value: str) -> str:
        if not _PREFIX.match(value):
            raise ValueError("must be Latin letters and digits that begin with a capital, as in Usr, or empty")
        return value

    @field_validator("base_currency")
    @classmethod
    def _code(cls, value: str | None) -> str | None:
        if value is not None and not _CURRENCY.match(value):
            raise ValueError("must be a currency's code of three capital letters, such as USD")
        return value

    @field_validator("identity")
    @classmethod
    def _contact(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise ValueError("must be the Id of a contact, a GUID") from None

    @property
    def app(self) -> str:
        """Address of the application: ``url`` or ``url/0``."""
        return f"{self.url}/0" if self.runtime == "framework" else self.url

    @property
    def root(self) -> str:
        """Root of OData v4."""
        return f"{self.app}/odata"

    @property
    def token_url(self) -> str:
        """Where OAuth tokens come from. Without ``identity_url`` the site proxies it."""
        base = self.auth.identity_url or self.app
        return f"{base.rstrip('/')}/connect/token"
