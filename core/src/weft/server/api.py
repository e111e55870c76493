"""The JSON API: every action and question of the desk, and exports of the journal."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
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
from weft.state.journal import Entry

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
    for name, kind, lines in (
        ("csv", "text/csv; charset=utf-8", journal.as_csv),
        ("jsonl", "application/jsonl", journal.as_json_lines),
    ):
        handler = _exporting(site, f"journal.{name}", kind, lines)
        made.append(Route(f"{BASE}/journal.{name}", _answering(site, handler), methods=["GET"]))
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
        raise Refused(401, "no_token", "say who you are: Authorization: Bearer TOKEN; weft token makes one")
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


def _exporting(site: Site, name: str, kind: str, lines: Callable[[Iterable[Entry]], Iterator[str]]) -> Handler:
    async def export(request: Request) -> Response:
        who(request, "viewer")
        wanted: journal.Filter = parameters(journal.Filter, request)
        await site.runtime.state.read(wanted.columns)  # a run that is not there is told before the file begins
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_stream(site, wanted, lines), media_type=kind, headers=headers)

    return export


async def _stream(
    site: Site, wanted: journal.Filter, lines: Callable[[Iterable[Entry]], Iterator[str]]
) -> AsyncIterator[str]:
    """The lines of an export, read on one snapshot in a thread a few pages ahead of the network."""
    ready: queue.Queue[str | None] = queue.Queue(maxsize=8)
    stopped = False

    def put(text: str | None) -> None:
        while not stopped:
            try:
                ready.put(text, timeout=0.2)
                return
            except queue.Full:
                continue  # the network is slower; look whether anybody still listens

    def read(tx: Any) -> None:
        piece: list[str] = []
        for line in lines(journal.oldest_first(tx, wanted)):
            if stopped:
                return
            piece.append(line)
            if len(piece) >= 500:
                put("".join(piece))
                piece.clear()
        put("".join(piece))

    async def reading() -> None:
        try:
            await site.runtime.state.read(read)
        finally:
            await asyncio.to_thread(put, None)

    task = asyncio.create_task(reading())
    try:
        while (text := await asyncio.to_thread(ready.get)) is not None:
            yield text
        await task
    finally:
        stopped = True
        await asyncio.gather(task, return_exceptions=True)
