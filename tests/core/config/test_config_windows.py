"""Windows of the week, cron expressions and durations as the daemon reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from weft.config.flows import FlowConfig
from weft.config.windows import open_again, parse_window
from weft.sync.schedule import due, next_turn

WEDNESDAY = datetime(2024, 5, 1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("mon-fri 08:00-18:00", "01 08:00, 03 17:59", "01 07:59, 01 18:00, 04 12:00"),
        ("sat,sun", "04 00:00, 05 23:59", "03 23:59, 06 00:00"),
        ("23:30-01:00", "01 23:30, 02 00:59", "02 01:00, 01 23:29"),
        ("fri 22:00-06:00", "03 22:00, 04 05:59", "04 06:00, 03 05:00"),
        ("sat-mon 00:00-24:00", "04 00:00, 06 23:59", "07 00:00"),
    ],
)
def test_what_lies_in_a_window(text: str, inside: str, outside: str) -> None:
    window = parse_window(text)
    for times, expected in ((inside, True), (outside, False)):
        for one in times.split(", "):
            at = datetime.strptime(f"2024-05-{one}", "%Y-%m-%d %H:%M")
            assert window.holds(at) is expected, one


@pytest.mark.parametrize(
    "text", ["", "someday", "mon-fri-sat", "25:00-26:00", "08:00-08:00", "mon 8-9", 7, "xxx 08:00-09:00"]
)
def test_anything_else_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match=r"write a window|no day|no time of day"):
        parse_window(text)


def test_when_a_flow_may_work_again() -> None:
    windows = [parse_window("wed 08:00-12:00"), parse_window("wed 12:00-13:30")]
    assert open_again(windows, WEDNESDAY.replace(hour=9)) == WEDNESDAY.replace(hour=13, minute=30)
    with pytest.raises(ValueError, match="covers the whole week"):
        FlowConfig(entity="customer", between=["a", "b"], blackout=["mon-fri", "sat,sun"])  # type: ignore[list-item]


def flow(**more: Any) -> Any:
    return FlowConfig(entity="customer", between=["a", "b"], timezone="Europe/Berlin", **more)


def test_half_past_two_comes_once_when_the_clock_is_set_back_and_right_after_the_gap_in_spring() -> None:
    nightly = flow(cron="30 2 * * *")
    turns, at = [], datetime(2024, 10, 26, 12, tzinfo=UTC)
    for _ in range(2):
        at = next_turn(nightly, at) or at
        turns.append(at.astimezone(BERLIN).replace(tzinfo=None))
    assert [turn.date().isoformat() for turn in turns] == ["2024-10-27", "2024-10-28"]
    spring = next_turn(nightly, datetime(2024, 3, 30, 12, tzinfo=UTC))
    assert spring is not None
    assert spring.astimezone(BERLIN).isoformat() == "2024-03-31T03:00:00+02:00"


def test_missed_turns_count_as_one_and_a_clock_set_back_does_not_stop_a_flow() -> None:
    now = datetime(2024, 5, 1, 12, tzinfo=UTC)
    often = flow(every="5m")
    assert due(often, None, now)
    assert not due(often, now, now)
    assert due(often, now.replace(hour=2), now)
    assert due(often, now.replace(year=2025), now)
    assert not due(flow(cron="0 2 * * *"), None, now)
    assert due(flow(cron="0 2 * * *"), now.replace(month=4, day=30), now)
    assert not due(flow(), None, now)
    assert due(flow(on="webhook"), now.replace(hour=11), now)
    assert not due(SimpleNamespace(enabled=False, every=None, cron=None, on="webhook"), None, now)  # type: ignore[arg-type]


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "* * * * * *", "0 2 * * mox"])
def test_a_wrong_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|no cron expression"):
        flow(cron=cron)
