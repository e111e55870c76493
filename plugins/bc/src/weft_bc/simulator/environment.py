"""An environment: its companies, the tables above them, subscriptions, permissions and the replica."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from weft.testing.odata import schema as odata
from weft.testing.odata.edmx import metadata_xml
from weft.testing.odata.query import Expand, Query
from weft.testing.odata.store import Store, Table
from weft.testing.simulator.clock import SimClock
from weft_bc.simulator.company import Change, Company
from weft_bc.simulator.derived import prepare
from weft_bc.simulator.errors import BcError
from weft_bc.simulator.hooks import Hooks
from weft_bc.simulator.reading import Reader, Tokens
from weft_bc.simulator.replica import Replica
from weft_bc.simulator.schema import EntitySet, Schema, load
from weft_bc.simulator.service import Call, Service
from weft_bc.simulator.settings import Settings
from weft_bc.simulator.tables import HIDDEN, entity_types
from weft_bc.simulator.writing import Writer


class Directory:
    """The sets above companies: ``companies`` and ``subscriptions``."""

    def __init__(self, schema: Schema, settings: Settings) -> None:
        self.schema = schema
        self.settings = settings
        self.store = Store()
        self.tables: dict[str, Table] = {
            name: self.store.table(entity_types(schema)[name]) for name in ("companies", "subscriptions")
        }


class Stores:
    """The stores of all companies as one, for faults that hide rows or hold commits back."""

    def __init__(self) -> None:
        self.members: list[Store] = []
        self.on_late: Callable[[int], None] | None = None
        self.late_gate: Callable[[], bool] | None = None
        self.fresh: int | None = None  # the late transaction that has just ended
        self._held: dict[int, Callable[[], None]] = {}
        self._late: dict[int, tuple[Store, int]] = {}
        self._next = 0

    def add(self, store: Store) -> None:
        self.members.append(store)
        store.late_gate = lambda: self.late_gate is not None and self.late_gate()
        store.on_late = lambda late_id: self._went_late(store, late_id)

    def _went_late(self, store: Store, late_id: int) -> None:
        self._next += 1
        self._late[self._next] = (store, late_id)
        self.fresh = self._next
        if self.on_late is not None:
            self.on_late(self._next)

    def after_release(self, work: Callable[[], None]) -> None:
        """Do it when the transaction that has just ended is visible: at once unless it is late."""
        late, self.fresh = self.fresh, None
        if late is None or late not in self._late:
            work()
        else:
            self._held[late] = work

    def release(self, count: int | None = None) -> int:
        ids = list(self._late)[:count]
        return sum(self.release_one(late_id) for late_id in ids)

    def release_one(self, late_id: int) -> bool:
        found = self._late.pop(late_id, None)
        done = found is not None and found[0].release_one(found[1])
        held = self._held.pop(late_id, None)
        if held is not None:
            held()
        return done

    def hide(self, name: str, where: Any) -> int:
        return sum(store.hide(name, where) for store in self.members if name in store)

    def reveal(self, name: str | None = None) -> None:
        for store in self.members:
            if name is None or name in store:
                store.reveal(name)


class Environment:
    """Everything one environment holds. ``root``: the URL of API v2.0, set when the server listens."""

    def __init__(self, settings: Settings, clock: SimClock, counters: Any) -> None:
        self.settings = settings
        self.clock = clock
        self.schema = load(settings.version)
        self.root = f"/v2.0/{settings.environment}/api/v2.0"
        self.companies: dict[str, Company] = {}
        self.directory = Directory(self.schema, settings)
        self.stores = Stores()
        self.reader = Reader(settings, Tokens(), prepare)
        self.writer = Writer()
        self.hooks = Hooks(self)
        self.service = Service(self)
        self.counters = counters
        self.denied: dict[str, set[tuple[str, str]]] = {}  # client id -> (set, method), "*" for any
        self._replicas: dict[str, Replica] = {}

    def add_company(self, name: str, *, lcy: str, country: str, rng: random.Random) -> Company:
        company_id = f"{rng.getrandbits(32):08x}-5f2d-4e11-9d7a-{rng.getrandbits(48):012x}"
        co = Company(
            company_id,
            name,
            schema=self.schema,
            settings=self.settings,
            clock=self.clock,
            rng=rng,
            lcy=lcy,
            country=country,
        )
        co.on_commit = lambda changes: self._committed(co, changes)
        self.companies[company_id] = co
        self.stores.add(co.store)
        stamp = self.clock.stamp(3)
        table = self.directory.tables["companies"]
        table.insert(
            {
                **self.schema["companies"].blanks,
                "id": company_id,
                "systemVersion": f"{self.settings.version}.0.0",
                "timestamp": len(self.companies),
                "name": name,
                "displayName": name,
                "systemCreatedAt": stamp,
                "systemModifiedAt": stamp,
                "$v": len(self.companies),
            }
        )
        if self.settings.replica_lag > 0:
            self._replicas[company_id] = Replica(co)
        return co

    def company(self, key: str) -> Company:
        """By id, or by name where a request may name it."""
        found = self.companies.get(key.lower())
        if found is None:
            found = next((co for co in self.companies.values() if co.name == key), None)
        if found is None:
            raise self.no_company(key)
        return found

    def no_company(self, key: str) -> BcError:
        return BcError(
            self.settings.company_not_found_status, "Internal_CompanyNotFound", f"Cannot find company '{key}'."
        )

    def replica(self, co: Company) -> Company:
        """What the read replica of a company shows now."""
        found = self._replicas.get(co.id)
        return co if found is None else found.current()

    def authorize(self, client: str, name: str, method: str) -> None:
        denied = self.denied.get(client)
        if not denied:
            return
        if any(entry in denied for entry in ((name, method), (name, "*"), ("*", method), ("*", "*"))):
            raise BcError(
                403,
                "Authorization_RequestDenied",
                f"Sorry, the current permissions prevented the action. ({name})",
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction over all companies, for a batch in snapshot isolation."""
        with ExitStack() as stack:
            for co in self.companies.values():
                stack.enter_context(co.transaction())
            yield

    def _committed(self, co: Company, changes: list[Change]) -> None:
        def tell() -> None:
            replica = self._replicas.get(co.id)
            if replica is not None:
                replica.note(changes)
            self.hooks.changed(changes)

        self.stores.after_release(tell)

    def with_nested(self, call: Call, entity_set: EntitySet) -> Query:
        """The options of a deep insert whose answer includes what was nested."""
        nested = [name for name in entity_set.nav if entity_set.nav[name].many and f'"{name}"'.encode() in call.body]
        known = {item.name for item in call.options.expand}
        more = tuple(Expand(name, Query()) for name in nested if name not in known)
        return replace(call.options, expand=(*call.options.expand, *more))


@cache
def published(schema: Schema) -> odata.Model:
    """What an environment shows of its sets."""
    types = {}
    for entity_set in schema.sets.values():
        made = entity_types(schema)[entity_set.name]
        hidden = HIDDEN.get(entity_set.name, ())
        shown = {name: prop for name, prop in made.properties.items() if name not in hidden}
        navigations = {
            name: replace(nav, column=nav.column if nav.column in shown else None)
            for name, nav in made.navigations.items()
        }
        types[entity_set.type] = replace(made, key=entity_set.key, properties=shown, navigations=navigations)
    enums = {name: odata.EnumType(name, members) for name, members in schema.enums.items()}
    actions = [
        odata.Action(action, entity_set.type)
        for entity_set in schema.sets.values()
        for action in entity_set.actions.values()
    ]
    return odata.Model("Microsoft.NAV", types, container="NAV", enums=enums, actions=actions)


@cache
def described(schema: Schema) -> bytes:
    """``$metadata`` of it."""
    return metadata_xml(published(schema))
