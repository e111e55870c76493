"""Rules and telling as tables: facts and what was told before in, findings and messages out. No I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weft.alerts import telling
from weft.alerts.facts import Facts, Failing, Lost, OpenIssues, Sample, Silent, Stopped
from weft.alerts.rules import judge
from weft.alerts.wording import Wording, digest
from weft.config.watching import AlertRule, Alerts, QuietHours
from weft.state.alerts import Alert

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
AGO = {minutes: NOW - timedelta(minutes=minutes) for minutes in (0, 1, 4, 5, 9, 10, 60, 1439, 1441)}
REFUSED = Sample("Adatum", "C001", "erp", "The field Customer group must be filled in.")


def issues(count: int, since: int, kind: str = "failed", flow: str = "customers") -> OpenIssues:
    return OpenIssues(flow, kind, count, AGO[since], (REFUSED,))


def failing(count: int, since: int, down: str = "") -> Failing:
    return Failing("customers", count, AGO[since], "erp: GET https://erp/x: no answer", down)


FACTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a refused record waits five minutes", {"issues": [issues(1, 4)]}, []),
    ("then it is told", {"issues": [issues(1, 5)]}, ["issues customers/failed warning"]),
    ("waiting has its own rule", {"issues": [issues(3, 1439, "waiting")]}, []),
    ("which takes a day", {"issues": [issues(3, 1441, "waiting")]}, ["waiting customers/waiting warning"]),
    ("an approval at once", {"issues": [issues(1, 0, "approval")]}, ["approval customers warning"]),
    ("two failed runs are not three", {"failing": [failing(2, 60)]}, []),
    ("three are", {"failing": [failing(3, 1)]}, ["failing customers critical"]),
    ("a system down is one matter", {"failing": [failing(5, 10, "erp")]}, ["down erp critical"]),
    ("but not after nine minutes", {"failing": [failing(5, 9, "erp")]}, []),
    ("nor after one failure", {"failing": [failing(1, 60, "erp")]}, []),
    ("a guard at once", {"stopped": [Stopped("customers", "deletes", NOW, "30 deletes")]},
     ["guard customers/deletes critical"]),
    ("a worker at once", {"lost": [Lost("w1", "here", 7, AGO[1], 0)]}, ["worker w1 critical"]),
    ("silence when it is due", {"silent": [Silent("customers", AGO[1439], AGO[1441], AGO[1441])]},
     ["silence customers warning"]),
    ("and not before", {"silent": [Silent("customers", NOW, AGO[1441], AGO[1441])]}, []),
    ("nor within a day", {"silent": [Silent("customers", AGO[60], AGO[1439], AGO[1439])]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "found"), [one[1:] for one in FACTS], ids=[one[0] for one in FACTS])
def test_the_usual_rules(facts: dict[str, Any], found: list[str]) -> None:
    findings = judge(Alerts().rules, Facts(NOW, **facts), Wording())
    assert [f"{one.rule} {one.subject} {one.severity}" for one in findings] == found


def test_a_rule_of_ones_own_narrows_flows_kinds_and_counts() -> None:
    rules = {"mine": AlertRule(about="issues", flows=["orders"], kinds=["failed"], count=3, severity="critical")}
    facts = Facts(NOW, issues=[issues(3, 0, flow="orders"), issues(2, 0, "conflict", "orders"), issues(9, 0)])
    assert [one.subject for one in judge(rules, facts, Wording())] == ["orders/failed"]
    facts.issues[0] = issues(2, 0, flow="orders")
    assert judge(rules, facts, Wording()) == []


def test_a_message_names_flow_records_words_remedy_and_link() -> None:
    facts = Facts(NOW, issues=[issues(7, 60)])
    [found] = judge(Alerts().rules, facts, Wording("https://weft.example/"))
    assert found.title == "customers: 7 records refused by a system"
    assert "- Adatum (C001): erp: The field Customer group must be filled in." in found.text
    assert "- and 6 more" in found.text
    assert "weft issues retry --flow customers --kind failed" in found.text
    assert found.text.endswith("https://weft.example/issues?flow=customers&kind=failed")
    here = Wording("https://weft.example")
    assert here.issues(issues(1, 60, "conflict"))[1].endswith("https://weft.example/conflicts?flow=customers")
    assert here.stopped(Stopped("a b", "deletes", NOW, ""))[1].endswith("https://weft.example/approvals?flow=a%20b")
    long = replace(REFUSED, words="x" * 1000)
    told = Wording().issues(OpenIssues("f", "failed", 1, NOW, (long,)))[1]
    assert len(told) < 700
    assert "http" not in told


# -- what is told, and when --------------------------------------------------------------------------


def settings(**more: Any) -> Alerts:
    return Alerts(channels={"mail": {"url": "x://"}, "chat": {"url": "y://", "least": "critical"}}, **more)


def found(count: int = 1, severity: str = "warning", **more: Any) -> Any:
    rules = {"r": AlertRule(about="issues", count=1, severity=severity, **more)}  # type: ignore[arg-type]
    return judge(rules, Facts(NOW, issues=[issues(count, 0)]), Wording())


class Book:
    """What is stored, as a worker would keep it."""

    def __init__(self, settings: Alerts) -> None:
        self.settings = settings
        self.rows: dict[Any, Alert] = {}

    def apply(self, changes: telling.Changes) -> None:
        self.rows |= {alert.key: alert for alert in changes.put}
        for key in changes.drop:
            del self.rows[key]

    def step(self, findings: Any, now: datetime = NOW) -> dict[str, str]:
        """Look once; returns the title told on each channel."""
        self.apply(telling.follow(self.settings, findings, list(self.rows.values())))
        said = {}
        for channel in self.settings.channels:
            due = telling.due(self.settings, channel, self.rows.values(), now)
            if due:
                said[channel] = digest(due, now)[0]
                self.apply(telling.told(due, now))
        return said


def test_told_once_and_again_when_it_is_well() -> None:
    book = Book(settings())
    assert book.step(found()) == {"mail": "weft: customers: 1 record refused by a system"}
    assert book.step(found()) == {}
    assert book.step(found(3)) == {}
    assert book.step([]) == {"mail": "weft: well again: customers: 1 record refused by a system"}
    assert book.step([]) == {}
    assert book.rows == {}


def test_told_again_when_there_is_ten_times_as_much() -> None:
    book = Book(settings())
    book.step(found(2))
    assert book.step(found(19)) == {}
    assert book.step(found(20)) == {"mail": "weft: customers: 20 records refused by a system"}
    assert book.step(found(20)) == {}


def test_channels_take_what_is_severe_enough_and_addressed_to_them() -> None:
    assert set(Book(settings()).step(found(severity="critical"))) == {"mail", "chat"}
    assert set(Book(settings()).step(found(severity="critical", to="chat"))) == {"chat"}
    assert set(Book(settings()).step(found(severity="warning", to="chat"))) == set()


def test_what_went_away_unsaid_is_never_told() -> None:
    quiet = QuietHours(start="22:00", end="6:00", timezone="Europe/Berlin")  # type: ignore[arg-type]
    book = Book(settings(quiet=quiet))
    night, morning = NOW.replace(hour=3), NOW.replace(hour=6)
    assert book.step(found(), night) == {}
    assert book.step([], night) == {}
    assert book.rows == {}
    assert book.step(found(), night) == {}
    assert book.step(found(), morning) == {"mail": "weft: customers: 1 record refused by a system"}
    assert book.step([], night) == {}  # that it is well can wait as well
    assert "well again" in book.step([], morning)["mail"]


def test_the_most_severe_is_told_at_night() -> None:
    book = Book(settings(quiet=QuietHours(start="22:00", end="06:00")))  # type: ignore[arg-type]
    assert set(book.step(found(severity="critical"), NOW.replace(hour=23))) == {"mail", "chat"}


def test_flapping_before_anybody_was_told_is_silent() -> None:
    book = Book(settings(quiet=QuietHours(start="22:00", end="06:00")))  # type: ignore[arg-type]
    book.step(found(), NOW)
    night = NOW.replace(hour=23)
    assert book.step([], night) == {}
    assert book.step(found(), night) == {}
    assert book.step(found(), NOW + timedelta(days=1)) == {}


@pytest.mark.parametrize(
    ("start", "end", "weekend", "at", "quiet"),
    [
        ("22:00", "06:00", False, "2026-03-02T21:59:59", False),
        ("22:00", "06:00", False, "2026-03-02T22:00:00", True),
        ("22:00", "06:00", False, "2026-03-03T05:59:59", True),
        ("22:00", "06:00", False, "2026-03-03T06:00:00", False),
        ("12:00", "13:00", False, "2026-03-02T12:30:00", True),
        ("12:00", "13:00", False, "2026-03-07T15:00:00", False),
        ("12:00", "13:00", True, "2026-03-07T15:00:00", True),
        ("02:00", "04:00", False, "2026-03-29T03:30:00", True),  # summer time begins at two
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(start: Any, end: Any, weekend: bool, at: str, quiet: bool) -> None:
    from zoneinfo import ZoneInfo

    hours = QuietHours(start=start, end=end, weekend=weekend, timezone="Europe/Berlin")
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert telling.is_quiet(hours, moment) is quiet


def test_a_digest_puts_the_most_severe_first_and_what_is_well_last() -> None:
    row = Alert("r", "s", "mail", "info", "one", "text one", 1, AGO[60])
    rows = [row, replace(row, subject="2", state="over", title="two"), replace(row, severity="critical", title="three")]
    title, text = digest(rows, NOW)
    assert title == "weft: 2 need attention, 1 are well again"
    assert [text.index(word) for word in ("three (critical)", "one (info)", "Well again: two, after 1h")] == sorted(
        text.index(word) for word in ("three (critical)", "one (info)", "Well again: two, after 1h")
    )


def test_pauses_after_failures_grow_to_an_hour() -> None:
    assert [telling.pause(n).total_seconds() for n in (1, 2, 3, 4, 50)] == [30, 120, 600, 3600, 3600]
