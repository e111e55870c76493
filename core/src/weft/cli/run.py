"""``weft run``: the daemon."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from weft.cli import console
from weft.cli.beside import services
from weft.cli.context import App
from weft.cli.extras import extra

if TYPE_CHECKING:
    from weft.config.flows import FlowConfig
    from weft.jobs.daemon import Daemon


@click.command("run")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep all flows in agreement until stopped.

    Flows run by `every`, `cron` and what systems push; whatever waits for something is looked at when its time
    comes. On PostgreSQL any number of machines may run this at once. SIGTERM or Ctrl-C lets what is under way
    end; a second one cuts it off, which loses nothing.
    """
    app = ctx.find_object(App) or App()
    app.quiet = False
    app.flows(())
    app.run(_run(app))


async def _run(app: App) -> None:
    with extra("daemon"):
        from weft.jobs.daemon import Daemon
        from weft.jobs.dbos_queue import DbosQueue
        from weft.jobs.hooks import Receiver
    from weft.telemetry.measuring import measuring

    with app.acting(create=True) as state:
        async with app.runtime(state) as runtime, measuring(runtime) as metrics:
            daemon = Daemon(runtime, DbosQueue(state, app.config.jobs))
            receiver = Receiver(runtime, daemon.wake)
            daemon.services = services(runtime, metrics, receiver.receive, daemon.problem)
            with _signals(daemon):
                console.note(f"weft starts on {state.place}; Ctrl-C stops it")
                for name in _left_alone(app.config.flows):
                    console.note(f"{name} has no every, cron or on: it only runs when asked to, as by weft sync {name}")
                await daemon.run()


def _left_alone(flows: Mapping[str, FlowConfig]) -> list[str]:
    """Flows that never run by themselves."""
    from weft.sync.schedule import scheduled

    return [name for name, config in flows.items() if config.enabled and not scheduled(config)]


class _signals:
    """The first signal drains the daemon, the second one ends it at once."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._task = asyncio.current_task()
        self._seen = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    def _received(self) -> None:
        if self._seen and self._task is not None:
            self._task.cancel()
        self._seen = True
        self._daemon.stop()
