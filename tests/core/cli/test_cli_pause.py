"""``weft pause``, ``weft resume`` and what ``weft status`` says holds a flow up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weft.config.loading import load_text
from weft.desk.status import statuses, troubles
from weft.errors import ConfigError
from weft.plugins import Plugins
from weft.records import Hint
from weft.state import Run, State
from weft.state.cursors import Cursor
from weft.sync.held import runnable
from weft.testing.memory import MemoryObject, MemorySystem

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)  # a Wednesday
MAPS = "{entity: customer, object: Accounts, key: [Id], fields: {Name: name}}"
CONFIG = """
connections: {crm: {kind: mem}, erp: {kind: mem}}
flows: {customers: {entity: customer, between: [crm, erp], every: 5m%s}}
"""


@pytest.fixture
def config() -> Any:
    plugins = Plugins()
    plugins.register("mem", MemorySystem([MemoryObject("Accounts", {"Id": "text", "Name": "text"})], MAPS))
    return lambda more="": load_text(CONFIG % more, "weft.yaml", plugins)


def blocker(state: State, config: Any) -> str:
    with state.begin(writes=False) as tx:
        return statuses(config, tx, ["customers"], NOW)[0].blocker


def test_the_blocker_is_named(state_url: str, config: Any) -> None:
    with State.open(state_url) as state:
        assert "never ran" in blocker(state, config())
        with state.begin() as tx:
            tx.hints.put_many("customers", "crm", [Hint("Accounts", "A1")], NOW)
            tx.runs.start(Run("r1", "customers", "first", NOW, worker="w1"))
            lease = tx.workers.join("w1", "host", 1, "1", timedelta(minutes=1))
        assert "first load is under way, since 2024-05-01 08:00 UTC" in blocker(state, config())
        with state.begin() as tx:
            tx.runs.finish("r1", "done", NOW)
            tx.workers.beat(lease, timedelta(minutes=1), {"connections": {"erp": {"held_for": 40}}})
        assert blocker(state, config()) == "erp asked for a pause; 40 s of it are left"
        with state.begin() as tx:
            tx.workers.beat(lease, timedelta(seconds=-1))
        assert "no worker is alive" in blocker(state, config())
        weekdays = config(", blackout: [mon-fri 08:00-18:00], timezone: UTC")
        assert blocker(state, weekdays) == (
            "in its blackout window mon-fri 08:00-18:00 (UTC); it runs when that is over"
        )
        with state.begin() as tx:
            tx.pauses.pause("*", "kim", "month end", NOW, NOW + timedelta(hours=2))
        assert blocker(state, weekdays) == (
            "paused with all flows by kim until 2024-05-01 10:00 UTC: month end; weft resume lets them go on"
        )
        with state.begin() as tx:
            tx.pauses.pause("customers", "kim", "stock taking", NOW)
        assert blocker(state, weekdays) == "paused by kim: stock taking; weft resume customers lets it go on"


def test_a_daemon_that_is_not_up_or_has_not_begun_is_told(tmp_path: Path, config: Any) -> None:
    by_hand = load_text(CONFIG.replace(", every: 5m", "") % "", "weft.yaml")
    nightly = load_text(CONFIG.replace("every: 5m", 'cron: "0 2 * * *"') % "", "weft.yaml")
    with State.open(f"sqlite:///{tmp_path}/weft.db") as state:
        with state.begin() as tx:
            lease = tx.workers.join("w1", "host", 1, "1", timedelta(minutes=1))
            tx.workers.beat(lease, timedelta(minutes=1), {"jobs": [], "pushes": {"erp": "no address"}})
            told = troubles(tx.workers.alive())
        assert told == {"erp": "does not push changes, so flows find them by their schedule alone: no address"}
        assert "weft run leaves it alone, weft sync customers runs it" in blocker(state, by_hand)
        assert "its first load begins at 2024-05-02 02:00 UTC" in blocker(state, nightly)
        with state.begin() as tx:
            tx.runs.start(Run("r1", "customers", "changes", NOW - timedelta(hours=1)))
            tx.cursors.put(Cursor("customers", "left", "crm", "", "", "1", NOW))
        assert blocker(state, config()) == ""  # at work, under a worker that is alive
        with state.begin() as tx:
            tx.runs.finish("r1", "done", NOW - timedelta(hours=1))
        assert blocker(state, config()) == ""
        with state.begin() as tx:
            tx.workers.beat(lease, timedelta(seconds=-1))
        assert blocker(state, config()) == (
            "its turn came 55m 00s ago and no weft run is up to take it: start weft run"
        )
        assert blocker(state, by_hand) == ""


def test_what_stopped_the_last_run_is_in_the_status(shop: Any) -> None:
    shop.run("sync")
    shop.erp.down = "the maintenance window lasts until 6"
    shop.run("sync", code=3)
    told = shop.run("status", code=1).output
    words = "did not answer in the last run: erp: Memory ERP: the maintenance window lasts until 6"
    assert words in told
    with shop.state() as state, state.begin() as tx:  # a daemon tries again and again
        lease = tx.workers.join("w1", "host", 1, "1", timedelta(minutes=1))
        tx.workers.beat(lease, timedelta(minutes=1), {"jobs": []})
        tx.runs.start(Run("again", "customers", "changes", shop.clock.now()))
    assert f"{words}; another run is under way" in shop.run("status", code=1).output


def test_sync_refuses_a_flow_that_must_not_work_now(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("pause", "customers", "--reason", "month end")
    refused = shop.run("sync", "customers", code=2).output
    assert re.search(r"customers is paused by .*: month end; weft resume customers lets it go on", refused)
    assert "month end" in shop.run("sync", code=2).output  # there is nothing else to run
    assert not shop.erp.writes
    assert "only customers: weft resume customers" in shop.run("resume", code=2).output
    shop.run("resume", "customers")
    assert "customers is not paused" in shop.run("resume", "customers", code=2).output
    shop.run("pause")
    assert "weft resume, without a name, lets them go on" in shop.run("resume", "customers", code=2).output
    shop.run("resume")
    shop.run("sync", "customers")
    assert shop.erp.writes


def test_flows_are_left_out_where_none_was_named_and_a_blackout_holds_too(tmp_path: Path, config: Any) -> None:
    flows = {"a": config().flows["customers"], "b": config(", blackout: [mon-fri 08:00-18:00]").flows["customers"]}
    with State.open(f"sqlite:///{tmp_path}/weft.db") as state, state.begin() as tx:
        free, kept = runnable(flows, tx, NOW, [])
        assert (free, list(kept)) == (["a"], ["b"])
        with pytest.raises(ConfigError, match=r"b is in its blackout window .*; it runs when that is over"):
            runnable(flows, tx, NOW, ["b"])
        assert runnable(flows, tx, NOW, ["a"]) == (["a"], {})
