"""$metadata with its annotations, and the /metadata service."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from weft.testing.odata import schema as odata
from weft.testing.odata.edmx import metadata_xml
from weft_d365fo.simulator.schema import NAMESPACE, EntitySet, Property, load
from weft_d365fo.simulator.tables import describe
from weft_d365fo.simulator.world import World

ACTIONS: tuple[tuple[str, str, tuple[tuple[str, str], ...], str | None], ...] = (
    ("DataManagementDefinitionGroups", "GetAzureWriteUrl", (("uniqueFileName", "String"),), "String"),
    (
        "DataManagementDefinitionGroups",
        "ImportFromPackage",
        (
            ("packageUrl", "String"), ("definitionGroupId", "String"), ("executionId", "String"),
            ("execute", "Boolean"), ("overwrite", "Boolean"), ("legalEntityId", "String"),
        ),
        "String",
    ),
    (
        "DataManagementDefinitionGroups",
        "ImportFromPackageAsync",
        (
            ("packageUrl", "String"), ("definitionGroupId", "String"), ("executionId", "String"),
            ("execute", "Boolean"), ("overwrite", "Boolean"), ("legalEntityId", "String"),
        ),
        "String",
    ),
    (
        "DataManagementDefinitionGroups",
        "ExportToPackage",
        (
            ("definitionGroupId", "String"), ("packageName", "String"), ("executionId", "String"),
            ("reExecute", "Boolean"), ("legalEntityId", "String"),
        ),
        "String",
    ),
    ("DataManagementDefinitionGroups", "GetExecutionSummaryStatus", (("executionId", "String"),), "String"),
    ("DataManagementDefinitionGroups", "GetExportedPackageUrl", (("executionId", "String"),), "String"),
    ("DataManagementDefinitionGroups", "GetExecutionErrors", (("executionId", "String"),), "String"),
    (
        "DataManagementDefinitionGroups",
        "GetImportStagingErrorFileUrl",
        (("executionId", "String"), ("entityName", "String")),
        "String",
    ),
    (
        "DataManagementDefinitionGroups",
        "GenerateImportTargetErrorKeysFile",
        (("executionId", "String"), ("entityName", "String")),
        "Boolean",
    ),
    (
        "DataManagementDefinitionGroups",
        "GetImportTargetErrorKeysFileUrl",
        (("executionId", "String"), ("entityName", "String")),
        "String",
    ),
    ("DataManagementEntities", "GetApplicationVersion", (), "String"),
    ("DataManagementEntities", "GetPlatformBuildVersion", (), "String"),
    ("DataManagementEntities", "GetApplicationBuildVersion", (), "String"),
)  # fmt: skip
"""Set, name, parameters, type of the result."""


@cache
def model() -> odata.Model:
    """What /data/$metadata shows; the same for every environment."""
    schema = load()
    types = {shown.entity.name: shown.entity for shown in describe().shown.values()}
    enums = {name: odata.EnumType(name, list(members.items())) for name, members in schema.enums.items()}
    actions = [
        odata.Action(
            name,
            schema[owner].type,
            [(parameter, f"Edm.{kind}") for parameter, kind in parameters],
            None if returns is None else f"Edm.{returns}",
            on_collection=True,
        )
        for owner, name, parameters, returns in ACTIONS
    ]
    return odata.Model(NAMESPACE, types, "Resources", enums, actions)


@cache
def document() -> bytes:
    return metadata_xml(model())


class MetadataService:
    """The read-only service under /metadata."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._built: dict[str, list[dict[str, Any]]] = {}

    def answer(self, name: str, key: str | None, where: str) -> dict[str, Any] | None:
        """A collection or one of its members; None where there is none. ``where``: the text of $filter, of which
        ``contains(tolower(Name),'x')`` and ``Name eq 'x'`` are understood."""
        builders = {
            "DataEntities": (self._entities, "PublicEntityName"),
            "PublicEntities": (self._public, "Name"),
            "PublicEnumerations": (self._enums, "Name"),
        }
        if name not in builders:
            return None
        build, column = builders[name]
        if name not in self._built:
            self._built[name] = build()
        rows = self._built[name]
        if key is not None:
            wanted = re.sub(r"^(\w+=)?'(.*)'$", r"\2", key)
            return next((row for row in rows if row[column] == wanted), None)
        return {"value": [row for row in rows if _matches(row, where)]}

    def label(self, key: str) -> dict[str, Any] | None:
        """``Id='@SYS…',Language='en-us'``: the text of a label."""
        found = re.fullmatch(r"Id='(.+)',Language='(.+)'", key)
        if found is None:
            return None
        for entity_set in self.world.schema.sets.values():
            if label_id(entity_set.name) == found[1]:
                return {"Id": found[1], "Language": found[2], "Value": entity_set.label}
            for prop in entity_set.properties.values():
                if label_id(prop.name) == found[1]:
                    return {"Id": found[1], "Language": found[2], "Value": prop.label}
        return None

    def _entities(self) -> list[dict[str, Any]]:
        return [
            {
                "Name": entity_set.aot,
                "PublicEntityName": entity_set.type,
                "PublicCollectionName": entity_set.name,
                "LabelId": label_id(entity_set.name),
                "DataServiceEnabled": True,
                "DataManagementEnabled": not entity_set.name.endswith("BiEntities"),
                "EntityCategory": category(entity_set),
                "IsReadOnly": entity_set.read_only,
            }
            for entity_set in self.world.schema.sets.values()
        ]

    def _public(self) -> list[dict[str, Any]]:
        return [self._public_entity(entity_set) for entity_set in self.world.schema.sets.values()]

    def _public_entity(self, entity_set: EntitySet) -> dict[str, Any]:
        shown = self.world.shown_set(entity_set.name)
        return {
            "Name": entity_set.type,
            "EntitySetName": entity_set.name,
            "LabelId": label_id(entity_set.name),
            "IsReadOnly": entity_set.read_only,
            "ConfigurationEnabled": True,
            "Properties": [_property(prop) for prop in entity_set.properties.values()],
            "NavigationProperties": [
                {
                    "Name": link.name,
                    "RelatedEntity": self.world.schema[link.target].type,
                    "RelatedRelationName": None,
                    "Cardinality": "Multiple" if link.many else "Single",
                    "Constraints": [{"Property": own, "ReferencedProperty": other} for own, other in link.on],
                }
                for link in shown.links.values()
            ],
            "PropertyGroups": [],
            "Actions": [
                {
                    "Name": name,
                    "BindingKind": "BoundToEntitySet",
                    "Parameters": [
                        {"Name": parameter, "Type": {"TypeName": f"Edm.{kind}", "IsCollection": False}}
                        for parameter, kind in parameters
                    ],
                    "ReturnType": None if returns is None else {"TypeName": f"Edm.{returns}", "IsCollection": False},
                    "FieldLookup": None,
                }
                for owner, name, parameters, returns in ACTIONS
                if owner == entity_set.name
            ],
        }

    def _enums(self) -> list[dict[str, Any]]:
        return [
            {
                "Name": name,
                "LabelId": label_id(name),
                "Members": [
                    {"Name": member, "Value": value, "LabelId": label_id(member), "ConfigurationEnabled": True}
                    for member, value in members.items()
                ],
            }
            for name, members in self.world.schema.enums.items()
        ]


