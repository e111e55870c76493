"""The C# that fills the outbox and tells of it: one event listener for all tracked objects, generated from the data."""

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
\tusing System.IO;
\tusing System.Net;
\tusing System.Text;
\tusing System.Threading;
\tusing Terrasoft.Core;
\tusing Terrasoft.Core.Configuration;
\tusing Terrasoft.Core.Entities;
\tusing Terrasoft.Core.Entities.AsyncOperations;
\tusing Terrasoft.Core.Entities.AsyncOperations.Interfaces;
\tusing Terrasoft.Core.Entities.Events;
\tusing Terrasoft.Core.Factories;

\t/// <summary>
\t/// Writes one @OUTBOX@ row for each insert, update and delete of the objects named below, so that an
\t/// integration learns of changes without searching for them, of deletions in particular. Version @VERSION@.
\t/// </summary>
\t/// <remarks>
\t/// The row is saved on the user connection of the change, inside the save or delete that raised the event.
\t/// Creatio documents the order of the events but not that they share the database transaction: treat a
\t/// row as a hint to read the record again, never as the change itself. An error here reaches the caller.
\t/// Direct SQL raises no events. The integration deletes rows it has handled.
\t/// While the system setting @SETTING@ holds an address, the same hint is posted there as well, in
\t/// the background: a push that fails is dropped, for its row is there and is polled.
\t/// </remarks>
@ATTRIBUTES@
\tpublic class @CLASS@ : BaseEntityEventListener
\t{

\t\tprivate const string OutboxSchemaName = "@OUTBOX@";

\t\tprivate const string PushUrlSetting = "@SETTING@";

\t\t// Objects that are lines of a document, with the lookup column that names the document.
\t\tprivate static readonly Dictionary<string, string> ParentColumns = new Dictionary<string, string> {
@PARENTS@
\t\t};

\t\tprivate static long _counter;

\t\tpublic override void OnInserted(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnInserted(sender, e);
\t\t\tTell((Entity)sender, e, "insert");
\t\t}

\t\tpublic override void OnUpdated(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnUpdated(sender, e);
\t\t\tTell((Entity)sender, e, "update");
\t\t}

\t\tpublic override void OnDeleted(object sender, EntityAfterEventArgs e) {
\t\t\tbase.OnDeleted(sender, e);
\t\t\tTell((Entity)sender, e, "delete");
\t\t}

\t\tprivate static void Tell(Entity entity, EntityAfterEventArgs e, string operation) {
\t\t\tstring parentName = string.Empty;
\t\t\tGuid parentId = Guid.Empty;
\t\t\tstring parentColumn;
\t\t\tif (ParentColumns.TryGetValue(entity.Schema.Name, out parentColumn)) {
\t\t\t\tEntitySchemaColumn column = entity.Schema.Columns.FindByName(parentColumn);
\t\t\t\tif (column != null && entity.GetIsColumnValueLoaded(column.ColumnValueName)) {
\t\t\t\t\tparentName = column.ReferenceSchema.Name;
\t\t\t\t\tparentId = entity.GetTypedColumnValue<Guid>(column.ColumnValueName);
\t\t\t\t}
\t\t\t}
\t\t\tWriteRow(entity, operation, parentName, parentId);
\t\t\tPush(entity, e, parentName, parentId);
\t\t}

\t\tprivate static void WriteRow(Entity entity, string operation, string parentName, Guid parentId) {
\t\t\tUserConnection userConnection = entity.UserConnection;
\t\t\tEntitySchema schema = userConnection.EntitySchemaManager.GetInstanceByName(OutboxSchemaName);
\t\t\tEntity row = schema.CreateEntity(userConnection);
\t\t\trow.UseAdminRights = false;
\t\t\trow.SetDefColumnValues();
\t\t\trow.SetColumnValue("@ENTITY@", entity.Schema.Name);
\t\t\trow.SetColumnValue("@RECORD@", entity.PrimaryColumnValue);
\t\t\trow.SetColumnValue("@OPERATION@", operation);
\t\t\trow.SetColumnValue("@SEQUENCE@", NextSequence());
\t\t\tif (parentName.Length > 0) {
\t\t\t\trow.SetColumnValue("@PARENT_NAME@", parentName);
\t\t\t\trow.SetColumnValue("@PARENT_ID@", parentId);
\t\t\t}
\t\t\trow.Save(false);
\t\t}

\t\t// Nobody's save fails or waits for a push.
\t\tprivate static void Push(Entity entity, EntityAfterEventArgs e, string parentName, Guid parentId) {
\t\t\ttry {
\t\t\t\tUserConnection userConnection = entity.UserConnection;
\t\t\t\tstring url = SysSettings.GetValue<string>(userConnection, PushUrlSetting, string.Empty);
\t\t\t\tif (string.IsNullOrEmpty(url)) {
\t\t\t\t\treturn;
\t\t\t\t}
\t\t\t\t// Names of schemas and Ids need no escaping in JSON.
\t\t\t\tstring body = "{\\"entity\\":\\"" + entity.Schema.Name + "\\",\\"id\\":\\"" + entity.PrimaryColumnValue
\t\t\t\t\t+ "\\",\\"parentName\\":\\"" + parentName + "\\",\\"parentId\\":\\"" + parentId + "\\"}";
\t\t\t\tvar executor = ClassFactory.Get<IEntityEventAsyncExecutor>(
\t\t\t\t\tnew ConstructorArgument("userConnection", userConnection));
\t\t\t\texecutor.ExecuteAsync<@CLASS@Push>(new @CLASS@PushArgs(entity, e) { Url = url, Body = body });
\t\t\t} catch (Exception) {
\t\t\t\treturn;
\t\t\t}
\t\t}

