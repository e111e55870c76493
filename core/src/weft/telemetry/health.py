"""``/health/live``, ``/health/ready`` and ``/metrics``, for the server to mount."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from weft.errors import WeftError
from weft.net.address import is_loopback
from weft.telemetry.metrics import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from starlette.requests import Request

    from weft.runtime import Runtime

Check = Callable[[], Awaitable[str]]
"""Answers what is wrong, in words; empty when all is well."""

PATIENCE = 5.0
"""Seconds a check may take: whoever asks gives up soon after."""
_FRESH = {"Cache-Control": "no-store"}


def routes(runtime: Runtime, metrics: Metrics | None = None, checks: Mapping[str, Check] | None = None) -> list[Route]:
    """The routes. ``checks`` by name make ``/health/ready`` fail besides the state's own check; what is wrong
    is said to this machine only. ``/metrics`` is there when there is somebody who counts; behind a shield
    that found nobody to ask, it asks who one is."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_FRESH)

    async def ready(request: Request) -> Response:
        found = await _checked(runtime, {"state": _state(runtime), **(checks or {})})
        good = not any(found.values())
        inside = _inside(request)
        shown = {name: (wrong if inside else "failed") if wrong else "ok" for name, wrong in found.items()}
        body = {"status": "ready" if good else "not ready", "checks": shown}
        return JSONResponse(body, 200 if good else 503, headers=_FRESH)

    async def measured(request: Request) -> Response:
        assert metrics is not None
        if request.scope.get("weft.person", "nobody asks here") is None:
            return PlainTextResponse(
                "the header Authorization takes the word Bearer and a token of the role viewer",
                401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            return Response(await metrics.exposition(), media_type=CONTENT_TYPE, headers=_FRESH)
        except WeftError as error:
            return PlainTextResponse(runtime.redactor(str(error)), 503, headers=_FRESH)

    found = [Route("/health/live", live), Route("/health/ready", ready)]
    return [*found, Route("/metrics", measured)] if metrics is not None else found


def _inside(request: Request) -> bool:
    """Whether somebody on this machine asks: strangers are told that something is wrong, not what."""
    host = request.client.host if request.client is not None else ""
    return is_loopback(host) and not {"x-forwarded-for", "forwarded"} & set(request.headers)


def _state(runtime: Runtime) -> Check:
    async def check() -> str:
        await runtime.state.read(lambda tx: tx.cursors.get("", "", ""))
        return ""

    return check


def lease(runtime: Runtime) -> Check:
    """Whether this process is a worker in good standing: it holds its lease and takes new work."""

    async def check() -> str:
        membership = runtime.state.membership
        if membership is None:
            return "the daemon has not started yet, or has ended"
        if membership.lost.is_set():
            return "another worker has taken this one over; it stops"
        if membership.stopping:
            return "it drains: what is under way ends, nothing new is begun"
        now, worker = await runtime.state.read(lambda tx: (tx.workers.clock(), tx.workers.get(membership.lease.worker)))
        if worker is None or worker.ended_at is not None:
            return "its row among the workers is gone; it stops with its next heartbeat"
        if worker.expires_at <= now:
            return f"its lease ran out {(now - worker.expires_at).total_seconds():.0f} s ago: no heartbeat got through"
        return ""

    return check


async def _checked(runtime: Runtime, checks: Mapping[str, Check]) -> dict[str, str]:
    """What each check says; one that takes too long or breaks is a failed one."""

    async def one(check: Check) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                return runtime.redactor(await check())
        except TimeoutError:
            return f"no answer within {PATIENCE:g} s"
        except Exception as error:  # whatever breaks a check makes the process unready, not the answer fail
            return runtime.redactor(str(error) if isinstance(error, WeftError) else f"{type(error).__name__}: {error}")

    answers = await asyncio.gather(*(one(check) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))