def label_id(name: str) -> str:
    """Labels of this environment are filed under their names."""
    return f"@SIM:{name}"


def category(entity_set: EntitySet) -> str:
    name = entity_set.name
    if any(word in name for word in ("Lines", "Trans", "Invoice", "Order", "Journal", "Quotation")):
        return "Transaction"
    if any(word in name for word in ("Customers", "Vendors", "Products", "Projects", "Persons", "MainAccounts")):
        return "Master"
    return "Parameters" if "Parameters" in name else "Reference"


def _property(prop: Property) -> dict[str, Any]:
    kinds = {"E": "Enum", "N": "Real", "S": "String", "I": "Int32", "L": "Int64", "D": "Date", "T": "UtcDateTime",
             "G": "Guid", "X": "Container", "B": "Int32"}  # fmt: skip
    return {
        "Name": prop.name,
        "TypeName": prop.edm,
        "DataType": kinds[prop.kind],
        "LabelId": label_id(prop.name),
        "IsKey": prop.is_key,
        "IsMandatory": prop.mandatory,
        "ConfigurationEnabled": True,
        "AllowEdit": not (prop.read_only or prop.fixed or prop.is_key),
        "AllowEditOnCreate": not prop.read_only,
        "IsDimension": prop.is_dimension,
        "DimensionRelation": None,
        "IsDynamicDimension": prop.name in ("AccountDisplayValue", "OffsetAccountDisplayValue"),
        "DimensionLegalEntityProperty": None,
        "DimensionTypeProperty": None,
    }


def _matches(row: dict[str, Any], where: str) -> bool:
    for column, text in _tests(where):
        value = str(row.get(column, ""))
        if column.startswith("~"):
            if text.lower() not in str(row.get(column[1:], "")).lower():
                return False
        elif value != text:
            return False
    return True


def _tests(where: str) -> Iterable[tuple[str, str]]:
    for found in re.finditer(r"contains\((?:tolower\()?(\w+)\)?,\s*'([^']*)'\)|(\w+) eq '([^']*)'", where):
        yield (f"~{found[1]}", found[2]) if found[1] else (found[3], found[4])
