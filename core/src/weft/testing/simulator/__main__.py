"""``python -m weft.testing.simulator package.module:factory``: serve until standard input closes.

Prints one JSON line when ready: ``{"urls": {name: url}, "ca_file": …, "control_url": …}``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import sys
import threading
from typing import Any

import orjson

from weft.testing.simulator.base import Simulator
from weft.testing.simulator.serve import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m weft.testing.simulator", description=__doc__)
    parser.add_argument("factory", help="package.module:function that answers a Simulator or a list of them")
    parser.add_argument("--args", default="{}", help="JSON object of keyword arguments for the factory")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--no-tls", action="store_true", help="plain HTTP")
    options = parser.parse_args()
    try:
        args = orjson.loads(options.args)
    except orjson.JSONDecodeError as error:
        parser.error(f"--args is no JSON: {error}")
    if not isinstance(args, dict):
        parser.error("--args must be a JSON object")
    sims = _made(parser, options.factory, args)
    asyncio.run(_serve(sims, not options.no_tls, options.host, options.port))
    return 0


def _made(parser: argparse.ArgumentParser, factory: str, args: dict[str, Any]) -> list[Simulator]:
    module, colon, name = factory.partition(":")
    if not colon:
        parser.error(f"{factory!r} is not package.module:function")
    made = getattr(importlib.import_module(module), name)(**args)
    return [made] if isinstance(made, Simulator) else list(made)


async def _serve(sims: list[Simulator], tls: bool, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            continue
        loop.call_soon_threadsafe(end.set)

    async with serve(*sims, tls=tls, host=host, port=port) as served:
        told = {"urls": served.urls, "ca_file": served.ca_file, "control_url": served.control_url}
        sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
        sys.stdout.buffer.flush()
        threading.Thread(target=watch, daemon=True).start()
        await end.wait()


if __name__ == "__main__":
    sys.exit(main())