\t\t// Sorts as text within one server; across a web farm the servers' clocks decide.
\t\tprivate static string NextSequence() {
\t\t\tlong number = Interlocked.Increment(ref _counter) % 1000000;
\t\t\treturn DateTime.UtcNow.Ticks.ToString("D19", CultureInfo.InvariantCulture) + "-"
\t\t\t\t+ number.ToString("D6", CultureInfo.InvariantCulture);
\t\t}

\t}

\t/// <summary>What is to be posted, and where.</summary>
\t[Serializable]
\tpublic class @CLASS@PushArgs : EntityEventAsyncOperationArgs
\t{

\t\tpublic @CLASS@PushArgs(Entity entity, EventArgs eventArgs) : base(entity, eventArgs) {
\t\t}

\t\tpublic string Url { get; set; }

\t\tpublic string Body { get; set; }

\t}

\t/// <summary>Posts one hint, in the background, once and for at most five seconds.</summary>
\tpublic class @CLASS@Push : IEntityEventAsyncOperation
\t{

\t\tpublic void Execute(UserConnection userConnection, EntityEventAsyncOperationArgs arguments) {
\t\t\tvar push = (@CLASS@PushArgs)arguments;
\t\t\ttry {
\t\t\t\tbyte[] body = Encoding.UTF8.GetBytes(push.Body);
\t\t\t\tvar request = (HttpWebRequest)WebRequest.Create(push.Url);
\t\t\t\trequest.Method = "POST";
\t\t\t\trequest.ContentType = "application/json";
\t\t\t\trequest.Timeout = 5000;
\t\t\t\trequest.ReadWriteTimeout = 5000;
\t\t\t\trequest.AllowAutoRedirect = false;
\t\t\t\trequest.ContentLength = body.Length;
\t\t\t\tusing (Stream stream = request.GetRequestStream()) {
\t\t\t\t\tstream.Write(body, 0, body.Length);
\t\t\t\t}
\t\t\t\tusing (request.GetResponse()) {
\t\t\t\t}
\t\t\t} catch (Exception) {
\t\t\t\treturn;
\t\t\t}
\t\t}

\t}
}
"""

PUSH_URL = "WeftPushUrl"
"""The system setting, without its prefix, that holds the address of weft's hook; empty: nothing is pushed."""


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
        "SETTING": names.column(PUSH_URL),
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
