"""Whose fault a refusal is, and which exception a failed read becomes. The system's words stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from weft import errors
from weft.net.odata.errors import ODataError
from weft.records import Error, Fault

_CORRELATION = re.compile(r"CorrelationId:\s*([0-9a-fA-F-]{36})")
_CONFIGURATION = frozenset(
    [
        "BadRequest_InvalidRequestUrl",
        "BadRequest_MethodNotAllowed",
        "BadRequest_MethodNotImplemented",
        "BadRequest_NotFound",
        "Internal_CompanyNotFound",
    ]
)
"""Codes about the request itself: another value in the record would not help."""
MISSING = frozenset(
    [
        "BadRequest_NotFound",
        "BadRequest_ResourceNotFound",
        "Internal_RecordNotFound",
        "Internal_DataNotFoundFilter",
    ]
)
"""Codes for a record that is not there. Their status is not settled: 400 and 404 have both been reported."""
DUPLICATE = "Internal_EntityWithSameKeyExists"
CHANGED = "Request_EntityChanged"
_BUSY = frozenset([408, 429, 502, 503, 504])


def is_missing(error: ODataError) -> bool:
    """The record is not there, as far as the answer to a request by key goes."""
    return error.status in (400, 404) and error.code in MISSING


def is_stale(error: ODataError) -> bool:
    """Somebody changed the record since it was read: 409, and 412 in case it occurs."""
    return error.status == 412 or (error.status == 409 and error.code != DUPLICATE)


def is_outage(error: ODataError) -> bool:
    """The service cannot serve now; nothing is said about the record. It answers errors as JSON: a page of
    HTML is of a proxy or gateway in front of it."""
    if error.response is not None and error.response.is_html:
        return True
    return error.status in _BUSY or error.code == "Internal_TenantUnavailable"


def fault_of(error: ODataError) -> Fault:
    if is_outage(error) or ((error.status or 0) >= 500 and error.status != 501):
        return "endpoint"
    if error.status in (401, 403, 405, 501) or error.code in _CONFIGURATION:
        return "configuration"
    if error.code.startswith(("Authorization_", "Authentication_")):
        return "configuration"
    if error.code in ("BadRequest", "BadRequest_InvalidOperation") and error.target:
        return "configuration"  # an unknown or read-only property: the mapping is wrong, not the record
    return "record"


def told(error: ODataError) -> Error:
    """A refusal of one write, for its outcome."""
    found = _CORRELATION.search(error.message)
    return Error(
        fault_of(error),
        error.message or str(error),
        code=error.code,
        field=error.target or None,
        status=error.status,
        retry_after=error.retry_after,
        request_id=found.group(1) if found else error.request_id or None,
    )


@contextmanager
def reading() -> Iterator[None]:
    """Turn failures of a read into core's exceptions.

    :raises EndpointDown: the service is away, throttles, or answered something unusable.
    :raises AuthError: credentials refused.
    :raises ConfigError: rights, company, or a field or filter the service does not know.
    """
    try:
        yield
    except ODataError as error:
        if error.status == 401:
            raise errors.AuthError(str(error)) from error
        if fault_of(error) == "endpoint":
            raise errors.EndpointDown(str(error), retry_after=error.retry_after) from error
        raise errors.ConfigError(str(error)) from error
