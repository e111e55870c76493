"""Log lines say which run, flow, record and request they are about, in both formats, secrets masked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.config.models import Log
from weft.logscope import about
from weft.net.secrets import Redactor
from weft.telemetry import logs


@pytest.fixture
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    settings = Log(level="debug", format=request.param, file="weft.log")
    handler = logs.start(settings, tmp_path, Redactor(["hunter2-secret"]), level=None, debug=False)
    yield tmp_path / "weft.log"
    logs.stop(handler)


@pytest.mark.parametrize("written", ["json"], indirect=True)
def test_a_json_line_carries_the_work_it_belongs_to(written: Path) -> None:
    log = logging.getLogger("weft.net")
    with about(run="4f0c", flow="customers"):
        with about(request="abc", connection="erp"):
            log.warning("refused: %s", "hunter2-secret", extra={"record": "C001", "remote_request": "srv-7"})
        log.info("done")
    log.info("after")
    refused, done, after = (json.loads(line) for line in written.read_text("utf-8").splitlines())
    assert refused["message"] == "refused: ***"
    told = {"run": "4f0c", "flow": "customers", "connection": "erp", "record": "C001", "request": "abc"}
    assert told.items() <= refused.items()
    assert refused["remote_request"] == "srv-7"
    assert {"run", "flow"} <= set(done)
    assert "request" not in done
    assert set(after) == {"at", "level", "logger", "message"}


@pytest.mark.parametrize("written", ["text"], indirect=True)
def test_a_line_for_people_ends_with_it(written: Path) -> None:
    with about(run="0123456789abcdef", flow="customers"):
        logging.getLogger("weft").warning("100%% of %d", 5, extra={"record": "C001"})
    line = written.read_text("utf-8").rstrip("\n")
    assert line.endswith("WARNING weft: 100% of 5 [run=01234567 flow=customers record=C001]")


def test_what_is_logged_after_the_end_goes_elsewhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handler = logs.start(Log(file="weft.log"), tmp_path, Redactor(), level=None, debug=False)
    logs.stop(handler)
    logging.getLogger("weft").warning("heard by whoever listens")
    assert (tmp_path / "weft.log").read_text() == ""
    assert "heard by whoever listens" in caplog.text


def test_beside_a_table_that_counts_them_single_records_are_not_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for level, shown in ((None, False), ("warning", True)):
        handler = logs.start(Log(), tmp_path, Redactor(), level=level, debug=False)
        logging.getLogger("weft.records").warning("create rejected: no group")
        logging.getLogger("weft").warning("a warning")
        logs.stop(handler)
        told = capsys.readouterr().err
        assert ("rejected" in told, "a warning" in told) == (shown, True)
