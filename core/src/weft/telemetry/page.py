"""The page ``docs/metrics.md``: ``python -m weft.telemetry.page > docs/metrics.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from weft.config.loading import load_text

if TYPE_CHECKING:
    from weft.runtime import Runtime

_INTRO = """\
# Metrics, health and logs

## Metrics

Where `server: {enabled: true}` is set, `weft run` serves `/metrics` in Prometheus' text format beside the
dashboard, unless `telemetry: {metrics: false}` says otherwise. Where there are `server.tokens`, it asks for
one of the role `viewer`: give Prometheus `authorization: {credentials_file: …}`. Every worker tells of
itself; what is read off the state (marked *state*) is the same from each of them, so take the maximum over
workers, not the sum. Flows and connections are those of `weft.yaml`; no label holds a key, a company or a
text of a remote system. Beside these there are the `process_*` metrics of the process.

This table is written from the code (`python -m weft.telemetry.page > docs/metrics.md`).

"""

_REST = """
What to alert on, where [weft's own alerts](configuration.md#alerts) are not enough:

```yaml
groups:
  - name: weft
    rules:
      - alert: WeftSilent
        expr: time() - max by (flow) (weft_last_agreement_timestamp_seconds) > 3600
      - alert: WeftIssues
        expr: max by (flow, kind) (weft_issues_open{kind!="waiting"}) > 0
        for: 15m
      - alert: WeftHintsLate
        expr: max by (flow) (weft_hints_oldest_seconds) > 60
      - alert: WeftNoWorker
        expr: max(weft_workers{state="alive"}) < 1 or absent(weft_workers)
      - alert: WeftConnectionFails
        expr: sum by (connection) (rate(weft_requests_total{answer!~"2..|3..|404|412"}[5m])) > 0.1
        for: 10m
```

## Health

| Address | Answers |
|---|---|
| `/health/live` | 200 as long as the process takes requests; restart it when it does not |
| `/health/ready` | 200 when the state answers and the worker holds its lease; else 503, and which check says what |

Both answer JSON and need no token; what exactly is wrong is told to this machine only. `/health/ready` fails
while a worker drains, so that a load balancer sends webhooks to another one.

## Traces

`telemetry: {traces: {endpoint: "http://127.0.0.1:4318"}}` sends OpenTelemetry traces by OTLP over HTTP; it
needs `pip install 'weft[otel]'`. A run is one trace: below it each page read and settled, below those the
requests, which carry the id weft sent (`weft.request_id`) and the one the system answered with
(`weft.remote_request_id`). No query, body or key is in a span.

## Logs

`log: {format: json}` writes one object a line: `at`, `level`, `logger`, `message`, and whatever of these is
known: `run`, `flow`, `connection`, `record` (its key), `request` (the id weft sent along with the request)
and `remote_request` (the id the system answered with; quote it to its support). Lines for people end with
the same in brackets. At level `debug` every request and every outcome is a line.
"""

STATE = frozenset({
    "issues_open", "approvals_waiting", "last_agreement_timestamp_seconds", "cursor_age_seconds", "hints_queued",
    "hints_oldest_seconds", "intents_unsettled", "flow_paused", "workers",
})  # fmt: skip


def metrics_page() -> str:
    """The whole page as Markdown."""
    return _INTRO + "\n".join(_rows()) + "\n" + _REST


def _rows() -> Iterator[str]:
    from weft.telemetry.metrics import Metrics

    class _Bare:
        config = load_text("state: sqlite:///weft.db\n")

    yield "| Metric | Kind | Labels | Meaning |"
    yield "|---|---|---|---|"
    for metric in Metrics(cast("Runtime", _Bare())).registry._collector_to_names:
        name, kind = getattr(metric, "_name", ""), getattr(metric, "_type", "")
        if not name.startswith("weft_"):
            continue
        shown = f"{name}_total" if kind == "counter" else name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # type: ignore[attr-defined]
        mark = " *(state)*" if name.removeprefix("weft_") in STATE else ""
        text = metric._documentation.replace("|", "\\|")  # type: ignore[attr-defined]
        yield f"| `{shown}` | {kind} | {labels} | {text}{mark} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
