"""The plugin contract: read, write, map and route, and their helpers.

A connector is a module of functions marked with ``@weft.hookimpl``, registered by one entry point in
the group ``weft``; the entry point's name is the ``kind`` used in ``weft.yaml``::

    [project.entry-points.weft]
    csvdir = "weft_csvdir.connector"

A function takes only the arguments it needs: pluggy passes by name. core calls a hook for one kind
only, so a connector never sees another one's session. Only :func:`weft_connector`,
:func:`weft_mappings`, :func:`weft_open`, :func:`weft_read` and :func:`weft_write` are needed.

**Threads.** Every hook is called on the event loop. Blocking work belongs into
:func:`asyncio.to_thread`. Calls for one session may overlap; calls for one record do not.

**Order.** ``weft_connector`` once per process; ``weft_mappings`` and ``weft_entities`` once per
configuration; ``weft_open`` once per connection and process; then any number of describes, reads,
maps, routes and writes; the context manager's exit last.

**Exceptions.** Raise the typed errors of :mod:`weft.errors`: ``EndpointDown`` (try later),
``AuthError`` (credentials), ``ConfigError`` (a person must change the configuration). Anything else
is a defect of the connector: the flow stops with the traceback in the log, the cursor stays where it
is and other flows go on. A write never raises for one item: it yields an outcome.

Functions that do I/O *return* an awaitable or an asynchronous iterator rather than being declared
with a first-result hook over coroutines; an ``async def`` (or an async generator) does just that.
To run your own code around another connector's calls use :func:`weft.around`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pluggy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from weft.mapping.document import Mapping
    from weft.mapping.impossible import Impossible
    from weft.model.entity import EntityType
    from weft.records import (
        Canonical,
        Concern,
        Context,
        Intents,
        Item,
        Mapped,
        ObjectSchema,
        Outcome,
        Page,
        Query,
        Record,
        Reply,
        Request,
        Subscription,
        Target,
        Watch,
    )

hookspec = pluggy.HookspecMarker("weft")


@dataclass(frozen=True, slots=True)
class Connector:
    """What a connector says about itself.

    ``settings`` is the pydantic model of the connection's entry in ``weft.yaml`` (everything but
    ``kind``); its fields of type :class:`weft.net.secrets.Secret` are resolved and never printed.
    ``companies`` tells whether records live in companies. ``commands`` is a click group mounted at
    ``weft <kind>``; ``simulator`` a dotted path ``module:factory`` used by ``weft simulate``.
    ``max_batch`` is the largest number of items one ``weft_write`` call should get.

    Example::

        Connector(title="Folder of CSV files", settings=FolderSettings, docs="https://…")
    """

    title: str
    settings: type[BaseModel]
    docs: str = ""
    companies: bool = False
    auth: tuple[str, ...] = ()
    max_batch: int = 100
    commands: str | None = None
    """Dotted path ``module:group`` of a click group, imported only when used."""
    simulator: str | None = None
    demo: str | None = None
    """Dotted path ``module:function`` of the story that ``weft demo --edition <kind>`` tells: an
    ``def story(stage: weft.cli.stage.Stage) -> None``."""
    editions: str | None = None
    """``package:file`` of what the connector adds to editions: see :mod:`weft.config.edition`."""
    samples: dict[str, Any] = field(default_factory=dict)
    """Settings that ``weft init`` writes for a new connection of this kind."""
    no_rates: str = ""
    """How a connection is told to keep exchange rates out of documents, as one writes it: ``document_rates: false``."""


@hookspec(firstresult=True)
def weft_connector() -> Connector:
    """Describe the connector.

    Called once after loading; must not do I/O. A plugin without it is no connector: it may still wrap
    others (:func:`weft.around`) or add entities.

    Example::

        @hookimpl
        def weft_connector():
            return Connector(title="Folder of CSV files", settings=FolderSettings)
    """
    raise AssertionError("specification only")


@hookspec
def weft_entities() -> list[EntityType]:
    """Entities this plugin adds to the canonical model; core's own come the same way.

    Called once per configuration. An entity whose name exists already is refused by ``weft check``.

    Example::

        @hookimpl
        def weft_entities():
            return [EntityType("warranty", fields={"serial": Field("serial")})]
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_mappings(kind: str, settings: Any, entity: str) -> list[Mapping]:
    """The packaged mapping documents of one entity, one per variant; an empty list when there are none.

    ``settings`` is the connection's settings (a custom prefix, say). Called once per flow side; may
    be called again with the same arguments and must answer the same.

    Example::

        @hookimpl
        def weft_mappings(entity):
            return packaged(__package__, entity)
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_impossible(kind: str, settings: Any, entity: str) -> list[Impossible]:
    """What the system cannot do with an entity, with the reason; an empty list when it can do what it is asked.

    ``weft check`` and every run refuse a flow that wants it, in these words. Documents with a key
    ``impossible`` beside the packaged mappings say so in YAML.

    Example::

        @hookimpl
        def weft_impossible(entity):
            return impossible(__package__, entity)
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_open(ctx: Context) -> AbstractAsyncContextManager[Any]:
    """Open an authenticated session; core keeps one per connection and closes it at the end.

    The session is yours: core hands it back untouched, and looks only at two attributes, where it has
    them. ``identity``: what :attr:`weft.records.Record.changed_by` shows for writes through it, so
    that the system's own spelling of what we wrote is told from a person's edit. ``limiter``: a
    :class:`weft.net.limiter.AdaptiveLimiter`, whose upper bound core sets where several workers share
    the connection. Entering must prove
    that the credentials work (``AuthError`` with the system's own words otherwise) and that the
    address answers (``EndpointDown``). Tokens are renewed by the session itself, in memory only.

    Example::

        @hookimpl
        @asynccontextmanager
        async def weft_open(ctx):
            async with HttpSession(ctx.settings.url, auth=…, meter=ctx.meter) as http:
                yield http
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_describe(ctx: Context, session: Any, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
    """Live metadata of the named objects (None: all), for ``weft check`` and type handling.

    An unknown object is left out; core names it. Called rarely, may be slow, may be repeated.

    Example::

        @hookimpl
        async def weft_describe(session, objects):
            for name in objects or session.names():
                yield ObjectSchema(name, ("id",), session.columns(name))
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_companies(ctx: Context, session: Any) -> Awaitable[dict[str, str]]:
    """The companies the credentials can see: key -> display name. Systems without companies leave it out.

    Example::

        @hookimpl
        async def weft_companies(session):
            return {row["id"]: row["name"] for row in await session.companies()}
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_base_currencies(ctx: Context, session: Any) -> Awaitable[dict[str, str]]:
    """The currency each company keeps its books in: company -> ISO code; under ``""`` where there are no companies.

    A document's ``exchange_rate`` is against it, so ``weft check`` compares those of the companies between which
    rates travel, and a flow between different ones is not run. A company whose currency is not known is left out.

    Example::

        @hookimpl
        async def weft_base_currencies(session):
            return {row["id"]: row["currency"] for row in await session.companies()}
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_check(
    ctx: Context, session: Any, mappings: Sequence[Mapping], actions: Sequence[str]
) -> AsyncIterator[Concern]:
    """What people have yet to set up in the live system for one flow; nothing when all of it is there.

    ``ctx.company`` is the company looked at, ``mappings`` are the flow's documents of this connection, ``actions``
    the steps due there after a write. Reads only.

    Example::

        @hookimpl
        async def weft_check(session, mappings):
            for mapping in mappings:
                if not await session.has_list(mapping.object.read):
                    yield Concern("error", f"there is no list {mapping.object.read}", "make it under Lists")
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_read(ctx: Context, session: Any, query: Query) -> AsyncIterator[Page]:
    """Read records, a page at a time.

    The four modes are described at :class:`weft.records.Query`. What core relies on:

    * nothing is skipped: a record committed late, or changed while paging, appears in this read or
      in the next ``changes`` read from the cursor given out; repeats are harmless;
    * a ``cursor`` is given only when everything before it has been delivered, is a string of at most
      8,000 characters, and comes from the server's own clock;
    * a record that cannot be read (rights) is ``invisible``, never ``gone``; an error raises and
      says nothing about deletes;
    * blanks of the system stay as they are: turning them into EMPTY is the mapping's work with the
      help of :attr:`weft.records.Property` and ``blank``;
    * numbers with a fraction arrive as :class:`~decimal.Decimal`.

    Called again with the same cursor after a crash, it delivers at least the same records.

    Example::

        @hookimpl
        async def weft_read(session, query):
            async for rows in session.pages(query.mapping.object.read):
                yield Page(records=[…], cursor=…)
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_map(
    ctx: Context, direction: Literal["in", "out"], records: Sequence[Record | Canonical]
) -> Awaitable[list[Mapped]] | None:
    """Native to canonical (``in``) or back (``out``), a batch at a time, one result per record in order.

    core's mapper is the innermost implementation; answer None to leave the batch to it. For ``out``
    the canonical records hold just the fields to be written, and ``key`` is empty for a create.
    Must not do I/O of its own beyond ``ctx.lookup``.

    Example::

        @weft.around("map", kind="bc")
        async def shout(call, direction, records):
            mapped = await call()
            …
            return mapped
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_route(ctx: Context, entities: Sequence[Canonical]) -> Awaitable[list[list[Target]]] | None:
    """Which connection and company each record goes to; several are allowed, none makes an issue.

    core's router applies the flow's ``company`` rules; answer None to leave it to them. The choice
    is pinned in the link: it is asked for new records only.

    Example::

        @hookimpl
        async def weft_route(entities):
            return [[Target("erp", "usmf")] for _ in entities]
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_write(ctx: Context, session: Any, items: Sequence[Item], intents: Intents) -> AsyncIterator[Outcome]:
    """Write records and yield one outcome per item, in any order.

    * Never raises for one item; an exception means that no further item was sent, and core treats
      those without an outcome as ``in_doubt`` if they are creates, ``retry`` otherwise.
    * Guard updates and deletes with ``item.version`` where the system can; a stale version is
      ``conflict``, and nothing is written.
    * Call ``intents.still_mine()`` right before every send. After every step of a document that the
      system committed on its own, ``intents.note(item, step, key)``; steps already in
      ``intents.noted(item)`` are not repeated.
    * A request that may have reached the system without an answer is ``in_doubt``. Never repeat it.
    * Return what the system returned (``record``): it saves a read and tells what the system made of
      the values.

    May be called again with the same items, after ``retry``, ``partial``, or once core has found
    out what became of one in doubt.

    Example::

        @hookimpl
        async def weft_write(session, items, intents):
            for item in items:
                await intents.still_mine()
                row = await session.insert(item.object, item.data)
                yield Outcome(item.id, "created", key=row["id"])
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_subscribe(
    ctx: Context, session: Any, url: str, watches: Sequence[Watch], current: Sequence[Subscription]
) -> Awaitable[list[Subscription]]:
    """Make the system push changes of ``watches`` to ``url``; ``current`` is what was in force the last time.

    Called at start, every hour, and from a day before the earliest ``expires``: renew what ends soon, make anew what
    the system has dropped. What cannot be pushed is left out. Returns all subscriptions now in force.

    Example::

        @hookimpl
        async def weft_subscribe(session, url, watches):
            known = await session.subscriptions(url)
            return [known.get(one.object) or await session.subscribe(url, one.object) for one in watches]
    """
    raise AssertionError("specification only")


@hookspec(firstresult=True)
def weft_receive(ctx: Context, request: Request) -> Awaitable[Reply]:
    """Answer a pushed request: the HTTP reply the sender is owed, and hints about what changed.

    Must be quick and do no I/O; core has checked size and the secret in the path. Hints are only
    hints: the records are read fresh.

    Example::

        @hookimpl
        async def weft_receive(request):
            if token := request.query.get("validationToken"):
                return Reply(body=token.encode())
            return Reply(hints=(Hint("customers", "…"),))
    """
    raise AssertionError("specification only")
