"""The answer a session hands out: status, headers, bytes; JSON on demand, exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from weft.net import json as exact_json
from weft.net.errors import BadResponse, place

_EXCERPT = 200


def _as_is(text: str) -> str:
    return text


@dataclass(slots=True)
class Response:
    """One HTTP answer, read to its end.

    `elapsed` is in seconds for the last attempt, `attempts` counts every sending of the request.
    """

    status: int
    headers: httpx.Headers
    content: bytes = field(repr=False)
    method: str
    url: str
    request_id: str = ""
    elapsed: float = 0.0
    attempts: int = 1
    system: str = ""
    redact: Callable[[str], str] = field(default=_as_is, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        """Media type in lower case, without parameters; "" when absent."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        if self.content_type in ("text/html", "application/xhtml+xml"):
            return True
        head = self.content[:200].lstrip().lower()
        return head.startswith((b"<!doctype html", b"<html"))

    @property
    def charset(self) -> str:
        for part in str(self.headers.get("content-type", "")).split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'") or "utf-8"
        return "utf-8"

    @property
    def text(self) -> str:
        try:
            return self.content.decode(self.charset, "replace")
        except LookupError:  # a charset Python does not know
            return self.content.decode("utf-8", "replace")

    def excerpt(self, length: int = _EXCERPT) -> str:
        """The first characters of the body on one line, secrets masked."""
        text = " ".join(self.redact(self.text[: length * 4]).split())
        return text if len(text) <= length else text[:length] + "…"

    def json(self) -> Any:
        """The body as JSON: fractions are Decimal, integers stay int. Raises BadResponse."""
        data = self.content
        if not data.strip():
            raise self.bad("an empty body where JSON was expected")
        if self.is_html:
            raise self.bad("an HTML page where JSON was expected")
        if data.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
        elif self.charset.lower() not in ("utf-8", "utf8", "us-ascii"):
            data = self.text.encode()
        try:
            return exact_json.loads(data)
        except ValueError as error:
            raise self.bad(f"broken or truncated JSON ({error})") from error

    def bad(self, what: str) -> BadResponse:
        """A BadResponse about this answer, for the caller to raise."""
        excerpt = self.excerpt()
        return BadResponse(
            f"{place(self.system, self.method, self.url)} answered {self.status} with {what}; "
            f"content-type {self.content_type or 'missing'}, {len(self.content)} bytes"
            + (f": {excerpt}" if excerpt else ""),
            status=self.status,
            request_id=self.request_id,
            response=self,
        )
