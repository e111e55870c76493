"""``weft pause``, ``weft resume`` and what ``weft status`` says holds a flow up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weft.config.loading import load_text
from weft.desk.status import statuses
from weft.errors import ConfigError
from weft.plugins import Plugins
from weft.records import Hint
from weft.state import Run, State
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
        assert blocker(state, weekdays) == "in its blackout window mon-fri 08:00-18:00 (UTC)"
        with state.begin() as tx:
            tx.pauses.pause("*", "kim", "month end", NOW, NOW + timedelta(hours=2))
        assert blocker(state, weekdays) == (
            "paused by kim until 2024-05-01 10:00 UTC: month end; weft resume lets it go on"
        )


def test_sync_refuses_a_flow_that_must_not_work_now(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("pause", "customers", "--reason", "month end")
    refused = shop.run("sync", "customers", code=2).output
    assert re.search(r"customers is paused by .*: month end; weft resume lets it go on", refused)
    assert "month end" in shop.run("sync", code=2).output  # there is nothing else to run
    assert not shop.erp.writes
    shop.run("resume", "customers")
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
