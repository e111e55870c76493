"""The C# that fills the outbox: one event listener for all tracked objects, generated from the data."""

from __future__ import annotations

from . import stock
from .entity_files import Identity, resource_xml
from .model import PackageModel
from .names import fixed_uid
from .tree import package_date, write_json, write_text

_CODE = """\
namespace Terrasoft.Configuration
{
\tusing System;
\tusing System.Collections.Generic;
\tusing System.Globalization;
\tusing System.Threading;
\tusing Terrasoft.Core;
\tusing Terrasoft.Core.Entities;
\tusing Terrasoft.Core.Entities.Events;

\t/// <summary>
\t/// Writes one @OUTBOX@ row for each insert, update and delete of the objects named below, so that an
\t/// integration learns of changes without searching for them, of deletions in particular. Version @VERSION@.
\t/// </summary>
\t/// <remarks>
\t/// The row is saved on the user connection of the change, inside the save or delete that raised the event.
\t/// Creatio documents the order of the events but not that they share the database transaction: treat a
\t/// row as a hint to read the record again, never as the change itself. An error here reaches the caller.
\t/// Direct SQL raises no events. The integration deletes rows it has handled.
\t/// </remarks>
@ATTRIBUTES@
\tpublic class @CLASS@ : BaseEntityEventListener
\t{

\t\tprivate const string OutboxSchemaName = "@OUTBOX@";

\t\t// Objects that are lines of a document, with the lookup column that names the document.
\t\tprivate static readonly Dictionary<string, string> ParentColumns = new Dictionary<string, string> {
@PARENTS@
\t\t};

\t\tprivate static long _counter;

\t\tpublic override void OnInserted(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnInserted(sender, e);
\t\t\tWriteRow((Entity)sender, "insert");
\t\t}

\t\tpublic override void OnUpdated(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnUpdated(sender, e);
\t\t\tWriteRow((Entity)sender, "update");
\t\t}

\t\tpublic override void OnDeleted(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnDeleted(sender, e);
\t\t\tWriteRow((Entity)sender, "delete");
\t\t}

\t\tprivate static void WriteRow(Entity entity, string operation) {
\t\t\tUserConnection userConnection = entity.UserConnection;
\t\t\tEntitySchema schema = userConnection.EntitySchemaManager.GetInstanceByName(OutboxSchemaName);
\t\t\tEntity row = schema.CreateEntity(userConnection);
\t\t\trow.UseAdminRights = false;
\t\t\trow.SetDefColumnValues();
\t\t\trow.SetColumnValue("@ENTITY@", entity.Schema.Name);
\t\t\trow.SetColumnValue("@RECORD@", entity.PrimaryColumnValue);
\t\t\trow.SetColumnValue("@OPERATION@", operation);
\t\t\trow.SetColumnValue("@SEQUENCE@", NextSequence());
\t\t\tstring parentColumn;
\t\t\tif (ParentColumns.TryGetValue(entity.Schema.Name, out parentColumn)) {
\t\t\t\tEntitySchemaColumn column = entity.Schema.Columns.FindByName(parentColumn);
\t\t\t\tif (column != null && entity.GetIsColumnValueLoaded(column.ColumnValueName)) {
\t\t\t\t\trow.SetColumnValue("@PARENT_NAME@", column.ReferenceSchema.Name);
\t\t\t\t\trow.SetColumnValue("@PARENT_ID@", entity.GetTypedColumnValue<Guid>(column.ColumnValueName));
\t\t\t\t}
\t\t\t}
\t\t\trow.Save(false);
\t\t}

\t\t// Sorts as text within one server; across a web farm the servers' clocks decide.
\t\tprivate static string NextSequence() {
\t\t\tlong number = Interlocked.Increment(ref _counter) % 1000000;
\t\t\treturn DateTime.UtcNow.Ticks.ToString("D19", CultureInfo.InvariantCulture) + "-"
\t\t\t\t+ number.ToString("D6", CultureInfo.InvariantCulture);
\t\t}

\t}
}
"""


def listener_files(model: PackageModel, identity: Identity, version: str) -> dict[str, bytes]:
    """The source-code schema ``<prefix>WeftOutboxListener`` with its files."""
    names = identity.names
    name = f"{names.object(model.outbox.name)}Listener"
    uid = fixed_uid("source", name)
    descriptor = {
        "UId": uid,
        "Name": name,
        "ModifiedOnUtc": package_date(identity.modified),
        "ManagerName": "SourceCodeSchemaManager",
        "Caption": name,
    }
    metadata = {
        "ManagerName": "SourceCodeSchemaManager",
        "UId": uid,
        "A2": name,
        "A5": identity.package_uid,
        "B1": [],
        "B2": [],
        "B3": [],
        "B6": identity.package_uid,
        "B8": stock.BUILD,
        "HD1": stock.SOURCE_CODE_ROOT,
    }
    folder = f"Schemas/{name}"
    return {
        f"{folder}/descriptor.json": write_json({"Descriptor": descriptor}),
        f"{folder}/metadata.json": write_json({"MetaData": {"Schema": metadata}}),
        f"{folder}/properties.json": write_json({"Properties": {"CreatedInVersion": stock.BUILD}}),
        f"{folder}/{name}.cs": write_text(_code(model, identity, name, version)),
        f"Resources/{name}.SourceCode/resource.en-US.xml": resource_xml({"Caption": name}),
    }


def _code(model: PackageModel, identity: Identity, name: str, version: str) -> str:
    names = identity.names
    heard = [names.object(spec.name) for spec in model.tracked]
    parents = []
    for spec in model.tracked:
        if spec.line_of:
            own = spec.parent_column
            column = names.column(own.name) if own else spec.line_of
            parents.append(f'\t\t\t{{ "{names.object(spec.name)}", "{column}" }}')
    values = {
        "OUTBOX": names.object(model.outbox.name),
        "CLASS": name,
        "VERSION": version,
        "ATTRIBUTES": "\n".join(f'\t[EntityEventListener(SchemaName = "{entry}")]' for entry in heard),
        "PARENTS": ",\n".join(parents),
        "ENTITY": names.column("EntityName"),
        "RECORD": names.column("RecordId"),
        "OPERATION": names.column("Operation"),
        "SEQUENCE": names.column("Sequence"),
        "PARENT_NAME": names.column("ParentName"),
        "PARENT_ID": names.column("ParentId"),
    }
    code = _CODE
    for key, text in values.items():
        code = code.replace(f"@{key}@", text)
    return code
