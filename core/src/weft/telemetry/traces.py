"""Traces for OpenTelemetry: a run, below it its pages, below those the requests."""

from __future__ import annotations

import os
import re
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from weft import __version__
from weft.config.secrets import reveal
from weft.meter import Meter, Span

if TYPE_CHECKING:
    from weft.config.watching import Traces as Settings
    from weft.runtime import Runtime

_NAMES = {"status": "http.response.status_code", "remote_id": "weft.remote_request_id"}
_KEYS = re.compile(r"\([^)]*\)")


class Traces(Meter):
    """A meter that makes spans. :meth:`close` sends what is left."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        """
        :raises InvalidConfig: a header's secret is missing.
        """
        headers = {
            name: reveal(runtime.config, value, ("telemetry", "traces", "headers", name), redactor=runtime.redactor)
            for name, value in settings.headers.items()
        }
        resource = Resource.create({
            "service.name": "weft", "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        })  # fmt: skip
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.sample)), shutdown_on_exit=False
        )
        address = f"{settings.endpoint.rstrip('/')}/v1/traces"
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address, headers=headers)))
        self._tracer = self._provider.get_tracer("weft", __version__)

    def close(self) -> None:
        """Send what is left and stop. Blocks for a few seconds where the collector does not answer."""
        self._provider.force_flush(5000)
        self._provider.shutdown()

    def run(self, flow: str, mode: str, run: str) -> Span:
        about = {"weft.flow": flow, "weft.mode": mode, "weft.run": run}
        return _Span(self._tracer, f"run {flow}", about, context=Context())

    def page(self, flow: str, connection: str, object: str, doing: str) -> Span:
        about = {"weft.flow": flow, "weft.connection": connection, "weft.object": object}
        return _Span(self._tracer, f"{doing} {object}", about)

    def request(self, connection: str, method: str, url: str, request_id: str) -> Span:
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.netloc}{_KEYS.sub('()', parts.path)}"  # keys are customers' data
        about = {
            "weft.connection": connection, "weft.request_id": request_id, "http.request.method": method,
            "server.address": parts.hostname or "", "url.full": shown,
        }  # fmt: skip
        return _Span(self._tracer, method, about, kind=SpanKind.CLIENT)


class _Span(Span):
    __slots__ = ("_entered", "_span")

    def __init__(self, tracer: Tracer, name: str, about: dict[str, Any], **more: Any) -> None:
        # What an exception says may hold a customer's data: only its kind is kept.
        self._entered = tracer.start_as_current_span(
            name, attributes=about, record_exception=False, set_status_on_exception=False, **more
        )

    def __enter__(self) -> Self:
        self._span = self._entered.__enter__()
        return self

    def note(self, **facts: str | int) -> None:
        for name, value in facts.items():
            self._span.set_attribute(_NAMES.get(name, f"weft.{name}"), value)
        if facts.get("state") in ("failed", "down"):
            self._span.set_status(Status(StatusCode.ERROR, str(facts["state"])))
        status = facts.get("status")
        if isinstance(status, int) and status >= 400:
            self._span.set_status(Status(StatusCode.ERROR))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
            self._span.set_attribute("error.type", kind.__name__)
        self._entered.__exit__(None, None, None)
