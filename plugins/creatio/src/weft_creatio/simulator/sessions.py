"""Who is calling: forms login with its cookies and CSRF token, and OAuth client credentials."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ODataError, unauthorized
from .pipeline import User
from .site import Site

LOGIN_PAGES = {"framework": "/Login/NuiLogin.aspx", "core": "/Login/Login.html"}
LOGIN_HTML = (
    "<!DOCTYPE html><html><head><title>Creatio</title></head><body>"
    '<script>require(["bootstrap.login"]);</script></body></html>'
)
SVC_UNAUTHORIZED = {
    "Message": "Authentication failed.",
    "StackTrace": None,
    "ExceptionType": "System.InvalidOperationException",
}
_BAD_PASSWORD = "You have entered an incorrect password or the specified user doesn't exist"  # noqa: S105


class LoginRedirectError(Exception):
    """The caller is sent to the login page (302)."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass
class Session:
    """One forms session. Times in nanoseconds of the simulator's clock."""

    user: User
    loader: str = field(repr=False)
    ticket: str = field(repr=False)
    csrf: str = field(repr=False)
    used: int
    server_session: str | None = None


@dataclass(frozen=True)
class Caller:
    """The authenticated caller; `session` is None for OAuth."""

    user: User
    session: Session | None


class Sessions:
    """Sessions and tokens of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._sessions: dict[str, Session] = {}
        self._tokens: dict[str, tuple[User, int]] = {}

    def expire_all(self) -> None:
        """Every session and token issued so far is invalid."""
        self._sessions.clear()
        self._tokens.clear()

    # -- forms

    def login(self, body: bytes) -> tuple[dict[str, Any], Session | None]:
        """(answer, session); the answer is a 200 either way."""
        try:
            given = json.loads(body)
        except ValueError:
            given = None
        name = str(given.get("UserName", "")) if isinstance(given, dict) else ""
        password = str(given.get("UserPassword", "")) if isinstance(given, dict) else ""
        user = self._site.users.get(name)
        if user is None or user.password is None or not hmac.compare_digest(user.password, password):
            exception = {
                "HelpLink": None, "InnerException": None, "Message": _BAD_PASSWORD, "StackTrace": None,
                "Type": "System.Security.SecurityException",
            }  # fmt: skip
            return _answer(1, _BAD_PASSWORD, exception), None
        token = self._secret
        session = Session(user, token(12), token(96), token(11), self._site.clock.now_ns())
        self._sessions[session.ticket] = session
        return _answer(0, "", None), session

    def _secret(self, size: int) -> str:
        return f"{self._site.rng.getrandbits(size * 4):0{size}x}"

    # -- OAuth

    def token(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """(status, body) of `/connect/token`."""
        settings = self._site.settings
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        known = hmac.compare_digest(form.get("client_id", "").encode(), settings.client_id.encode())
        if not known or not hmac.compare_digest(
            form.get("client_secret", "").encode(), settings.client_secret.encode()
        ):
            return 400, {"error": "invalid_client"}
        token = self._secret(64)
        expires = self._site.clock.now_ns() + settings.token_lifetime * 1_000_000_000
        self._tokens[token] = (self._site.technical_user, expires)
        return 200, {
            "access_token": token,
            "expires_in": settings.token_lifetime,
            "token_type": "Bearer",
            "scope": "ApplicationAccess_" + settings.client_id.encode().hex()[:32],
        }

    # -- each call

    def authenticate(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        cookies: Mapping[str, str],
        *,
        service: bool = False,
    ) -> Caller:
        """The caller, or the 401, 403 or 302 the site answers. `service`: a `.svc` endpoint."""
        authorization = headers.get("Authorization", "")
        if authorization:
            user = self._bearer(authorization)
            if user is None:
                raise _refused(service)
            return Caller(user, None)
        session = self._live(cookies)
        if session is None:
            if headers.get("ForceUseSession", "").lower() != "true":
                raise LoginRedirectError(f"{LOGIN_PAGES[self._site.settings.runtime]}?ReturnUrl={path}")
            raise _refused(service)
        settings = self._site.settings
        if settings.use_csrf and (settings.csrf_on_get or method not in ("GET", "HEAD")):
            sent = headers.get("BPMCSRF", "")
            if not sent or sent != session.csrf or cookies.get("BPMCSRF") != session.csrf:
                raise ODataError(403, None)
        session.used = self._site.clock.now_ns()
        return Caller(session.user, session)

    def _bearer(self, authorization: str) -> User | None:
        scheme, _, token = authorization.partition(" ")
        found = self._tokens.get(token) if scheme == "Bearer" else None
        if found is None or found[1] <= self._site.clock.now_ns():
            return None
        return found[0]

    def _live(self, cookies: Mapping[str, str]) -> Session | None:
        session = self._sessions.get(cookies.get(".ASPXAUTH", ""))
        if session is None or cookies.get("BPMLOADER") != session.loader:
            return None
        minutes = self._site.db.value("SELECT SessionTimeout FROM SysAdminUnit WHERE Id=?", (session.user.id,)) or (
            self._site.setting_value("UserSessionTimeout") or 60
        )
        if self._site.clock.now_ns() - session.used > int(minutes) * 60_000_000_000:
            del self._sessions[session.ticket]
            return None
        return session


def _answer(code: int, message: str, exception: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "Code": code, "Message": message, "Exception": exception, "PasswordChangeUrl": None, "RedirectUrl": None,
    }  # fmt: skip


def _refused(service: bool) -> ODataError:
    return ODataError(401, SVC_UNAUTHORIZED) if service else unauthorized()


def user_name_cookie(name: str) -> str:
    """The UserName cookie: character codes joined by bars."""
    return "|".join(str(ord(c)) for c in name)
