"""What a request is answered: JSON for programs, a page for people, and errors for either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from weft.desk.errors import NotPossible, NotThere
from weft.desk.showing import plain
from weft.errors import AuthError, ConfigError, EndpointDown, StateError, WeftError
from weft.server.people import Refused

if TYPE_CHECKING:
    from weft.server.site import Site

_STATUS: tuple[tuple[type[WeftError], int, str], ...] = (
    (NotThere, 404, "not_there"),
    (NotPossible, 409, "not_possible"),
    (StateError, 503, "state"),
    (AuthError, 502, "login_refused"),
    (EndpointDown, 502, "system_down"),
    (ConfigError, 422, "invalid"),
)


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON: amounts as exact text, times as ISO 8601."""
    return Response(orjson.dumps(plain(value)), status, headers, "application/json")


def meaning(error: WeftError) -> tuple[int, str]:
    """HTTP status and code of an error."""
    if isinstance(error, Refused):
        return error.status, error.code
    return next(((status, code) for kind, status, code in _STATUS if isinstance(error, kind)), (500, "failed"))


def problems(error: ValidationError) -> str:
    """What does not fit, each with its place; never the value."""
    told = []
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(map(str, one["loc"]))
        unknown = one["type"] == "extra_forbidden"
        words = "there is no such name here" if unknown else str(one["msg"]).removeprefix("Value error, ")
        told.append(f"{place}: {words}" if place else words)
    return "; ".join(told)


def told(request: Request, error: WeftError | ValidationError, site: Site) -> Response:
    """The answer to a request that failed."""
    if isinstance(error, ValidationError):
        status, code, message = 422, "invalid", problems(error)
    else:
        (status, code), message = meaning(error), site.runtime.redactor(str(error))
    headers: dict[str, str] = {}
    if isinstance(error, Refused) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if request.scope["path"].startswith(("/api/", "/hooks/", "/health/", "/metrics")):
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json({"error": {"code": code, "message": message}}, status, headers)
    from weft.server.pages.render import error_page

    return error_page(request, site, status, message, headers)


def to_sign_in(request: Request) -> Response:
    """Ask a person who they are, and lead back afterwards."""
    from urllib.parse import quote

    query = request.scope["query_string"].decode("latin-1")
    here = request.scope["path"] + (f"?{query}" if query else "")
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    return RedirectResponse(f"/login?next={quote(here)}" if here != "/" else "/login", 303)
