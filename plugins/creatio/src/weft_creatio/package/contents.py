"""What a package archive would do, read from its files alone.

Nothing here knows how weft builds its package: objects come from ``metadata.json`` (diff or whole),
captions from the resources, rows from the data bindings, listeners from the C# text. So the same code
reads packages made by other tools, and the simulator's installer uses it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import stock
from .archive import unpack_all
from .errors import PackageError
from .metadata import is_diff, parse_diff
from .tree import read_json, read_text

DefaultSource = Literal["Const", "Settings", "SystemValue"]
_SOURCES: dict[int, DefaultSource] = {1: "Const", 2: "Settings", 3: "SystemValue"}
_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LISTENER = re.compile(r'\[\s*EntityEventListener\s*\(\s*SchemaName\s*=\s*"([A-Za-z0-9_]+)"\s*\)\s*\]')
_PAIR = re.compile(r'\{\s*"([A-Za-z0-9_]+)"\s*,\s*"([A-Za-z0-9_]+)"\s*\}')
_PUSH = re.compile(r'\bPushUrlSetting\s*=\s*"([A-Za-z0-9_]+)"')
_CULTURE = "en-US"


@dataclass(frozen=True)
class Default:
    """A column's default. ``value``: text as written (Const), setting code (Settings), or the system
    value's name such as ``CurrentDateTime`` (SystemValue; its UId when unknown)."""

    source: DefaultSource
    value: str


@dataclass(frozen=True)
class Column:
    """A column an object gains. ``type`` is Creatio's name (``MediumText``, ``Money``, ``Lookup`` ...);
    ``ref`` the object a lookup points to, None if neither stock nor in the package (see ``ref_uid``)."""

    name: str
    type: str
    ref: str | None = None
    required: bool = False
    caption: str = ""
    default: Default | None = None
    uid: str = ""
    ref_uid: str | None = None

    @property
    def odata_name(self) -> str:
        """The property in OData bodies: lookups end in ``Id``, the navigation is ``name`` itself."""
        return f"{self.name}Id" if self.type == "Lookup" else self.name

    @property
    def max_length(self) -> int | None:
        """Characters a text column holds; None for other types and unlimited text."""
        return stock.MAX_LENGTH.get(self.type)


@dataclass(frozen=True)
class ObjectDescription:
    """An object the package adds, or a stock object it extends (``extends``, then ``parent == name``)."""

    name: str
    parent: str | None
    extends: bool
    columns: tuple[Column, ...]
    caption: str = ""
    uid: str = ""
    parent_uid: str | None = None
    display: str | None = None


@dataclass(frozen=True)
class DataRows:
    """One data binding: rows to be put into *object*, matched by the *key* columns.

    Values are texts as in the file; a lookup column is named without ``Id``; None is an empty value.
    """

    object: str
    key: tuple[str, ...]
    rows: tuple[Mapping[str, str | None], ...]
    binding: str = ""
    forced: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageContents:
    """Everything one package brings. ``listeners`` are the objects whose saves and deletes its C# hears;
    ``listener_parents`` gives, for those that are lines of something, the lookup that names the parent;
    ``push_setting`` the system setting with the address to which the C# posts what it hears, if it does."""

    name: str
    version: str | None
    uid: str
    maintainer: str
    depends_on: tuple[str, ...]
    objects: tuple[ObjectDescription, ...]
    data: tuple[DataRows, ...]
    listeners: tuple[str, ...]
    listener_parents: Mapping[str, str] = field(default_factory=dict)
    push_setting: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def object(self, name: str) -> ObjectDescription:
        """The description of *name*; KeyError if the package does not touch it."""
        for candidate in self.objects:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


def read_packages(data: bytes) -> list[PackageContents]:
    """The packages in ``.gz`` or ``.zip`` bytes, in order of name. Raises :class:`PackageError`."""
    return [read_tree(tree) for _, tree in sorted(unpack_all(data).items())]


def read_package(data: bytes) -> PackageContents:
    """The one package in *data*; an error if a zip holds several."""
    packages = read_packages(data)
    if len(packages) != 1:
        names = ", ".join(package.name for package in packages)
        raise PackageError(f"the archive holds {len(packages)} packages ({names}), one was expected")
    return packages[0]


