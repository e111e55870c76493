"""From an item to the requests it takes: values in Creatio's spelling, every column known to the site."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.errors import ConfigError
from weft.net.odata.metadata import EntityType, Metadata
from weft.records import Child, Error, Item, Outcome
from weft_creatio.base_currency import COLUMN
from weft_creatio.selection import set_type
from weft_creatio.session import CreatioSession
from weft_creatio.values import body_value, derived

SYSTEM = frozenset(["CreatedOn", "CreatedById", "ModifiedOn", "ModifiedById", "ProcessListeners"])
"""Columns the server fills; what a body says of them is overwritten."""


class Unfit(Exception):
    """An item cannot be sent; ``error`` tells why."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(slots=True)
class Line:
    """One line, or the row of a part, to write."""

    child: Child | None
    object: str
    type: EntityType
    op: str
    key: str
    data: dict[str, Any]
    version: str | None = None
    name: str = ""
    """Of a part: its name."""


@dataclass(slots=True)
class Job:
    """One item on its way."""

    item: Item
    object: str
    type: EntityType
    key: str
    data: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    parts: list[Line] = field(default_factory=list)
    base_currency: str | None = None
    """Of an exchange rate: code of the currency it is paid in, where that was said."""
    outcome: Outcome | None = None
    children: dict[str, str] = field(default_factory=dict)
    attempted: bool = False
    """A request of this item may have reached the site."""

    @property
    def creates(self) -> bool:
        return self.item.op == "create" or any(line.op == "create" for line in (*self.lines, *self.parts))

    def fail(self, result: Any, error: Error | None) -> None:
        key = self.key if self.item.op != "create" or result in ("partial", "created") else None
        self.outcome = Outcome(self.item.id, result, key=key, children=dict(self.children), error=error)


def prepare(session: CreatioSession, meta: Metadata, item: Item) -> Job:
    """:raises Unfit: a column is unknown, a value does not fit."""
    prefix = session.settings.prefix
    mapping = item.mapping
    creating = item.op == "create"
    object = item.object or (mapping.object.to_create if creating else mapping.object.to_update)
    try:
        type_ = set_type(meta, object, prefix, mapping.at("object"))
        parts = {name: item.data[name] for name in mapping.parts if isinstance(item.data.get(name), dict)}
        plain = {name: value for name, value in item.data.items() if name not in parts}
        if item.op == "action" or item.actions:
            asked = ", ".join(item.actions) or item.op
            raise Unfit(Error("configuration", f"{object} has no actions in Creatio, but {asked} is asked for"))
        paid_in = plain.pop(COLUMN, None)
        data = body(plain, type_, object)
        key = (item.key or str(data.get("Id") or item.own_key or derived(item.id))).lower()
        data.pop("Id", None)
        job = Job(item, object, type_, key, data, base_currency=paid_in)
        for child in item.children:
            job.lines.append(_line(session, meta, job, child))
        for name, values in parts.items():
            job.parts.append(_part(session, meta, job, name, values))
    except ConfigError as error:
        raise Unfit(Error("configuration", str(error))) from error
    return job


def _line(session: CreatioSession, meta: Metadata, job: Job, child: Child) -> Line:
    lines = job.item.mapping.lines.get(child.collection)
    if lines is None:
        raise Unfit(Error("configuration", f"{job.object} has no lines {child.collection!r} in its mapping"))
    type_ = set_type(meta, lines.object, session.settings.prefix, job.item.mapping.at("lines", child.collection))
    data = {} if child.op == "delete" else body(child.data, type_, lines.object)
    if child.op == "create":
        key = str(data.pop("Id", None) or derived(job.item.id, child.id)).lower()
        data[lines.parent] = job.key
    elif child.key is None:
        raise Unfit(Error("record", f"a line of {child.collection} is to be changed, but its key is not known"))
    else:
        key = child.key.lower()
        data.pop("Id", None)
    return Line(child, lines.object, type_, child.op, key, data, child.version)


def _part(session: CreatioSession, meta: Metadata, job: Job, name: str, values: Mapping[str, Any]) -> Line:
    part = job.item.mapping.parts[name]
    type_ = set_type(meta, part.object, session.settings.prefix, job.item.mapping.at("parts", name))
    theirs, mine = next(iter(part.join.items()))
    if mine != "Id":
        raise Unfit(Error("configuration", f"part {name} hangs on {mine}, not on Id, and can only be read"))
    data = body(values, type_, part.object)
    fixed = body({**part.where, theirs: job.key}, type_, part.object)
    empty = all(value in (None, "") for value in data.values())
    # What it is to become: a create without a value makes no row; which row it is, is looked up later.
    op = "delete" if empty else "update"
    return Line(None, part.object, type_, op, derived(job.key, name), {**fixed, **data}, name=name)


def body(values: Mapping[str, Any], type_: EntityType, object: str) -> dict[str, Any]:
    """Values by column as JSON wants them. A PATCH with a column the site lacks would, on older builds,
    be answered 204 and write nothing at all; so every name is checked first.

    :raises Unfit: naming the column.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in SYSTEM or "/" in name:
            continue
        known = type_.properties.get(name)
        if known is None:
            hint = "install weft's package (weft creatio package), or take the field out of the mapping"
            raise Unfit(Error("configuration", f"{object} has no column {name!r} on this site; {hint}", field=name))
        if known.type == "Edm.Stream":
            raise Unfit(Error("configuration", f"{object}.{name} is a stream and cannot be mapped", field=name))
        try:
            found[name] = body_value(value, known)
        except (ValueError, TypeError) as error:
            raise Unfit(Error("record", f"{object}.{name}: {error}", field=name)) from error
    return found


def today(clock: Any) -> dt.date:
    now: dt.datetime = clock.now()
    return now.date()
