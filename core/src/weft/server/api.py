"""The JSON API: every action and question of the desk, and exports of the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from weft.desk import journal
from weft.desk.action import Action, Question, Role
from weft.desk.actions import ACTIONS, QUESTIONS
from weft.errors import WeftError
from weft.server.answers import json, told
from weft.server.openapi import BASE, document
from weft.server.people import Person, Refused

if TYPE_CHECKING:
    from weft.server.site import Site

Handler = Callable[[Request], Awaitable[Response]]


def routes(site: Site) -> list[Route]:
    """All routes of the API."""
    text = document()

    async def openapi(request: Request) -> Response:
        who(request, "viewer")
        return json(text)

    made = [Route(f"{BASE}/openapi.json", _answering(site, openapi), methods=["GET"])]
    made += [Route(BASE + action_path(one), _answering(site, _doing(site, one)), methods=["POST"]) for one in ACTIONS]
    for kind in journal.KINDS:
        handler = _answering(site, _exporting(site, kind))
        made.append(Route(f"{BASE}/journal.{kind.name}", handler, methods=["GET"]))
    made += [Route(BASE + one.path, _answering(site, _looking(site, one)), methods=["GET"]) for one in QUESTIONS]
    return made


def action_path(action: Action[Any, Any]) -> str:
    return "/" + action.name.replace(".", "/")


def who(request: Request, role: Role) -> Person:
    """Whoever asks, if their role reaches.

    :raises Refused: nobody said who they are, or the role does not reach.
    """
    person: Person | None = request.scope["weft.person"]
    if person is None:
        raise Refused(
            401,
            "no_token",
            "say who you are in the header Authorization, by the word Bearer and a token; weft token makes one",
        )
    person.need(role)
    return person


def _answering(site: Site, handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (WeftError, ValidationError) as error:
            return told(request, error, site)

    return answer


def _doing(site: Site, action: Action[Any, Any]) -> Handler:
    async def do(request: Request) -> Response:
        person = who(request, action.role)
        body = await request.body()
        if body and not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, "not_json", "send Content-Type: application/json")
        wanted = action.wanted.model_validate_json(body or b"{}")
        return json(await action.run(site.desk(person), wanted))

    return do


def _looking(site: Site, question: Question[Any]) -> Handler:
    async def look(request: Request) -> Response:
        person = who(request, "viewer")
        return json(await question.run(site.desk(person), parameters(question.wanted, request)))

    return look


def parameters(model: type[BaseModel], request: Request) -> Any:
    """The parameters of a request, from its path and its query; a list is a name said several times.

    :raises ValidationError: what does not fit.
    """
    given: dict[str, Any] = {}
    for name in request.query_params:
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is list
        values = [value for value in request.query_params.getlist(name) if value != ""]
        if values:
            given[name] = values if many else values[-1]
    return model.model_validate({**given, **request.path_params})


def _exporting(site: Site, kind: journal.Kind) -> Handler:
    async def export(request: Request) -> Response:
        who(request, "viewer")
        wanted: journal.Filter = parameters(journal.Filter, request)
        # A run that is not there is told before the file begins.
        pages = await site.runtime.state.read(partial(journal.Pages.begin, wanted=wanted, kind=kind))
        headers = {"Content-Disposition": f'attachment; filename="journal.{kind.name}"'}
        return StreamingResponse(_stream(site, pages), media_type=kind.media, headers=headers)

    return export


async def _stream(site: Site, pages: journal.Pages) -> AsyncIterator[str]:
    """The text of an export, read a page at a time: while the network is slow, nothing of the state is held."""
    yield pages.kind.head
    while (text := await site.runtime.state.read(pages.read)) is not None:
        yield text
