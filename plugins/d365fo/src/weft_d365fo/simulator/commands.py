"""What people do in the client of Finance & Operations: edits, rights, rates. For tests and demos.

Every edit passes the same rules as one through /data; sets and keys are those of /data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from weft.testing.odata.store import Row
from weft_d365fo.simulator.errors import FoError, Refused
from weft_d365fo.simulator.tables import Shown
from weft_d365fo.simulator.values import noon, public
from weft_d365fo.simulator.world import FACTORS

if TYPE_CHECKING:
    from weft_d365fo.simulator.server import FinanceOperationsSimulator

Command = Callable[..., Awaitable[Any]]


def exact(value: Any) -> Any:
    """Numbers of a command become exact."""
    if isinstance(value, float):
        return Decimal(str(value))
    return {k: exact(v) for k, v in value.items()} if isinstance(value, dict) else value


class Commands:
    def __init__(self, sim: FinanceOperationsSimulator) -> None:
        self.sim = sim
        self.world = sim.world
        self.writer = sim.service.writer

    def table(self) -> dict[str, tuple[Command, str]]:
        return {
            "companies": (self.companies, "ids, names and currencies of the companies"),
            "list": (self.rows, "rows of a set: set, company, limit"),
            "get": (self.get, "one row: set, key (its parts by name)"),
            "create": (self.create, "insert as a person does: set, values"),
            "edit": (self.edit, "change as a person does: set, key, values"),
            "delete": (self.delete, "delete as a person does: set, key"),
            "set_rate": (
                self.set_rate,
                "exchange rate: currency, rate for `per` (100) units, company, date, per",
            ),
            "map_client": (self.map_client, "let an app sign in as a user: client_id, user, company, companies"),
            "unmap_client": (self.unmap_client, "take an app from the list of applications: client_id"),
            "deny": (self.deny, "take a right from a user: set, method, user"),
            "allow": (self.allow, "give all rights back: user"),
            "overload": (self.overload, "resources are scarce: seconds"),
            "subscribe_event": (self.subscribe_event, "activate a business event: event, url, company, endpoint"),
            "define_export": (self.define_export, "a data project that exports: group, sets"),
            "flush_events": (self.flush_events, "send the business events that wait"),
        }

    # Finding

    def shown(self, name: str) -> Shown:
        shown = self.world.shown.get(name)
        if shown is None:
            raise KeyError(f"there is no entity set {name!r}")
        return shown

    def find(self, shown: Shown, key: dict[str, Any]) -> Row:
        """By its key, or by any columns that name one row."""
        wanted = {shown.columns[name]: value for name, value in exact(key).items()}
        rows = [
            row
            for row in self.world.rows(shown.view.table)
            if all(self.world.value(shown.view.table, row, c) == v for c, v in {**wanted, **shown.view.where}.items())
        ]
        if len(rows) != 1:
            raise ValueError(f"{len(rows)} rows of {shown.set.name} have {key}")
        return rows[0]

    def show(self, shown: Shown, row: Row) -> dict[str, Any]:
        """By the names of the set, with blanks."""
        blank = {name: prop.blank for name, prop in shown.set.properties.items()}
        return public({name: row.get(shown.columns[name], blank[name]) for name in shown.set.properties})

    async def companies(self) -> list[dict[str, Any]]:
        return [{"id": c.id, "name": c.name, "currency": c.currency} for c in self.world.companies.values()]

    async def rows(self, set: str, company: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        shown = self.shown(set)
        rows = [
            row
            for row in self.world.rows(shown.view.table, company)
            if all(row.get(c) == v for c, v in shown.view.where.items())
        ]
        return [self.show(shown, row) for row in rows[:limit]]

    async def get(self, set: str, key: dict[str, Any]) -> dict[str, Any]:
        shown = self.shown(set)
        return self.show(shown, self.find(shown, key))

    # Editing

    async def create(self, set: str, values: dict[str, Any], company: str | None = None) -> dict[str, Any]:
        shown = self.shown(set)
        given = {shown.columns[name]: value for name, value in exact(values).items()}
        name = given.get("dataAreaId") or company or next(iter(self.world.companies))
        with worded(), self.world.store.transaction():
            home = self.world.company(name) if shown.set.company_key else None
            return self.show(shown, self.writer.insert(shown, given, home))

    async def edit(self, set: str, key: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        shown = self.shown(set)
        row = self.find(shown, key)
        with worded(), self.world.store.transaction():
            given = {shown.columns[name]: value for name, value in exact(values).items()}
            return self.show(shown, self.writer.change(shown, row, given))

    async def delete(self, set: str, key: dict[str, Any]) -> None:
        shown = self.shown(set)
        row = self.find(shown, key)
        with worded(), self.world.store.transaction():
            rule = self.writer.rule(shown)
            rule.check_delete(self.world, row)
            self.world.delete(shown.view.table, row)
            rule.deleted(self.world, row)

    async def set_rate(
        self, currency: str, rate: Any, company: str | None = None, date: str | None = None, per: int = 100
    ) -> dict[str, Any]:
        home = self.world.companies[company or next(iter(self.world.companies))]
        day = noon(date) if date else self.world.today
        key = {"RateTypeName": "Default", "FromCurrency": currency, "ToCurrency": home.currency, "StartDate": day}
        shown = self.shown("ExchangeRates")
        with self.world.store.transaction():
            held = self.world.get("ExchangeRates", **key)
            factor = next(name for name, units in FACTORS.items() if units == per)
            values = {"Rate": Decimal(str(rate)), "ConversionFactor": factor, "EndDate": "2154-12-31T12:00:00Z"}
            if held is not None:
                return self.show(shown, self.world.update("ExchangeRates", held, values))
            return self.show(
                shown, self.world.insert("ExchangeRates", {**key, **values, "$pair": self.world.next_recid()})
            )

    # Users, rights, load

    async def map_client(
        self, client_id: str, user: str = "weft", company: str | None = None, companies: list[str] | None = None
    ) -> None:
        self.sim.map_client(client_id, user, company, companies)

    async def unmap_client(self, client_id: str) -> None:
        row = self.world.get("SysAADClients", AADClientId=client_id)
        if row is None:
            raise KeyError(f"no application {client_id!r} is mapped")
        self.world.delete("SysAADClients", row)

    async def deny(self, set: str = "*", method: str = "*", user: str = "weft") -> None:
        self.world.users[user].denied.add((set, method))

    async def allow(self, user: str = "weft") -> None:
        self.world.users[user].denied.clear()

    async def overload(self, seconds: float = 5.0) -> None:
        self.sim.limiter.overload(float(seconds))

    async def define_export(self, group: str, sets: list[str]) -> None:
        for name in sets:
            self.shown(name)
        self.sim.jobs.exports[group] = list(sets)

    # Events

    async def subscribe_event(self, event: str, url: str, company: str = "", endpoint: str = "weft") -> None:
        with worded():
            self.sim.events.subscribe(event, url, company, endpoint)

    async def flush_events(self) -> list[dict[str, Any]]:
        if self.sim.events.sender is None:
            return []
        done = await self.sim.events.sender.flush()
        return [{"target": d.target, "status": d.status, "entries": len(d.entries), "attempt": d.attempt} for d in done]


class worded:
    """A refusal becomes a ValueError with the infolog, which the control endpoint answers as 400."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Refused | FoError):
            raise ValueError(str(error)) from None
