"""The floor: a bare loop over weft's transport and orjson that sends what weft has sent.

Same requests in the same order, as many at once as weft had under way when it sent each of them. Every body
is written, and every answer read and parsed, with orjson; nothing is done with the answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import orjson

from benchmarks.recording import Recording, Sent
from weft.net.transport import AiohttpTransport

CREDENTIALS = ("authorization", "cookie", "bpmcsrf")
DERIVED = ("host", "content-length", "connection")


@dataclass(slots=True)
class Floor:
    """``seconds`` of wall time, ``cpu`` seconds of this process, ``latencies`` in seconds; ``differing`` counts
    answers whose status is another than weft was given."""

    seconds: float
    cpu: float
    bytes: int
    differing: int
    latencies: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Ready:
    origin: str
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: object
    in_flight: int
    status: int


async def replay(
    recording: Recording,
    origins: Mapping[str, str],
    credentials: Mapping[str, list[tuple[str, str]]],
    ca_files: Mapping[str, str],
) -> Floor:
    """``origins``: where weft sent its requests -> where these go. ``credentials`` (headers) and ``ca_files``
    go by the new origin."""
    ready = [_ready(one, origins, credentials) for one in recording.requests]
    async with AsyncExitStack() as stack:
        clients: dict[str, httpx.AsyncClient] = {}
        for origin in dict.fromkeys(origins.values()):
            transport = AiohttpTransport(ca_file=ca_files[origin])
            client = httpx.AsyncClient(transport=transport, trust_env=False, timeout=600)
            clients[origin] = await stack.enter_async_context(client)
            await client.get(origin)  # the connection is up, as weft's is
        running: set[asyncio.Task[None]] = set()
        result = Floor(0.0, 0.0, 0, 0)
        begun, cpu = time.perf_counter(), time.process_time()
        for one in ready:
            while len(running) >= one.in_flight:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if one.in_flight == 1:
                await _send(clients[one.origin], one, result)
            else:
                running.add(asyncio.create_task(_send(clients[one.origin], one, result)))
        if running:
            await asyncio.wait(running)
        result.seconds, result.cpu = time.perf_counter() - begun, time.process_time() - cpu
    return result


async def _send(client: httpx.AsyncClient, one: _Ready, result: Floor) -> None:
    begun = time.perf_counter()
    content = None if one.body is None else one.body if isinstance(one.body, bytes) else orjson.dumps(one.body)
    answer = await client.request(one.method, one.url, headers=one.headers, content=content)
    if "json" in answer.headers.get("content-type", "") and answer.content:
        orjson.loads(answer.content)
    result.bytes += len(answer.content)
    result.differing += answer.status_code != one.status
    result.latencies.append(time.perf_counter() - begun)


def _ready(sent: Sent, origins: Mapping[str, str], credentials: Mapping[str, list[tuple[str, str]]]) -> _Ready:
    old = next(origin for origin in origins if sent.url.startswith(origin))
    new = origins[old]
    headers = [(n, v) for n, v in sent.headers if n.lower() not in (*CREDENTIALS, *DERIVED)]
    body: object = None
    if sent.body:
        text = sent.body.replace(old.encode(), new.encode())
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            body = text  # multipart or a form
    url = new + sent.url[len(old) :]
    return _Ready(new, sent.method, url, headers + credentials[new], body, sent.in_flight, sent.status)
