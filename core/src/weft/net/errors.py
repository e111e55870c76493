"""What can go wrong on the wire, and what each failure allows the caller to do.

| Exception | Did the request reach the system? | May a write be repeated? |
|---|---|---|
| `NotSent` (an `EndpointDown`) | no | yes |
| `EndpointDown` | it did not process it | yes |
| `Throttled` | it refused it unprocessed | yes, after `retry_after` seconds |
| `AuthError` | it refused it unprocessed | after the credentials are put right |
| `MaybeSent` | not known | **no**: look the record up first |
| `RemoteError` | yes, and it answered with an error | the answer decides |
| `BadResponse`, `TooLarge` | yes, and the answer cannot be used | no: look the record up first |

All are :class:`weft.errors.WeftError`, of the class that tells core what to do: a connector that lets one
pass out of a read, or out of a write before the next item, has said the right thing.

Messages name the system, method, host and path (never the query, which may carry secrets), the status,
and the system's own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from weft import errors

if TYPE_CHECKING:
    from weft.net.response import Response


class NetError(errors.WeftError):
    """Base of all failures in `weft.net`.

    `status` is the HTTP status if one was received, `retry_after` seconds the system asked to wait,
    `request_id` the id weft sent along (quote it to the system's support), `response` the answer if any.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
        request_id: str = "",
        response: Response | None = None,
    ) -> None:
        Exception.__init__(self, message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        self.response = response


class InsecureUrl(NetError, errors.ConfigError, ValueError):
    """Plain http to a host other than loopback, or credentials about to leave for another origin."""


class EndpointDown(NetError, errors.EndpointDown):
    """The system cannot be reached or says it is not in service; nothing was processed."""


class NotSent(EndpointDown, httpx.ConnectError):
    """No byte of the request left: name not resolved, refused, TLS failed, connect timeout."""

    _request: httpx.Request | None = None


class MaybeSent(NetError, errors.EndpointDown, httpx.ReadError):
    """The request left, the answer did not arrive whole. A write is in doubt.

    `status` is set when the status line was received but not the whole body, or when a gateway
    (408, 502, 504, 503 without Retry-After) answered for a system that may still be working.
    """

    _request: httpx.Request | None = None


class Throttled(NetError, errors.EndpointDown):
    """The system asks for fewer requests; `retry_after` seconds are still to wait."""


class AuthError(NetError, errors.AuthError):
    """Credentials refused, expired or unusable; `code` is the system's code (AADSTS…, invalid_client)."""


class RemoteError(NetError):
    """The system answered with an error status; the message holds its own words."""


class BadResponse(NetError, errors.EndpointDown):
    """An answer that is not what was asked for: HTML instead of JSON, JSON cut short, wrong envelope."""


class TooLarge(BadResponse):
    """The answer exceeds the size limit of the connection."""


def place(system: str, method: str, url: str | httpx.URL) -> str:
    """`erp: GET https://host/path` — without query, fragment and user info."""
    parts = urlsplit(str(url))
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None:
        host = f"{host}:{parts.port}"
    where = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    return f"{system}: {method} {where}" if system else f"{method} {where}"
