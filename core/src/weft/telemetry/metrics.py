"""Metrics for Prometheus: counted while weft works, and read off the state when they are asked for.

Labels are bounded: flows and connections are those of the configuration, everything else comes from short
lists in the code; what would go beyond :data:`MOST` values counts as ``other``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from weft import __version__
from weft.meter import Meter, Span, Stats
from weft.telemetry.standing import Standing, standing

if TYPE_CHECKING:
    from datetime import datetime

    from weft.net.settings import SessionStats
    from weft.runtime import Runtime

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST = 64
OTHER = "other"

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LONG = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400)


class _Values:
    """At most so many values of a label; later ones become ``other``."""

    def __init__(self, known: Mapping[str, object] | None = None) -> None:
        self._closed = known is not None
        self._known = set(known or ())

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if self._closed or len(self._known) >= MOST:
            return OTHER
        self._known.add(value)
        return value


class Metrics(Meter):
    """A meter that counts. Each has a registry of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._flow = _Values(runtime.config.flows)
        self._connection = _Values(runtime.config.connections)
        self._outcome, self._state, self._mode = _Values(), _Values(), _Values()
        self._method, self._answer = _Values(), _Values()
        self._sessions: dict[str, list[Stats]] = {}
        self._shown: dict[Stats, SessionStats] = {}
        """What each session told of itself last: counters grow by what came since."""
        self.registry = CollectorRegistry()
        self._declare(self.registry)
        ProcessCollector(registry=self.registry)

    def _declare(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"weft_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"weft_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"weft_{name}", text, labels, buckets=buckets, registry=registry)

        gauge("build_info", "Always 1; the version as a label.", "version").labels(__version__).set(1)
        self._records = counter("records_total", "Records by what came of them.", "flow", "outcome")
        self._runs = counter("runs_total", "Runs that ended, by how they were made and how they ended.",
                             "flow", "mode", "state")  # fmt: skip
        self._run_seconds = histogram("run_seconds", "How long runs took.", _LONG, "flow", "mode")
        self._runs_now = gauge("runs_in_progress", "Runs that this process is at.", "flow")
        text = "How long pages took: to read, and to bring into agreement."
        self._page_seconds = histogram("page_seconds", text, _SHORT, "flow", "doing")
        self._requests = counter("requests_total", "Attempts of requests; `answer` is the HTTP status, or what went "
                                 "wrong without one.", "connection", "method", "answer")  # fmt: skip
        self._request_seconds = histogram("request_seconds", "How long answers took, read whole.", _SHORT,
                                          "connection", "method")  # fmt: skip
        self._write_seconds = histogram("state_write_seconds", "Writing transactions of the state, waiting included.",
                                        _SHORT)  # fmt: skip
        limiter = {
            "limit": "Requests that may be under way at once, as the system lets us now.",
            "in_flight": "Requests under way.",
            "waiting": "Requests that wait for their turn.",
            "held_seconds": "How long the system asked us to send nothing.",
            "token_seconds": "How long the access token is still valid.",
            "clock_skew_seconds": "How far the system's clock is ahead of ours, as far as can be told.",
        }
        self._limiter = {name: gauge(f"connection_{name}", text, "connection") for name, text in limiter.items()}
        counted = {"throttled": "Answers that asked for fewer requests.", "retries": "Requests that were repeated."}
        self._counted = {
            name: counter(f"connection_{name}_total", text, "connection") for name, text in counted.items()
        }
        self._issues = gauge("issues_open", "Records that need a person or a later event.", "flow", "kind")
        self._approvals = gauge("approvals_waiting", "Approvals that a person is asked for.", "flow")
        self._agreed = gauge("last_agreement_timestamp_seconds", "When a run last came to its end: all agreed but "
                             "for what has an open issue.", "flow")  # fmt: skip
        self._cursor = gauge("cursor_age_seconds", "How old the oldest cursor of a side is.",
                             "flow", "connection", "side")  # fmt: skip
        self._hints = gauge("hints_queued", "Keys that events say have changed and that were not read yet.", "flow")
        self._hint_age = gauge("hints_oldest_seconds", "How long the oldest of them has been waiting.", "flow")
        self._unsettled = gauge("intents_unsettled", "Writes that were begun and not settled.", "flow", "state")
        self._paused = gauge("flow_paused", "1 while people keep the flow from working.", "flow")
        self._lease = gauge("lease_seconds", "Until the lease of this worker runs out; heartbeats renew it.")
        self._workers = gauge("workers", "Processes that act on this state; `overdue` is lost or about to be.", "state")

    # -- while weft works --------------------------------------------------------------------------

    def run(self, flow: str, mode: str, run: str) -> Span:
        return _Run(self, self._flow(flow), mode)

    def page(self, flow: str, connection: str, object: str, doing: str) -> Span:
        return _Page(self, self._flow(flow), doing)

    def request(self, connection: str, method: str, url: str, request_id: str) -> Span:
        return _Request(self, self._connection(connection), self._method(method))

    def records(self, flow: str, counts: Mapping[str, int]) -> None:
        for outcome, count in counts.items():
            self._records.labels(self._flow(flow), self._outcome(outcome)).inc(count)

    def state_write(self, seconds: float) -> None:
        self._write_seconds.observe(seconds)

    def opened(self, connection: str, stats: Stats) -> None:
        self._sessions.setdefault(self._connection(connection), []).append(stats)

    def closed(self, connection: str, stats: Stats) -> None:
        connection = self._connection(connection)
        open_ones = self._sessions.get(connection, [])
        if stats in open_ones:
            self._count(connection, stats)
            self._shown.pop(stats, None)
            open_ones.remove(stats)

    # -- when asked --------------------------------------------------------------------------------

    async def exposition(self) -> bytes:
        """Everything in Prometheus' text format.

        :raises StateError: the state does not answer.
        """
        now: datetime = self._runtime.clock.now()
        state, flows = self._runtime.state, self._runtime.config.flows
        self._show(await state.read(lambda tx: standing(tx, flows, now, state.worker)), now)
        self._show_sessions()
        return generate_latest(self.registry)

    def _show(self, found: Standing, now: datetime) -> None:
        for gauge in (self._issues, self._approvals, self._agreed, self._cursor, self._hints, self._hint_age,
                      self._unsettled, self._paused, self._workers):  # fmt: skip
            gauge.clear()
        for flow in self._runtime.config.flows:
            self._hints.labels(flow).set(0)
            self._hint_age.labels(flow).set(0)
            self._paused.labels(flow).set(flow in found.paused or "*" in found.paused)
        for (flow, kind), count in found.issues.items():
            self._issues.labels(self._flow(flow), self._outcome(kind)).inc(count)
        for flow, count in found.approvals.items():
            self._approvals.labels(self._flow(flow)).inc(count)
        for flow, at in found.agreed.items():
            self._agreed.labels(self._flow(flow)).set(at.timestamp())
        for (flow, connection, side), at in found.cursors.items():
            if flow in self._runtime.config.flows:
                age = max(0.0, (now - at).total_seconds())
                self._cursor.labels(flow, self._connection(connection), side).set(age)
        for flow, (count, oldest) in found.hints.items():
            self._hints.labels(self._flow(flow)).inc(count)
            self._hint_age.labels(self._flow(flow)).set(max(0.0, (now - oldest).total_seconds()))
        for (flow, state), count in found.unsettled.items():
            self._unsettled.labels(self._flow(flow), state).inc(count)
        self._lease.set(found.lease if found.lease is not None else float("nan"))
        for state in ("alive", "stopping", "overdue"):
            self._workers.labels(state).set(found.workers.get(state, 0))

    def _show_sessions(self) -> None:
        for gauge in self._limiter.values():
            gauge.clear()
        for connection, open_ones in self._sessions.items():
            for stats in open_ones:
                one = self._count(connection, stats)
                shown = {
                    "limit": one.limit, "in_flight": one.in_flight, "waiting": one.waiting,
                    "held_seconds": one.held_for, "token_seconds": one.auth.get("expires_in"),
                    "clock_skew_seconds": one.skew,
                }  # fmt: skip
                for name, value in shown.items():
                    if value is not None:
                        self._limiter[name].labels(connection).inc(value)

    def _count(self, connection: str, stats: Stats) -> SessionStats:
        """Add to the counters what a session has come to since it was last asked; what it says now."""
        now, before = stats(), self._shown.get(stats)
        for name, counter in self._counted.items():
            grown = getattr(now, name) - (getattr(before, name) if before is not None else 0)
            counter.labels(connection).inc(max(grown, 0))
        self._shown[stats] = now
        return now

    def _ran(self, flow: str, mode: str, state: str, seconds: float) -> None:
        mode = self._mode(mode)
        self._runs.labels(flow, mode, self._state(state)).inc()
        self._run_seconds.labels(flow, mode).observe(seconds)

    def _paged(self, flow: str, doing: str, seconds: float) -> None:
        self._page_seconds.labels(flow, self._mode(doing)).observe(seconds)

    def _answered(self, connection: str, method: str, answer: str, seconds: float) -> None:
        self._requests.labels(connection, method, self._answer(answer)).inc()
        self._request_seconds.labels(connection, method).observe(seconds)


