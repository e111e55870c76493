"""The Runtime owns everything that lives as long as a process: plugins, state, sessions, caches.

There are no globals; whoever needs something is handed the runtime.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weft.config.secrets import resolve
from weft.errors import ConfigError, PluginError
from weft.mapping.compile import CompiledMapping, compile_mapping
from weft.mapping.loading import overlay
from weft.meter import Meter
from weft.model.catalogue import Catalogue
from weft.model.currencies import Currencies
from weft.net.secrets import Redactor
from weft.plugins import Plugins
from weft.records import Context, Lane, Side
from weft.reference_tables import ReferenceTables
from weft.state.membership import Membership

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.config.models import FlowConfig
    from weft.mapping.impossible import Impossible
    from weft.state.store import State


class SystemClock:
    """The time, in UTC. Tests hand in a clock of their own."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(slots=True)
class _Connection:
    """An open session and what was learnt through it."""

    settings: Any
    session: Any
    companies: dict[str, str]
    base_currencies: dict[str, str] | None = None


@dataclass
class Runtime:
    """Use as an async context manager; sessions are opened when first needed and closed at the end."""

    config: Config
    state: State
    plugins: Plugins
    clock: Any = field(default_factory=SystemClock)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("weft"))
    redactor: Redactor = field(default_factory=Redactor)
    """Knows every secret in use, and masks it in logs and error texts."""
    meter: Meter = field(default_factory=Meter)
    """Is told what happens; forgets it unless metrics or traces are on."""

    def __post_init__(self) -> None:
        self.catalogue = Catalogue.of(self.plugins, self.config)
        self.currencies = Currencies(self.config.currencies)
        self._stack = AsyncExitStack()
        self._open: dict[str, _Connection] = {}
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._mappings: dict[tuple[str, str], dict[str, CompiledMapping]] = {}
        self._impossible: dict[tuple[str, str], list[Impossible]] = {}
        self._tables: dict[tuple[str, str], ReferenceTables] = {}
        self._limits: dict[str, int] = {}
        self.others = 0
        """Other workers that are alive."""
        self.helpers = 0
        """Other workers that could take a part of a pass now."""
        self.membership: Membership | None = None
        """This process as a worker of the state."""

    async def __aenter__(self) -> Self:
        state: State | None = self.state
        if state is not None and not state.read_only:  # who looks at the systems alone brings no state
            await self._take_part()
        return self

    async def _take_part(self) -> None:
        """Act on the state as one of its workers; on SQLite as the only one."""
        if not self.state.place.sqlite:
            self.membership = Membership(self.state, ttl=self.config.jobs.lease, clock=self.clock.now)
            await self._stack.enter_async_context(self.membership)
            return
        for dead in await self.state.write(lambda tx: tx.workers.alone(self.state.worker, self.clock.now())):
            self.log.info("an earlier process was cut off: %s", dead)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        await self._stack.aclose()

    # -- configuration -----------------------------------------------------------------------------

    def kind(self, connection: str) -> str:
        """The connector kind of a connection; its plugin is loaded by then.

        :raises ConfigError: no such connection, or its plugin is missing or broken.
        """
        kind = self.config.connection(connection).kind
        try:
            self.plugins.connector(kind)
        except PluginError as error:
            where = self.config.where("connections", connection, "kind", value=True)
            raise PluginError(f"{where}: connections.{connection}.kind: {error}") from error
        return kind

    def settings(self, connection: str) -> Any:
        """The connection's settings, validated by its connector's model, secrets resolved."""
        if connection in self._open:
            return self._open[connection].settings
        connector = self.plugins.connector(self.kind(connection))
        return resolve(self.config, connection, connector.settings, redactor=self.redactor)

    def mappings(self, connection: str, entity: str) -> dict[str, CompiledMapping]:
        """Every variant of an entity's mapping for a connection, packaged and overlaid, compiled once."""
        found = self._mappings.get((connection, entity))
        if found is None:
            kind = self.kind(connection)
            entity_type = self.catalogue.get(entity)
            packaged = self.plugins.call(
                kind, "weft_mappings", kind=kind, settings=self.settings(connection), entity=entity
            )
            documents = overlay(packaged or [], self.config, connection, entity)
            found = {
                document.variant: compile_mapping(
                    document,
                    entity_type,
                    kind=kind,
                    entities=self.catalogue.types,
                    ref_object=lambda name: self.object_of(connection, name),
                    currencies=self.currencies,
                )
                for document in documents
            }
            self._mappings[connection, entity] = found
        return found

    def object_of(self, connection: str, entity: str) -> str | None:
        """The object in which a connection keeps an entity: that of its first variant."""
        kind = self.kind(connection)
        packaged = self.plugins.call(
            kind, "weft_mappings", kind=kind, settings=self.settings(connection), entity=entity
        )
        documents = overlay(packaged or [], self.config, connection, entity)
        return documents[0].object.read if documents else None

    def impossible(self, connection: str, entity: str) -> list[Impossible]:
        """What the connector says cannot be done with an entity; nothing where the user maps it by a variant
        of their own."""
        found = self._impossible.get((connection, entity))
        if found is None:
            found = self._impossible[connection, entity] = self._ask_impossible(connection, entity)
        return found

    def _ask_impossible(self, connection: str, entity: str) -> list[Impossible]:
        kind = self.kind(connection)
        if not self.plugins.has(kind, "weft_impossible"):
            return []
        packaged = self.plugins.call(
            kind, "weft_mappings", kind=kind, settings=self.settings(connection), entity=entity
        )
        own = set(self.config.mappings.get(connection, {}).get(entity, {})) - {one.variant for one in packaged or []}
        if own:
            return []
        found: list[Impossible] = self.plugins.call(
            kind, "weft_impossible", kind=kind, settings=self.settings(connection), entity=entity
        )
        return found

    # -- live --------------------------------------------------------------------------------------

    def context(
        self,
        connection: str,
        *,
        flow: str = "",
        run: str = "",
        entity: str = "",
        company: str = "",
        side: Side | None = None,
        lane: Lane = "bulk",
    ) -> Context:
        """The context of one call to a connector."""
        return Context(
            kind=self.kind(connection),
            connection=connection,
            settings=self.settings(connection),
            clock=self.clock,
            log=self.log.getChild(connection),
            run=run,
            flow=flow,
            entity=self.catalogue.get(entity) if entity else None,
            company=company,
            side=side,
            lane=lane,
            lookup=self.tables(connection, company),
            limits=self.config.limits.of(connection),
            meter=self.meter,
            currencies=self.currencies,
        )

    async def session(self, connection: str) -> Any:
        """The open session of a connection.

        :raises AuthError, EndpointDown: from the connector, naming the connection.
        """
        return (await self._connect(connection)).session

    async def _connect(self, connection: str) -> _Connection:
        async with self._opening[connection]:
            return self._open.get(connection) or await self._opened(connection)

    async def _opened(self, connection: str) -> _Connection:
        kind = self.kind(connection)
        settings = self.settings(connection)
        context = Context(
            kind=kind,
            connection=connection,
            settings=settings,
            clock=self.clock,
            log=self.log.getChild(connection),
            limits=self.config.limits.of(connection),
            meter=self.meter,
            currencies=self.currencies,
        )
        opening = self.plugins.call(kind, "weft_open", ctx=context)
        session = await self._stack.enter_async_context(opening)
        companies: dict[str, str] = {}
        if self.plugins.has(kind, "weft_companies"):
            companies = await self.plugins.call(kind, "weft_companies", ctx=context, session=session)
        found = self._open[connection] = _Connection(settings, session, companies)
        if connection in self._limits:
            self.limit(connection, self._limits[connection])
        return found

    def limit(self, connection: str, requests: int) -> None:
        """Bound the requests under way on a connection, below what is configured: other workers have theirs.
        Sessions without a ``limiter`` are not bounded."""
        self._limits[connection] = requests
        opened = self._open.get(connection)
        limiter = getattr(opened.session, "limiter", None) if opened is not None else None
        if limiter is not None:
            limiter.allow(requests)

    def share(self, connection: str) -> int:
        """How many requests may be under way on a connection."""
        return self._limits.get(connection) or self.config.limits.requests(connection)

    async def companies(self, connection: str, flow: FlowConfig, side: Side) -> tuple[str, ...]:
        """The keys of the companies a flow works with on a connection, ('',) where there are none.

        Named by the flow's ``company`` rules on the right side, by the connection's own ``company``
        or ``companies`` setting otherwise.

        :raises ConfigError: a company that the credentials cannot see; what can be seen is listed.
        """
        connector = self.plugins.connector(self.kind(connection))
        if not connector.companies:
            return ("",)
        named: list[str] = []
        at: tuple[str, ...] = ()
        if side == "right" and flow.company is not None:
            targets = [t.company for t in flow.company.targets() if t.connection in (None, connection)]
            named = list(dict.fromkeys(targets))
            at = ("flows", next((name for name, one in self.config.flows.items() if one is flow), ""), "company")
        if not named:
            at = ("connections", connection)
            settings = self.settings(connection)
            single = getattr(settings, "company", None)
            named = list(getattr(settings, "companies", None) or ([single] if single else []))
            at = (*at, "company" if single else "companies")
        if not named:
            seen = (await self._connect(connection)).companies
            if len(seen) == 1:
                return tuple(seen)
            raise ConfigError(
                f"connection {connection!r} has several companies ({_listed(seen)}); say which one under "
                f"connections.{connection}.company or in the flow's company rule"
            )
        return tuple([await self.company(connection, name, at) for name in named])

    async def company(self, connection: str, name: str, at: Sequence[str] = ()) -> str:
        """The key of the company with this key or display name; ``at`` is where it is written.

        :raises ConfigError: there is none, or the user may not see it; those it sees are listed.
        """
        connector = self.plugins.connector(self.kind(connection))
        if not connector.companies:
            return ""
        seen = (await self._connect(connection)).companies
        if name in seen:
            return name
        for key, title in seen.items():
            if title.casefold() == name.casefold():
                return key
        where = f"{self.config.where(*at, value=True)}: {'.'.join(at)}: " if at else ""
        raise ConfigError(
            f"{where}connection {connection!r}: there is no company {name!r}, or its user may not see it; "
            f"it sees: {_listed(seen) or 'none'}"
        )

    async def base_currencies(self, connection: str) -> dict[str, str]:
        """Company -> the currency of its books, as far as the system tells; asked once."""
        opened = await self._connect(connection)
        if opened.base_currencies is None:
            known: dict[str, str] = {}
            kind = self.kind(connection)
            if self.plugins.has(kind, "weft_base_currencies"):
                ctx = self.context(connection)
                known = await self.plugins.call(kind, "weft_base_currencies", ctx=ctx, session=opened.session)
            opened.base_currencies = known
        return opened.base_currencies

    def place(self, connection: str, company: str) -> str:
        """A connection and company as people call them: ``erp/CRONUS USA, Inc.``."""
        opened = self._open.get(connection)
        name = (opened.companies.get(company) if opened is not None else None) or company
        return f"{connection}/{name}" if name else connection

    def tables(self, connection: str, company: str) -> ReferenceTables:
        """Reference data of a connection and company, loaded on demand and kept for the process."""
        found = self._tables.get((connection, company))
        if found is None:
            found = self._tables[connection, company] = ReferenceTables(self, connection, company)
        return found


def _listed(companies: Mapping[str, str]) -> str:
    return ", ".join(sorted(title or key for key, title in companies.items()))
