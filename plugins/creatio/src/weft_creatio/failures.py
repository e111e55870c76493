"""Whose fault a refusal is, and which exception a failed read becomes.

Creatio's ``error.code`` is always empty: the status and the (innermost) text decide. The system's words
reach the user as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from weft import errors
from weft.net.odata.errors import ODataError
from weft.records import Error, Fault

_DUPLICATE = re.compile(r"\b23505\b|duplicate key|Violation of (?:PRIMARY|UNIQUE) KEY", re.IGNORECASE)
_RIGHTS = re.compile(r"SecurityException|does not have permissions?|permission denied|insufficient rights", re.I)
_NO_SET = re.compile(r"No type was found that matches the controller")
_MEMORY = re.compile(r"reached the RAM consumption limit")
_REBUILD = re.compile(r"^The request is invalid\.$")
_RECORD = re.compile(
    r"\b2350[0-9]\b|\b22001\b|FOREIGN KEY|REFERENCE constraint|is required|truncated|too long", re.IGNORECASE
)
_BUSY = frozenset([408, 429, 502, 503, 504])


def words(error: ODataError) -> str:
    """Everything the system said, outermost first."""
    parts = [error.message, *error.inner]
    return " | ".join(dict.fromkeys(part for part in parts if part)) or str(error)


def is_duplicate(error: ODataError) -> bool:
    """A row with this Id is there already."""
    return bool(_DUPLICATE.search(words(error)))


def is_denied(error: ODataError) -> bool:
    """No right to the object or row: 403, or a 500 with the security exception."""
    return error.status == 403 or (error.status == 500 and bool(_RIGHTS.search(words(error))))


def is_missing(error: ODataError) -> bool:
    """A request by key found no row. An unknown entity set and a proxy's page also answer 404, and say
    nothing about the row."""
    response = error.response
    if error.status != 404 or (response is not None and response.is_html):
        return False
    return not _NO_SET.search(words(error))


def is_outage(error: ODataError) -> bool:
    """The site cannot serve now: down, throttled, out of memory, or rebuilding its OData model (the
    answers of the minutes after a publication)."""
    told = words(error)
    if error.status in _BUSY or _MEMORY.search(told):
        return True
    rebuilding = error.status == 404 and (_NO_SET.search(told) or (error.response and error.response.is_html))
    return bool(rebuilding) or (error.status == 400 and bool(_REBUILD.match(told)))


def fault_of(error: ODataError) -> Fault:
    if is_outage(error):
        return "endpoint"
    if error.status in (401, 405) or is_denied(error):
        return "configuration"
    if error.target or "Column by path" in words(error):
        return "configuration"  # a property that is not there: the mapping is wrong, not the record
    if (error.status or 0) >= 500 and not _RECORD.search(words(error)):
        return "endpoint"
    return "record"


def told(error: ODataError) -> Error:
    """A refusal of one write, for its outcome."""
    return Error(
        fault_of(error),
        words(error),
        field=error.target or None,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id or None,
    )


@contextmanager
def reading() -> Iterator[None]:
    """Turn failures of a read into core's exceptions.

    :raises EndpointDown: the site is away, throttles, or answered something unusable.
    :raises AuthError: credentials refused.
    :raises ConfigError: rights, or a column or filter the site does not know.
    """
    try:
        yield
    except ODataError as error:
        if error.status == 401:
            raise errors.AuthError(str(error)) from error
        if is_denied(error):
            raise errors.ConfigError(
                f"{error}; weft's user needs the right to read this object, and CanUseODataService"
            ) from error
        if fault_of(error) == "endpoint":
            raise errors.EndpointDown(str(error), retry_after=error.retry_after) from error
        raise errors.ConfigError(str(error)) from error
