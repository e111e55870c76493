"""The first page: what is stuck and why, and that the rest moves."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from weft.desk import looking, statistics
from weft.desk.looking import FlowView
from weft.server.api import parameters
from weft.server.pages.render import TONES, render
from weft.server.people import Person
from weft.server.site import Site

FEW = 6


async def overview(request: Request, site: Site, person: Person) -> Response:
    desk = site.desk(person)
    wanted = parameters(statistics.Over, request)
    seen = await looking.overview.run(desk, looking.Nothing())
    series = await statistics.series.run(desk, wanted)
    causes = (await looking.causes.run(desk, looking.Causes())).items
    return await render(
        request, site, person, "overview.html", seen=seen, series=series, causes=causes[:FEW],
        more_causes=max(len(causes) - FEW, 0), verdict=verdict(seen.flows), chart=chart(series), standing=standing,
        tone_of=tone,
    )  # fmt: skip


def standing(view: FlowView) -> str:
    """One word for how a flow stands."""
    if view.pause is not None:
        return "paused"
    return "blackout" if view.blackout and view.status.state != "off" else view.status.state


def tone(view: FlowView) -> str:
    """The colour of a flow: what holds up one that is otherwise well is worth a look."""
    found = TONES.get(standing(view), "calm")
    return "care" if found == "good" and view.status.blocker else found


def verdict(views: list[FlowView]) -> tuple[str, str]:
    """The tone and the sentence over the page."""
    if not views:
        return "calm", "No flows are declared yet"
    paused = [view for view in views if view.pause is not None]
    resting = [view for view in views if view.blackout and view.pause is None and view.status.state != "off"]
    free = [view for view in views if view not in paused and view not in resting]
    stuck = [view for view in free if view.status.state in ("failed", "down", "stopped")]
    asking = [view for view in views if view.status.issues and view not in stuck]
    if stuck:
        return "bad", f"{_some(stuck, views)} stuck"
    if asking:
        records = sum(sum(view.status.issues.values()) for view in asking)
        return "care", f"{records} {'record needs' if records == 1 else 'records need'} attention"
    held = [view for view in free if view.status.blocker and view.status.state != "off"]
    if held and any(view.status.last_run for view in held):
        return "care", f"{_some(held, views)} held up"
    if paused:
        return "calm", f"{_some(paused, views)} paused"
    if resting:
        return "calm", f"{_some(resting, views)} in a blackout window"
    if all(view.status.state in ("never ran", "off") for view in views):
        return "calm", "Nothing has run yet"
    return "good", "Everything is in agreement"


def _some(some: list[FlowView], views: list[FlowView]) -> str:
    if len(some) == 1:
        return f"{some[0].status.flow} is"
    return f"{len(some)} of {len(views)} flows are"


def chart(series: statistics.Series) -> dict[str, Any]:
    """What the charts draw: times in Unix seconds, and a row of numbers for each line."""
    points = series.points
    return {
        "step": series.step,
        "at": [int(point.at.timestamp()) for point in points],
        "written": [point.figures.written for point in points],
        "failed": [point.figures.failed for point in points],
        "held": [point.figures.held for point in points],
        "median": [point.figures.lag_median for point in points],
        "p95": [point.figures.lag_p95 for point in points],
    }
