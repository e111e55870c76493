"""The ASGI application: routes, and the shield before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from weft.errors import WeftError
from weft.server import api, hooks
from weft.server.answers import told
from weft.server.people import Refused
from weft.server.shield import Shield

if TYPE_CHECKING:
    from weft.server.site import Site


def make_app(site: Site, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """What listens on the network. ``more``: routes of others, such as health and metrics."""
    routes: list[BaseRoute] = [*hooks.routes(site), *more]
    if site.config.dashboard:
        from weft.server import pages

        routes += [*api.routes(site), *pages.routes(site)]
    return Shield(_starlette(site, routes), site)


def make_control(site: Site) -> ASGIApp:
    """What the command line speaks to, through a socket that only the daemon's own user can open."""
    inner = Shield(_starlette(site, [*api.routes(site)]), site)

    async def control(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "weft.socket": True}, receive, send)

    return control


def _starlette(site: Site, routes: Sequence[BaseRoute]) -> Starlette:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "not_there", 405: "wrong_method"}.get(error.status_code, "refused")
        words = {404: "there is nothing at this address", 405: f"{request.method} is not for this address"}
        return told(request, Refused(error.status_code, code, words.get(error.status_code, str(error.detail))), site)

    async def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, WeftError):
            return told(request, error, site)
        site.log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
        return told(request, Refused(500, "failed", "something went wrong in weft; its log says what"), site)

    return Starlette(routes=list(routes), exception_handlers={HTTPException: refused, WeftError: failed, 500: failed})
