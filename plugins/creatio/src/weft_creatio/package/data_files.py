"""Data bindings: the seeded rows of lookups, and each lookup's entry in Creatio's Lookups section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import stock
from .entity_files import Identity
from .model import ObjectSpec
from .names import fixed_uid
from .tree import package_date, write_json

_LOOKUP_SECTION = {
    "Name": ("547bff8d-f717-4316-846c-3ff1f0e36e6e", "MediumText"),
    "Description": ("009571ab-9c5d-4a20-bf83-dd499ed5a833", "MaxSizeText"),
    "SysEntitySchemaUId": ("91bcbbaa-7f66-4cbf-9de4-9170da8b8d4b", "Guid"),
    "SysPageSchemaUId": ("91f76f42-e24d-4ebd-95b3-5b5517e917c3", "Guid"),
}
"""Columns of the stock object Lookup, read off a deployed binding."""


@dataclass(frozen=True)
class _Cell:
    column: str
    value: str


@dataclass(frozen=True)
class _Field:
    name: str
    uid: str
    type: str
    localizable: bool


def lookup_files(spec: ObjectSpec, identity: Identity) -> dict[str, bytes]:
    """The bindings of one lookup. Rows are inserted once; users may rename them afterwards."""
    names = identity.names
    full = names.object(spec.name)
    uid = identity.own_uid(spec)
    id_field = _Field("Id", stock.BASE_COLUMNS["Id"], "Guid", False)
    section = [
        id_field,
        *(
            _Field(name, column, kind, name in ("Name", "Description"))
            for name, (column, kind) in _LOOKUP_SECTION.items()
        ),
    ]
    entry = [
        _Cell("Id", fixed_uid("lookup", names.prefix, spec.name)),
        _Cell("Name", spec.caption),
        _Cell("Description", ""),
        _Cell("SysEntitySchemaUId", uid),
        _Cell("SysPageSchemaUId", "null"),
    ]
    files = _binding(f"Lookup_{full}", ("Lookup", stock.SCHEMAS["Lookup"]), section, [entry], identity)
    if not spec.rows:
        return files
    fields = [
        id_field,
        *(_Field(name, column, stock.BASE_TYPES[name], True) for name, column in stock.LOOKUP_COLUMNS.items()),
    ]
    code = next((column for column in spec.columns if column.name == "Code"), None)
    if code:
        fields.append(_Field(names.column("Code"), identity.column_uid(spec, code), code.type, False))
    rows = []
    for row in spec.rows:
        cells = [
            _Cell("Id", names.row(spec.name, row.name)),
            _Cell("Name", row.title),
            _Cell("Description", row.description),
        ]
        if code:
            cells.append(_Cell(names.column("Code"), row.name))
        rows.append(cells)
    return files | _binding(f"{full}_Values", (full, uid), fields, rows, identity)


def setting_files(name: str, title: str, identity: Identity) -> dict[str, bytes]:
    """A system setting that holds a text; it comes without a value."""
    kinds = {name: (uid, kind, name == "Name") for name, (uid, kind) in stock.SETTING_COLUMNS.items()}
    fields = [
        _Field("Id", stock.BASE_COLUMNS["Id"], "Guid", False),
        *(_Field(name, uid, kind, localizable) for name, (uid, kind, localizable) in kinds.items()),
    ]
    code = identity.names.column(name)
    values = {"Id": fixed_uid("setting", name), "Name": title, "Code": code, "ValueTypeName": "Text"}
    cells = [_Cell(name, value) for name, value in values.items()]
    return _binding(f"SysSettings_{code}", ("SysSettings", stock.SCHEMAS["SysSettings"]), fields, [cells], identity)


def _binding(
    name: str,
    schema: tuple[str, str],
    fields: Sequence[_Field],
    rows: Sequence[Sequence[_Cell]],
    identity: Identity,
) -> dict[str, bytes]:
    descriptor = {
        "UId": fixed_uid("binding", name),
        "Name": name,
        "ModifiedOnUtc": package_date(identity.modified),
        "InstallType": 0,
        "Schema": {"UId": schema[1], "Name": schema[0]},
        "Columns": [
            {
                "ColumnUId": field.uid,
                "IsForceUpdate": False,
                "IsKey": field.name == "Id",
                "ColumnName": field.name,
                "DataTypeValueUId": stock.DATA_TYPES[field.type],
            }
            for field in fields
        ],
    }
    by_name = {field.name: field for field in fields}
    # As deployed packages have it: texts that can be translated only in the localization file.
    plain = [
        {
            "Row": [
                {"SchemaColumnUId": by_name[cell.column].uid, "Value": cell.value}
                for cell in row
                if not by_name[cell.column].localizable
            ]
        }
        for row in rows
    ]
    localized = [
        {
            "Row": [
                {
                    "SchemaColumnUId": by_name[cell.column].uid,
                    "ColumnName": cell.column,
                    "Value": cell.value,
                }
                for cell in row
                if by_name[cell.column].localizable or cell.column == "Id"
            ]
        }
        for row in rows
    ]
    folder = f"Data/{name}"
    return {
        f"{folder}/descriptor.json": write_json({"Descriptor": descriptor}),
        f"{folder}/data.json": write_json({"PackageData": plain}),
        f"{folder}/filter.json": b"",
        f"{folder}/Localization/data.en-US.json": write_json({"PackageData": localized}),
    }
