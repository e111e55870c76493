from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FakeClock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
async def serve(server_tls: ssl.SSLContext) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """`await serve({"GET /path": handler}, tls=False)` -> base URL."""
    runners: list[web.AppRunner] = []

    async def start(routes: dict[str, Callable[..., Awaitable[web.StreamResponse]]], *, tls: bool = False) -> str:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        for route, handler in routes.items():
            method, path = route.split(" ")
            app.router.add_route(method, path, handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls if tls else None).start()
        port = runner.addresses[0][1]
        return f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def serve_raw(server_tls: ssl.SSLContext) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """A TCP server for answers no web framework would give: `await serve_raw(handler)` -> base URL."""
    servers: list[asyncio.Server] = []

    async def start(handler: Handler, *, tls: bool = False) -> str:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=server_tls if tls else None)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().splitlines():
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + (await reader.readexactly(length) if length else b"")


@pytest.fixture
def read_request() -> Callable[[asyncio.StreamReader], Awaitable[bytes]]:
    return _read_request
