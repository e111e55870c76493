"""Traces arrive at a collector over HTTP: a run, its pages, their requests with the system's id; no data."""

from __future__ import annotations

from collections.abc import Iterator
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import weft
from weft.config.watching import Telemetry
from weft.net.session import HttpSession
from weft.sync.cycle import sync
from weft.telemetry.measuring import measuring


class Collector:
    """An OTLP endpoint."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.headers: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """A system that is asked something."""
                self.send_response(404)
                self.send_header("request-id", "srv-42")
                self.send_header("content-length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                told = ExportTraceServiceRequest.FromString(body)
                collector.headers.append(f"{self.path} {self.headers.get('x-key')}")
                collector.spans += [
                    span for group in told.resource_spans for scope in group.scope_spans for span in scope.spans
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the screen."""

        return Handler

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def test_a_run_its_pages_and_their_requests(
    watched: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTLP_KEY", "k3y-s3cret")
    runtime = watched.runtime
    settings = {"metrics": False, "traces": {"endpoint": collector.url, "headers": {"x-key": "${env:OTLP_KEY}"}}}
    runtime.config.__dict__["telemetry"] = Telemetry.model_validate(settings)
    watched.crm.put("Rows", Name="Customer-Ultra-Secret")

    @weft.around("read")
    async def over_http(call: Any, ctx: Any) -> Any:
        """As a connector over HTTP: a request for each page."""
        async with HttpSession(collector.url, system=ctx.connection, meter=ctx.meter) as http:
            async for page in call():
                await http.request("GET", "data/customers(C-001)", params={"q": "in-the-query"}, ok=(404,))
                yield page

    asking = ModuleType("asking")
    asking.over_http = over_http  # type: ignore[attr-defined]
    runtime.plugins.register("asking", asking)
    async with measuring(runtime) as metrics:
        assert metrics is None
        await sync(runtime)
    assert set(collector.headers) == {"/v1/traces k3y-s3cret"}
    spans = {span.span_id: span for span in collector.spans}
    [run] = [span for span in spans.values() if span.name == "run customers"]
    assert attributes(run) | {"weft.run": ""} == {
        "weft.flow": "customers", "weft.mode": "first", "weft.run": "", "weft.state": "done"}  # fmt: skip
    requests = [span for span in spans.values() if span.name == "GET"]
    assert requests
    for request in requests:
        about = attributes(request)
        assert about["weft.remote_request_id"] == "srv-42"
        assert about["http.response.status_code"] == 404
        assert about["url.full"] == f"{collector.url}/data/customers()"
        assert len(about["weft.request_id"]) == 32
        page = spans[request.parent_span_id]
        assert page.name in ("read Rows", "settle Rows")
        assert spans[page.parent_span_id] is run
    text = "".join(map(str, collector.spans))
    assert "in-the-query" not in text
    assert "Customer-Ultra-Secret" not in text
    assert "C-001" not in text


async def test_what_is_off_is_not_imported_and_what_is_missing_is_named(
    watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from weft.errors import ConfigError

    runtime = watched.runtime
    runtime.config.__dict__["telemetry"] = Telemetry(metrics=False)
    before = runtime.meter
    async with measuring(runtime) as metrics:
        assert (metrics, runtime.meter) == (None, before)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "weft.telemetry.metrics", raising=False)
    runtime.config.__dict__["telemetry"] = Telemetry()
    with pytest.raises(ConfigError, match=r"pip install 'weft\[daemon\]'"):
        async with measuring(runtime):
            pass
