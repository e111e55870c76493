"""Error answers of Creatio's OData and services, in their recorded wording and shape."""

from __future__ import annotations

from typing import Any

GENERIC = "An error has occurred."
INVALID = "The request is invalid."
NOT_SERIALIZED = "The 'ObjectContent`1' type failed to serialize the response body for content type 'application/json'."


class ODataError(Exception):
    """A refusal with its HTTP status and body, raised anywhere below the request handler."""

    def __init__(self, status: int, body: dict[str, Any] | None, *, html: str | None = None) -> None:
        super().__init__(f"{status}: {describe(body) if body else html or ''}")
        self.status = status
        self.body = body
        self.html = html


def describe(body: dict[str, Any]) -> str:
    """The most telling text of an error body."""
    inner = body.get("error", body)
    while isinstance(inner.get("innererror"), dict) or isinstance(inner.get("internalexception"), dict):
        inner = inner.get("innererror") or inner.get("internalexception")
    return str(inner.get("message") or inner.get("Message") or "")


def _exception(message: str, kind: str, inner: tuple[str, str] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"message": message, "type": kind, "stacktrace": ""}
    if inner:
        body["internalexception"] = {"message": inner[0], "type": inner[1], "stacktrace": ""}
    return body


def odata_error(
    status: int, message: str, inner: str | None = None, kind: str = "", cause: tuple[str, str] | None = None
) -> ODataError:
    """The OData shape: `error.code` is always empty, details sit in innererror and internalexception."""
    error: dict[str, Any] = {"code": "", "message": message}
    if inner is not None:
        error["innererror"] = _exception(inner, kind, cause)
    return ODataError(status, {"error": error})


def bad_query(detail: str) -> ODataError:
    """400 for what the URI parser refuses."""
    message = f"The query specified in the URI is not valid. {detail}"
    return odata_error(400, message, detail, "Microsoft.OData.ODataException")


def unknown_in_query(name: str, entity: str) -> ODataError:
    return bad_query(f"Could not find a property named '{name}' on type 'Terrasoft.Configuration.OData.{entity}'.")


def incompatible(left: str, right: str, operator: str) -> ODataError:
    return bad_query(
        "A binary operator with incompatible types was detected. "
        f"Found operand types '{left}' and '{right}' for operator kind '{operator}'."
    )


def invalid_body(detail: str) -> ODataError:
    return odata_error(400, INVALID, f"item : {detail}")


def unknown_in_body(name: str, entity: str) -> ODataError:
    return invalid_body(
        f"The property '{name}' does not exist on type 'Terrasoft.Configuration.OData.{entity}'. "
        "Make sure to only use property names that are defined by the type."
    )


def flat_lookup(name: str, entity: str) -> ODataError:
    """500 for `AccountId eq …` in a filter: the model's column path is Account/Id."""
    return odata_error(
        500, GENERIC, NOT_SERIALIZED, "System.InvalidOperationException",
        (f"Column by path {name} not found in schema {entity}.", "Terrasoft.Common.ItemNotFoundException"),
    )  # fmt: skip


def stream_selected() -> ODataError:
    return odata_error(
        500, GENERIC, "Value cannot be null.\r\nParameter name: property", "System.ArgumentNullException"
    )


def server_error(message: str, kind: str) -> ODataError:
    return odata_error(500, GENERIC, message, kind)


def required(caption: str) -> ODataError:
    return server_error(f"Column {caption} is required", "Terrasoft.Common.ItemNotFoundException")


def unique_key(database: str, table: str, key: str) -> ODataError:
    if database == "mssql":
        return server_error(
            f"Violation of PRIMARY KEY constraint 'PK{table}Id'. Cannot insert duplicate key in object "
            f"'dbo.{table}'. The duplicate key value is ({key}).\r\nThe statement has been terminated.",
            "System.Data.SqlClient.SqlException",
        )
    return server_error(
        f'23505: duplicate key value violates unique constraint "PK{table}Id"', "Npgsql.PostgresException"
    )


def broken_reference(database: str, verb: str, table: str, nav: str, ref: str) -> ODataError:
    """FK violation on insert or update."""
    name = f"FK{table}{nav}"
    if database == "mssql":
        return server_error(
            f'The {verb} statement conflicted with the FOREIGN KEY constraint "{name}". The conflict occurred in '
            f'database "creatio", table "dbo.{ref}", column \'Id\'.\r\nThe statement has been terminated.',
            "System.Data.SqlClient.SqlException",
        )
    return server_error(
        f'23503: insert or update on table "{table}" violates foreign key constraint "{name}"',
        "Npgsql.PostgresException",
    )


def still_referenced(database: str, table: str, child: str, nav: str) -> ODataError:
    """FK violation on delete."""
    name = f"FK{child}{nav}"
    if database == "mssql":
        return server_error(
            f'The DELETE statement conflicted with the REFERENCE constraint "{name}". The conflict occurred in '
            f'database "creatio", table "dbo.{child}", column \'{nav}Id\'.\r\nThe statement has been terminated.',
            "System.Data.SqlClient.SqlException",
        )
    return server_error(
        f'23503: update or delete on table "{table}" violates foreign key constraint "{name}" on table "{child}"',
        "Npgsql.PostgresException",
    )


def too_long(database: str, column: str, limit: int) -> ODataError:
    if database == "mssql":
        return server_error(
            "String or binary data would be truncated.\r\nThe statement has been terminated.",
            "System.Data.SqlClient.SqlException",
        )
    return server_error(f"22001: value too long for type character varying({limit})", "Npgsql.PostgresException")


def no_rights(status: int, entity: str, operation: str) -> ODataError:
    message = f"Current user does not have permissions to {operation} the {entity} object"
    if status == 403:
        return odata_error(403, message)
    return server_error(message, "System.Security.SecurityException")


def no_such_set(uri: str, name: str) -> ODataError:
    return ODataError(404, {
        "Message": f"No HTTP resource was found that matches the request URI '{uri}'.",
        "MessageDetail": f"No type was found that matches the controller named '{name}'.",
    })  # fmt: skip


def not_found(uri: str) -> ODataError:
    return ODataError(404, {"Message": f"No HTTP resource was found that matches the request URI '{uri}'."})


def method_not_allowed(method: str) -> ODataError:
    return ODataError(405, {"Message": f"The requested resource does not support http method '{method}'."})


def unauthorized() -> ODataError:
    return ODataError(401, {"Message": "Authorization has been denied for this request."})
