"""Live, ready and what is wrong; metrics beside them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from weft.errors import WeftError
from weft.state.membership import Membership
from weft.telemetry import health
from weft.telemetry.metrics import Metrics


def client(*args: Any) -> httpx.AsyncClient:
    app = Starlette(routes=health.routes(*args))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def fine() -> str:
    return ""


async def test_ready_when_the_state_answers_and_every_check_is_content(watched: Any) -> None:
    async with client(watched.runtime, None, {"lease": fine}) as http:
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]) == (200, {"state": "ok", "lease": "ok"})
        assert answer.headers["cache-control"] == "no-store"
        assert (await http.get("/metrics")).status_code == 404


async def test_what_is_wrong_is_said_and_no_secret(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.runtime.redactor.add("s3cret-token")

    async def lost() -> str:
        return "worker w1 was taken over"

    async def broken() -> str:
        raise WeftError("refused for s3cret-token")

    async def slow() -> str:
        await asyncio.sleep(60)
        return ""

    monkeypatch.setattr(health, "PATIENCE", 1)
    async with client(watched.runtime, None, {"lease": lost, "other": broken, "slow": slow}) as http:
        answer = await http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "checks": {
            "state": "ok", "lease": "worker w1 was taken over", "other": "refused for ***",
            "slow": "no answer within 1 s"}}  # fmt: skip
        assert (await http.get("/health/live")).status_code == 200


async def test_a_state_that_does_not_answer_makes_it_unready_but_not_dead(watched: Any) -> None:
    metrics = Metrics(watched.runtime)
    async with client(watched.runtime, metrics) as http:
        assert "weft_build_info" in (await http.get("/metrics")).text
        await watched.runtime.state.aclose()
        answer = await http.get("/health/ready")
        assert answer.status_code == 503
        assert "is closed" in answer.json()["checks"]["state"]
        assert (await http.get("/metrics")).status_code == 503
        assert (await http.get("/health/live")).json() == {"status": "alive"}


async def test_a_worker_is_ready_while_it_holds_its_lease_and_takes_work(watched: Any) -> None:
    state = watched.runtime.state
    check = health.lease(watched.runtime)
    assert "has not started" in await check()
    async with Membership(state) as membership:
        assert await check() == ""
        membership.stopping = True
        assert "it drains" in await check()
        membership.stopping = False
        await state.write(lambda tx: tx.workers.beat(membership.lease, timedelta(seconds=-90)))
        assert "its lease ran out 9" in await check()
        await state.write(lambda tx: tx.workers.take_over(membership.lease.worker, "w2", watched.clock.at))
        assert "is gone" in await check()
        membership.lost.set()
        assert "taken this one over" in await check()
