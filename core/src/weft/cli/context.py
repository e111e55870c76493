"""What every command works with: the configuration, the plugins, the state, a runtime."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from weft.errors import ConfigError, NoState

if TYPE_CHECKING:
    from pydantic import BaseModel

    from weft.cli.remote import Remote
    from weft.config.loading import Config
    from weft.desk.action import Action
    from weft.net.secrets import Redactor
    from weft.plugins import Plugins
    from weft.runtime import Runtime
    from weft.state.store import State

T = TypeVar("T")
W = TypeVar("W", bound="BaseModel")
D = TypeVar("D", bound="BaseModel")


@dataclass
class App:
    """One call of the command. Tests hand in ``given_plugins`` and a ``clock``."""

    config_path: Path = Path("weft.yaml")
    log_level: str | None = None
    debug: bool = False
    given_plugins: Plugins | None = None
    clock: Any = None
    quiet: bool = True
    """Whether what is on the screen tells what was done, so that a log there starts at warnings."""
    _log: logging.Handler | None = None

    @cached_property
    def redactor(self) -> Redactor:
        """Knows every secret that was looked up, and masks it."""
        from weft.net.secrets import Redactor

        return Redactor()

    def now(self) -> datetime:
        now: datetime = self.clock.now() if self.clock is not None else datetime.now(UTC)
        return now

    # -- plugins -----------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        """Names of the installed plugins; none of them is imported."""
        if self.given_plugins is not None:
            return sorted(self.given_plugins.loaded)
        from importlib.metadata import entry_points

        return sorted({point.name for point in entry_points(group="weft")})

    def plugins(self, only: set[str] | None = None) -> Plugins:
        """The plugins of these kinds (None: all), loaded."""
        if self.given_plugins is not None:
            return self.given_plugins
        from weft.plugins import Plugins

        return Plugins.discover(only)

    # -- configuration -----------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """The configuration, read and checked.

        :raises InvalidConfig: with every mistake.
        """
        from weft.config.loading import load

        config = load(self.config_path, self.given_plugins)
        self._log_to(config)
        return config

    def flows(self, names: tuple[str, ...]) -> list[str] | None:
        """The flows named, checked; None for all.

        :raises ConfigError: an unknown flow, with the nearest name.
        """
        for name in names:
            self.config.flow(name)
        if not names and not self.config.flows:
            raise ConfigError(f"{self.config_path}: no flows are declared under flows:")
        return list(names) or None

    def _log_to(self, config: Config) -> None:
        """Log as the configuration says, once."""
        if self._log is None:
            from weft.telemetry import logs

            level = self.log_level or (None if self.quiet else config.log.level)
            self._log = logs.start(config.log, config.folder, self.redactor, level=level, debug=self.debug)

    def close(self) -> None:
        """Take the log's handler away again."""
        if self._log is not None:
            from weft.telemetry import logs

            logs.stop(self._log)
            self._log = None

    # -- state -------------------------------------------------------------------------------------

    @cached_property
    def state_url(self) -> str:
        from weft.config.secrets import state_url

        return state_url(self.config, redactor=self.redactor)

    def has_state(self) -> bool:
        """Whether the state exists already.

        :raises StateError: a database server does not answer.
        """
        from weft.state.place import parse

        path = parse(self.state_url).path
        if path is not None:
            return path.exists()
        try:
            with self.reading():
                return True
        except NoState:
            return False

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The state for looking at, also while another process acts on it.

        :raises StateError: there is none yet, or it cannot be opened.
        """
        from weft.state.store import State

        with State.open(self.state_url, create=False, exclusive=False) as state:
            yield state

    @contextmanager
    def acting(self, *, create: bool = False) -> Iterator[State]:
        """The state for changing it; on SQLite nobody else may be acting then.

        :raises StateError: naming the process that has it.
        """
        from weft.state.store import State

        with State.open(self.state_url, create=create, exclusive=True) as state:
            yield state

    def act(self, action: Action[W, D], wanted: W, *, create: bool = False) -> D:
        """Do what the person at the terminal has decided; a daemon that holds the state does it for them.

        :raises StateError: on SQLite, naming another process that has the state.
        """
        daemon = self.daemon()
        if daemon is not None:
            return daemon.act(action, wanted)
        return self.run(self._act(action, wanted, create))

    def daemon(self) -> Remote | None:
        """The daemon that holds a SQLite state, if one does; on PostgreSQL everybody may act."""
        from weft.cli.remote import Remote
        from weft.state.place import parse

        return Remote.find(parse(self.state_url).path, user())

    def carried_out(self) -> str:
        """Who does what was decided, as the end of a sentence."""
        with self.reading() as state, state.begin(writes=False) as tx:
            up = any(worker.carries_jobs for worker in tx.workers.alive())
        return "by weft run, which is up" if up else "by the next weft sync"

    async def _act(self, action: Action[W, D], wanted: W, create: bool) -> D:
        from weft.desk.desk import Desk
        from weft.runtime import SystemClock

        with self.acting(create=create) as state:
            async with AsyncExitStack() as stack:
                made: list[Runtime] = []

                def runtime() -> Runtime:
                    if not made:
                        made.append(self.make_runtime(state))
                        stack.push_async_exit(made[0])
                    return made[0]

                later: list[Coroutine[Any, Any, None]] = []
                desk = Desk(self.config, state, user(), self.clock or SystemClock(), runtime, later.append)
                done = await action.run(desk, wanted)
                for work in later:
                    await work
                return done

    # -- running -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def runtime(self, state: State) -> AsyncIterator[Runtime]:
        """A runtime over an open state; its sessions are closed at the end."""
        async with self.make_runtime(state) as runtime:
            yield runtime

    def make_runtime(self, state: State) -> Runtime:
        from weft.runtime import Runtime, SystemClock

        plugins = self.plugins(self.config.kinds())
        return Runtime(self.config, state, plugins, clock=self.clock or SystemClock(), redactor=self.redactor)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        import asyncio

        from weft.collector import rare_collections

        with rare_collections():
            return asyncio.run(work)


def user() -> str:
    """Who is at the terminal, for the record of what was decided."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
