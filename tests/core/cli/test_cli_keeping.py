"""weft backup, restore and prune, as a person calls them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text


def grow(shop: Any, *names: str) -> None:
    for name in names:
        shop.crm.put("Accounts", Name=name)
        shop.run("sync")


def test_before_the_first_run_an_empty_database_is_no_error(shop: Any, postgres_url: str) -> None:
    shop.config.write_text(f"state: {postgres_url}\n" + shop.config.read_text("utf-8"), "utf-8")
    shop.crm.put("Accounts", Name="Contoso")
    assert "there is none yet" in shop.run("doctor").output
    assert "there is none yet" in shop.run("check").output
    assert "never ran" in shop.run("status", code=1).output
    assert "Contoso" in shop.run("plan", code=None).output


def test_a_state_moves_to_postgresql_and_the_next_sync_finds_all_agreed(shop: Any, postgres_url: str) -> None:
    grow(shop, "Adatum", "Contoso")
    backup = shop.folder / "weft.backup"
    with shop.state():  # a daemon that is at work
        assert "2 links" in shop.run("backup", str(backup)).output
    assert shop.json("backup", str(backup), "--check")["rows"]["links"] == 2
    assert "exists already" in shop.run("backup", str(backup), code=2).output
    shop.config.write_text(f"state: {postgres_url}\n" + shop.config.read_text("utf-8"), "utf-8")
    assert "restored" in shop.run("restore", str(backup)).output
    assert "nothing to write" in shop.run("plan").output
    before = len(shop.erp.writes)
    grow(shop, "Fabrikam")
    assert len(shop.erp.writes) == before + 1
    assert "--force" in shop.run("restore", str(backup), code=2).output
    assert shop.run("journal", "verify").exit_code == 0


def test_restoring_over_a_file_keeps_the_one_before(shop: Any) -> None:
    grow(shop, "Adatum")
    backup = shop.folder / "weft.backup"
    shop.run("backup", str(backup))
    grow(shop, "Contoso")
    kept = Path(shop.json("restore", str(backup), "--force")["kept"])
    assert kept.exists()
    assert shop.json("status")["flows"][0]["links"] == {"linked": 1}


def test_prune_gives_up_whole_runs_and_leaves_a_proof(shop: Any) -> None:
    shop.add("retention: {journal: 30d, runs: 7d, issues: 30d, export: old}\n")
    grow(shop, "Adatum")
    for _ in range(3):
        shop.run("sync")  # nothing to do
    shop.clock.at += timedelta(days=40)
    grow(shop, "Contoso")
    before = shop.json("journal", "verify")
    out = shop.json("prune", "--compact")
    assert out["journals"] >= 1
    assert out["entries"] > 0
    assert out["runs"] >= 1
    after = {one["run_id"]: one for one in shop.json("journal", "verify")}
    assert all(one["ok"] for one in after.values())
    given_up = [one for one in before if after.get(one["run_id"], {}).get("problem", "").startswith("its ")]
    assert len(given_up) == out["journals"] == len(out["exported"])
    assert "were given up" in shop.run("journal", "verify").output
    assert shop.json("prune")["entries"] == 0
    exported = [path for path in (shop.folder / "old").rglob("*") if path.is_file()]
    assert sorted(map(str, exported)) == sorted(out["exported"])
    files = [word for path in exported for word in ("--file", str(path))]
    assert all(one["ok"] for one in shop.json("journal", "verify", *files))
    lines = exported[0].read_text("utf-8").splitlines()
    changed = {**json.loads(lines[1]), "reason": "nothing happened"}
    exported[0].write_text("\n".join([lines[0], json.dumps(changed), *lines[2:]]) + "\n", "utf-8")
    told = shop.run("journal", "verify", "--file", str(exported[0]), code=1).output
    assert "its content was changed" in told
    status = shop.json("status")["flows"][0]
    assert status["last_agreement"] is not None


def test_a_broken_journal_is_kept_as_evidence(shop: Any) -> None:
    shop.add("retention: {journal: 30d}\n")
    grow(shop, "Adatum")
    with shop.state() as state, state.begin() as tx:
        tx.connection.execute(text("DROP TRIGGER journal_no_update"))
        tx.connection.execute(text("UPDATE journal SET reason = 'nothing happened' WHERE seq = 1"))
    shop.clock.at += timedelta(days=40)
    out = shop.json("prune")
    assert (len(out["kept"]), out["entries"]) == (1, 0)
    assert "kept 1 journals that are broken" in shop.run("prune").output


def test_an_export_that_cannot_be_written_forgets_nothing(shop: Any) -> None:
    shop.add("retention: {journal: 30d, export: old}\n")
    grow(shop, "Adatum")
    (shop.folder / "old").write_text("a file in the way")
    shop.clock.at += timedelta(days=40)
    assert "nothing was forgotten" in shop.run("prune", code=2).output
    assert shop.json("journal")


@pytest.mark.parametrize("text", ["journal: 1h", "issues: 0"])
def test_less_than_a_day_is_refused(shop: Any, text: str) -> None:
    shop.add(f"retention: {{{text}}}\n")
    assert "at least one day" in shop.run("prune", code=2).output
