"""Signing in and out, and who is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from weft.server.answers import told
from weft.server.doors import address, by_token, drop_cookie, session_cookie, set_cookie
from weft.server.pages.doing import local, read
from weft.server.pages.render import finished, leave_notice, render
from weft.server.people import Person, Refused

if TYPE_CHECKING:
    from weft.server.site import Site


def routes(site: Site) -> list[Route]:
    async def form(request: Request) -> Response:
        if not site.guarded:
            return RedirectResponse("/", 303)
        ended = request.scope.get("weft.ended", "")
        after = local(request.query_params.get("next", "/"))
        return finished(request, site, "login.html", message=ended, after=after)

    async def sign_in(request: Request) -> Response:
        given = dict(await read(request))
        after = local(given.get("next", "/"))
        try:
            token = by_token(request, site, given.get("token", "").strip())
        except Refused as refused:
            headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
            return finished(request, site, "login.html", refused.status, headers, message=str(refused), after=after)
        secret, until = await site.signins.open(
            token, site.now, address(request), request.headers.get("user-agent", "")
        )
        site.log.info("%s signed in from %s", token.name, address(request))
        response = RedirectResponse(after, 303)
        set_cookie(site, response, session_cookie(site), secret, until)
        return response

    async def sign_out(request: Request) -> Response:
        secret = request.cookies.get(session_cookie(site), "")
        if secret:
            await site.signins.close(secret)
        response = RedirectResponse("/login", 303)
        drop_cookie(site, response, session_cookie(site))
        return response

    async def end(request: Request) -> Response:
        person: Person | None = request.scope["weft.person"]
        try:
            if person is None:
                raise Refused(401, "ended_session", "sign in first")
            person.need("admin")
        except Refused as refused:
            return told(request, refused, site)
        name = dict(await read(request)).get("token", "")
        count = await site.runtime.state.write(lambda tx: tx.sessions.end_of(name))
        response = RedirectResponse("/access", 303)
        leave_notice(site, response, f"{count} sessions of {name} ended")
        return response

    return [
        Route("/login", form, methods=["GET"]),
        Route("/login", sign_in, methods=["POST"]),
        Route("/logout", sign_out, methods=["POST"]),
        Route("/access/end", end, methods=["POST"]),
    ]


async def access(request: Request, site: Site, person: Person) -> Response:
    """Tokens, and who is signed in with them."""
    now = site.now
    sessions = await site.runtime.state.read(lambda tx: tx.sessions.all(now))
    return await render(request, site, person, "access.html", tokens=list(site.tokens), sessions=sessions)
