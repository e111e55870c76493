"""The other way in: the services behind Creatio's object designer, without hand-made metadata.

Slower (several calls an object) but the server itself writes the metadata, so nothing depends on the
diff format. It creates objects, columns and lookup rows in a package that exists on the site. It does not
create the outbox listener, which is C#: without it weft finds changes by polling, and deletions by
comparing Ids. Running it again adds only what is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from . import stock
from .contents import Column, ObjectDescription, PackageContents
from .errors import InstallError
from .install import InstallReport, Waiting, rebuild_odata
from .service import HttpSession, Service, checked, excerpt, json_object, service_error

_DESIGNER = "ServiceModel/EntitySchemaDesignerService.svc"
_REQUEST = "DataService/json/SyncReply/SchemaDesignerRequest"
_SOURCES = {"Const": 1, "Settings": 2, "SystemValue": 3}


def _silent(_: str) -> None:
    return None


@dataclass
class _Run:
    service: Service
    package: tuple[str, str]
    report: Callable[[str], None]
    uids: dict[str, str] = field(default_factory=lambda: dict(stock.SCHEMAS))
    saved: list[str] = field(default_factory=list)


async def install_with_designer(
    session: HttpSession,
    contents: PackageContents,
    package: tuple[str, str],
    *,
    root: str = "",
    waiting: Waiting | None = None,
    report: Callable[[str], None] = _silent,
) -> InstallReport:
    """Create what *contents* describes in *package* (name, UId) through the designer services."""
    run = _Run(Service(session, root), package, report)
    own = {found.name for found in contents.objects if not found.extends}
    late: list[ObjectDescription] = []
    for found in _ordered(contents):
        ready = {name for name in own if name in run.uids}
        now = tuple(column for column in found.columns if column.ref not in own or column.ref in ready)
        if len(now) < len(found.columns):
            late.append(found)
        await _save(run, found, now)
    for found in late:  # references in a circle, and to itself
        await _save(run, found, found.columns)
    saved = list(dict.fromkeys(run.saved))
    if saved:
        report(f"updating the tables of {len(saved)} objects")
        await run.service.call(_REQUEST, {"saveSchemaDBStructure": saved}, "updating the tables")
        report("publishing; this takes minutes")
        publish = {"buildWorkspace": True, "buildChangedConfiguration": True}
        waiting = waiting or Waiting()
        await run.service.call(_REQUEST, publish, "publishing the configuration", seconds=waiting.limit)
        probes = sorted(own)
        await rebuild_odata(run.service, probes[:1] + probes[-1:], waiting, report)
    await _rows(run, contents, own)
    warnings: tuple[str, ...] = ()
    if contents.listeners:
        warnings = ("the outbox listener is C# and was not created: changes are found by polling",)
    return InstallReport(package[0], warnings, "")


def _ordered(contents: PackageContents) -> list[ObjectDescription]:
    """Objects before those that refer to them, as far as possible; extensions of stock objects last."""
    left = [found for found in contents.objects if not found.extends]
    done: list[ObjectDescription] = []
    while left:
        names = {found.name for found in left}
        ready = [
            found
            for found in left
            if not any(column.ref in names and column.ref != found.name for column in found.columns)
        ] or left[:1]
        done += ready
        left = [found for found in left if found not in ready]
    return done + [found for found in contents.objects if found.extends]


async def _save(run: _Run, found: ObjectDescription, columns: tuple[Column, ...]) -> None:
    step = f"object {found.name}"
    existing = await _existing(run, found)
    schema = existing or await _new(run, found, step)
    present = {str(column.get("name")) for column in schema.get("columns") or []}
    added = [_column(run, column, step) for column in columns if column.name not in present]
    run.uids.setdefault(found.name, str(schema["uId"]))
    if existing and not added:
        return
    run.report(f"saving {found.name}, {len(added)} columns to add")
    schema["columns"] = [*(schema.get("columns") or []), *added]
    if found.display and not found.extends:
        shown = [column for column in schema["columns"] if column.get("name") == found.display]
        schema["primaryDisplayColumn"] = shown[0] if shown else schema.get("primaryDisplayColumn")
    answer = await run.service.call(f"{_DESIGNER}/SaveSchema", schema, f"{step}: SaveSchema")
    run.saved.append(str(answer.get("schemaUid") or schema["uId"]))


async def _existing(run: _Run, found: ObjectDescription) -> dict[str, Any] | None:
    body = {
        "name": found.name,
        "packageUId": run.package[1],
        "useFullHierarchy": False,
        "cultures": ["en-US"],
    }
    response = await run.service.send("POST", f"{_DESIGNER}/GetSchemaDesignItem", body=body)
    answer = json_object(response)
    # A schema the package cannot reach is answered with an HTML page or success: false.
    schema = answer.get("schema") if answer and answer.get("success") else None
    if not isinstance(schema, dict) or (schema.get("package") or {}).get("uId") != run.package[1]:
        return None
    return schema


async def _new(run: _Run, found: ObjectDescription, step: str) -> dict[str, Any]:
    name, uid = run.package
    if found.parent_uid is None:
        raise InstallError(f"{step}: no parent; an object without one never appears in OData")
    body = {"packageUId": uid, "extendParent": found.extends}
    schema = _schema(await run.service.call(f"{_DESIGNER}/CreateNewSchema", body, f"{step}: CreateNewSchema"))
    schema["package"] = {"uId": uid, "name": name}
    schema["extendParent"] = found.extends
    if not found.extends:
        schema["name"] = found.name
        schema["caption"] = [{"cultureName": "en-US", "value": found.caption}]
    assign = {"designSchema": schema, "parentSchemaUId": found.parent_uid, "useFullHierarchy": True}
    answer = await run.service.call(f"{_DESIGNER}/AssignParentSchema", assign, f"{step}: AssignParentSchema")
    assigned = _schema(answer)
    if found.extends:
        assigned["name"] = found.name
    else:
        assigned |= {"name": found.name, "caption": schema["caption"]}
    return assigned


def _schema(answer: dict[str, Any]) -> dict[str, Any]:
    schema = answer.get("schema")
    if not isinstance(schema, dict) or not schema.get("uId"):
        raise InstallError("the designer answered without a schema")
    return schema


def _column(run: _Run, column: Column, step: str) -> dict[str, Any]:
    value: dict[str, Any] = {
        "uId": column.uid or str(uuid.uuid4()),
        "name": column.name,
        "caption": [{"cultureName": "en-US", "value": column.caption}],
        "type": stock.DESIGNER_TYPES[column.type],
        "requirementType": 1 if column.required else 0,
        "isInherited": False,
        "isValueCloneable": True,
    }
    if column.type == "Lookup":
        target = run.uids.get(column.ref or "")
        if target is None:
            raise InstallError(f"{step}: column {column.name} refers to {column.ref or column.ref_uid}, unknown")
        value |= {"referenceSchema": {"uId": target, "name": column.ref}, "indexed": True}
    if column.default:
        text = column.default.value
        value["defValue"] = {"valueSourceType": _SOURCES[column.default.source]}
        if column.default.source == "Const":
            value["defValue"]["value"] = text
        else:
            value["defValue"]["valueSource"] = stock.SYSTEM_VALUES.get(text, text)
    return value


async def _rows(run: _Run, contents: PackageContents, own: set[str]) -> None:
    """Lookup rows with their fixed Ids; rows that are there stay as they are."""
    for binding in contents.data:
        if binding.object not in own:
            continue
        for row in binding.rows:
            step = f"{binding.object} row {row.get('Name')}"
            found = await run.service.send(
                "GET", f"odata/{binding.object}?$select=Id&$top=1&$filter={quote('Id eq ' + str(row['Id']))}"
            )
            if checked(found, step).get("value"):
                continue
            body = {name: value for name, value in row.items() if value is not None}
            response = await run.service.send("POST", f"odata/{binding.object}", body=body)
            if response.status != 201:
                answer = json_object(response) or {}
                reason = service_error(answer) if answer.get("errorInfo") else excerpt(response)
                raise InstallError(f"{step}: HTTP {response.status}: {reason}")
