"""Whose fault a refusal is, and which exception a failed read becomes.

The outer text of an error is always the same and its code empty; what happened stands in ``innererror``,
and the status says little: broken business rules are answered with 400, by older builds with 500.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft import errors
from weft.net.odata.errors import ODataError
from weft.net.odata.sending import Judge
from weft.records import Error, Fault

_BUSY = frozenset([408, 429, 502, 503, 504])
_WRITE = ("failed for table row of type", "Infolog:")
_MISSING = "No resources were found when selecting for update"
_CONFLICT = ("An update conflict occurred", "update conflict")
_NO_ROUTE = "No HTTP resource was found"
_EXISTS = ("already exists",)


def words(error: ODataError) -> str:
    """What the system says, from the innermost text that says anything."""
    told = [text for text in (error.message, *error.inner) if text]
    for text in told:
        if any(mark in text for mark in _WRITE):
            return text
    return told[-1] if told else str(error)


def is_missing(error: ODataError) -> bool:
    """The record is not there, as far as the answer to a request by key goes: 404 for a read, 400 with a text
    of its own for a write."""
    told = words(error)
    if error.status == 404:
        html = error.response is not None and error.response.is_html
        return not html and not told.startswith(_NO_ROUTE)
    return _MISSING in told


def is_stale(error: ODataError) -> bool:
    """Somebody changed the record since it was read."""
    return error.status in (409, 412)


def is_busy_record(error: ODataError) -> bool:
    """Another process was writing the same row; the write was undone and may be repeated."""
    return any(mark in words(error) for mark in _CONFLICT)


def exists_already(error: ODataError) -> bool:
    return any(mark in words(error) for mark in _EXISTS)


def is_outage(error: ODataError) -> bool:
    """The environment cannot serve now; nothing is said about the record. It answers errors as JSON: a page of
    HTML is of a gateway in front of it."""
    if error.response is not None and error.response.is_html:
        return True
    return error.status in _BUSY


def fault_of(error: ODataError) -> Fault:
    if is_outage(error) or is_busy_record(error):
        return "endpoint"
    told = words(error)
    if any(mark in told for mark in _WRITE) or _MISSING in told:
        return "record"
    if (error.status or 0) >= 500:
        return "endpoint"
    if error.status in (401, 403, 404, 405, 501):
        return "configuration"
    if error.target and "roperty" in told:
        return "configuration"  # a field the environment does not know: the mapping is wrong, not the record
    return "record"


def told(error: ODataError) -> Error:
    """A refusal of one write, for its outcome."""
    return Error(
        fault_of(error),
        words(error),
        code=error.code,
        field=error.target or None,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id or None,
    )


JUDGE = Judge(is_outage, fault_of, told, is_busy_record)


@contextmanager
def reading() -> Iterator[None]:
    """Turn failures of a read into core's exceptions.

    :raises EndpointDown: the environment is away, throttles, or answered something unusable.
    :raises AuthError: credentials refused.
    :raises ConfigError: rights, or a field or filter the environment does not know.
    """
    try:
        yield
    except ODataError as error:
        if error.status == 401:
            raise errors.AuthError(str(error)) from error
        if fault_of(error) == "endpoint":
            raise errors.EndpointDown(str(error), retry_after=error.retry_after) from error
        raise errors.ConfigError(str(error)) from error