def read_tree(files: Mapping[str, bytes]) -> PackageContents:
    """A package from its unpacked files, ``{path: bytes}`` with forward slashes."""
    descriptor = _member(read_json(files, "descriptor.json"), "Descriptor", "descriptor.json")
    schemas = {path.split("/")[1] for path in files if path.startswith("Schemas/") and path.count("/") >= 2}
    descriptors = {
        folder: _member(read_json(files, path), "Descriptor", path)
        for folder in sorted(schemas)
        for path in [f"Schemas/{folder}/descriptor.json"]
    }
    own = {str(d.get("UId", "")).lower(): str(d.get("Name", "")) for d in descriptors.values()}
    objects: list[ObjectDescription] = []
    sources: dict[str, str] = {}
    for folder, schema in descriptors.items():
        manager = schema.get("ManagerName")
        if manager == "EntitySchemaManager":
            objects.append(_read_object(files, folder, schema, own))
        elif manager == "SourceCodeSchemaManager":
            sources[folder] = read_text(files, f"Schemas/{folder}/{folder}.cs")
    listeners: set[str] = set()
    parents: dict[str, str] = {}
    push_setting: str | None = None
    for source in sources.values():
        code = _COMMENTS.sub("", source)
        heard = set(_LISTENER.findall(code))
        listeners |= heard
        parents.update({name: column for name, column in _PAIR.findall(code) if name in heard})
        pushed = _PUSH.search(code)
        if pushed is not None and heard and "IEntityEventAsyncOperation" in code:
            push_setting = pushed[1]
    return PackageContents(
        name=_required(descriptor, "Name", "descriptor.json"),
        version=descriptor.get("PackageVersion"),
        uid=_required(descriptor, "UId", "descriptor.json").lower(),
        maintainer=str(descriptor.get("Maintainer", "")),
        depends_on=tuple(str(entry.get("Name", "")) for entry in descriptor.get("DependsOn", [])),
        objects=tuple(objects),
        data=tuple(_read_bindings(files)),
        listeners=tuple(sorted(listeners)),
        listener_parents=parents,
        push_setting=push_setting,
        sources=sources,
    )


def _read_object(
    files: Mapping[str, bytes], folder: str, descriptor: Mapping[str, Any], own: Mapping[str, str]
) -> ObjectDescription:
    path = f"Schemas/{folder}/metadata.json"
    text = read_text(files, path)
    name = _required(descriptor, "Name", f"Schemas/{folder}/descriptor.json")
    members, added = _diff_members(text, path) if is_diff(text) else _whole_members(files, path)
    if str(members.get("UId", "")).lower() != str(descriptor.get("UId", "")).lower():
        raise PackageError(f"{path}: UId {members.get('UId')} is not the descriptor's {descriptor.get('UId')}")
    if members.get("A2", name) != name:
        raise PackageError(f"{path}: name {members['A2']!r} is not the descriptor's {name!r}")
    captions = _captions(files, f"Resources/{folder}.Entity/resource.{_CULTURE}.xml")
    parent = descriptor.get("Parent") or {}
    parent_uid = str(members.get("D8") or parent.get("UId") or "").lower() or None
    columns = tuple(_read_column(raw, path, own, captions) for raw in added)
    display_uid = members.get("D4")
    return ObjectDescription(
        name=name,
        parent=parent.get("Name"),
        extends=bool(descriptor.get("ExtendParent", False)),
        columns=columns,
        caption=captions.get("Caption") or str(descriptor.get("Caption", "")),
        uid=str(descriptor.get("UId", "")).lower(),
        parent_uid=parent_uid,
        display=next((column.name for column in columns if column.uid == display_uid), None),
    )


