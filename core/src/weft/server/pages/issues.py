"""The error desk: issues by cause or one by one, conflicts, approvals."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from weft.desk import looking
from weft.desk.issues import CHOICES, KINDS, mark, sends, unsearchable
from weft.server.api import parameters
from weft.server.pages.render import render
from weft.server.people import Person
from weft.server.site import Site
from weft.state.issues import Issue

HERE: list[str] = [kind for kind in KINDS if kind not in ("conflict", "approval")]

WHAT_TO_DO = {
    "conflict": "Both sides changed the same field, and no rule says whose value wins. Choose a side for each field.",
    "delete": "The record was deleted on one side. Say what becomes of its counterpart.",
    "approval": "A rule asks for a person before this is written. Approve it once, or refuse it.",
    "ambiguous": "Several records match, and weft does not guess. Merge the duplicates in their system, or link the "
    "right pair.",
    "waiting": "It goes on by itself once what it waits for is linked. Retrying looks again at once.",
    "invisible": "weft's user may not see the record any more. Give it the right to read the record, then retry.",
    "failed": "Correct the record in its own system, or send other values with the next try, or skip it.",
    "review": "Put right in the systems what the reason says, then retry.",
    "config": "The configuration must be changed; the reason says where.",
}


def what_to_do(issue: Issue) -> str:
    """What a person can do, in words."""
    if issue.state != "open":
        return "Nothing is left to do."
    if unsearchable(issue):
        return (
            "A create was not answered, and no key finds the record. Look in the system: link the record if it is "
            "there, retry if it is not."
        )
    if issue.code == "rerouted":
        return "A rule now sends the record elsewhere. Change the record back, or forget its link so that it moves."
    return WHAT_TO_DO.get(issue.kind, WHAT_TO_DO["failed"])


async def listing(request: Request, site: Site, person: Person) -> Response:
    desk = site.desk(person)
    wanted = _only(parameters(looking.Issues, _without(request, "view")), HERE)
    by_cause = request.query_params.get("view", "causes") == "causes" and wanted.cause is None
    by_cause = by_cause and wanted.state == "open" and not wanted.text
    if by_cause:
        found = await looking.causes.run(desk, looking.Causes(flow=wanted.flow, kind=wanted.kind or HERE))
        return await render(
            request, site, person, "causes.html", causes=found.items, wanted=wanted, kinds=HERE, what=WHAT_TO_DO
        )
    page = await looking.issues.run(desk, wanted)
    cause = None
    if wanted.cause is not None:
        all_causes = (await looking.causes.run(desk, looking.Causes())).items
        cause = next((one for one in all_causes if one.key == wanted.cause), None)
    return await render(request, site, person, "issues.html", page=page, wanted=wanted, kinds=HERE, cause=cause)


class _Query:
    """A request as :func:`parameters` reads it, without some names."""

    def __init__(self, request: Request, names: tuple[str, ...]) -> None:
        from starlette.datastructures import QueryParams

        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in names]
        self.query_params, self.path_params = QueryParams(kept), request.path_params


def _without(request: Request, *names: str) -> Any:
    return _Query(request, names)


def _only(wanted: looking.Issues, kinds: list[str]) -> looking.Issues:
    chosen = [kind for kind in wanted.kind if kind in kinds] or kinds
    return wanted.model_copy(update={"kind": chosen}) if wanted.cause is None else wanted


async def conflicts(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(looking.Issues, request).model_copy(update={"kind": ["conflict"]})
    page = await looking.issues.run(site.desk(person), wanted)
    return await render(request, site, person, "conflicts.html", page=page, wanted=wanted)


async def approvals(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(looking.Issues, request).model_copy(update={"kind": ["approval"]})
    page = await looking.issues.run(site.desk(person), wanted)
    shown = {"page": page, "wanted": wanted, "mark": mark, "sides": _sides(site)}
    return await render(request, site, person, "approvals.html", **shown)


def _sides(site: Site) -> dict[str, dict[str, str]]:
    """By flow: what its sides are called."""
    flows = site.runtime.config.flows
    return {name: {"left": of.left, "right": " / ".join(of.right)} for name, of in flows.items()}


async def one(request: Request, site: Site, person: Person) -> Response:
    detail = await looking.issue.run(site.desk(person), looking.One(id=request.path_params["id"]))
    issue = detail.issue
    sides = _sides(site).get(issue.flow, {"left": "left", "right": "right"})
    payload = issue.payload if isinstance(issue.payload, dict) else {}
    speaker = sides.get(str(payload.get("side")), issue.connection) or "The system"
    section = {"conflict": "/conflicts", "approval": "/approvals"}.get(issue.kind, "/issues")
    sent = payload.get("fields") if isinstance(payload.get("fields"), dict) else {}
    return await render(
        request, site, person, "issue.html", detail=detail, issue=issue, advice=what_to_do(issue), sides=sides,
        speaker=speaker, section=section,
        payload=payload, sent=sent, choices=CHOICES, repeatable=issue.kind not in ("conflict", "approval", "delete"),
        editable=sends(issue),
        others={n: v for n, v in payload.items() if n not in ("fields", "side", "subject")},
    )  # fmt: skip
