"""Files of one object: descriptor, metadata diff, properties, resources.

The diff is the form the application wizard of Creatio 8.1 writes: the embedded event process (EG1) is
named and emptied rather than patched element by element, so it does not depend on what the parent's
process contains in another build. Whether a server accepts it for a BaseLookup child or a replacing
schema was not seen; the designer services are the other way in (see the package's page in the docs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from . import stock
from .metadata import Change, Operator, render_diff
from .model import ColumnSpec, ObjectSpec
from .names import Names, fixed_uid
from .tree import package_date, write_json, write_text

_SOURCES = {"Const": 1, "Settings": 2, "SystemValue": 3}
_DROPPED_EVENT_MEMBERS = ("A5", "FA4", "FA5", "FA6", "FA7", "FA11", "FA12", "FA15")


@dataclass(frozen=True)
class Identity:
    """What all schemas of one build share."""

    names: Names
    package_uid: str
    modified: int
    displays: Mapping[str, str]
    """Prefix-free object -> its full display column name, for lookups' E18."""
    short_lists: frozenset[str]
    """Prefix-free objects small enough for a drop-down list (E20)."""

    def schema_uid(self, name: str) -> str:
        """UId of an object by its prefix-free name: stock, or ours."""
        return stock.SCHEMAS.get(name) or fixed_uid("schema", self.names.object(name))

    def own_uid(self, spec: ObjectSpec) -> str:
        """UId of the schema this package holds; a replacing schema has its own beside the stock one."""
        if spec.extends:
            return fixed_uid("replacing", self.names.prefix, spec.name)
        return self.schema_uid(spec.name)

    def column_uid(self, spec: ObjectSpec, column: ColumnSpec) -> str:
        """UId of a column this package adds."""
        return fixed_uid("column", self.names.object(spec.name), self.names.column(column.name))


def entity_files(spec: ObjectSpec, identity: Identity) -> dict[str, bytes]:
    """The files of *spec*, by path in the package."""
    name = identity.names.object(spec.name)
    descriptor: dict[str, Any] = {
        "UId": identity.own_uid(spec),
        "Name": name,
        "ModifiedOnUtc": package_date(identity.modified),
        "Parent": {"UId": stock.SCHEMAS[spec.parent], "Name": spec.parent},
    }
    if spec.extends:
        descriptor["ExtendParent"] = True
    descriptor |= {"ManagerName": "EntitySchemaManager", "Caption": spec.caption, "DependsOn": []}
    properties = {
        "AdministratedByColumns": "False",
        "AdministratedByOperations": "False",
        "AdministratedByRecords": "False",
        "CreatedInVersion": stock.BUILD,
        "IsSSPAvailable": "False",
        "IsTrackChangesInDB": "False",
        "IsVirtual": "False",
        "UseLiveEditing": "False",
    }
    captions = {"Caption": spec.caption, "EventsProcessSchema.Caption": "Business process"}
    for column in spec.columns:
        captions[f"Columns.{identity.names.column(column.name)}.Caption"] = column.caption
    folder = f"Schemas/{name}"
    return {
        f"{folder}/descriptor.json": write_json({"Descriptor": descriptor}),
        f"{folder}/metadata.json": write_text(render_diff(_changes(spec, identity))),
        f"{folder}/properties.json": write_json({"Properties": properties}),
        f"Resources/{name}.Entity/resource.en-US.xml": resource_xml(captions),
    }


