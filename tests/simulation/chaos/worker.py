"""One worker of the chaos test: ``python worker.py STATE SOCKET SEED``. Stops itself now and then between the
check of its lease and the send."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from systems import CRM, ERP, Remote

from weft import hookimpl
from weft.config.loading import load_text
from weft.errors import EndpointDown
from weft.jobs.daemon import Daemon
from weft.jobs.dbos_queue import DbosQueue
from weft.plugins import Plugins
from weft.records import Error, Outcome
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync import portions
from weft.testing.memory import MemorySession, MemorySystem

STOPS = 0.02
portions.FEW = portions.SIZE = 5  # so that the first load is shared, too
CALM = Path(sys.argv[2]).with_name("calm") if len(sys.argv) > 2 else Path()
"""Once it is there, no worker stops itself any more."""
CONFIG = """
state: {state}
connections:
  crm: {{kind: memcrm}}
  erp: {{kind: memerp}}
jobs: {{poll: 50ms, lease: 2s, drain: 5s}}
limits: {{concurrency: 6}}
flows:
  customers:
    entity: customer
    between: [crm, erp]
    owner: crm
    every: 2s
    sweep: 10s
    batch: 5
    retry: {{backoff: 1s, longest: 2s, attempts: 100}}
"""


class Served(MemorySystem):
    """The connector, its system elsewhere."""

    def __init__(self, maps: str, side: str, remote: Remote, rng: random.Random) -> None:
        super().__init__([], maps, title=side)
        self.side, self.remote, self.rng = side, remote, rng

    @hookimpl
    @asynccontextmanager
    async def weft_open(self, ctx: Any) -> AsyncIterator[MemorySession]:
        yield MemorySession("weft")

    @hookimpl
    async def weft_read(self, ctx: Any, query: Any) -> AsyncIterator[Any]:
        try:
            async for page in self.remote.pages(self.side, query):
                yield page
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            raise EndpointDown(f"{self.side}: {error!r}") from error

    @hookimpl
    async def weft_write(self, session: Any, items: Sequence[Any], intents: Any) -> AsyncIterator[Outcome]:
        for item in items:
            await intents.still_mine()
            if self.rng.random() < STOPS and not CALM.exists():
                os.kill(os.getpid(), signal.SIGSTOP)  # until somebody lets it go on, long after its lease
            try:
                yield await self.remote.write(self.side, item)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                yield Outcome(item.id, "in_doubt", error=Error("endpoint", repr(error)))


async def main(state_url: str, socket: str, seed: str) -> None:
    rng = random.Random(seed)
    remote = Remote(socket)
    plugins = Plugins()
    plugins.register("memcrm", Served(CRM, "left", remote, rng))
    plugins.register("memerp", Served(ERP, "right", remote, rng))
    config = load_text(CONFIG.format(state=state_url), "weft.yaml", plugins)
    with State.open(state_url) as state:
        async with Runtime(config, state, plugins) as runtime:
            daemon = Daemon(runtime, DbosQueue(state, config.jobs))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, daemon.stop)
            await daemon.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main(*sys.argv[1:]))
