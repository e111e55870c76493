"""The watch over a real state, telling a real SMTP server and a real HTTP endpoint."""

from __future__ import annotations

import asyncio
import email
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import apprise
import pytest
from aiosmtpd.smtp import SMTP

from weft.alerts.channels import Channels
from weft.alerts.facts import SAMPLES, gather
from weft.alerts.rules import judge
from weft.alerts.watch import Watch, watching
from weft.alerts.wording import Wording
from weft.config.loading import InvalidConfig, load_text
from weft.desk import status
from weft.plugins import Plugins
from weft.runtime import Runtime
from weft.state import Issue, Run, State

CONFIG = """
connections:
  crm: {{kind: a}}
  erp: {{kind: b}}
flows:
  customers: {{entity: customer, between: [crm, erp], every: 5m}}
  orders: {{entity: sales_order, between: [crm, erp], cron: "0 6 * * *", timezone: Europe/Berlin}}
alerts:
  digest: 15m
  channels:
{channels}
"""


@dataclass
class Clock:
    at: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Mailbox:
    """What an SMTP server was given; ``refuse`` is what it answers instead of taking a message."""

    port: int = 0
    mails: list[Any] = field(default_factory=list)
    refuse: str = ""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        self.came.set()
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A real SMTP server."""
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[Any]]]:
    """An address that Apprise posts JSON to, and what it was sent."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/hook-s3cret", got
    server.shutdown()
    server.server_close()


