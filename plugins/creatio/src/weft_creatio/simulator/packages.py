"""Installing packages: uploaded archives become objects, columns, rows and listeners of the site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from weft_creatio.package.archive import unpack_all
from weft_creatio.package.contents import Column as PackageColumn
from weft_creatio.package.contents import ObjectDescription, PackageContents, read_tree
from weft_creatio.package.errors import PackageError

from .database import Raw, quoted
from .errors import ODataError
from .listeners import Outbox, find_outbox
from .model import LOOKUP_COLUMNS, Column
from .site import Site
from .values import only_date, parse_instant, scaled

SUCCESS = {"success": True, "errorInfo": None}
FAILURE = {
    "errorInfo": {"errorCode": "Exception", "message": "Packages installation failed"},
    "success": False,
}
BASES: dict[str, tuple[Column, ...]] = {
    "BaseEntity": (),
    "BaseLookup": LOOKUP_COLUMNS,
    "BaseCodeLookup": (*LOOKUP_COLUMNS, Column("Code", "ShortText", "CrtBase", required=True)),
}
"""Stock parents of custom objects and the columns they bring besides the system columns."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")


class Installer:
    """Package installation of one site. :meth:`install` answers as PackageInstallerService does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._uploads: dict[str, bytearray] = {}
        self.log = ""
        self.installed: dict[str, PackageContents] = {}

    def upload(self, name: str, chunk: bytes, start: int) -> None:
        """One chunk of a file; a chunk that starts at 0 begins it anew."""
        data = self._uploads.setdefault(name, bytearray())
        if start == 0:
            data.clear()
        if start != len(data):
            raise PackageError(f"{name}: chunk starts at {start}, {len(data)} bytes are there")
        data += chunk

    def install(self, name: str) -> bool:
        """Install an uploaded archive; False (and a line in the log) when it is refused."""
        data = self._uploads.get(name)
        try:
            if data is None:
                raise PackageError(f"file {name} not found")
            for _, tree in sorted(unpack_all(bytes(data)).items()):
                if self._site.settings.strict_metadata:
                    _check_metadata(tree)
                self.apply(read_tree(tree))
        except (PackageError, ODataError) as error:
            self._say(f"Error: {error}")
            self._say("Packages installation failed")
            return False
        self._say("Package installation finished")
        return True

    def apply(self, package: PackageContents) -> None:
        """Everything one package brings. All of it is checked before anything is changed."""
        self._say(f"Installing package {package.name}")
        for needed in package.depends_on:
            if not self._site.db.rows("SysPackage", "Name=?", (needed,)):
                raise PackageError(f"package {package.name}: required package {needed} not found")
        self.add_objects(package.objects, package.name)
        unchanged = self.installed.get(package.name)
        if unchanged is None or unchanged.version != package.version:
            for binding in package.data:
                self._apply_rows(binding.object, binding.key, binding.rows, binding.forced)
        self._listen(package)
        self.installed[package.name] = package
        self._register(package)

    def add_objects(self, objects: Sequence[ObjectDescription], package: str) -> None:
        """Make the tables and columns of objects; PackageError before anything is changed."""
        known = set(self._site.model.entities) | {found.name for found in objects}
        for found in objects:
            self._check(found, known)
        for found in objects:
            self._apply_object(found, package)

    # -- parts

    def _say(self, text: str) -> None:
        self.log += f"{self._site.clock.now():%Y-%m-%d %H:%M:%S} {text}\n"

    def _check(self, found: ObjectDescription, known: set[str]) -> None:
        name, prefix = found.name, str(self._site.setting_value("SchemaNamePrefix") or "")
        if not _NAME.fullmatch(name):
            raise PackageError(f"schema name {name!r} must be Latin letters and digits, at most 128")
        if found.extends:
            if name not in self._site.model.entities:
                raise PackageError(f"schema {name}: parent schema {name} not found")
        elif found.parent not in BASES and found.parent is not None and found.parent not in known:
            raise PackageError(f"schema {name}: parent schema {found.parent} not found")
        elif not name.startswith(prefix):
            raise PackageError(f"schema name {name} must start with the prefix {prefix}")
        for column in found.columns:
            if not column.name.startswith(prefix):
                raise PackageError(f"column {name}.{column.name} must start with the prefix {prefix}")
            if column.type == "Lookup" and column.ref not in known:
                raise PackageError(f"column {name}.{column.name}: schema {column.ref or column.ref_uid} not found")

    def _apply_object(self, found: ObjectDescription, package: str) -> None:
        site = self._site
        columns = [_column(column, package) for column in found.columns]
        if found.extends or found.name in site.model.entities:
            entity = site.model.entity(found.name)
            if site.model.extend(found.name, columns):
                site.db.add_columns(entity)
        elif found.parent is not None:
            base = BASES.get(found.parent)
            if base is None:
                base = tuple(site.model.entity(found.parent).columns.values())
            entity = site.model.add(found.name, _display(found, base), columns, base=base)
            site.db.create_table(entity)
        else:
            self._say(f"Schema {found.name} has no parent and is not shown in OData")
            return
        site.db.index(site.model.entity(found.name))

    def _apply_rows(
        self,
        name: str,
        key: tuple[str, ...],
        rows: Iterable[Mapping[str, str | None]],
        forced: tuple[str, ...],
    ) -> None:
        entity = self._site.model.entities.get(name)
        if entity is None:
            raise PackageError(f"data binding: schema {name} not found")
        db = self._site.db
        for given in rows:
            values: Raw = {}
            for shown, text in given.items():
                column = entity.columns.get(shown) or entity.navs.get(shown)
                if column is None:
                    raise PackageError(f"data binding: column {shown} not found in schema {name}")
                values[column.name] = self._value(column, text)
            keys = [c if c in entity.columns else f"{c}Id" for c in key]
            where = " AND ".join(f"{quoted(c)}=?" for c in keys)
            present = db.rows(name, where, [values[c] for c in keys])
            if present:
                names = {c if c in entity.columns else f"{c}Id" for c in forced}
                db.update(name, present[0]["Id"], {c: v for c, v in values.items() if c in names})
            else:
                self._site.pipeline.create(name, values, self._site.supervisor)

    def _value(self, column: Column, text: str | None) -> object:
        if text is None or text == "":
            return "" if column.kind == "text" else None if column.kind not in ("int", "decimal", "bool") else 0
        match column.kind:
            case "bool":
                return int(text.lower() == "true")
            case "int":
                return int(text)
            case "decimal":
                return scaled(_number(text), column.scale)
            case "guid" | "lookup":
                return text.lower()
            case "date":
                return only_date(parse_instant(text, self._site.settings))
            case "datetime" | "time":
                return parse_instant(text, self._site.settings)
        return text

    def _listen(self, package: PackageContents) -> None:
        for code in package.sources.values():
            outbox = self._outbox(package, code)
            if outbox is None:
                continue
            for name in package.listeners:
                if f'"{name}"' in code:
                    parent = package.listener_parents.get(name)
                    self._site.listeners.hear(name, outbox, parent, package.push_setting)

    def _outbox(self, package: PackageContents, code: str) -> Outbox | None:
        for found in package.objects:
            if not found.extends and f'"{found.name}"' in code and found.name not in package.listeners:
                outbox = find_outbox(self._site.model.entity(found.name))
                if outbox is not None:
                    return outbox
        return None

    def _register(self, package: PackageContents) -> None:
        """The package in SysPackage, as a site lists it."""
        db = self._site.db
        values: Raw = {"Name": package.name, "UId": package.uid, "Version": package.version or "", "Maintainer":
                       package.maintainer}  # fmt: skip
        present = db.rows("SysPackage", "Name=?", (package.name,))
        if present:
            db.update("SysPackage", present[0]["Id"], values)
        else:
            db.insert("SysPackage", {"Id": self._site.new_id(), **values})


def _check_metadata(tree: Mapping[str, bytes]) -> None:
    """Whether each object that has a parent brings the lines of its embedded event process (EG1)."""
    for path, data in tree.items():
        text = data.decode("utf-8-sig", "replace") if path.endswith("/metadata.json") else ""
        if "MetaData.Schema." in text and "MetaData.Schema.EG1" not in text:
            raise PackageError(f"{path}: the embedded event process (EG1) is missing")


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise PackageError(f"data binding: {text!r} is not a number") from error


def _column(found: PackageColumn, package: str) -> Column:
    default = (found.default.source, found.default.value) if found.default else None
    return Column(found.odata_name, found.type, package, found.ref, found.required, default)


def _display(found: ObjectDescription, base: tuple[Column, ...]) -> str | None:
    if found.display:
        return found.display
    return "Name" if any(column.name == "Name" for column in base) else None
