"""The doors: how a request says who it is from, and the cookies that go with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from weft.server.people import Person, Refused, Token, digest

if TYPE_CHECKING:
    from weft.server.site import Site

USER = "x-weft-user"
"""Header in which the command line says who is at the terminal; taken from the control socket only."""
PASSED_ON = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"}
"""Headers of a request that came by a proxy: its sender need not be on this machine."""


def session_cookie(site: Site) -> str:
    return "__Host-weft" if site.config.https else "weft"


def visit_cookie(site: Site) -> str:
    """Holds a secret of visitors that are not signed in, so that their forms cannot be forged."""
    return f"{session_cookie(site)}-visit"


def set_cookie(site: Site, response: Response, name: str, value: str, until: datetime | None = None) -> None:
    response.set_cookie(name, value, expires=until, path="/", secure=site.config.https, httponly=True, samesite="lax")


def drop_cookie(site: Site, response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=site.config.https, httponly=True, samesite="lax")


def address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


async def identify(request: Request, site: Site) -> Person | None:
    """Who asks; None: nobody said.

    :raises Refused: a token or session that is not, or no longer, good.
    """
    if request.scope.get("weft.socket"):
        return Person(unquote(request.headers.get(USER, ""))[:100] or "the command line", "operator", "socket")
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not presented:
            raise Refused(401, "wrong_token", "the header Authorization takes the word Bearer and a token")
        token = by_token(request, site, presented.strip())
        return Person(token.name, token.role, "token")
    if secret := request.cookies.get(session_cookie(site)):
        try:
            return await site.signins.person(secret, site.now)
        except Refused as refused:
            if request.scope["path"].startswith("/api/"):
                raise
            request.scope["weft.ended"] = str(refused)
    if not site.guarded:
        if PASSED_ON & set(request.headers):
            raise Refused(
                403, "passed_on", "a proxy passed this on, so that anybody may have sent it; "
                "set server.public_url and name who may use it under server.tokens"
            )  # fmt: skip
        return Person("someone on this machine", site.config.machine, "machine")
    return None


def by_token(request: Request, site: Site, presented: str) -> Token:
    """The token presented; failures are counted against the address.

    :raises Refused: it is not known, has expired, or too many tries have failed.
    """
    here, now = address(request), site.now
    site.throttle.check(here, now)
    try:
        token = site.tokens.verify(presented, now)
    except Refused as refused:
        # One that has expired is no guess.
        if refused.code != "wrong_token" or site.throttle.failed(here, digest(presented), now):
            site.log.warning("a token from %s was refused: %s", here or "an unknown address", refused)
        raise
    site.throttle.succeeded(here)
    return token


def csrf_secret(request: Request, site: Site, person: Person | None) -> str:
    """The secret in the cookie that a form's proof is made from; empty: there is none."""
    signed_in = person is not None and person.how == "session"
    return request.cookies.get(session_cookie(site) if signed_in else visit_cookie(site), "")
