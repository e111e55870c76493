"""Webhooks: what other systems tell of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import WeftError
from weft.records import Request as Incoming
from weft.server.answers import json, told
from weft.server.people import Refused

if TYPE_CHECKING:
    from weft.server.site import Site


def routes(site: Site) -> list[Route]:
    """``/hooks/{connection}/{secret}``, for any method: senders prove addresses in their own ways."""

    async def hook(request: Request) -> Response:
        if site.receive is None:
            return told(request, Refused(404, "not_there", "no webhooks are configured here"), site)
        body = await request.body()
        incoming = Incoming(request.method, dict(request.query_params), dict(request.headers), body)
        connection, secret = request.path_params["connection"], request.path_params["secret"]
        try:
            reply = await site.receive(connection, secret, incoming)
        except WeftError as error:
            status = getattr(error, "status", None)
            if not isinstance(status, int):
                raise
            # In words that give nothing away: the sender is a stranger until the secret fits.
            shown = site.runtime.redactor(str(error))
            return json({"error": {"code": "refused", "message": shown}}, status)
        return Response(reply.body, reply.status, media_type=reply.content_type)

    methods = ["GET", "POST", "PUT", "OPTIONS"]
    return [Route("/hooks/{connection}/{secret}", hook, methods=methods)]