@pytest.fixture
async def office(
    request: pytest.FixtureRequest, tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Runtimes over one state, each like a worker of its own; the SMTP address is a secret."""
    url = f"mailto://127.0.0.1:{mailbox.port}?from=weft@example.com&to=ops@example.com&mode=insecure"
    monkeypatch.setenv("ALERT_MAIL", url)
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)  # it would wait between two messages
    both = "state_url" in request.fixturenames
    place: str = request.getfixturevalue("state_url") if both else f"sqlite:///{tmp_path / 'weft.db'}"
    clock, state = Clock(), State.open(place)

    def make(channels: str = '    mail: {url: "${env:ALERT_MAIL}"}') -> Runtime:
        config = load_text(CONFIG.format(channels=channels))
        return Runtime(config, state, Plugins(), clock=clock)

    yield make
    await state.aclose()


def refused(key: str, at: datetime) -> Issue:
    said = {"message": "The field Customer group must be filled in. password=hunter2222"}
    return Issue("customers", "customer", "failed", at, at, side="left", connection="erp", key=key,
                 label=f"Customer {key}", reason="refused", error=said)  # fmt: skip


async def said(runtime: Runtime, channel: str) -> str:
    sent = await Channels(runtime.config, runtime.redactor).send(channel, "title", "text")
    assert not sent.ok
    return sent.words


def body(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


async def test_a_mail_says_it_once_and_again_when_it_is_well(state_url: str, office: Any, mailbox: Mailbox) -> None:
    runtime = office()
    clock, state = runtime.clock, runtime.state
    with state.begin() as tx:
        tx.issues.upsert_many([refused("C1", clock.at), refused("C2", clock.at)])
    clock.at += timedelta(minutes=6)
    await Watch(runtime, public_url="https://weft.example").look()
    [mail] = mailbox.mails
    assert mail["subject"] == "weft: customers: 2 records refused by a system"
    assert mail["to"] == "ops@example.com"
    text = body(mail)
    assert "Customer C1 (C1): erp: The field Customer group must be filled in." in text
    assert "https://weft.example/issues?flow=customers" in text
    assert "hunter2222" not in text
    await Watch(runtime).look()  # as after a restart
    assert len(mailbox.mails) == 1
    with state.begin() as tx:
        tx.issues.close_many([issue.id for issue in tx.issues.page()], at=clock.at, reason="done")
    watch = Watch(runtime)
    await watch.look()
    assert len(mailbox.mails) == 1  # the digest interval has not passed
    clock.at += timedelta(minutes=16)
    await watch.look()
    assert mailbox.mails[1]["subject"] == "weft: well again: customers: 2 records refused by a system"


async def test_what_comes_up_within_the_interval_is_one_message(office: Any, mailbox: Mailbox) -> None:
    runtime = office()
    clock, watch = runtime.clock, Watch(runtime)
    with runtime.state.begin() as tx:
        tx.guards.ask("customers", "guard:deletes", clock.at)
        tx.issues.open(Issue("customers", "customer", "approval", clock.at, clock.at, key="guard:deletes",
                             code="guard", reason="30 deletes within 1 day"))  # fmt: skip
    await watch.look()
    for flow in ("customers", "orders"):
        with runtime.state.begin() as tx:
            tx.issues.open(Issue(flow, "customer", "approval", clock.at, clock.at, key="record:1", reason="large"))
        await watch.look()
    clock.at += timedelta(minutes=15)
    await watch.look()
    first, second = mailbox.mails
    assert first["subject"] == "weft: customers: stopped by the guard on deletes"
    assert second["subject"] == "weft: 2 need attention"
    assert "orders: 1 record waiting for approval" in body(second)


async def test_several_workers_tell_once(state_url: str, office: Any, mailbox: Mailbox) -> None:
    runtimes = [office() for _ in range(3)]
    with runtimes[0].state.begin() as tx:
        tx.issues.open(Issue("orders", "sales_order", "approval", *[runtimes[0].clock.at] * 2, key="record:1"))
    await asyncio.gather(*(Watch(runtime).look() for runtime in runtimes))
    assert len(mailbox.mails) == 1


async def test_a_channel_that_refuses_is_tried_again_and_the_other_is_told(
    office: Any, mailbox: Mailbox, endpoint: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    url, got = endpoint
    runtime = office(f'    mail: {{url: "${{env:ALERT_MAIL}}"}}\n    chat: {{url: "{url}"}}')
    clock, watch = runtime.clock, Watch(runtime)
    mailbox.refuse = "451 the mailbox is full"
    with runtime.state.begin() as tx:
        tx.issues.open(Issue("orders", "sales_order", "approval", clock.at, clock.at, key="record:1"))
    await watch.look()
    assert (len(mailbox.mails), got[0]["title"]) == (0, "weft: orders: 1 record waiting for approval")
    assert "mail cannot be told anything" in caplog.text
    mailbox.refuse = ""
    await watch.look()
    assert mailbox.mails == []  # not at once
    clock.at += timedelta(seconds=31)
    await watch.look()
    assert (len(mailbox.mails), len(got)) == (1, 1)


async def test_one_address_that_is_gone_does_not_make_the_other_repeat(
    office: Any, mailbox: Mailbox, endpoint: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    url, got = endpoint
    runtime = office(f'    both: {{url: ["{url}", "${{env:ALERT_MAIL}}"]}}')
    clock, watch = runtime.clock, Watch(runtime)
    mailbox.refuse = "550 nobody of that name"
    with runtime.state.begin() as tx:
        tx.issues.open(Issue("orders", "sales_order", "approval", clock.at, clock.at, key="record:1"))
    for _ in range(3):
        await watch.look()
        clock.at += timedelta(hours=2)
    assert len(got) == 1
    assert "an address of both was not told" in caplog.text
    with runtime.state.begin(writes=False) as tx:
        assert tx.alerts.channels()["both"].error


async def test_a_guard_is_seen_behind_any_number_of_approvals(office: Any, mailbox: Mailbox) -> None:
    runtime = office()
    at = runtime.clock.at
    with runtime.state.begin() as tx:
        tx.issues.upsert_many([
            Issue("customers", "customer", "approval", at, at, key=f"{n}", code="approval") for n in range(250)
        ])  # fmt: skip
        tx.issues.open(Issue("customers", "customer", "approval", at, at, key="guard:deletes", code="guard",
                             reason="30 deletes"))  # fmt: skip
    with runtime.state.begin(writes=False) as tx:
        facts = gather(tx, runtime.config, at, at)
        assert status._guard(tx, "customers").startswith("30 deletes; weft issues approve")
    assert [one.subject for one in facts.stopped] == ["deletes"]
    assert [(one.count, len(one.samples)) for one in facts.issues] == [(250, SAMPLES)]


async def test_a_sender_that_died_is_taken_over(office: Any, mailbox: Mailbox) -> None:
    runtime = office()
    clock = runtime.clock
    with runtime.state.begin() as tx:
        tx.issues.open(Issue("orders", "sales_order", "approval", clock.at, clock.at, key="record:1"))
        assert tx.alerts.hold("mail", "the one that died", clock.at, clock.at + timedelta(minutes=3))
    watch = Watch(runtime)
    await watch.look()
    assert mailbox.mails == []
    clock.at += timedelta(minutes=3)
    await watch.look()
    assert len(mailbox.mails) == 1


async def test_silence_failed_runs_systems_down_and_lost_workers_are_seen(office: Any, mailbox: Mailbox) -> None:
    runtime = office()
    runtime.clock.at = datetime.now(UTC)  # heartbeats go by the database's clock
    clock, watch = runtime.clock, Watch(runtime)
    words = "erp: GET https://erp.example/api answered 503 Service Unavailable"
    with runtime.state.begin() as tx:
        tx.runs.start(Run("r0", "customers", "changes", clock.at))
        tx.runs.finish("r0", "done", clock.at)
        for number in (1, 2):
            at = clock.at + timedelta(hours=20 + number)
            tx.runs.start(Run(f"r{number}", "customers", "changes", at))
            tx.runs.finish(f"r{number}", "down", at, error=words)
        tx.workers.join("w1", "node-a", 4711, "1", timedelta(seconds=-1), {"jobs": []})
        told = {"shares": {"erp": 1}}
        tx.workers.join("w0", "node-b", 4710, "1", timedelta(seconds=-1), told)  # a weft sync that was cut off
        tx.workers.join("w9", "node-a", 4719, "1", timedelta(hours=1), told)  # and one at work: no daemon
    clock.at += timedelta(hours=49)
    await watch.look()
    [mail] = mailbox.mails
    text = body(mail)
    assert "customers: nothing for too long (warning)" in text
    assert "orders: nothing for too long (warning)" in text  # six in Berlin has passed
    assert "erp does not answer (critical)" in text
    assert words in text
    assert "A worker on node-a died (critical)" in text
    assert "node-b" not in text
    with runtime.state.begin() as tx:
        tx.pauses.pause("*", "kim", "stocktaking", clock.at)
        tx.workers.join("w2", "node-a", 4712, "1", timedelta(minutes=5), {"jobs": []})
        tx.runs.start(Run("r3", "customers", "changes", clock.at))
        tx.runs.finish("r3", "done", clock.at)
    clock.at += timedelta(hours=1)
    await watch.look()
    told = body(mailbox.mails[1])
    assert "Well again: erp does not answer" in told
    assert "Well again: orders: nothing for too long" in told  # paused flows owe nothing


async def test_a_flow_is_not_silent_while_it_must_not_work(office: Any) -> None:
    """Nor before it had the time it has otherwise, once a blackout or a pause is over."""
    text = CONFIG.format(channels="    mail: {url: json://x}").replace("every: 5m", "every: 5m, blackout: ['sat,sun']")
    config, friday = load_text(text), datetime(2026, 3, 6, 23, 58, tzinfo=UTC)
    tuesday, three = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 3, 10, 15, tzinfo=UTC)

    def dues(tx: Any, now: datetime) -> dict[str, datetime]:
        return {one.flow: one.due for one in gather(tx, config, now, friday).silent}

    with office().state.begin() as tx:
        assert dues(tx, friday + timedelta(days=1))["customers"] == datetime(2026, 3, 9, 0, 10, tzinfo=UTC)
        tx.pauses.pause("*", "kim", "stocktaking", friday)
        assert dues(tx, tuesday) == {}
        tx.pauses.resume("*", "kim", tuesday)
        tx.pauses.pause("customers", "kim", "stocktaking", tuesday, three)
        assert dues(tx, three) == {
            "customers": three + timedelta(minutes=10), "orders": datetime(2026, 3, 11, 5, tzinfo=UTC),
        }  # fmt: skip


async def test_a_turn_of_the_clock_may_take_longer_than_the_one_before(office: Any) -> None:
    """Each night at six a pass of an hour: that it has not ended when it begins is no silence."""
    runtime = office()
    begins = datetime(2026, 3, 4, 5, tzinfo=UTC)  # six in Berlin
    with runtime.state.begin() as tx:
        tx.runs.start(Run("r", "orders", "changes", begins - timedelta(days=1)))
        tx.runs.finish("r", "issues", begins - timedelta(hours=23))

        def silent(**after: float) -> list[str]:
            facts = gather(tx, runtime.config, begins + timedelta(**after), begins)
            found = judge(runtime.config.alerts.rules, facts, Wording())
            return [one.subject for one in found if one.rule == "silence"]

        assert silent(hours=2) == []
        assert silent(hours=25) == ["customers", "orders"]


async def test_live_changes_that_get_through_hide_no_pass_that_fails(office: Any) -> None:
    runtime = office()
    at, states = runtime.clock.at, {"changes": "failed", "hints": "done", "plan": "done"}
    with runtime.state.begin() as tx:
        for number in range(9):
            mode = list(states)[number % 3]
            tx.runs.start(Run(f"r{number}", "customers", mode, at + timedelta(minutes=number)))
            tx.runs.finish(
                f"r{number}", states[mode], at + timedelta(minutes=number), error="no right to list accounts"
            )
        [found] = judge(runtime.config.alerts.rules, gather(tx, runtime.config, at, at), Wording())
        assert (found.rule, found.count) == ("failing", 3)
        [told] = status.statuses(runtime.config, tx, ["customers"], at)
        assert (told.state, told.last_run.id) == ("failed", "r6")
        assert told.blocker == "the last run failed: no right to list accounts"


async def test_a_system_that_is_away_is_that_whatever_its_words(office: Any) -> None:
    runtime = office()
    at = runtime.clock.at
    with runtime.state.begin() as tx:
        for number in range(4):
            tx.runs.start(Run(f"r{number}", "customers", "changes", at + timedelta(minutes=5 * number)))
            tx.runs.finish(f"r{number}", "down", at + timedelta(minutes=5 * number), error="/data/x.csv: No such file")
        found = judge(
            runtime.config.alerts.rules, gather(tx, runtime.config, at + timedelta(minutes=20), at), Wording()
        )
    assert [(one.rule, one.title) for one in found] == [("down", "a system of customers does not answer")]


async def test_addresses_are_checked_at_the_start_and_never_shown(
    office: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_BAD", "nosuchservice://tok3n-s3cret@host")
    with pytest.raises(InvalidConfig, match="Apprise does not understand this address") as refused_address:
        Watch(office('    chat: {url: "${env:ALERT_BAD}"}'))
    with pytest.raises(InvalidConfig, match="ALERT_MISSING is not set"):
        Watch(office('    chat: {url: "${env:ALERT_MISSING}"}'))
    assert "weft.yaml:" in str(refused_address.value)
    assert "tok3n" not in str(refused_address.value) + caplog.text


async def test_a_failure_is_told_without_the_address(
    office: Any, endpoint: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ALERT_GONE", "json://user-a:pa55-w0rd@127.0.0.1:9/hook-s3cret")
    words = await said(office('    chat: {url: "${env:ALERT_GONE}"}'), "chat")
    assert words
    assert "pa55-w0rd" not in words + "".join(r.getMessage() for r in caplog.records if r.name.startswith("weft"))


async def test_the_watch_runs_beside_the_daemon(office: Any, mailbox: Mailbox) -> None:
    async with watching(office(), every=0.01) as watch:
        assert watch is not None
        runtime = watch._runtime
        with runtime.state.begin() as tx:
            tx.issues.open(Issue("orders", "sales_order", "approval", *[runtime.clock.at] * 2, key="record:1"))
        async with asyncio.timeout(20):
            await mailbox.came.wait()