def _diff_members(text: str, path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    members: dict[str, Any] = {}
    added: list[dict[str, Any]] = []
    for change in parse_diff(text, path):
        if change.op == "+" and change.path == ("D2",):
            if not isinstance(change.value, dict):
                raise PackageError(f"{path}, line {change.line}: a column must be a JSON object")
            added.append(change.value)
        elif change.op in "=+" and len(change.path) == 1:
            members[change.path[0]] = change.value
    return members, added


def _whole_members(files: Mapping[str, bytes], path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    schema = _member(_member(read_json(files, path), "MetaData", path), "Schema", path)
    return schema, list(schema.get("D2", []))


def _read_column(raw: Mapping[str, Any], path: str, own: Mapping[str, str], captions: Mapping[str, str]) -> Column:
    name = _required(raw, "A2", f"{path}, column {raw.get('UId')}")
    where = f"{path}, column {name}"
    type_uid = _required(raw, "S2", where)
    type_name = stock.data_type_name(type_uid)
    if type_name is None:
        raise PackageError(f"{where}: unknown data type {type_uid}")
    ref_uid = str(raw["S4"]).lower() if raw.get("S4") else None
    if type_name == "Lookup" and ref_uid is None:
        raise PackageError(f"{where}: a lookup without the object it refers to (S4)")
    return Column(
        name=name,
        type=type_name,
        ref=(own.get(ref_uid) or stock.schema_name(ref_uid)) if ref_uid else None,
        required=raw.get("E2") == 1,
        caption=captions.get(f"Columns.{name}.Caption", name),
        default=_read_default(raw.get("E12"), where),
        uid=_required(raw, "UId", where),
        ref_uid=ref_uid,
    )


def _read_default(raw: object, where: str) -> Default | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or raw.get("FB1") not in _SOURCES:
        raise PackageError(f"{where}: a default needs FB1 = 1 (constant), 2 (setting) or 3 (system value)")
    source = _SOURCES[raw["FB1"]]
    value = str(raw.get("FB2", ""))
    if source == "SystemValue":
        names = {uid: name for name, uid in stock.SYSTEM_VALUES.items()}
        value = names.get(value.lower(), value)
    return Default(source, value)


def _captions(files: Mapping[str, bytes], path: str) -> dict[str, str]:
    if path not in files:
        return {}
    if b"<!DOCTYPE" in files[path] or b"<!ENTITY" in files[path]:
        raise PackageError(f"{path}: document types and entities have no place in a resource file")
    try:
        root = ElementTree.fromstring(read_text(files, path))  # noqa: S314  (entities are refused above)
    except ElementTree.ParseError as error:
        raise PackageError(f"{path}: not XML ({error})") from error
    return {item.get("Name", ""): item.get("Value", "") for item in root.iter("Item")}


def _read_bindings(files: Mapping[str, bytes]) -> list[DataRows]:
    bindings = sorted({path.split("/")[1] for path in files if path.startswith("Data/") and path.count("/") >= 2})
    return [_read_binding(files, binding) for binding in bindings]


def _read_binding(files: Mapping[str, bytes], binding: str) -> DataRows:
    folder = f"Data/{binding}"
    descriptor = _member(read_json(files, f"{folder}/descriptor.json"), "Descriptor", folder)
    columns = descriptor.get("Columns", [])
    names = {str(column["ColumnUId"]).lower(): str(column["ColumnName"]) for column in columns}
    key = tuple(str(column["ColumnName"]) for column in columns if column.get("IsKey"))
    if not key:
        raise PackageError(f"{folder}/descriptor.json: no key column, so rows could not be matched")
    rows: dict[tuple[str | None, ...], dict[str, str | None]] = {}
    for path in (f"{folder}/data.json", f"{folder}/Localization/data.{_CULTURE}.json"):
        if path not in files:
            continue
        for number, entry in enumerate(read_json(files, path).get("PackageData", []), start=1):
            row: dict[str, str | None] = {}
            for cell in entry.get("Row", []):
                uid = str(cell.get("SchemaColumnUId", "")).lower()
                if uid not in names:
                    raise PackageError(f"{path}, row {number}: column {uid} is not in the descriptor")
                value = cell.get("Value")
                row[names[uid]] = None if value is None or value == "null" else str(value)
            if any(row.get(column) is None for column in key):
                raise PackageError(f"{path}, row {number}: the key {', '.join(key)} is missing")
            rows.setdefault(tuple(row[column] for column in key), {}).update(row)
    return DataRows(
        object=_required(_member(descriptor, "Schema", folder), "Name", folder),
        key=key,
        rows=tuple(rows.values()),
        binding=binding,
        forced=tuple(str(column["ColumnName"]) for column in columns if column.get("IsForceUpdate")),
    )


def _member(value: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise PackageError(f"{where}: {name} is missing or not an object")
    return found


def _required(value: Mapping[str, Any], name: str, where: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise PackageError(f"{where}: {name} is missing")
    return found
