"""What happens around each request of a simulator: latency, faults, log, counters."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from weft.testing.odata.batch import LostAnswer
from weft.testing.odata.parts import SubResponse
from weft.testing.simulator.base import EFFECTS, LoggedRequest, Simulator
from weft.testing.simulator.faults import Effects, Fault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SECRET = re.compile(r"(?i)((?:secret|password|access_token|assertion|signature)[^=&]*=)[^&]*")
_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>"


class _NoAnswer(Exception):
    pass


def make_middleware(sim: Simulator) -> Middleware:
    """The aiohttp middleware of one simulator; ``/_control`` passes it by."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_control"):
            return await handler(request)
        began = time.perf_counter()
        sim.request_began()
        status = sent = 0
        try:
            answer = await _answered(sim, request, handler)
            status, sent = answer.status, _size(answer)
            return answer
        except (_NoAnswer, LostAnswer):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # aiohttp cannot send it any more
        except web.HTTPException as error:
            status, sent = error.status, _size(error)
            raise
        except Exception:
            status = 500
            sim.counters["handler_errors"] += 1
            raise
        finally:
            _log(sim, request, status, sent, time.perf_counter() - began)

    return middleware


async def _answered(sim: Simulator, request: web.Request, handler: Handler) -> web.StreamResponse:
    settings = sim.settings
    if settings.latency or settings.jitter:
        await sim.sleep(settings.latency + sim.rng.random() * settings.jitter)
    if not sim.faults:
        return await handler(request)
    effects = sim.faults.strike(request.method, request.raw_path)
    if not effects.faults:
        return await handler(request)
    token = EFFECTS.set(effects)
    try:
        before = await _before(sim, effects)
        if before is not None:
            return before
        return await _after(sim, request, await handler(request), effects)
    finally:
        late = effects.first("late_commit")
        if late is not None and not effects.late:
            late.struck -= 1  # it matched a request that wrote nothing
        EFFECTS.reset(token)


async def _before(sim: Simulator, effects: Effects) -> web.StreamResponse | None:
    if effects.first("token_expiry") is not None:
        sim.expire_tokens()
    slow = effects.first("slow")
    if slow is not None and not slow.late:
        await sim.sleep(slow.seconds)
    if effects.first("drop_before") is not None:
        raise _NoAnswer
    fault = effects.first("throttle", "error_before", "html")
    if fault is None:
        return None
    if fault.kind == "html":
        return web.Response(status=fault.status or 200, body=_PAGE, content_type="text/html", charset="utf-8")
    if fault.kind == "throttle":
        answer = _failure(sim, fault, fault.status or 429, "Too many requests.")
        if fault.retry_after is not None:
            seconds = fault.retry_after
            answer.headers["Retry-After"] = str(int(seconds) if seconds == int(seconds) else seconds)
        return answer
    return _failure(sim, fault, fault.status or 500, "Injected failure before processing.")


async def _after(
    sim: Simulator, request: web.Request, answer: web.StreamResponse, effects: Effects
) -> web.StreamResponse:
    slow = effects.first("slow")
    if slow is not None and slow.late:
        await sim.sleep(slow.seconds)
    lost = effects.first("lost_answer")
    if lost is not None:
        raise _NoAnswer
    fault = effects.first("error_after_commit")
    if fault is not None:
        if answer.status < 400:
            return _failure(sim, fault, fault.status or 500, "Injected failure after the commit.")
        fault.struck -= 1  # nothing was committed: let it strike another request
    fault = effects.first("truncate")
    if fault is not None and isinstance(answer, web.Response) and isinstance(answer.body, bytes) and answer.body:
        return await _cut(request, answer, answer.body, fault)
    return answer


async def _cut(request: web.Request, answer: web.Response, body: bytes, fault: Fault) -> web.StreamResponse:
    half = body[: len(body) // 2]
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    if fault.framed:
        return web.Response(status=answer.status, headers=headers, body=half)
    broken = web.StreamResponse(status=answer.status, headers=headers)
    broken.content_length = len(body)
    broken.force_close()
    await broken.prepare(request)
    await broken.write(half)
    if request.transport is not None:
        request.transport.close()
    return broken


def _failure(sim: Simulator, fault: Fault, status: int, message: str) -> web.Response:
    return to_web(sim.fault_answer(status, fault, fault.message or message))


def to_web(answer: SubResponse) -> web.Response:
    """A sub-response as the answer of a request of its own."""
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)


def _size(answer: web.StreamResponse) -> int:
    body = answer.body if isinstance(answer, web.Response) else None
    return len(body) if isinstance(body, (bytes, bytearray)) else answer.body_length if answer.prepared else 0


def _log(sim: Simulator, request: web.Request, status: int, sent: int, seconds: float) -> None:
    received = request.content_length or 0
    path = request.raw_path
    if "=" in path:
        path = _SECRET.sub(r"\1***", path)
    sim.request_log.append(LoggedRequest(request.method, path, status, received, sent, seconds))
    counters = sim.counters
    counters["requests"] += 1
    counters[f"status_{status}" if status else "no_answer"] += 1
    counters["bytes_in"] += received
    counters["bytes_out"] += sent
