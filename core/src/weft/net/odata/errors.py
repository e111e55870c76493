"""An OData system's refusal of one request, with everything it told."""

from __future__ import annotations

import re
import time
from typing import Any

from weft.net.errors import BadResponse, RemoteError, place
from weft.net.response import Response
from weft.net.retry import retry_after
from weft.net.words import Words, explain

# "Could not find a property named 'Foo' on type …", "The property 'X' does not exist on type …":
# Microsoft.OData's texts, seen from Creatio, Business Central and Dataverse alike
_NAMED = re.compile(r"[Pp]roperty (?:named )?'([^'\s]{1,128})'")


class ODataError(RemoteError):
    """`message` is the outer text, `inner` the nested ones (outermost first), `target` a field if named.

    `status`, `code`, `retry_after` (seconds) and `request_id` as in `NetError`.
    """

    def __init__(
        self,
        text: str,
        words: Words,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str = "",
        response: Response | None = None,
    ) -> None:
        super().__init__(
            text,
            status=status,
            code=words.code,
            retry_after=retry_after,
            request_id=request_id,
            response=response,
        )
        self.message = words.message
        self.inner = words.inner
        self.target = words.target or _target(words)


class BatchRejected(ODataError):
    """The system refused a batch as a whole. `ran` is False when it surely ran nothing (a 4xx),
    None when that is not known (a 5xx)."""

    ran: bool | None = False


def _target(words: Words) -> str:
    for text in (words.message, *words.inner):
        found = _NAMED.search(text)
        if found:
            return found.group(1)
    return ""


def odata_error(response: Response, kind: type[ODataError] = ODataError) -> ODataError:
    """The error an answer tells of."""
    words = explain(response)
    told = response.redact(str(words)) or "no explanation"
    return kind(
        f"{place(response.system, response.method, response.url)} answered {response.status}: {told}",
        words,
        status=response.status,
        retry_after=retry_after(response.headers, time.time()),
        request_id=response.request_id,
        response=response,
    )


def entity(response: Response) -> dict[str, Any]:
    """The JSON object of an answer; BadResponse if it is something else."""
    document = response.json()
    if not isinstance(document, dict):
        raise not_an_object(response)
    return document


def not_an_object(response: Response) -> BadResponse:
    return response.bad("JSON that is not an object")
