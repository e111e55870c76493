"""What stands before every route: sizes, hosts, origins, forged requests, headers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.errors import WeftError
from weft.server.answers import told
from weft.server.doors import csrf_secret, identify
from weft.server.people import Person, Refused, csrf_token

if TYPE_CHECKING:
    from weft.server.site import Site

SAFE = ("GET", "HEAD", "OPTIONS")
LARGEST = 1 << 20
LARGEST_OF = {"/api/v1/links/add": 16 << 20}
"""Bytes a body may have, where it is not ``LARGEST``."""
OPEN = ("/health/", "/hooks/")
"""Served whatever the host is called and whoever asks: no authority is lent there."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class TooLarge(Refused):
    def __init__(self, most: int) -> None:
        super().__init__(413, "too_large", f"the body is larger than {most // 1024} KiB")


class Shield:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, self._limited(scope, receive))
        answer = self._with_headers(scope, send)
        try:
            onward = await self._admit(request)
        except WeftError as error:  # also a state that cannot be asked who this is
            await told(request, error, self.site)(scope, receive, answer)
            return
        except ClientDisconnect:
            return
        try:
            await self.app(scope, onward, answer)
        except TooLarge as refused:
            await told(request, refused, self.site)(scope, receive, answer)

    async def _admit(self, request: Request) -> Receive:
        """Find out who asks; returns what the route reads the body from."""
        # Of the scope, never of request.url: that one is put together with whatever the Host header says.
        path, socket = request.scope["path"], bool(request.scope.get("weft.socket"))
        if path.startswith(OPEN):
            request.scope["weft.person"] = None
            return request.receive
        if not socket:
            if not _by_program(request):
                self._host(request)
            if request.method not in SAFE:
                self._origin(request)
        person = await identify(request, self.site)
        request.scope["weft.person"] = person
        if request.method not in SAFE and (person is None or person.how in ("session", "machine")):
            return await self._not_forged(request, person)
        return request.receive

    # -- who is asked, and from where --------------------------------------------------------------

    def _host(self, request: Request) -> None:
        """A name that an attacker lets lead to this machine must not reach what needs no token."""
        host = request.headers.get("host", "")
        name = "" if set(host) & set("/?#@\\") else _host_of(f"//{host}")
        config = self.site.config
        known = {"localhost", "127.0.0.1", "::1", config.host.lower()}
        if config.public_url is not None:
            known.add(_host_of(config.public_url))
        elif not config.loopback:
            return  # it is guarded by tokens, and nobody said by which name it is reached
        if name not in known:
            raise Refused(421, "wrong_host", f"this server is not {name or 'without a name'}; set server.public_url")

    def _origin(self, request: Request) -> None:
        """Unsafe requests come from this server's own pages, or from no page at all."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "cross_site", "the request comes from another site")
        origin = request.headers.get("origin")
        if origin is None:
            return
        own = {f"{request.scope['scheme']}://{request.headers.get('host', '')}", self.site.config.public_url}
        if origin not in own:
            raise Refused(403, "cross_site", f"the request comes from {origin}, not from this server")

    async def _not_forged(self, request: Request, person: Person | None) -> Receive:
        secret, onward = csrf_secret(request, self.site, person), request.receive
        given = request.headers.get("x-csrf-token", "")
        if not given and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            body = await request.body()
            given = dict(parse_qsl(body.decode("utf-8", "replace"))).get("csrf", "")
            onward = _again(body)
        if not secret or not hmac.compare_digest(csrf_token(secret).encode(), given.encode()):
            if ended := request.scope.get("weft.ended"):
                raise Refused(401, "ended_session", ended)
            raise Refused(
                403, "forged", "the request does not come from a page of this server; reload the page, or use a token"
            )
        return onward

    # -- bodies and headers ------------------------------------------------------------------------

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        most = LARGEST_OF.get(scope["path"], LARGEST)
        if scope.get("weft.socket"):
            return receive
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            if declared.isdigit() and int(declared) > most:
                raise TooLarge(most)
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLarge(most)
            return message

        return limited

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        extra = list(_encoded(HEADERS.items()))
        if self.site.config.https:
            extra.append((b"strict-transport-security", b"max-age=31536000"))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in extra if name not in names]
                if b"cache-control" not in names:
                    more.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *more]
            await send(message)

        return sending


def _host_of(url: str) -> str:
    """The host of an address, empty where it has none that can be read."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _by_program(request: Request) -> bool:
    """Whether a program asks that says by a token who it is: by which name it reaches the server is its own affair.
    A page that a browser shows is held to the name all the same."""
    return "authorization" in request.headers and not {"origin", "referer", "sec-fetch-site"} & set(request.headers)


def _encoded(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[bytes, bytes]]:
    return ((name.lower().encode(), value.encode()) for name, value in headers)


def _again(body: bytes) -> Receive:
    """A body that was read here, for the route to read."""

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return again
