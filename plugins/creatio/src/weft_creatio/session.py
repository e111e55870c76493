"""An open connection to one site: its HTTP session, and what was learnt about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from weft.errors import ConfigError, EndpointDown
from weft.meter import Meter
from weft.net.auth import Auth, OAuthClientCredentials
from weft.net.errors import NetError
from weft.net.limiter import AdaptiveLimiter, Lane
from weft.net.odata.batch import Item, Result, send_batch
from weft.net.odata.client import ODataClient
from weft.net.odata.errors import ODataError
from weft.net.odata.metadata import EntityType, Metadata, MetadataError, parse
from weft.net.odata.query import Query, eq
from weft.net.odata.rows import Row
from weft.net.session import HttpSession
from weft.net.settings import HttpSettings
from weft_creatio.failures import is_denied, reading
from weft_creatio.login import FormsLogin
from weft_creatio.package.names import Names
from weft_creatio.selection import Plans, set_type
from weft_creatio.settings import CreatioSettings

PREFER = "continue-on-error"


class CreatioSession:
    """What core hands back to the hooks.

    ``identity`` is the Id of the contact that ModifiedBy shows for weft's own writes; None until it is
    known.
    """

    lane: Lane = "bulk"
    """In which requests go, where nothing else is said."""

    def __init__(self, settings: CreatioSettings, http: HttpSession, log: logging.Logger) -> None:
        self.settings = settings
        self.http = http
        self.log = log
        self.client = ODataClient(http, "odata")
        self.names = Names(settings.prefix)
        self.plans = Plans()
        self.identity: str | None = settings.identity
        self.guid_comparison: bool | None = {"yes": True, "no": False}.get(settings.guid_comparison)
        """Whether the site accepts ``Id gt <guid>``; None: not tried yet."""
        self.stamps_are_true = True
        """False once the site was seen to label its local time as UTC."""
        self.pruned: float | None = None
        """When old rows of the outbox were deleted last, by the event loop's clock."""
        self.base_currency: str | None = None
        """Code of the site's base currency, ``""`` when it does not say; None: not asked yet."""
        self.rates = asyncio.Lock()
        """Held while exchange rates are created: their order matters."""
        self._metadata: Metadata | None = None
        self._learning = asyncio.Lock()

    @property
    def limiter(self) -> AdaptiveLimiter:
        """Core bounds it where several workers share the site."""
        return self.http.limiter

    def within(self, lane: Lane) -> CreatioSession:
        """The same session, its requests in a lane."""
        if lane == self.lane:
            return self
        view = object.__new__(_Live)
        view.__dict__ = self.__dict__  # one and the same: what either learns, both know
        return view

    # -- what there is -----------------------------------------------------------------------------

    async def metadata(self) -> Metadata:
        """``$metadata``, read once (1.4 MB on a full bundle)."""
        async with self._learning:
            if self._metadata is None:
                with reading():
                    document = await self.client.metadata()
                try:
                    self._metadata = await asyncio.to_thread(parse, document)
                except MetadataError as error:  # cut short on the way, or something else in its place
                    told = f"{self.http.system}: GET {self.client.root}/$metadata gave no usable document: {error}"
                    raise EndpointDown(told) from error
            return self._metadata

    def forget_metadata(self) -> None:
        """Read them anew when they are needed next."""
        self._metadata = None

    async def type_of(self, object: str, at: str = "") -> EntityType:
        """The type of an entity set. :raises ConfigError: the site has no such object."""
        return set_type(await self.metadata(), object, self.settings.prefix, at or self.http.system)

    async def has(self, object: str) -> bool:
        return object in (await self.metadata()).sets

    # -- reading -----------------------------------------------------------------------------------

    async def rows(self, object: str, query: Query, *, lane: Lane | None = None) -> list[Row]:
        """One page, as wide as the query's ``top``."""
        with reading():
            found: list[Row] = []
            async for page in self.client.pages(object, query, lane=lane or self.lane):
                found += page.rows
            return found

    async def gets(self, urls: Sequence[str], *, lane: Lane | None = None) -> list[Result]:
        """Many reads at once, one result each, in batches where the site may be sent them.

        :raises EndpointDown, AuthError, ConfigError: nothing is known about any of them.
        """
        found: list[Result] = []
        size = 1 if self.settings.batch == "none" else self.settings.batch_size
        with reading():
            for at in range(0, len(urls), size):
                found += await self.send(
                    [Item(str(at + n), "GET", url) for n, url in enumerate(urls[at : at + size])], lane=lane
                )
        return found

    async def send(self, items: Sequence[Item], *, lane: Lane | None = None) -> list[Result]:
        """Items as one request: a batch, or the only one by itself, so that its answer is told best.

        Raises what :func:`weft.net.odata.batch.send_batch` lists.
        """
        if len(items) == 1:
            return [await self._single(items[0], lane or self.lane)]
        form: Literal["json", "multipart"] = "multipart" if self.settings.batch == "multipart" else "json"
        prefer = PREFER if self.settings.continue_on_error else None
        results = await send_batch(self.client, items, form=form, prefer=prefer, lane=lane or self.lane)
        if all(item.method == "GET" for item in items):
            # A site that stops at the first failure: ask again for what it left out.
            for at, result in enumerate(results):
                if result.state in ("not_run", "unknown"):
                    results[at] = await self._single(items[at], lane or self.lane)
        return results

    async def _single(self, item: Item, lane: Lane) -> Result:
        url = f"{self.client.root}/{item.url}"
        try:
            response = await self.client.send(item.method, url, body=item.body, headers=item.headers, lane=lane)
        except ODataError as error:
            return Result(item.id, "failed", error.status, {}, None, error)
        body = response.json() if response.content.strip() and response.status != 204 else None
        return Result(item.id, "done", response.status, dict(response.headers), body)

    def doubt_stamps(self, why: str) -> None:
        """One build returns local time labelled as UTC: read in a way that does not rely on stamps."""
        if self.stamps_are_true:
            self.stamps_are_true = False
            self.log.warning(
                "%s: the site seems to return local time labelled as UTC (%s); dates and times it shows may be "
                "off by its time zone. Restart the application pool, or update Creatio", self.http.system, why,
            )  # fmt: skip

    # -- who we are --------------------------------------------------------------------------------

    async def find_identity(self) -> None:
        """Look up the contact of weft's own user; some sites hide the table of users."""
        name = self.settings.auth.username or self.settings.technical_user
        if self.identity is not None or name is None:
            return
        query = Query(select=("Id", "Name", "ContactId"), filter=eq("Name", name), top=2)
        try:
            rows = await self.rows("SysAdminUnit", query, lane="live")
        except ConfigError as error:
            self.log.warning("the contact of user %s cannot be looked up (%s); set `identity`", name, error)
            return
        found = [str(row.get("ContactId") or "").lower() for row in rows]
        found = [key for key in found if key.strip("0-")]
        if len(found) == 1:
            self.identity = found[0]
        else:
            self.log.warning(
                "the user %s is not among the users weft may see, so its contact is not known; set `identity`", name
            )

    def learn_identity(self, echo: Any) -> None:
        """What a POST of ours answered names us as its author."""
        if self.identity is None and isinstance(echo, dict):
            key = str(echo.get("CreatedById") or "").lower()
            if key.strip("0-"):
                self.identity = key


