"""The systems' side of the pipe: serves one forked process until it ends, or is killed."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness import child
from harness.child import Asked, Engine, Told
from harness.killing import KILLED
from harness.pair import SETTLE, Late, Pair, carry_out, lose

from weft.errors import EndpointDown
from weft.records import Item, Query


class Broken(AssertionError):
    """The engine's process failed in a way no fault explains."""


class _Direct:
    """A pipe to nowhere: requests are answered at once."""

    def __init__(self, server: Server) -> None:
        self._server, self._answer = server, None

    def send(self, message: Any) -> None:
        at, request = message
        clock = self._server.pair.clock
        clock.at = max(clock.at, at)
        self._answer = (clock.at, *self._server._answer(request))

    def recv(self) -> Any:
        return self._answer


class _Unguarded:
    """Intents as the far end needs them: the engine's own have been asked already."""

    async def still_mine(self) -> None:
        return None


@dataclass
class Server:
    """Serves requests; ``before`` is called ahead of each with its number, for what people do meanwhile."""

    pair: Pair
    folder: Path
    engine: Engine
    rng: random.Random
    late_chance: float = 0.0
    pending: list[Late] = field(default_factory=list)
    struck: int = 0
    requests: int = 0
    before: Callable[[int], None] = lambda number: None

    def run(self, asked: Asked) -> Told | None:
        """One process, start to end; None when it was killed on the way."""
        ours, theirs = Pipe()
        process = os.fork()
        if process == 0:
            ours.close()
            child.run(theirs, self.engine, self.folder, asked)
        theirs.close()
        told: Told | None = None
        broken = ""
        try:
            while True:
                try:
                    at, request = ours.recv()
                except EOFError:
                    break
                self.pair.clock.at = max(self.pair.clock.at, at)
                if request[0] == "told":
                    told = request[1]
                    continue
                if request[0] == "broken":
                    broken = request[1]
                    continue
                answer, error = self._answer(request)
                try:
                    ours.send((self.pair.clock.at, answer, error))
                except BrokenPipeError:
                    break
        finally:
            ours.close()
            _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        if broken or code not in (0, KILLED):
            raise Broken(f"the process ended with {code}\n{broken}")
        return told

    def writes(self) -> int:
        """How many writes have been carried out so far."""
        return sum(len(system.writes) for system in self.pair.systems.values())

    @contextmanager
    def calm(self) -> Iterator[None]:
        """No faults inside."""
        kept = {side: system.faults for side, system in self.pair.systems.items()}
        for system in self.pair.systems.values():
            system.faults = []
        yield
        for side, system in self.pair.systems.items():
            system.faults = kept[side]

    def heal(self) -> None:
        """No faults from here on."""
        for system in self.pair.systems.values():
            system.faults.clear()
        self.late_chance = 0

    def run_here(self, asked: Asked) -> Told:
        """Without a process of its own, and so without kills: to warm up what forks inherit."""
        return child.work(_Direct(self), self.engine, self.folder, asked)

    # -- requests ----------------------------------------------------------------------------------

    def _answer(self, request: tuple[Any, ...]) -> tuple[Any, Any]:
        self.requests += 1
        self.come_through(self.requests)
        self.before(self.requests)
        what, side, *rest = request
        faults = self._faults()
        try:
            answer = self._read(side, *rest) if what == "read" else self._write(side, *rest)
        except EndpointDown as error:
            self.struck += 1
            return None, ("down", str(error), error.retry_after)
        except RuntimeError as error:
            self.struck += 1
            return None, ("crash", str(error), None)
        self.struck += self._faults() != faults
        return answer, None

    def _faults(self) -> list[int]:
        return [fault.times for system in self.pair.systems.values() for fault in system.faults]

    def _read(self, side: str, size: int, query: Query) -> list[Any]:
        system = self.pair.systems[side]
        whole = replace(query, mapping=self._document(side, query.mapping))
        settings = SimpleNamespace(settings=SimpleNamespace(page_size=size))
        return _drain(system.weft_read(settings, whole))

    def _write(self, side: str, item: Item) -> Any:
        system = self.pair.systems[side]
        whole = replace(item, mapping=self._document(side, item.mapping))
        if self.late_chance and self.rng.random() < self.late_chance:
            self.struck += 1
            until = self.pair.clock.at + timedelta(seconds=SETTLE * 0.8)
            self.pending.append(Late(side, whole, self.requests + self.rng.randint(1, 30), until))
            return lose(self.rng, item)
        outcomes = _drain(system.weft_write(SimpleNamespace(identity="weft"), [whole], _Unguarded()))
        return outcomes[0]

    def _document(self, side: str, name: Any) -> Any:
        entity, variant = name
        documents = self.pair.systems[side].documents
        return next(one for one in documents if (one.entity, one.variant) == (entity, variant))

    # -- late writes -------------------------------------------------------------------------------

    def come_through(self, number: int | None) -> None:
        """Carry out late writes that are due (None: all of them)."""
        for late in [one for one in self.pending if number is None or one.due <= number]:
            self.pending.remove(late)
            carry_out(self.pair.systems[late.side], late.item)

    def wait(self, seconds: float) -> None:
        """Time passes; what is still under way comes through before the system gives it up."""
        at = self.pair.clock.at + timedelta(seconds=seconds)
        for late in [one for one in self.pending if one.until <= at]:
            self.pair.clock.at = max(self.pair.clock.at, late.until)
            self.pending.remove(late)
            carry_out(self.pair.systems[late.side], late.item)
        self.pair.clock.at = at


def _drain(pages: AsyncIterator[Any]) -> list[Any]:
    """All that an asynchronous generator yields that never really waits."""
    found: list[Any] = []
    while True:
        try:
            anext(pages).__await__().send(None)  # type: ignore[attr-defined]
        except StopIteration as done:
            found.append(done.value)
        except StopAsyncIteration:
            return found
        else:
            raise AssertionError("the system waited for something")
