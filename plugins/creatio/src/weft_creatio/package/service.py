"""Calls to Creatio's own services, over whatever session the caller has opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from .errors import InstallError

_EXCERPT = 300


class HttpResponse(Protocol):
    """What an answer must offer."""

    @property
    def status(self) -> int: ...

    @property
    def content(self) -> bytes: ...


class HttpSession(Protocol):
    """An authenticated session, such as :class:`weft.net.session.HttpSession`.

    Cookies with BPMCSRF, or a bearer token, are its business. ``ok="any"`` hands back every status.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 - handed on to the transport
        ok: Literal["any"] | None = None,
    ) -> HttpResponse: ...


class Service:
    """Creatio at *root*: ``https://site/0`` on .NET Framework, ``https://site`` on .NET, or ``""`` when the
    session resolves relative URLs itself."""

    def __init__(self, session: HttpSession, root: str = "") -> None:
        self._session = session
        self.root = root.rstrip("/")

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        body: Any = None,
        seconds: float | None = None,
    ) -> HttpResponse:
        """One request to ``root/path``; any status is handed back. *seconds* to wait for the answer."""
        url = f"{self.root}/{path}"
        return await self._session.request(
            method, url, headers=headers, content=content, json=body, timeout=seconds, ok="any"
        )

    async def call(self, path: str, body: Any, step: str, *, seconds: float | None = None) -> dict[str, Any]:
        """POST *body*; the JSON object answered with ``success`` true. Else :class:`InstallError`."""
        response = await self.send("POST", path, body=body, seconds=seconds)
        return checked(response, step)


def checked(response: HttpResponse, step: str) -> dict[str, Any]:
    """The JSON object of a successful service answer; *step* names what was tried."""
    answer = json_object(response)
    if response.status >= 400 or answer is None:
        raise InstallError(f"{step}: HTTP {response.status}: {excerpt(response)}")
    if answer.get("success") is False:
        raise InstallError(f"{step}: {service_error(answer)}")
    return answer


def json_object(response: HttpResponse) -> dict[str, Any] | None:
    """The body as a JSON object; None for HTML pages, empty bodies and other JSON."""
    try:
        value = json.loads(response.content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def service_error(answer: Mapping[str, Any]) -> str:
    """Creatio's words out of ``errorInfo`` or ``responseStatus``."""
    info = answer.get("errorInfo") or {}
    status = answer.get("responseStatus") or {}
    message = info.get("message") or status.get("Message")
    code = info.get("errorCode") or status.get("ErrorCode")
    if not message:
        return "the service answered success: false without a reason"
    return f"{message} ({code})" if code else str(message)


def excerpt(response: HttpResponse) -> str:
    """The start of a body on one line, for error texts."""
    text = " ".join(response.content[: _EXCERPT * 4].decode("utf-8", "replace").split())
    return text[:_EXCERPT] or "an empty answer"