class _Run(Span):
    __slots__ = ("_begun", "_flow", "_metrics", "_mode", "_state")

    def __init__(self, metrics: Metrics, flow: str, mode: str) -> None:
        self._metrics, self._flow, self._mode, self._state = metrics, flow, mode, "failed"

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._metrics._runs_now.labels(self._flow).inc()
        return self

    def note(self, **facts: str | int) -> None:
        self._state, self._mode = str(facts.get("state", self._state)), str(facts.get("mode", self._mode))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics._runs_now.labels(self._flow).dec()
        self._metrics._ran(self._flow, self._mode, self._state, time.monotonic() - self._begun)


class _Page(Span):
    __slots__ = ("_begun", "_doing", "_flow", "_metrics")

    def __init__(self, metrics: Metrics, flow: str, doing: str) -> None:
        self._metrics, self._flow, self._doing = metrics, flow, doing

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics._paged(self._flow, self._doing, time.monotonic() - self._begun)


class _Request(Span):
    __slots__ = ("_begun", "_connection", "_method", "_metrics", "_status")

    def __init__(self, metrics: Metrics, connection: str, method: str) -> None:
        self._metrics, self._connection, self._method, self._status = metrics, connection, method, ""

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        return self

    def note(self, **facts: str | int) -> None:
        self._status = str(facts.get("status", self._status))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        answer = self._status or (kind.__name__ if kind is not None else "none")
        self._metrics._answered(self._connection, self._method, answer, time.monotonic() - self._begun)
