"""The stage of a demonstration: simulators, a folder, a narrator, and the real ``weft`` command.

A story is a function that takes a :class:`Stage`. It says what happens, lets simulated people act in
the systems, and runs the same commands a user would type; nothing in it reaches past them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from weft.errors import PluginError, WeftError

if TYPE_CHECKING:
    from weft.plugins import Plugins
    from weft.records import Canonical
    from weft.testing.simulator.control_client import ControlClient
    from weft.testing.simulator.serve import Served

WIDTH = 100


class StoryError(WeftError):
    """A command of the story ended otherwise than it should."""


@dataclass
class Stage:
    """Use as a context manager: simulators end with it. ``quiet`` hides what commands print."""

    folder: Path
    plugins: Plugins
    records: int
    _stack: ExitStack = field(default_factory=ExitStack)
    _served: dict[str, Served] = field(default_factory=dict)
    _scene: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # -- telling -----------------------------------------------------------------------------------

    def scene(self, title: str) -> None:
        """A heading."""
        self._scene += 1
        click.echo()
        click.secho(f"{self._scene}. {title}", bold=True)

    def say(self, text: str) -> None:
        """A paragraph of the narrator."""
        for paragraph in textwrap.dedent(text).strip().split("\n\n"):
            click.echo(textwrap.fill(" ".join(paragraph.split()), WIDTH, initial_indent="   ", subsequent_indent="   "))

    # -- systems -----------------------------------------------------------------------------------

    def simulator(self, kind: str, **args: Any) -> str:
        """Start the simulator of a kind in a process of its own; returns its address.

        :raises PluginError: the connector is not installed, or brings no simulator.
        """
        from weft.testing.simulator.serve import serve_in_process

        factory = self.plugins.connector(kind).simulator
        if factory is None:
            raise PluginError(f"the connector {kind!r} brings no simulator")
        served = self._stack.enter_context(serve_in_process(factory, args))
        self._served[kind] = served
        return served.url(kind)

    def url(self, kind: str, name: str) -> str:
        """The address of something that a simulator brings along: its identity provider, say."""
        return self._served[kind].url(name)

    def ca_file(self, kind: str) -> str:
        """The certificate authority of a started simulator."""
        return str(self._served[kind].ca_file)

    def hand(self, kind: str) -> ControlClient:
        """What people do in a system, outside weft's reach: ``hand("bc").command("post", …)``."""
        return self._served[kind].control(kind)

    def look(self, connection: str, entity: str) -> list[Canonical]:
        """All records of an entity as a connection of ``weft.yaml`` shows them."""
        return asyncio.run(self._look(connection, entity))

    async def _look(self, connection: str, entity: str) -> list[Canonical]:
        from weft.config.loading import load
        from weft.records import Query
        from weft.runtime import Runtime
        from weft.state.store import State

        config = load(self.folder / "weft.yaml", self.plugins)
        found: list[Canonical] = []
        with State.open(f"sqlite:///{self.folder / 'look.db'}") as state:
            async with Runtime(config, state, self.plugins) as runtime:
                session = await runtime.session(connection)
                context = runtime.context(connection, entity=entity)
                tables = runtime.tables(connection, "")
                for compiled in runtime.mappings(connection, entity).values():
                    await tables.load(compiled.references())
                    pages = self.plugins.iterate_around(
                        context.kind, "read", ctx=context, session=session, query=Query("scan", compiled.mapping)
                    )
                    async for page in pages:
                        found += [m.canonical for m in compiled.read(page.records, tables) if m.canonical]
        return found

    # -- weft --------------------------------------------------------------------------------------

    def write(self, name: str, text: str) -> None:
        """Write a file into the folder of the demonstration."""
        (self.folder / name).write_text(textwrap.dedent(text).lstrip())

    def secret(self, name: str, text: str) -> None:
        """Write a file for ``${file:name}`` that nobody else may read."""
        (self.folder / name).touch(mode=0o600)
        self.write(name, text)

    def weft(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """Type a weft command: it is shown with what it prints.

        :raises StoryError: its exit code is none of ``expect``.
        """
        click.secho(f"   $ weft {' '.join(_quoted(a) for a in arguments)}", fg="cyan")
        done = self._run(arguments)
        output = done.stdout + (done.stderr if done.returncode not in expect else "")
        click.echo(textwrap.indent(output.rstrip(), "   "))
        if done.returncode not in expect:
            raise StoryError(f"weft {' '.join(arguments)} ended with exit code {done.returncode}")
        return done.stdout

    def data(self, *arguments: str, expect: tuple[int, ...] = (0, 1)) -> Any:
        """What a weft command prints with ``--json``, without showing it."""
        done = self._run((*arguments, "--json"))
        if done.returncode not in expect:
            raise StoryError(f"weft {' '.join(arguments)} ended with exit code {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": str(WIDTH)}
        return subprocess.run(  # noqa: S603 - this interpreter, the story's own arguments
            [sys.executable, "-m", "weft.cli", *arguments], cwd=self.folder, env=environment, text=True,
            capture_output=True, check=False,
        )  # fmt: skip


def _quoted(argument: str) -> str:
    return argument if argument.replace("-", "").replace("_", "").replace("=", "").isalnum() else f"'{argument}'"
