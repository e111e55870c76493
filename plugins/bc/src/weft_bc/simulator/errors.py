"""Errors as Business Central words them: a code, an HTTP status and a message with a correlation id."""

from __future__ import annotations

import uuid
from typing import Any


class BcError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The JSON body; two blanks stand before and after the label of the correlation id."""
        text = f"{self.message}  CorrelationId:  {uuid.uuid4()}."
        return {"error": {"code": self.code, "message": text}}


def dialog(message: str) -> BcError:
    """An AL Error(): a business rule was broken."""
    return BcError(400, "Application_DialogException", message)


def bad_request(message: str) -> BcError:
    return BcError(400, "BadRequest", message)


def resource_not_found(segment: str) -> BcError:
    return BcError(404, "BadRequest_NotFound", f"Resource not found for the segment '{segment}'.")


def no_record(table: str, identity: str) -> BcError:
    return BcError(
        404,
        "BadRequest_ResourceNotFound",
        f"No record of {table} was found with the key '{identity}'.",
    )


def table_relation(field: str, table: str, value: str, related: str) -> BcError:
    return BcError(
        400,
        "Internal_InvalidTableRelation",
        f"The field {field} of table {table} contains a value ({value}) that cannot be found in the "
        f"related table ({related}).",
    )


def too_long(value: str, limit: int) -> BcError:
    return BcError(
        400,
        "Application_StringExceededLength",
        f"The length of the string is {len(value)}, but it must be less than or equal to {limit} "
        f"characters. Value: {value}",
    )


def entity_changed(status: int) -> BcError:
    return BcError(
        status,
        "Request_EntityChanged",
        "Another user has already changed the record. Please try again.",
    )
