"""What is counted while flows run, what is read off the state, and that labels stay few."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from weft.meter import Meter
from weft.net.settings import SessionStats
from weft.records import Hint
from weft.state.membership import Membership
from weft.sync.cycle import sync
from weft.telemetry.metrics import MOST, Metrics
from weft.telemetry.page import STATE, metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


@pytest.fixture
def metrics(watched: Any) -> Metrics:
    made = Metrics(watched.runtime)
    watched.runtime.meter = watched.runtime.state.meter = made
    return made


async def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Values by name and label values."""
    text = (await metrics.exposition()).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_runs_records_and_what_is_open_are_told(watched: Any, metrics: Metrics) -> None:
    for name in ("Adatum", "Contoso"):
        watched.crm.put("Rows", Name=name)
    watched.erp.fail("reject", message="no group")
    await sync(watched.runtime)
    watched.clock.at += timedelta(minutes=10)
    found = await samples(metrics)
    assert found["weft_records_total", "customers", "created"] == 1
    assert found["weft_records_total", "customers", "rejected"] == 1
    assert found["weft_runs_total", "customers", "first", "issues"] == 1
    assert found["weft_run_seconds_count", "customers", "first"] == 1
    assert found["weft_runs_in_progress", "customers"] == 0
    assert found["weft_page_seconds_count", "read", "customers"] >= 2
    assert found["weft_issues_open", "customers", "failed"] == 1
    assert found["weft_cursor_age_seconds", "crm", "customers", "left"] == pytest.approx(600, abs=1)
    assert found["weft_state_write_seconds_count",] > 3
    for key in watched.crm.rows("Rows"):
        watched.crm.edit("Rows", key, Phone="1")
    await sync(watched.runtime)
    found = await samples(metrics)
    assert ("weft_issues_open", "customers", "failed") not in found
    assert found["weft_last_agreement_timestamp_seconds", "customers"] == watched.clock.at.timestamp()


async def test_queues_pauses_and_workers_are_read_off_the_state(watched: Any, metrics: Metrics) -> None:
    at = watched.clock.at
    with watched.runtime.state.begin() as tx:
        tx.hints.put_many("customers", "crm", [Hint(object="Rows", key=k) for k in ("1", "2")], at)
        tx.pauses.pause("*", "kim", "stocktaking", at)
        tx.workers.join("w1", "here", 1, "1", timedelta(minutes=1))
        tx.workers.join("w2", "here", 2, "1", timedelta(seconds=-1))
    watched.clock.at += timedelta(seconds=90)
    found = await samples(metrics)
    assert found["weft_hints_queued", "customers"] == 2
    assert found["weft_hints_oldest_seconds", "customers"] == 90
    assert found["weft_flow_paused", "customers"] == 1
    assert (found["weft_workers", "alive"], found["weft_workers", "overdue"]) == (1, 1)
    assert math.isnan(found["weft_lease_seconds",])
    async with Membership(watched.runtime.state, ttl=timedelta(seconds=50)):
        assert 40 < (await samples(metrics))["weft_lease_seconds",] <= 50


async def test_sessions_tell_of_themselves_until_they_are_closed(watched: Any, metrics: Metrics) -> None:
    throttled = 1

    def stats() -> SessionStats:
        return SessionStats(2, 1, 4, 30.0, 10, 3, throttled, 2, {"expires_in": 600.0}, skew=0.5)

    metrics.opened("erp", stats)
    with metrics.request("erp", "GET", "https://erp/x", "id") as span:
        span.note(status=429, remote_id="r")
    with pytest.raises(OSError, match="cut"), metrics.request("erp", "POST", "https://erp/x", "id"):
        raise ConnectionError("cut")
    found = await samples(metrics)
    assert found["weft_connection_limit", "erp"] == 4
    assert found["weft_connection_held_seconds", "erp"] == 30
    assert found["weft_connection_token_seconds", "erp"] == 600
    assert found["weft_requests_total", "429", "erp", "GET"] == 1
    assert found["weft_requests_total", "ConnectionError", "erp", "POST"] == 1
    assert found["weft_connection_retries_total", "erp"] == 3
    assert found["weft_connection_throttled_total", "erp"] == 1
    throttled = 4
    metrics.closed("erp", stats)
    metrics.opened("erp", lambda: SessionStats(0, 0, 4, 0.0, 1, 1, 2, 0, {}))
    metrics.opened("erp", lambda: SessionStats(0, 0, 4, 0.0, 1, 0, 0, 0, {}))
    found = await samples(metrics)
    assert found["weft_connection_throttled_total", "erp"] == 6, "what was counted once stays counted"
    assert found["weft_connection_retries_total", "erp"] == 4
    assert found["weft_connection_limit", "erp"] == 8


async def test_labels_stay_few(watched: Any, metrics: Metrics) -> None:
    for number in range(3 * MOST):
        metrics.records(f"flow {number}", {f"outcome {number}": 1})
        with metrics.request(f"host {number}", "GET", "", ""):
            pass
    found = await samples(metrics)
    records = {key: value for key, value in found.items() if key[0] == "weft_records_total"}
    assert {key[1] for key in records} == {"other"}
    assert len(records) == MOST + 1
    assert records["weft_records_total", "other", "other"] == 2 * MOST
    assert {key[2] for key in found if key[0] == "weft_requests_total"} == {"other"}


def test_the_page_lists_every_metric() -> None:
    text = PAGE.read_text("utf-8")
    assert text == metrics_page(), "run: python -m weft.telemetry.page > docs/metrics.md"
    assert all(f"`weft_{name}`" in text for name in STATE)


def test_nobody_who_does_not_measure_pays_for_it() -> None:
    """The port alone: well below a hundredth of the 0.5 ms that a request costs."""
    code = "import weft.runtime, weft.net.session, weft.sync.cycle, sys; print('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    meter, rounds = Meter(), 20_000
    begun = time.process_time()
    for _ in range(rounds):
        with meter.request("erp", "GET", "https://erp/x", "id") as span:
            span.note(status=200, remote_id="")
    assert (time.process_time() - begun) / rounds < 5e-6
