"""CPU per request: bare aiohttp, httpx over weft's transport, the whole weft session, and httpx's own pool.

    python benchmarks/transport.py [--requests 4000] [--concurrency 8]

The server runs in its own process, so only the client's CPU time is counted. The floor is bare aiohttp
sending the same requests in the same run; each figure is the best of three rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
from aiohttp import web

from weft.net.session import HttpSession
from weft.net.settings import HttpSettings
from weft.net.transport import AiohttpTransport

BODY = b'{"@odata.context":"c","value":[' + b",".join(
    b'{"Id":"%08d-0000-0000-0000-000000000000","Name":"Adatum","Balance":%d.25}' % (i, i) for i in range(20)
) + b"]}"  # fmt: skip


def serve(pipe: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=BODY, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/data/Customers", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def measure(one: Callable[[], Awaitable[Any]], requests: int, concurrency: int) -> float:
    """Milliseconds of CPU per request."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await one()

    await asyncio.gather(*(worker(5) for _ in range(concurrency)))
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        await asyncio.gather(*(worker(requests // concurrency) for _ in range(concurrency)))
        best = min(best, (time.process_time() - begun) / requests)
    return best * 1000


async def run(port: int, requests: int, concurrency: int) -> None:
    base = f"http://127.0.0.1:{port}/data"
    url = f"{base}/Customers"
    results: dict[str, float] = {}

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as bare:

        async def plain() -> None:
            async with bare.get(url) as answer:
                await answer.read()

        results["bare aiohttp"] = await measure(plain, requests, concurrency)

    async with httpx.AsyncClient(transport=AiohttpTransport(), trust_env=False) as over:
        results["httpx over weft's transport"] = await measure(lambda: over.get(url), requests, concurrency)

    settings = HttpSettings(initial_concurrency=concurrency, max_concurrency=concurrency)
    async with HttpSession(base, settings=settings) as session:

        async def whole() -> None:
            (await session.request("GET", "Customers")).json()

        results["weft session, JSON parsed"] = await measure(whole, requests, concurrency)

    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=concurrency)) as pool:
        results["httpx with its own pool"] = await measure(lambda: pool.get(url), requests, concurrency)

    floor = results["bare aiohttp"]
    print(f"{requests} requests, {concurrency} at a time, {len(BODY)} bytes each")
    for label, cost in results.items():
        print(f"{label:30} {cost:6.3f} ms CPU a request   {cost / floor:5.2f} x bare aiohttp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        asyncio.run(run(ours.recv(), given.requests, given.concurrency))
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
