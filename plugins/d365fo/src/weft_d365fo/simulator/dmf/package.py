"""A data package: a zip with a manifest, a header and one file of rows per entity.

The manifest names the entities by their labels, says which file and format each has, and maps the columns of
the file to the fields of the entity; without such a map nothing is staged.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SPACE = "http://schemas.microsoft.com/dynamics/2015/01/DataManagement"
_NS = {"m": SPACE}
_LIMIT = 2**31  # bytes a package may unpack to


class PackageError(Exception):
    """The package cannot be read; nothing of it is imported."""


@dataclass(frozen=True)
class Part:
    """One entity of a package. ``columns``: column of the file -> field of the entity."""

    entity: str
    file: str
    format: str
    columns: dict[str, str]
    order: tuple[int, int, int]


class Package:
    def __init__(self, data: bytes) -> None:
        """Raises PackageError."""
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except zipfile.BadZipFile:
            raise PackageError("The package is not a valid zip file.") from None
        self._names = {name.lower(): name for name in self._zip.namelist()}
        if sum(info.file_size for info in self._zip.infolist()) > _LIMIT:
            raise PackageError("The package is too large.")
        self._xml("PackageHeader.xml")
        self.parts = sorted(map(_part, self._entities()), key=lambda part: part.order)

    def _entities(self) -> Iterable[ElementTree.Element]:
        manifest = self._xml("Manifest.xml")
        if manifest.tag != f"{{{SPACE}}}DataManagementPackageManifest":
            raise PackageError("Manifest.xml is not a DataManagementPackageManifest.")
        return manifest.findall("m:PackageEntityList/m:DataManagementPackageEntityData", _NS)

    def _xml(self, name: str) -> ElementTree.Element:
        try:
            return ElementTree.fromstring(self._read(name))  # noqa: S314 - of a client of our own simulator
        except ElementTree.ParseError as error:
            raise PackageError(f"{name} is not valid XML: {error}.") from None

    def _read(self, name: str) -> bytes:
        found = self._names.get(name.lower())
        if found is None:
            raise PackageError(f"The package has no file {name}.")
        return self._zip.read(found)

    def rows(self, part: Part) -> list[dict[str, str]]:
        """Field -> text of every row. Raises PackageError."""
        data = self._read(part.file)
        if part.format == "CSV-Unicode":
            if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise PackageError("Selected file is not Unicode.")
            text = data.decode("utf-16")
        elif part.format == "CSV":
            text = data.decode("utf-8-sig")
        else:
            raise PackageError(f"The source data format {part.format} is not known.")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        missing = [column for column in part.columns if column not in (reader.fieldnames or ())]
        if missing:
            raise PackageError(f"The mapping is incorrect for entity {part.entity} and field {missing[0]}.")
        return [{field: row[column] or "" for column, field in part.columns.items()} for row in reader]


def _part(element: ElementTree.Element) -> Part:
    def text(name: str) -> str:
        return (element.findtext(f"m:{name}", "", _NS) or "").strip()

    def whole(name: str) -> int:
        return int(text(name)) if text(name).lstrip("-").isdigit() else 0

    columns = {
        (item.findtext("m:XMLField", "", _NS) or "").strip(): (item.findtext("m:EntityField", "", _NS) or "").strip()
        for item in element.findall("m:EntityMapList/m:EntityMap", _NS)
    }
    order = (whole("ExecutionUnit"), whole("LevelInExecutionUnit"), whole("SequenceInLevel"))
    entity = text("EntityName")
    return Part(entity, text("InputFilePath") or f"{entity}.csv", text("SourceFormat") or "CSV", columns, order)


def made(group: str, entities: Sequence[tuple[str, Sequence[str], Iterable[Sequence[str]]]]) -> bytes:
    """A package of these entities: label, columns, rows. As exports make it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        listed = []
        for at, (label, columns, rows) in enumerate(entities):
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(columns)
            writer.writerows(rows)
            packed.writestr(f"{label}.csv", text.getvalue().encode("utf-16"))
            maps = "".join(
                f"<EntityMap><EntityField>{escape(c)}</EntityField><XMLField>{escape(c)}</XMLField></EntityMap>"
                for c in columns
            )
            listed.append(
                f"<DataManagementPackageEntityData><EntityMapList>{maps}</EntityMapList>"
                f"<EntityName>{escape(label)}</EntityName><ExecutionUnit>1</ExecutionUnit>"
                f"<InputFilePath>{escape(label)}.csv</InputFilePath><LevelInExecutionUnit>1</LevelInExecutionUnit>"
                f"<SequenceInLevel>{at + 1}</SequenceInLevel><SourceFormat>CSV-Unicode</SourceFormat>"
                "</DataManagementPackageEntityData>"
            )
        head = '<?xml version="1.0" encoding="utf-8"?>'
        packed.writestr(
            "Manifest.xml",
            f'{head}<DataManagementPackageManifest xmlns="{SPACE}"><DefinitionGroupName>{escape(group)}'
            f"</DefinitionGroupName><PackageEntityList>{''.join(listed)}</PackageEntityList>"
            "</DataManagementPackageManifest>",
        )
        packed.writestr(
            "PackageHeader.xml",
            f'{head}<DataManagementPackageHeader xmlns="{SPACE}"><Description>{escape(group)}</Description>'
            "<PackageType>DefinitionGroup</PackageType><PackageVersion>2</PackageVersion>"
            "</DataManagementPackageHeader>",
        )
    return out.getvalue()
