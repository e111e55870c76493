"""What a connector reports of a write whose answer did not arrive."""

from __future__ import annotations

from weft.net.errors import NetError
from weft.records import Error


def lost(error: NetError) -> Error:
    """A failure on the wire as the error of an outcome: the endpoint's fault, in its own words."""
    return Error(
        "endpoint",
        str(error),
        code=error.code,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id or None,
    )
