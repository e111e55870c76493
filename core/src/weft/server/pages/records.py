"""Links, the journal and runs."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from weft.desk import looking
from weft.desk.links import STATES
from weft.desk.statistics import FAILED, HELD, WRITTEN
from weft.server.api import parameters
from weft.server.pages.render import render
from weft.server.people import Person
from weft.server.site import Site

OUTCOMES = (*WRITTEN, "linked", "adopted", "moved", *FAILED, *HELD, "excluded", "ignored", "unlinked", "merged")
RUN_STATES = ("done", "issues", "failed", "down", "stopped", "running", "lost")


async def links(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(looking.Links, request)
    page = await looking.links.run(site.desk(person), wanted)
    return await render(request, site, person, "links.html", page=page, wanted=wanted, states=STATES)


async def link(request: Request, site: Site, person: Person) -> Response:
    detail = await looking.link.run(site.desk(person), looking.One(id=request.path_params["id"]))
    names = sorted({*detail.left_base, *detail.right_base})
    return await render(request, site, person, "link.html", detail=detail, link=detail.link, names=names)


async def journal(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(looking.Entries, request)
    page = await looking.journal.run(site.desk(person), wanted)
    kept = [(n, v) for n, v in request.query_params.multi_items() if v and n not in ("before", "limit")]
    return await render(
        request, site, person, "journal.html", page=page, wanted=wanted, outcomes=OUTCOMES,
        export="?" + urlencode(kept) if kept else "",
    )  # fmt: skip


async def runs(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(looking.Runs, request)
    page = await looking.runs.run(site.desk(person), wanted)
    return await render(request, site, person, "runs.html", page=page, wanted=wanted, states=RUN_STATES)


async def run(request: Request, site: Site, person: Person) -> Response:
    desk = site.desk(person)
    found = await looking.run.run(desk, looking.OneRun(id=request.path_params["id"]))
    entries = await looking.journal.run(desk, looking.Entries(run=found.id, limit=50))
    plan = found.plan if isinstance(found.plan, dict) else None
    return await render(request, site, person, "run.html", run=found, journal=entries, plan=plan)
