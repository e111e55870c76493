"""What forms are sent to: every action of the desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from weft.desk.action import Action
from weft.desk.actions import ACTIONS
from weft.errors import WeftError
from weft.server.answers import problems, to_sign_in
from weft.server.pages.render import leave_notice
from weft.server.people import Person

if TYPE_CHECKING:
    from weft.server.site import Site

Form = list[tuple[str, str]]

DONE = {
    "issues.retry": "{count} to be tried again with the next run",
    "issues.edit": "The values are sent with the next try",
    "issues.skip": "{count} skipped",
    "issues.approve": "{count} approved; the next run goes on",
    "issues.refuse": "{count} refused",
    "issues.decide": "Decided: {choice}; done by the next run",
    "conflicts.resolve": "Decided; written by the next run",
    "links.add": "Linked",
    "links.remove": "{count} links forgotten",
    "links.merge": "Merged; {count} former keys lead to the link that is kept",
    "flows.pause": "Paused",
    "flows.resume": "Resumed",
    "flows.run": "Asked for; a worker takes it up",
    "proofs.start": "Both sides are being read; the result appears here",
    "plans.start": "The plan is being worked out; it appears here",
}


def routes(site: Site) -> list[Route]:
    """``POST /do/noun/verb`` for each action; leads back to ``next``."""
    return [Route("/do/" + one.name.replace(".", "/"), _doing(site, one), methods=["POST"]) for one in ACTIONS]


def _doing(site: Site, action: Action[Any, Any]) -> Callable[[Request], Awaitable[Response]]:
    async def do(request: Request) -> Response:
        person: Person | None = request.scope["weft.person"]
        if person is None:
            return to_sign_in(request)
        form = await read(request)
        text, good = await _done(site, action, person, form)
        response = RedirectResponse(local(dict(form).get("next", "/")), 303)
        leave_notice(site, response, text, good=good)
        return response

    return do


async def _done(site: Site, action: Action[Any, Any], person: Person, form: Form) -> tuple[str, bool]:
    """What to tell, and whether it is good news."""
    try:
        person.need(action.role)
        if "ids" in action.wanted.model_fields and not {"ids", "cause"} & {name for name, _ in form}:
            return "Choose at least one first", False
        wanted = action.wanted.model_validate(as_data(action.wanted, form))
        done = await action.run(site.desk(person), wanted)
    except ValidationError as error:
        return problems(error), False
    except WeftError as error:
        return site.runtime.redactor(str(error)), False
    wrong = getattr(done, "wrong", None)
    if wrong:
        return "; ".join(one.reason for one in wrong), False
    if getattr(done, "added", None) == []:
        return "They were linked already", True
    return DONE[action.name].format(**done.model_dump()), True


async def read(request: Request) -> Form:
    """The fields of a form, in order."""
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qsl(body, keep_blank_values=True)


def as_data(model: type[BaseModel], form: Form) -> dict[str, Any]:
    """A form as an action takes it: ``values.phone`` is a name within ``values``, a list is a name said
    several times. A value that is as it was (``was.…``) and one left blank are not sent."""
    given: dict[str, Any] = {}
    was = {name.removeprefix("was."): value for name, value in form if name.startswith("was.")}
    for name, value in form:
        outer, _, inner = name.partition(".")
        field = model.model_fields.get(outer)
        if field is None:
            continue
        if inner:
            if was.get(inner) != value:
                given.setdefault(outer, {})[inner] = value
        elif get_origin(field.annotation) is list:
            given.setdefault(outer, []).append(_pair(value, form) if outer == "pairs" else value)
        elif value != "":
            given[outer] = value
    return given


def _pair(_: str, form: Form) -> dict[str, str]:
    return {name.removeprefix("pair_"): value.strip() for name, value in form if name.startswith("pair_") and value}


def local(path: str) -> str:
    """A path on this server, whatever was asked for: a form must not lead elsewhere."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path and "\r" not in path
    return path if fine else "/"
