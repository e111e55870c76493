"""An open connection to one environment: its HTTP session, and what was learnt about it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from weft.errors import ConfigError, EndpointDown
from weft.meter import Meter
from weft.net.entra import ClientCredentials
from weft.net.limiter import AdaptiveLimiter, Lane
from weft.net.odata.metadata import EntityType, Metadata, MetadataError, Property, parse
from weft.net.odata.query import Query, Term, eq
from weft.net.odata.rows import Row
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings
from weft_d365fo.client import FoClient
from weft_d365fo.failures import reading
from weft_d365fo.keys import COMPANY
from weft_d365fo.settings import FoSettings

if TYPE_CHECKING:
    from weft_d365fo.dimensions import Formats
    from weft_d365fo.snapshots import Snapshot

KEPT_SNAPSHOTS = 3
"""Of one object and company: enough for a run that is repeated from the cursor before."""


class FoSession:
    """What core hands back to the hooks. ``identity`` is None: records do not tell who changed them."""

    identity: str | None = None

    def __init__(self, settings: FoSettings, http: HttpSession, log: logging.Logger) -> None:
        from weft_d365fo.selection import Plans

        self.settings = settings
        self.http = http
        self.log = log
        self.client = FoClient(http, "data")
        self.client.whole = set()
        self.plans = Plans()
        self.locks: dict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held by whoever adds lines to a journal: the environment refuses two at once."""
        self.snapshots: dict[tuple[str, ...], OrderedDict[str, Snapshot]] = defaultdict(OrderedDict)
        self._metadata: Metadata | None = None
        self._learning = asyncio.Lock()
        self._formats: Formats | None = None
        self._charts: dict[str, str] = {}
        self._companies: dict[str, str] | None = None

    # -- what there is -----------------------------------------------------------------------------

    async def metadata(self) -> Metadata:
        """``$metadata``, read once: tens of megabytes."""
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

    @property
    def limiter(self) -> AdaptiveLimiter:
        """Core bounds it where several workers share the environment."""
        return self.http.limiter

    @property
    def known_metadata(self) -> Metadata:
        """``$metadata``, which has been read by now."""
        assert self._metadata is not None
        return self._metadata

    async def type_of(self, object: str) -> EntityType:
        """The type of an entity set. :raises ConfigError: the environment has no such set."""
        meta = await self.metadata()
        try:
            return meta.entity(object)
        except KeyError:
            raise ConfigError(
                f"{self.http.system}: this environment has no entity set {object!r}; it may need a newer version "
                "or a configuration key, or the name is misspelt"
            ) from None

    async def properties(self, object: str) -> Mapping[str, Property]:
        return (await self.type_of(object)).properties

    async def rows(
        self, object: str, query: Query, company: str = "", where: Term | None = None, *, lane: Lane = "live"
    ) -> list[Row]:
        """All rows a query finds, in one company where the object knows companies."""
        known = (await self.type_of(object)).properties
        mine = eq(COMPANY, company) if company and COMPANY in known else None
        found: list[Row] = []
        with reading():
            async for page in self.client.pages(object, query.where(mine, where), lane=lane):
                found += page.rows
        return found

    async def companies(self, *, again: bool = False) -> dict[str, str]:
        """Companies the user can see: id in small letters -> name."""
        if self._companies is None or again:
            found: dict[str, str] = {}
            with reading():
                async for page in self.client.pages("LegalEntities", Query(select=("LegalEntityId", "Name"))):
                    for row in page.rows:
                        found[str(row["LegalEntityId"]).lower()] = str(row.get("Name") or row["LegalEntityId"])
            self._companies = found
        return self._companies

    async def formats(self) -> Formats:
        """How the environment writes financial dimensions."""
        from weft_d365fo.dimensions import read_formats

        if self._formats is None:
            self._formats = await read_formats(self)
        return self._formats

    async def base_currencies(self) -> dict[str, str]:
        """The accounting currency of each company's ledger."""
        rows = await self.rows("Ledgers", Query(select=("LegalEntityId", "AccountingCurrency")))
        return {str(row["LegalEntityId"]).lower(): str(row["AccountingCurrency"]) for row in rows}

    async def chart(self, company: str) -> str:
        """The chart of accounts of a company's ledger."""
        found = self._charts.get(company)
        if found is None:
            rows = await self.rows("Ledgers", Query(select=("LegalEntityId", "ChartOfAccounts")))
            self._charts |= {str(row["LegalEntityId"]).lower(): str(row["ChartOfAccounts"]) for row in rows}
            found = self._charts.get(company)
        if found is None:
            raise ConfigError(f"{self.http.system}: company {company} has no ledger, no chart of accounts")
        return found


@asynccontextmanager
async def open_session(
    settings: FoSettings, connection: str, log: logging.Logger, meter: Meter | None = None
) -> AsyncIterator[FoSession]:
    """Sign in and prove it by listing the legal entities.

    :raises AuthError: with the system's own words. :raises EndpointDown: nothing answers.
    """
    tokens = ClientCredentials.of(
        settings.auth, settings, tenant=settings.tenant, authority=settings.authority, scope=settings.token_scope
    )
    options = HttpSettings.of(settings)
    http = HttpSession(settings.url, system=connection, auth=tokens, settings=options, meter=meter)
    async with http:
        session = FoSession(settings, http, log)
        seen = await session.companies()
        if not seen:
            raise ConfigError(
                f"{connection}: the credentials work, but see no legal entity; give the user that the application is "
                "mapped to on the page Microsoft Entra ID applications a role with access to organizations"
            )
        yield session
