"""Health and metrics behind the server's shield: who is told what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.server.app import make_app
from weft.telemetry import health
from weft.telemetry.metrics import Metrics


async def broken() -> str:
    return "worker w1 at db.internal was taken over"


async def test_metrics_ask_who_one_is_and_health_does_not(guarded_site: Any, client: Callable[..., Any]) -> None:
    app = make_app(guarded_site, health.routes(guarded_site.runtime, Metrics(guarded_site.runtime)))
    async with client(guarded_site, app=app) as nobody:
        refused = await nobody.get("/metrics")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert "weft_" not in refused.text
        assert (await nobody.get("/health/ready")).status_code == 200
    async with client(guarded_site, "viewer", app=app) as viewer:
        answer = await viewer.get("/metrics")
        assert 'weft_issues_open{flow="customers",kind="failed"} 2.0' in answer.text


async def test_strangers_hear_that_something_is_wrong_not_what(open_site: Any, client: Callable[..., Any]) -> None:
    app = make_app(open_site, health.routes(open_site.runtime, None, {"lease": broken}))
    async with client(open_site, app=app) as http:
        here = await http.get("/health/ready")
        assert "db.internal" in here.json()["checks"]["lease"]
        there = await http.get("/health/ready", headers={"X-Forwarded-For": "203.0.113.7"})
        assert (there.status_code, there.json()["checks"]["lease"]) == (503, "failed")