class _Live(CreatioSession):
    lane: Lane = "live"


def authenticate(settings: CreatioSettings) -> Auth:
    auth = settings.auth
    if auth.username is not None and auth.password is not None:
        return FormsLogin(f"{settings.url}/ServiceModel/AuthService.svc/Login", auth.username, auth.password)
    assert auth.client_id is not None
    assert auth.client_secret is not None
    return OAuthClientCredentials(settings.token_url, auth.client_id, auth.client_secret)


def open_http(settings: CreatioSettings, system: str, meter: Meter | None = None) -> HttpSession:
    """The HTTP session of a connection; relative addresses start at the application (``url`` or ``url/0``)."""
    options = HttpSettings.of(settings, retry_base=settings.retry_base)
    return HttpSession(settings.app, system=system, auth=authenticate(settings), settings=options, meter=meter)


@asynccontextmanager
async def open_session(
    settings: CreatioSettings, connection: str, log: logging.Logger, meter: Meter | None = None
) -> AsyncIterator[CreatioSession]:
    """Sign in and prove it by reading one row.

    :raises AuthError: with the system's own words. :raises EndpointDown: nothing answers.
    """
    async with open_http(settings, connection, meter) as http:
        session = CreatioSession(settings, http, log)
        await prove(session)
        await session.find_identity()
        yield session


async def prove(session: CreatioSession) -> None:
    """:raises ConfigError: signed in, but the user may not use OData, or ``runtime`` is wrong."""
    system = session.http.system
    try:
        with reading():
            await session.client.send("GET", f"{session.client.root}/Contact?$select=Id&$top=1", lane="live")
    except ConfigError as error:
        cause = error.__cause__ or error
        if isinstance(cause, ODataError) and is_denied(cause):
            raise ConfigError(
                f"{system}: signed in, but the user may not read contacts by OData; it needs the operation "
                f"right CanUseODataService and the right to read Contact: {cause}"
            ) from error
        if isinstance(cause, NetError) and cause.status == 404:
            raise ConfigError(
                f"{system}: {session.client.root} is not there; `runtime` says {session.settings.runtime!r}: "
                f"`framework` serves OData under /0, `core` at the root ({cause})"
            ) from error
        raise
