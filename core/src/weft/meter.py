"""What happens while weft works, told to whoever counts or traces it.

:class:`Meter` forgets everything and costs next to nothing; :mod:`weft.telemetry` has those that remember.
The :class:`~weft.runtime.Runtime` owns one and hands it on: a connector gives ``ctx.meter`` to its
:class:`~weft.net.session.HttpSession`, and the connection's requests are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from weft.net.settings import SessionStats

Stats = Callable[[], "SessionStats"]


class Span:
    """A piece of work from entering to leaving; :meth:`note` adds what is learnt on the way."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def note(self, **facts: str | int) -> None:
        """``state`` of a run; ``status`` and ``remote_id`` of a request; ``records`` of a page."""


QUIET = Span()


class Meter:
    """Listens and forgets. Whoever counts overrides what it wants to know. Nothing here may raise or wait."""

    def run(self, flow: str, mode: str, run: str) -> Span:
        """One run of a flow."""
        return QUIET

    def page(self, flow: str, connection: str, object: str, doing: str) -> Span:
        """One page on its way through a run; ``doing`` is ``read`` or ``settle``."""
        return QUIET

    def request(self, connection: str, method: str, url: str, request_id: str) -> Span:
        """One attempt of a request. ``url`` is without query; ``request_id`` is the one weft sends along."""
        return QUIET

    def records(self, flow: str, counts: Mapping[str, int]) -> None:
        """So many more records of a flow came to these outcomes."""

    def state_write(self, seconds: float) -> None:
        """A transaction that writes to the state took so long, waiting for its turn included."""

    def opened(self, connection: str, stats: Stats) -> None:
        """A connection's HTTP session is open; ``stats`` tells how it stands, at any time."""

    def closed(self, connection: str, stats: Stats) -> None:
        """It was closed."""


class _Spans(Span):
    __slots__ = ("_spans", "_stack")

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for span in self._spans:
            self._stack.enter_context(span)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def note(self, **facts: str | int) -> None:
        for span in self._spans:
            span.note(**facts)


class Meters(Meter):
    """Tells several."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def run(self, flow: str, mode: str, run: str) -> Span:
        return _Spans([meter.run(flow, mode, run) for meter in self._meters])

    def page(self, flow: str, connection: str, object: str, doing: str) -> Span:
        return _Spans([meter.page(flow, connection, object, doing) for meter in self._meters])

    def request(self, connection: str, method: str, url: str, request_id: str) -> Span:
        return _Spans([meter.request(connection, method, url, request_id) for meter in self._meters])

    def records(self, flow: str, counts: Mapping[str, int]) -> None:
        for meter in self._meters:
            meter.records(flow, counts)

    def state_write(self, seconds: float) -> None:
        for meter in self._meters:
            meter.state_write(seconds)

    def opened(self, connection: str, stats: Stats) -> None:
        for meter in self._meters:
            meter.opened(connection, stats)

    def closed(self, connection: str, stats: Stats) -> None:
        for meter in self._meters:
            meter.closed(connection, stats)
