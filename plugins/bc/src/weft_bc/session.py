"""An open connection to one environment: its HTTP session, and what was learnt about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from weft.errors import ConfigError, EndpointDown
from weft.meter import Meter
from weft.net.auth import Auth, Basic
from weft.net.entra import ClientCredentials
from weft.net.limiter import AdaptiveLimiter
from weft.net.odata.client import ODataClient
from weft.net.odata.literals import guid, resource
from weft.net.odata.metadata import EntityType, Metadata, MetadataError, Property, parse
from weft.net.odata.query import Query
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings
from weft_bc.failures import reading
from weft_bc.selection import Plans
from weft_bc.settings import BcSettings

Primary = {"Data-Access-Intent": "ReadWrite"}
Replica = {"Data-Access-Intent": "ReadOnly"}


class BcSession:
    """What core hands back to the hooks. ``identity`` is None: records do not tell who changed them."""

    identity: str | None = None

    def __init__(self, settings: BcSettings, http: HttpSession, log: logging.Logger) -> None:
        self.settings = settings
        self.http = http
        self.log = log
        headers = {"Accept-Language": settings.language}
        self.client = ODataClient(http, "", headers=headers)
        self.plans = Plans()
        self._metadata: Metadata | None = None
        self._learning = asyncio.Lock()
        self._companies: dict[str, str] | None = None
        self._currencies: dict[str, str] = {}
        self._dimensions: dict[str, dict[str, str]] = {}

    @property
    def limiter(self) -> AdaptiveLimiter:
        """Core bounds it where several workers share the environment."""
        return self.http.limiter

    # -- where things are --------------------------------------------------------------------------

    def path(self, company: str, *rest: str | tuple[str, Any]) -> str:
        """``companies({id})/…`` relative to the root. :raises ConfigError: no company id."""
        try:
            return resource(("companies", guid(company)), *rest)
        except ValueError as error:
            raise ConfigError(
                f"{self.http.system}: {error}; a Business Central record lives in a company: name it "
                "under company in the connection, or in the flow's company rule"
            ) from None

    @staticmethod
    def key(key: str) -> Any:
        """A record's key as it stands in a URL. :raises ValueError: not a guid."""
        return guid(key)

    # -- what there is -----------------------------------------------------------------------------

    async def metadata(self) -> Metadata:
        """``$metadata``, read once."""
        async with self._learning:
            if self._metadata is None:
                with reading():
                    document = await self.client.metadata()
                try:
                    self._metadata = await asyncio.to_thread(parse, document)
                except MetadataError as error:  # cut short on the way
                    told = f"{self.http.system}: GET {self.client.root}/$metadata gave no usable document: {error}"
                    raise EndpointDown(told) from error
            return self._metadata

    async def type_of(self, object: str) -> EntityType:
        """The type of an entity set. :raises ConfigError: the environment has no such set."""
        meta = await self.metadata()
        try:
            return meta.entity(object)
        except KeyError:
            raise ConfigError(
                f"{self.http.system}: API v2.0 of this environment has no entity set {object!r}; "
                "it may need a newer version of Business Central, or the name is misspelt"
            ) from None

    async def properties(self, object: str) -> Mapping[str, Property]:
        return (await self.type_of(object)).properties

    async def companies(self, *, again: bool = False) -> dict[str, str]:
        """Companies the credentials can see: id -> display name."""
        if self._companies is None or again:
            found: dict[str, str] = {}
            with reading():
                async for page in self.client.pages("companies", Query(select=("id", "name", "displayName"))):
                    for row in page.rows:
                        found[str(row["id"])] = str(row.get("displayName") or row.get("name") or row["id"])
            self._companies = found
        return self._companies

    async def local_currency(self, company: str) -> str:
        """The code of a company's own currency, in which item prices stand."""
        found = self._currencies.get(company)
        if found is None:
            with reading():
                query = Query(select=("id", "currencyCode"))
                async for page in self.client.pages(self.path(company, "companyInformation"), query):
                    for row in page.rows:
                        found = str(row.get("currencyCode") or "")
            found = self._currencies[company] = found or ""
        return found

    async def dimension(self, company: str, code: str) -> str | None:
        """The id of a dimension; None when the company has none of this code."""
        if company not in self._dimensions:
            with reading():
                query = Query(select=("id", "code"))
                found: dict[str, str] = {}
                async for page in self.client.pages(self.path(company, "dimensions"), query):
                    found |= {str(row["code"]).upper(): str(row["id"]) for row in page.rows}
            self._dimensions[company] = found
        return self._dimensions[company].get(code.upper())

    async def base_currencies(self) -> dict[str, str]:
        """The own currency of every company the credentials can see; one that does not say is left out."""
        found = {company: await self.local_currency(company) for company in await self.companies()}
        return {company: code for company, code in found.items() if code}


def authenticate(settings: BcSettings) -> Auth:
    auth = settings.auth
    if auth.user is not None and auth.password is not None:
        return Basic(auth.user, auth.password)
    tenant = settings.tenant or ""
    return ClientCredentials.of(auth, settings, tenant=tenant, authority=settings.authority, scope=settings.scope)


@asynccontextmanager
async def open_session(
    settings: BcSettings, connection: str, log: logging.Logger, meter: Meter | None = None
) -> AsyncIterator[BcSession]:
    """Sign in and prove it by listing the companies.

    :raises AuthError: with the system's own words. :raises EndpointDown: nothing answers.
    """
    options = HttpSettings.of(settings)
    http = HttpSession(settings.root, system=connection, auth=authenticate(settings), settings=options, meter=meter)
    async with http:
        session = BcSession(settings, http, log)
        seen = await session.companies()
        if not seen:
            raise ConfigError(
                f"{connection}: the credentials work, but see no company; give the application permission sets on "
                "the page Microsoft Entra Applications (on premises: the user in Users)"
            )
        yield session
