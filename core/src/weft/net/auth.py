"""How a session proves who it is. A connector brings its own by subclassing `Auth`.

The session calls, for every request::

    if not auth.ready():            # no credentials yet, or about to expire
        await auth.renew(session)   # single flight: the others wait for this one
    auth.apply(request)             # add headers; quick, no I/O
    ... send ...
    if auth.rejected(response):     # expired after all
        await auth.renew(session)   # once for all concurrent requests, then each is replayed once

`renew` may talk to the system through `session.bare(...)`: same TLS, timeouts and cookie jar, but
without credentials, limiter or replay. Credentials live in memory only.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from weft.net.errors import AuthError
from weft.net.secrets import Redactor, Secret

if TYPE_CHECKING:
    from weft.net.response import Response
    from weft.net.session import HttpSession

SKEW = 300.0  # seconds before expiry at which a token is renewed; capped at half its lifetime


class Auth:
    """Base of all authentication. The base itself sends no credentials."""

    uses_cookies: ClassVar[bool] = False
    """True if the session must keep cookies (a forms login). Otherwise cookies are dropped."""

    def bind(self, redactor: Redactor) -> None:
        """Called once with the session's redactor: register every secret, and later every token."""

    def ready(self) -> bool:
        """Whether `apply` can work now, without `renew`."""
        return True

    def apply(self, request: httpx.Request) -> None:
        """Add headers to a request that is about to be sent. No I/O."""

    def rejected(self, response: Response) -> bool:
        """Whether the answer says that the credentials expired (and so nothing was processed)."""
        return response.status == 401

    async def renew(self, session: HttpSession) -> None:
        """Get fresh credentials. Raise AuthError if the system refuses, NotSent/MaybeSent if it is away."""
        raise AuthError("the credentials were refused, and they are not of a kind that can be renewed")

    def state(self) -> Mapping[str, Any]:
        """For status displays: kind and expiry, never a secret."""
        return {"kind": type(self).__name__}

    async def aclose(self) -> None:
        """Log out, if the system keeps sessions."""


class NoAuth(Auth):
    """No credentials at all."""

    def rejected(self, response: Response) -> bool:
        return False


class Basic(Auth):
    """HTTP Basic: user and password, or a web service access key."""

    def __init__(self, user: str, password: Secret | str) -> None:
        if ":" in user:
            raise ValueError("a user name for HTTP Basic cannot hold a colon")
        self._user = user
        self._password = Secret(password)
        self._header = "Basic " + base64.b64encode(f"{user}:{self._password.reveal()}".encode()).decode()

    def bind(self, redactor: Redactor) -> None:
        redactor.add_login(self._user, self._password)

    def apply(self, request: httpx.Request) -> None:
        request.headers["Authorization"] = self._header

    async def renew(self, session: HttpSession) -> None:
        raise AuthError(f"{session.system}: user {self._user} was refused (HTTP Basic): check user and password")

    def state(self) -> Mapping[str, Any]:
        return {"kind": "basic", "user": self._user}


class TokenAuth(Auth):
    """A bearer token with an expiry. Subclasses implement `fetch`."""

    def __init__(self, *, skew: float = SKEW, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._skew = skew
        self._token = ""
        self._expires = float("-inf")
        self._renew_at = float("-inf")
        self._renewals = 0
        self._redactor: Redactor | None = None

    def bind(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def ready(self) -> bool:
        return bool(self._token) and self._clock() < self._renew_at

    def apply(self, request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {self._token}"

    async def fetch(self, session: HttpSession) -> tuple[str, float]:
        """Return the token and its lifetime in seconds."""
        raise NotImplementedError

    async def renew(self, session: HttpSession) -> None:
        token, lifetime = await self.fetch(session)
        if self._redactor is not None:
            self._redactor.add(token)
        now = self._clock()
        self._token = token
        self._expires = now + lifetime
        self._renew_at = self._expires - min(self._skew, lifetime / 2)
        self._renewals += 1

    def state(self) -> Mapping[str, Any]:
        left = max(0.0, self._expires - self._clock()) if self._token else None
        return {"kind": type(self).__name__, "expires_in": left, "renewals": self._renewals}


class OAuthClientCredentials(TokenAuth):
    """OAuth 2.0 client credentials by a plain form post (RFC 6749 §4.4), as Creatio takes it.

    `token_url` may be on another host than the connection; it gets the client secret, so it must be https.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: Secret | str,
        *,
        scope: str | None = None,
        extra: Mapping[str, str] | None = None,
        skew: float = SKEW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(skew=skew, clock=clock)
        self._token_url = token_url
        self._client_id = client_id
        self._secret = Secret(client_secret)
        self._scope = scope
        self._extra = dict(extra or {})

    def bind(self, redactor: Redactor) -> None:
        super().bind(redactor)
        redactor.add(self._secret)

    async def fetch(self, session: HttpSession) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.reveal(),
            **({"scope": self._scope} if self._scope else {}),
            **self._extra,
        }
        accept = {"Accept": "application/json"}
        response = await session.bare("POST", self._token_url, form=form, headers=accept)
        host = httpx.URL(self._token_url).host
        if not response.ok:
            raise refused(session.system, host, self._client_id, response)
        body = response.json()
        if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
            raise AuthError(f"{session.system}: {host} answered {response.status} without an access_token")
        try:
            lifetime = float(body.get("expires_in") or 3600)
        except (TypeError, ValueError):
            raise response.bad("an expires_in that is not a number") from None
        return body["access_token"], lifetime


def refused(system: str, host: str, client_id: str, response: Response) -> AuthError:
    """An AuthError in the words of an OAuth error body (RFC 6749 §5.2), or of whatever came instead."""
    code = text = ""
    if not response.is_html and response.content.lstrip()[:1] == b"{":
        body = response.json()
        code = str(body.get("error") or "")
        text = str(body.get("error_description") or "")
    words = ": ".join(part for part in (code, text) if part) or response.excerpt() or "no explanation"
    return AuthError(
        response.redact(f"{system}: {host} refused client {client_id} with {response.status}: {words}"),
        status=response.status,
        code=code,
        response=response,
    )
