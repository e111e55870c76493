"""Listening: on the configured address, and on the control socket beside a SQLite state."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from weft.errors import ConfigError
from weft.server.app import make_app, make_control
from weft.server.site import Receive, Site
from weft.state.place import control_socket

if TYPE_CHECKING:
    from weft.runtime import Runtime

PATIENCE = 5
"""Seconds that requests under way may take to end when the server stops."""


@dataclass(frozen=True, slots=True)
class Listening:
    """``url`` is None where the server is switched off, ``socket`` where there is no control socket."""

    site: Site
    url: str | None
    socket: Path | None


@asynccontextmanager
async def serve(
    runtime: Runtime, *, receive: Receive | None = None, routes: Sequence[BaseRoute] = ()
) -> AsyncIterator[Listening]:
    """Serve until the context ends. ``receive`` takes webhooks; ``routes`` are served beside weft's own.

    :raises ConfigError: the address is in use or not this machine's, the certificate cannot be read, a
        token's secret is missing.
    """
    config = runtime.config.server
    site = Site(runtime, config, receive)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(site.close)
        url = control = None
        if config.enabled:
            listener = stack.enter_context(_listener(site))
            await stack.enter_async_context(_served(site, make_app(site, routes), listener, tls=True))
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            url = f"{'https' if config.tls else 'http'}://{shown}:{port}"
            site.log.info("listening on %s", config.public_url or url)
        if runtime.state.path is not None and hasattr(socket, "AF_UNIX"):
            path = control_socket(runtime.state.path)
            with _control(site, path) as opened:
                if opened is not None:
                    control = path
                    await stack.enter_async_context(_served(site, make_control(site), opened))
                yield Listening(site, url, control)
                await stack.aclose()
            return
        yield Listening(site, url, control)


@contextmanager
def _listener(site: Site) -> Iterator[socket.socket]:
    config = site.config
    where = site.runtime.config.where("server", "listen", value=True)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((config.host, config.port))
        opened.listen(256)
        yield opened
    except OSError as error:
        raise ConfigError(
            f"{where}: server.listen: {config.listen}: {error.strerror}; choose another address or port"
        ) from None
    finally:
        opened.close()


@contextmanager
def _control(site: Site, path: Path) -> Iterator[socket.socket | None]:
    """The socket, readable by the daemon's user alone. A file that is there is a dead daemon's: whoever
    holds the state's lock is the only one that may listen."""
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        opened.bind(str(path))
        opened.listen(16)
    except OSError as error:
        opened.close()
        site.log.warning("the command line cannot act while weft runs: %s: %s", path, error.strerror or str(error))
        os.umask(before)
        yield None
        return
    os.umask(before)
    try:
        yield opened
    finally:
        opened.close()
        with suppress(OSError):
            path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Signals are the daemon's affair; ``up`` is set once it accepts."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _served(site: Site, app: ASGIApp, listener: socket.socket, *, tls: bool = False) -> AsyncIterator[None]:
    server = _Server(_config(site, app, tls=tls))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait([up, task], return_when=asyncio.FIRST_COMPLETED)
    if not server.up.is_set():
        up.cancel()
        await task
        raise ConfigError("the server ended at once; its log says why")
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _config(site: Site, app: ASGIApp, *, tls: bool) -> uvicorn.Config:
    config = site.config
    more: dict[str, Any] = {}
    if tls and config.tls is not None:
        folder = site.runtime.config.folder
        certificate, key = (folder / Path(name).expanduser() for name in (config.tls.certificate, config.tls.key))
        more = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    made = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        proxy_headers=bool(config.proxies) and tls, forwarded_allow_ips=config.proxies or None,
        timeout_keep_alive=15, timeout_graceful_shutdown=PATIENCE, **more,
    )  # fmt: skip
    try:
        made.load()
    except OSError as error:  # ssl.SSLError is one
        where = site.runtime.config.where("server", "tls")
        words = error.strerror or str(error)
        raise ConfigError(f"{where}: server.tls: {error.filename or 'the certificate'}: {words}") from None
    return made
