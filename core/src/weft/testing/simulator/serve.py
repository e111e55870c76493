"""Run simulators: in this event loop, in a thread, or in a process of their own."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson
from aiohttp import web, web_app

from weft.testing.simulator.base import Simulator
from weft.testing.simulator.control import control_routes
from weft.testing.simulator.control_client import ControlClient
from weft.testing.simulator.middleware import make_middleware

T = TypeVar("T")

Factory = Callable[..., "Simulator | list[Simulator]"]

_LONGEST_LINE = 64 * 1024


class Served:
    """Simulators being served, each on a port of its own."""

    def __init__(self, urls: Mapping[str, str], ca_file: str | None) -> None:
        self.urls = dict(urls)
        """name -> base URL."""
        self.ca_file = ca_file
        """PEM file of the throw-away CA; None without TLS."""
        self.control_url = f"{next(iter(self.urls.values()))}/_control"
        """Reaches all of them: ``{control_url}/{sim name}/…``."""

    def url(self, sim: Simulator | str) -> str:
        """Base URL of a simulator (object or name), without a slash at the end. Raises KeyError."""
        return self.urls[sim if isinstance(sim, str) else sim.name]

    def control(self, sim: Simulator | str) -> ControlClient:
        """A blocking client of the control endpoint, for use outside the simulators' loop."""
        return ControlClient(self.control_url, sim if isinstance(sim, str) else sim.name, self.ca_file)


class ThreadServed(Served):
    """As :class:`Served`; the simulators live in another thread's event loop."""

    def __init__(self, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(served.urls, served.ca_file)
        self._loop = loop

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await ``work()`` in the simulators' loop and return its result."""

        async def call() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(timeout=60)

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work()`` in the simulators' loop, between requests, and return its result."""

        async def call() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(timeout=60)


@asynccontextmanager
async def serve(*sims: Simulator, tls: bool = True, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Served]:
    """``async with serve(a, b) as served:``. ``port`` is of the first, the others get any free one. Names must
    differ. Raises OSError when the port is taken."""
    by_name = {sim.name: sim for sim in sims}
    if not sims or len(by_name) != len(sims):
        raise ValueError("serve() needs simulators of different names")
    async with AsyncExitStack() as stack:
        stack.callback(_forget_handlers)
        context, ca_file = None, None
        if tls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-sim-"))
            context, ca_file = _certificates(host, Path(folder))
        urls: dict[str, str] = {}
        for sim in sims:
            runner = web.AppRunner(
                _app(sim, by_name),
                access_log=None,
                shutdown_timeout=1.0,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, host, port if not urls else 0, ssl_context=context).start()
            shown = f"[{host}]" if ":" in host else host
            sim.base_url = f"{'https' if tls else 'http'}://{shown}:{runner.addresses[0][1]}"
            sim.ca_file = ca_file
            urls[sim.name] = sim.base_url
        for sim in sims:
            await sim.start()
            stack.push_async_callback(sim.stop)
        yield Served(urls, ca_file)


def _forget_handlers() -> None:
    """aiohttp keeps the last thousand handlers that middleware was put around, and so every simulator behind them."""
    kept = getattr(web_app, "_cached_build_middleware", None)
    if kept is not None:
        kept.cache_clear()


def _app(sim: Simulator, by_name: Mapping[str, Simulator]) -> web.Application:
    app = web.Application(middlewares=[make_middleware(sim)], client_max_size=sim.settings.max_body)
    app.add_routes([*control_routes(by_name), *sim.routes()])
    return app


def _certificates(host: str, folder: Path) -> tuple[ssl.SSLContext, str]:
    import trustme  # only with TLS, and only installed with weft[testing]

    authority = trustme.CA(organization_name="weft simulators")
    names = dict.fromkeys([host, "localhost", "127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return context, str(ca_file)


@contextmanager
def serve_in_thread(
    *sims: Simulator, tls: bool = True, host: str = "127.0.0.1", port: int = 0
) -> Iterator[ThreadServed]:
    """``with serve_in_thread(a) as served:``: own loop in a thread, for synchronous tests. Touch the simulators
    through ``served.call``/``served.run`` or ``served.control``."""
    ready: list[ThreadServed] = []
    failed: list[BaseException] = []
    signal = threading.Event()
    stop: list[Callable[[], object]] = []

    async def main() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        async with serve(*sims, tls=tls, host=host, port=port) as served:
            ready.append(ThreadServed(served, loop))
            signal.set()
            await end.wait()

    def body() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # handed to the caller's thread below
            failed.append(error)
        finally:
            signal.set()

    thread = threading.Thread(target=body, name="weft-simulators", daemon=True)
    thread.start()
    signal.wait()
    if failed:
        raise failed[0]
    try:
        yield ready[0]
    finally:
        if thread.is_alive():
            stop[0]()
        thread.join(timeout=30)
    if failed:
        raise failed[0]


@contextmanager
def serve_in_process(
    factory: str,
    args: Mapping[str, Any] | None = None,
    *,
    tls: bool = True,
    host: str = "127.0.0.1",
    port: int = 0,
    timeout: float = 60.0,
) -> Iterator[Served]:
    """``factory``: ``package.module:function``, called with ``args`` (JSON) as keywords, answers a Simulator or a
    list of them. The process sees this one's ``sys.path``; it ends when this context does, or when this process
    dies. Raises RuntimeError with its error output when it does not start."""
    command = [sys.executable, "-m", "weft.testing.simulator", factory, "--host", host, "--port", str(port)]
    command += ["--args", orjson.dumps(dict(args or {})).decode(), *([] if tls else ["--no-tls"])]
    path = os.pathsep.join(item for item in sys.path if item)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, fixed arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        try:
            line = _first_line(process, timeout)
            if not line:
                process.kill()
                process.wait()
                errors.seek(0)
                text = errors.read().decode("utf-8", "replace").strip()
                raise RuntimeError(f"the simulator process for {factory} did not start: {text or 'no output'}")
            told = orjson.loads(line)
            yield Served(told["urls"], told["ca_file"])
        finally:
            _end(process)


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    """The line that tells the URLs; b"" if the process ends or is silent for too long."""
    found: list[bytes] = []
    pipe: IO[bytes] | None = process.stdout
    assert pipe is not None
    reader = threading.Thread(target=lambda: found.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(timeout)
    return found[0] if found else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
