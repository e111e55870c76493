"""The services behind the object designer: create, give a parent, save, update the tables, publish.

An object exists for OData only after its table was made and the configuration published. Only what a
client of these services sends is understood; page and process designers are not.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from weft_creatio.package import stock
from weft_creatio.package.contents import Column, Default, DefaultSource, ObjectDescription
from weft_creatio.package.errors import PackageError
from weft_creatio.simulator.packages import SUCCESS, Installer
from weft_creatio.simulator.site import Site

_TYPES = {number: name for name, number in stock.DESIGNER_TYPES.items()}
_SOURCES: dict[int, DefaultSource] = {1: "Const", 2: "Settings", 3: "SystemValue"}


@dataclass
class _Draft:
    schema: dict[str, Any]
    parent: str | None = None
    in_database: bool = False


@dataclass
class Designer:
    """Drafts of one site by schema UId; a published one stays, for later changes."""

    site: Site
    installer: Installer
    _drafts: dict[str, _Draft] = field(default_factory=dict)

    def call(self, method: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Answer of EntitySchemaDesignerService; None for a method it does not have."""
        match method:
            case "CreateNewSchema":
                uid = str(uuid.uuid5(uuid.NAMESPACE_OID, self.site.new_id()))
                schema = {"uId": uid, "columns": [], "extendParent": bool(body.get("extendParent"))}
                return {**SUCCESS, "schema": schema}
            case "AssignParentSchema":
                return self._assign(body)
            case "SaveSchema":
                return self._save(body)
            case "GetSchemaDesignItem":
                return self._item(body)
        return None

    def request(self, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """(answer, published) of a SchemaDesignerRequest."""
        for uid in body.get("saveSchemaDBStructure") or []:
            draft = self._drafts.get(str(uid).lower())
            if draft is None:
                return _failure(f"Item with unique identifier {uid} not found"), False
            draft.in_database = True
        if not body.get("buildWorkspace"):
            return dict(SUCCESS), False
        ready = [self._describe(draft) for draft in self._drafts.values() if draft.in_database]
        try:
            self.installer.add_objects(ready, "Custom")
        except PackageError as error:
            return _failure(str(error)), False
        return dict(SUCCESS), True

    def _assign(self, body: dict[str, Any]) -> dict[str, Any]:
        schema = dict(body.get("designSchema") or {})
        parent_uid = str(body.get("parentSchemaUId") or "").lower()
        parent = self._name_of(parent_uid)
        if parent is None or "uId" not in schema:
            return _failure(f"Item with unique identifier {parent_uid} not found")
        inherited = [{"uId": uid, "name": name, "isInherited": True} for name, uid in stock.BASE_COLUMNS.items()]
        if parent in ("BaseLookup", "BaseCodeLookup"):
            inherited += [{"uId": uid, "name": name, "isInherited": True} for name, uid in stock.LOOKUP_COLUMNS.items()]
        schema["parentSchema"] = {"uId": parent_uid, "name": parent}
        schema["columns"] = [*inherited, *(schema.get("columns") or [])]
        return {**SUCCESS, "schema": schema}

    def _save(self, schema: dict[str, Any]) -> dict[str, Any]:
        uid, name = str(schema.get("uId") or "").lower(), schema.get("name")
        if not uid or not isinstance(name, str) or not name:
            return _failure("Schema name is required")
        if any(d.schema["name"] == name and u != uid for u, d in self._drafts.items()):
            return _failure(f"Schema with name {name} already exists")
        parent = (schema.get("parentSchema") or {}).get("name")
        self._drafts[uid] = _Draft(schema, str(parent) if parent else None)
        try:
            self._describe(self._drafts[uid])
        except PackageError as error:
            del self._drafts[uid]
            return _failure(str(error))
        return {**SUCCESS, "schemaUid": uid}

    def _item(self, body: dict[str, Any]) -> dict[str, Any]:
        for draft in self._drafts.values():
            if draft.schema["name"] == body.get("name"):
                return {**SUCCESS, "schema": draft.schema}
        return _failure(f"Item with name {body.get('name')} not found")

    def _name_of(self, uid: str) -> str | None:
        draft = self._drafts.get(uid)
        return str(draft.schema["name"]) if draft else stock.schema_name(uid)

    def _describe(self, draft: _Draft) -> ObjectDescription:
        schema = draft.schema
        columns = [self._column(raw) for raw in schema.get("columns") or [] if not raw.get("isInherited")]
        shown = (schema.get("primaryDisplayColumn") or {}).get("name")
        return ObjectDescription(
            schema["name"], draft.parent, bool(schema.get("extendParent")), tuple(columns), display=shown
        )

    def _column(self, raw: dict[str, Any]) -> Column:
        kind = _TYPES.get(raw.get("type", -1))
        if kind is None:
            raise PackageError(f"column {raw.get('name')}: unknown data type {raw.get('type')}")
        target = str((raw.get("referenceSchema") or {}).get("uId") or "").lower()
        given = raw.get("defValue") or {}
        source = _SOURCES.get(given.get("valueSourceType", 0))
        default = None
        if source is not None:
            text = str(given.get("value" if source == "Const" else "valueSource", ""))
            names = {uid: name for name, uid in stock.SYSTEM_VALUES.items()}
            default = Default(source, names.get(text, text))
        return Column(
            name=str(raw["name"]),
            type=kind,
            ref=self._name_of(target) if target else None,
            required=bool(raw.get("requirementType")),
            default=default,
        )


def _failure(message: str) -> dict[str, Any]:
    return {"errorInfo": {"errorCode": "Exception", "message": message}, "success": False}