def resource_xml(items: Mapping[str, str]) -> bytes:
    """A resource file with English texts, in order of name."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<Resources Culture="en-US">']
    lines += ['\t<Group Type="String">', "\t\t<Items>"]
    lines += [f"\t\t\t<Item Name={quoteattr(name)} Value={quoteattr(text)} />" for name, text in sorted(items.items())]
    lines += ["\t\t</Items>", "\t</Group>", "</Resources>"]
    return write_text("\n".join(lines))


def _changes(spec: ObjectSpec, identity: Identity) -> list[Change]:
    uid = identity.own_uid(spec)
    name = identity.names.object(spec.name)
    process = fixed_uid("events", identity.names.prefix, spec.name)
    owner = identity.package_uid
    changes = [_set("UId", uid)]
    if not spec.extends:
        changes.append(_set("A2", name))
    changes += [_set("A5", owner), _set("B6", owner), _set("B8", stock.BUILD)]
    changes += [
        _set("EG1.UId", process),
        _set("EG1.A2", f"{identity.names.prefix}{spec.name}EventsProcess"),
        _set("EG1.A5", owner),
    ]
    if not spec.extends:
        changes += [_set("EG1.B1", []), _set("EG1.B3", []), _add("EG1.B8", "0.0.0.0"), _set("EG1.FJ1", [])]  # noqa: S104
    changes += [
        _set("EG1.BK37.A3", stock.EVENTS_PROCESS_OWNER),
        _set("EG1.BK37.A4", stock.EVENTS_PROCESS_OWNER),
    ]
    if not spec.extends:
        changes += [_set("EG1.BK3", []), _set("EG1.BK4", []), _set("D8", stock.SCHEMAS[spec.parent])]
        changes += _display(spec, identity)
    inherited = _inherited(spec)
    if spec.is_lookup:
        changes += [_remove(column, "E16") for column in stock.BASE_COLUMNS.values()]
    changes += [_add("D2", _column(spec, column, uid, identity)) for column in spec.columns]
    if spec.extends:
        # The order of D2 is left alone: it would have to list every column of the site's own Account.
        return [
            *changes,
            _set("D36.A3", uid),
            _set("D36.BS1", False),
            _add("B7", True),
            _set("D8", stock.SCHEMAS[spec.name]),
        ]
    added = [identity.column_uid(spec, column) for column in spec.columns]
    changes.append(Change("~", ("D2",), [*inherited, *added]))
    changes += [_set("D20.A2", f"{name}Events"), _set("D36.A3", uid), _set("D36.BS1", False)]
    changes += [_remove("EG1", member) for member in ("B6", "BK29", "BK30")]
    changes += [_remove("D1", bare=True)]
    changes += [_remove("D20", member) for member in _DROPPED_EVENT_MEMBERS]
    if spec.is_lookup:
        changes.append(_remove("B7", bare=True))
    changes.append(_add("B7", False))
    changes += [Change("+", ("D2", column, "E16"), False) for column in inherited]
    return changes


def _display(spec: ObjectSpec, identity: Identity) -> list[Change]:
    shown = next((column for column in spec.columns if column.name == spec.display), None)
    return [_add("D4", identity.column_uid(spec, shown))] if shown else []


def _inherited(spec: ObjectSpec) -> list[str]:
    base = list(stock.BASE_COLUMNS.values())
    if not spec.is_lookup:
        return base
    return [*base[:-1], *stock.LOOKUP_COLUMNS.values(), base[-1]]


def _column(spec: ObjectSpec, column: ColumnSpec, schema: str, identity: Identity) -> dict[str, Any]:
    name = identity.names.column(column.name)
    value: dict[str, Any] = {
        "UId": identity.column_uid(spec, column),
        "A2": name,
        "A3": schema,
        "A4": schema,
        "A5": identity.package_uid,
        "S2": stock.DATA_TYPES[column.type],
    }
    if column.ref:
        value["S4"] = identity.schema_uid(column.ref)
    if column.required:
        value["E2"] = 1
    if column.ref:
        value["E6"] = True
        if column.ref in identity.short_lists:
            value["E20"] = True
    if column.default:
        source, text = column.default.source, column.default.value
        value["E12"] = {
            "FB1": _SOURCES[source],
            "FB2": stock.SYSTEM_VALUES[text] if source == "SystemValue" else text,
        }
    if column.ref:
        value["E17"] = f"{name}Id"
        value["E18"] = f"{name}{identity.displays[column.ref]}"
    return value


def _set(path: str, value: object) -> Change:
    return _change("=", path, value)


def _add(path: str, value: object) -> Change:
    return _change("+", path, value)


def _change(op: Operator, path: str, value: object) -> Change:
    return Change(op, tuple(path.split(".")), value)


def _remove(first: str, member: str = "", *, bare: bool = False) -> Change:
    if bare:
        return Change("-", (first,))
    return Change("-", ("D2", first, member) if "-" in first else (first, member))
