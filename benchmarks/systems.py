"""Two simulated systems in processes of their own, and weft between them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx

from weft.collector import rare_collections
from weft.config.loading import load_text
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync import first
from weft.sync.flow import Flow, build
from weft.testing.simulator import serve_in_process
from weft.testing.simulator.control_client import ControlClient


@dataclass(slots=True)
class Served:
    """Both systems, running. ``origins``: scheme, host and port of each, left first; ``ca_files`` go with them."""

    connections: str
    origins: list[str]
    ca_files: list[str]
    controls: list[ControlClient]

    def edit(self, count: int | None = None) -> dict[str, list[str]]:
        """Let people change 2 % of the records on each side, or so many of them; the keys, by side."""
        changed: dict[str, list[str]] = {"left": [], "right": []}
        for control in self.controls:
            for side, keys in control.command("edit_some", count=count).items():
                changed[side] += keys
        return changed


class BusinessCentralPair:
    """Two companies of one Business Central environment."""

    title = "Business Central - Business Central"
    plugins = ("bc",)
    connections = ("crm", "erp")
    twins = True
    """Both sides can be filled with the same records."""

    @contextmanager
    def serve(self, left: int, right: int) -> Iterator[Served]:
        from weft_bc.simulator.server import CLIENT_ID, CLIENT_SECRET
        from weft_bc.simulator.settings import Settings

        with serve_in_process(
            "benchmarks.factories:business_central", {"left": left, "right": right}, timeout=300
        ) as s:
            url, tenant = s.url("bc"), Settings().tenant
            text = "".join(
                f"  {name}: {{kind: bc, url: '{url}', authority: '{url}/{{tenant}}', tenant: {tenant}, "
                f"company: {company}, ca_file: '{s.ca_file}', auth: {{client_id: {CLIENT_ID}, "
                f"client_secret: {CLIENT_SECRET}}}}}\n"
                for name, company in zip(self.connections, ("Left", "Right"), strict=True)
            )
            yield Served(text, [url, url], [str(s.ca_file)] * 2, [s.control("bc")])


class CreatioPair:
    """A Creatio site on the left, a Business Central company on the right; each in a process of its own."""

    title = "Creatio - Business Central"
    plugins = ("creatio", "bc")
    connections = ("crm", "erp")
    twins = False

    @contextmanager
    def serve(self, left: int, right: int) -> Iterator[Served]:
        if right:
            raise ValueError("only the Creatio side of this pair can be filled beforehand")
        from weft_bc.simulator.server import CLIENT_ID, CLIENT_SECRET
        from weft_bc.simulator.settings import Settings

        with ExitStack() as stack:
            crm = stack.enter_context(serve_in_process("benchmarks.factories:creatio", {"records": left}, timeout=600))
            args = {"left": 0, "right": 0}
            erp = stack.enter_context(serve_in_process("benchmarks.factories:business_central", args))
            crm_url, erp_url, tenant = crm.url("creatio"), erp.url("bc"), Settings().tenant
            text = (
                f"  crm: {{kind: creatio, url: '{crm_url}', ca_file: '{crm.ca_file}', "
                "auth: {username: Supervisor, password: Supervisor}}\n"
                f"  erp: {{kind: bc, url: '{erp_url}', authority: '{erp_url}/{{tenant}}', tenant: {tenant}, "
                f"company: Right, ca_file: '{erp.ca_file}', auth: {{client_id: {CLIENT_ID}, "
                f"client_secret: {CLIENT_SECRET}}}}}\n"
            )
            controls = [crm.control("creatio"), erp.control("bc")]
            yield Served(text, [crm_url, erp_url], [str(crm.ca_file), str(erp.ca_file)], controls)


Pair = BusinessCentralPair | CreatioPair
PAIRS: dict[str, type[BusinessCentralPair] | type[CreatioPair]] = {"creatio": CreatioPair, "bc": BusinessCentralPair}

CONFIG = """
state: sqlite:///{state}
connections:
{connections}
flows:
  customers: {{entity: customer, between: [crm, erp], owner: crm, guards: {{}}}}
"""


@asynccontextmanager
async def weft(pair: Pair, served: Served, state: Path, *, one_by_one: bool = False) -> AsyncIterator[Runtime]:
    """weft between both systems, signed in and with metadata read, as a running daemon is. ``one_by_one``:
    one page and one request at a time, so that what it sends has one order."""
    plugins = Plugins.discover(only=list(pair.plugins))
    if plugins.failed:
        raise SystemExit(f"a connector cannot be loaded: {plugins.failed}")
    text = CONFIG.format(state=state, connections=served.connections)
    config = load_text(text, "weft.yaml", plugins)
    pages = 1 if one_by_one else first.AT_ONCE
    with patch.object(first, "AT_ONCE", pages), rare_collections(), State.open(f"sqlite:///{state}") as opened:
        log = logging.getLogger("weft")
        log.setLevel(logging.ERROR)
        async with Runtime(config, opened, plugins, log=log) as runtime:
            for name in pair.connections:
                session = await runtime.session(name)
                await session.metadata()
                if one_by_one:
                    session.http.limiter.allow(1)
            yield runtime


async def flow_of(runtime: Runtime) -> Flow:
    return await build(runtime, "customers")


async def credentials(runtime: Runtime, pair: Pair) -> Mapping[str, list[tuple[str, str]]]:
    """By origin, the headers that prove who weft is, taken from its sessions."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in pair.connections:
        http: Any = (await runtime.session(name)).http
        request: httpx.Request = http.client.build_request("GET", http.base_url)
        http.auth.apply(request)
        parts = urlsplit(http.base_url)
        found[f"{parts.scheme}://{parts.netloc}"] = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() in ("authorization", "cookie", "bpmcsrf")
        ]
    return found
