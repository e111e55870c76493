# ruff: noqa: S608 - names come from the model, values are bound
"""Saving and deleting the way Creatio's entity layer does: defaults, checks, handlers, listeners.

`create`, `update` and `delete` are entity saves: they move ModifiedOn, run the handlers of
:mod:`.behaviours` and feed package listeners. Handlers that copy Creatio's direct SQL write to
`site.db` instead and do none of that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import errors
from .database import Raw, empty, quoted
from .model import Column, Entity
from .values import cut_instant, only_date, raw_instant

if TYPE_CHECKING:
    from .site import Site

DETAILS = {
    "Account": {
        "AccountAddress", "AccountCommunication", "AccountAnniversary", "AccountFile", "AccountBillingInfo",
        "ContactCareer",
    },
    "Contact": {"ContactAddress", "ContactCommunication", "ContactAnniversary", "ContactFile", "ContactCareer"},
    "Opportunity": {
        "OpportunityProductInterest", "OpportunityInStage", "OpportunityContact", "OpportunityCompetitor",
    },
    "Order": {"OrderProduct", "SupplyPaymentElement", "OrderFile", "OrderVisa"},
    "OrderProduct": {"SupplyPaymentProduct"},
    "SupplyPaymentElement": {"SupplyPaymentProduct"},
    "Invoice": {"InvoiceProduct", "InvoiceFile", "InvoiceVisa"},
    "Product": {"ProductPrice", "ProductUnit", "ProductStockBalance", "ProductFile"},
    "SysSettings": {"SysSettingsValue"},
    "Currency": {"CurrencyRate"},
}  # fmt: skip
"""Detail objects whose rows go with their parent (details are cascade connections)."""

Operation = Literal["read", "insert", "update", "delete"]


@dataclass(frozen=True)
class User:
    """Who acts: a system user and the contact that CreatedBy and ModifiedBy show."""

    id: str
    name: str
    contact: str
    password: str | None = field(default=None, repr=False)


@dataclass
class Save:
    """One save in progress. `old` is None for an insert; `row` is the row as it will be stored."""

    site: Site
    entity: Entity
    row: Raw
    old: Raw | None
    user: User
    sent: frozenset[str]
    """Columns the caller gave a value for."""
    changed: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return str(self.row["Id"])

    def set(self, name: str, value: Any) -> None:
        """Change a column before the save."""
        if self.row.get(name) != value:
            self.row[name] = value
            self.changed.add(name)

    def touched(self, *names: str) -> bool:
        """Did any of these columns change in this save (for an insert: get a value)?"""
        return not self.changed.isdisjoint(names)


Handler = Callable[[Save], None]
DeleteHandler = Callable[["Site", Raw, User], None]


@dataclass
class Handlers:
    """What runs around the saves of one object."""

    before: list[Handler] = field(default_factory=list)
    after: list[Handler] = field(default_factory=list)
    deleted: list[DeleteHandler] = field(default_factory=list)


class Pipeline:
    """Entity saves of one site."""

    def __init__(self, site: Site, handlers: dict[str, Handlers]) -> None:
        self._site = site
        self._handlers = handlers

    def create(self, name: str, values: Raw, user: User) -> Raw:
        """Insert; returns the row as it was in memory when it was saved (7-digit stamps, nothing that direct SQL
        changed afterwards)."""
        site = self._site
        entity = site.model.entity(name)
        site.check_right(user, name, "insert")
        now = raw_instant(site.clock.stamp_ns())
        row = {c.name: self._initial(c, values, user, now) for c in entity.stored}
        sent = frozenset(values)
        if not site.settings.system_columns_writable:
            row.update(CreatedOn=now, ModifiedOn=now, CreatedById=user.contact, ModifiedById=user.contact)
        row["Id"] = values.get("Id") or site.new_id()
        save = Save(site, entity, row, None, user, sent, {c for c in row if row[c] not in (None, "", 0)} | sent)
        handlers = self._handlers.get(name)
        with site.db.transaction():
            for handler in handlers.before if handlers else ():
                handler(save)
            self._check_required(entity, row, entity.columns.values())
            self._check_references(entity, row, (c.name for c in entity.lookups), "INSERT")
            stored = dict(row)
            digits = site.settings.fraction_digits
            for column in ("CreatedOn", "ModifiedOn"):
                if stored[column] is not None:
                    stored[column] = cut_instant(stored[column], digits)
            try:
                site.db.insert(name, stored)
            except sqlite3.IntegrityError as error:
                raise errors.unique_key(site.settings.database, name, row["Id"]) from error
            echo = dict(row)
            for handler in handlers.after if handlers else ():
                handler(save)
            site.listeners.notify(name, stored, "insert", user)
        site.wrote(name, save.id)
        return echo

    def update(self, name: str, key: str, values: Raw, user: User) -> bool:
        """Change columns; False when there is no such row. A save that changes nothing still moves ModifiedOn."""
        site = self._site
        entity = site.model.entity(name)
        site.check_right(user, name, "update")
        old = site.db.row(name, key)
        if old is None:
            return False
        row = dict(old)
        save = Save(site, entity, row, old, user, frozenset(values))
        for column, value in values.items():
            if column != "Id" and (site.settings.system_columns_writable or column not in _SYSTEM):
                save.set(column, value)
        handlers = self._handlers.get(name)
        with site.db.transaction():
            for handler in handlers.before if handlers else ():
                handler(save)
            self._check_required(entity, row, (entity.columns[c] for c in save.changed))
            self._check_references(entity, row, save.changed, "UPDATE")
            now = cut_instant(raw_instant(site.clock.stamp_ns()), site.settings.fraction_digits)
            if not (site.settings.system_columns_writable and "ModifiedOn" in values):
                row["ModifiedOn"] = now
            row["ModifiedById"] = user.contact
            site.db.update(name, key, {c: v for c, v in row.items() if old[c] != v})
            for handler in handlers.after if handlers else ():
                handler(save)
            site.listeners.notify(name, row, "update", user)
        site.wrote(name, key)
        return True

    def delete(self, name: str, key: str, user: User) -> bool:
        """Delete; False when there is no such row. References from elsewhere refuse it."""
        site = self._site
        site.check_right(user, name, "delete")
        row = site.db.row(name, key)
        if row is None:
            return False
        handlers = self._handlers.get(name)
        with site.db.transaction():
            self._remove(site.model.entity(name), key)
            for handler in handlers.deleted if handlers else ():
                handler(site, row, user)
            site.listeners.notify(name, row, "delete", user)
        return True

    # -- parts

    def _initial(self, column: Column, values: Raw, user: User, now: str) -> Any:
        """The value of a column of a new row. An empty value sent for a column with a default gets the default."""
        given = values.get(column.name)
        if given is not None and (given != "" or column.default is None):
            return given
        if column.default is None or column.name == "Id":
            return empty(column)
        source, value = column.default
        match source, value:
            case "SystemValue", "CurrentDateTime":
                return now
            case "SystemValue", "CurrentDate":
                return only_date(now)
            case "SystemValue", "CurrentUserContact":
                return user.contact
            case "SystemValue", "CurrentUserAccount":
                return self._site.db.value("SELECT AccountId FROM Contact WHERE Id=?", (user.contact,))
            case "SystemValue", "AutoGuid":
                return self._site.new_id()
            case "Settings", _:
                return self._site.system_setting(value, column)
        return _constant(column, value)

    def _check_required(self, entity: Entity, row: Raw, columns: Any) -> None:
        if self._site.settings.required_empty == "accept":
            return
        for column in columns:
            if column.required and column.kind in ("text", "lookup", "date", "datetime") and not row[column.name]:
                raise errors.required(column.caption)

    def _check_references(self, entity: Entity, row: Raw, names: Any, verb: str) -> None:
        db = self._site.db
        for name in names:
            column = entity.columns[name]
            value = row[name]
            if column.ref is None or value is None:
                continue
            if column.ref in self._site.model.entities:
                if value == row["Id"] and column.ref == entity.name:
                    continue
                fine = db.exists(column.ref, value)
            else:
                fine = column.default is not None and column.default[1] == value
            if not fine:
                raise errors.broken_reference(
                    self._site.settings.database, verb, entity.name, column.caption, column.ref
                )

    def _remove(self, entity: Entity, key: str) -> None:
        site = self._site
        details = DETAILS.get(entity.name, set()) if site.settings.cascade_details else set()
        for back, (child, column) in site.model.back[entity.name].items():
            if child == entity.name and column in ("CreatedById", "ModifiedById"):
                continue
            found = site.db.execute(
                f"SELECT Id FROM {quoted(child)} WHERE {quoted(column)}=? LIMIT 2000", (key,)
            ).fetchall()
            if not found or (child == entity.name and found == [(key,)]):
                continue
            if child not in details:
                nav = back.rpartition("CollectionBy")[2]
                raise errors.still_referenced(site.settings.database, entity.name, child, nav)
            for (detail,) in found:
                self._remove(site.model.entity(child), detail)
        site.db.delete(entity.name, key)


_SYSTEM = {"CreatedOn", "CreatedById", "ModifiedOn", "ModifiedById"}


def _constant(column: Column, text: str) -> Any:
    match column.kind:
        case "bool":
            return int(text.lower() == "true")
        case "int":
            return int(text)
        case "decimal":
            whole, _, fraction = text.partition(".")
            return int(whole + fraction[: column.scale].ljust(column.scale, "0"))
        case "guid" | "lookup":
            return text.lower()
    return text
