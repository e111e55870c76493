"""weft links and journal."""

from __future__ import annotations

import csv
import json
import sqlite3
from typing import Any

import pytest


@pytest.fixture
def pairs(shop: Any) -> Any:
    """Three records on each side that no match rule joins."""
    for name in ("Adatum", "Contoso", "Fabrikam"):
        shop.crm.put("Accounts", Name=name)
        shop.erp.put("Customers", Name=f"{name} AG")
    return shop


def write(shop: Any, text: str) -> str:
    file = shop.folder / "links.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_link_by_hand_joins_two_records(pairs: Any) -> None:
    told = pairs.run("links", "add", "customers", "Accounts-0001", "Customers-0001").output
    assert told.startswith("link 1: Accounts-0001 <-> Customers-0001")
    assert "linked already" in pairs.run("links", "add", "customers", "Accounts-0001", "Customers-0001").output
    again = pairs.run("links", "add", "customers", "Accounts-0002", "Customers-0001", code=2).output
    assert "Customers-0001 is linked to Accounts-0001 already; weft links remove 1 would free it" in again
    pairs.run("sync", code=1)
    names = {row["Name"] for row in pairs.crm.rows("Accounts").values()}
    assert len(pairs.crm.rows("Accounts")) == 5  # two more from the ERP, not three
    assert "Adatum" in names
    assert pairs.crm.get("Accounts", "Accounts-0001")["Number"] == "C00001"
    [conflict] = pairs.json("conflicts", "list")
    assert list(conflict["payload"]) == ["name"]


def test_a_link_to_nothing_is_refused(pairs: Any) -> None:
    told = pairs.run("links", "add", "customers", "Accounts-0001", "Customers-0009", code=2).output
    assert "Customers Customers-0009 on erp is gone" in told
    assert "no links" in pairs.run("links", "list").output
    pairs.run("links", "add", "customers", "Accounts-0001", "Customers-0009", "--no-check")
    assert len(pairs.json("links", "list", "customers")) == 1


def test_variants_and_companies_must_fit(pairs: Any) -> None:
    base = ("links", "add", "customers", "Accounts-0001", "Customers-0001")
    assert (
        "crm has no variant 'x'; give left_variant, one of: account"
        in pairs.run(*base, "--left-variant", "x", code=2).output
    )
    assert "erp has no companies" in pairs.run(*base, "--right-company", "usmf", code=2).output


def test_import_tells_each_wrong_line_and_is_idempotent(pairs: Any) -> None:
    file = write(pairs, "left_key;right_key;left_variant\n"
                 "Accounts-0001;Customers-0001;account\n"
                 ";Customers-0002;\n"
                 "Accounts-0002;Customers-0001;\n"
                 "Accounts-0003;Customers-0003;nope\n"
                 "Accounts-0001;Customers-0001;account\n")  # fmt: skip
    dry = pairs.run("links", "import", "customers", file, "--dry-run", code=1)
    assert "1 links would be imported, 1 were there already, 3 lines are wrong" in dry.output
    assert "no links" in pairs.run("links", "list").output
    result = pairs.run("links", "import", "customers", file, code=1)
    assert "links.csv:3: left_key is empty" in result.output
    assert "links.csv:4: Customers-0001 is linked to Accounts-0001 already in this file" in result.output
    assert "links.csv:5: crm has no variant 'nope'" in result.output
    assert "1 links imported" in result.output
    assert "0 links imported, 2 were there already" in pairs.run("links", "import", "customers", file, code=1).output
    checked = write(pairs, "left_key,right_key\nAccounts-0002,Customers-0007\n")
    assert (
        "links.csv:2: Customers Customers-0007 on erp is gone"
        in pairs.run("links", "import", "customers", checked, "--check", code=1).output
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("left,right\n1,2\n", "the column left_key is missing"),
        ("left_key,right_key,left_compny\n1,2,3\n", "there is no column 'left_compny', did you mean 'left_company'"),
    ],
)
def test_a_wrong_header_is_refused(pairs: Any, text: str, told: str) -> None:
    result = pairs.run("links", "import", "customers", write(pairs, text), code=2)
    assert f"links.csv:1: {told}" in result.output


def test_what_is_exported_can_be_imported_again(pairs: Any) -> None:
    for n in (1, 2, 3):
        pairs.run("links", "add", "customers", f"Accounts-000{n}", f"Customers-000{n}")
    out = pairs.folder / "out.csv"
    pairs.run("links", "export", "customers", "-o", str(out))
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert [row["right_key"] for row in rows] == ["Customers-0001", "Customers-0002", "Customers-0003"]
    assert "Forget them?" in pairs.run("links", "remove", "1", "2", "3", input="n\n", code=1).output
    assert len(pairs.json("links", "list")) == 3
    assert "3 links removed" in pairs.run("links", "remove", "1", "2", "3", "--yes").output
    assert "no links" in pairs.run("links", "list").output
    told = pairs.run("links", "import", "customers", str(out)).output
    assert "3 links imported, 0 were there already, 0 lines" in told
    journal = pairs.json("journal")
    assert [entry["outcome"] for entry in journal].count("unlinked") == 3
    assert all("by " in entry["reason"] for entry in journal)


def test_links_made_after_the_first_load_are_looked_at_by_the_next_sync(pairs: Any) -> None:
    pairs.add("    create: none\n")
    pairs.run("sync", code=None)
    assert "no links" in pairs.run("links", "list").output
    pairs.run("links", "add", "customers", "Accounts-0002", "Customers-0002")
    pairs.run("sync", code=1)
    assert pairs.crm.get("Accounts", "Accounts-0002")["Number"] == "C00002"
    assert pairs.json("status", code=1)["flows"][0]["last_run"]["mode"] != "links"


def test_merged_records_live_on_in_the_link_that_is_kept(pairs: Any) -> None:
    for n in (1, 2):
        pairs.run("links", "add", "customers", f"Accounts-000{n}", f"Customers-000{n}")
    assert "cannot be merged with itself" in pairs.run("links", "merge", "1", "1", code=2).output
    assert "there is no link 9" in pairs.run("links", "merge", "1", "9", code=2).output
    assert "link 2 is merged into 1; 2 former keys lead there" in pairs.run("links", "merge", "1", "2").output
    shown = pairs.json("links", "show", "1")
    assert {alias["key"] for alias in shown["aliases"]} == {"Accounts-0002", "Customers-0002"}
    assert "there is no link 2" in pairs.run("links", "show", "2", code=2).output
    assert pairs.json("journal")[0]["outcome"] == "merged"


def test_show_tells_what_was_agreed(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    shown = shop.run("links", "show", "1").output
    assert "crm Accounts(Accounts-0001)" in shown
    assert "last agreed" in shown
    assert shop.json("links", "show", "1")["left_base"]["name"] == "Contoso"
    assert "there is no link 7" in shop.run("links", "show", "7", code=2).output


def test_journal_is_searched_and_exported(shop: Any) -> None:
    shop.crm.put("Accounts", Name="=1+1", Phone="7")
    shop.run("sync")
    shown = shop.run("journal", "--key", "Accounts-0001").output
    assert "created" in shown
    assert "nothing is written there" in shop.run("journal", "--key", "Accounts-0009").output
    assert "nothing is written there" in shop.run("journal", "--outcome", "rejected").output
    assert "nothing is written there" in shop.run("journal", "--until", "2020-01-01").output
    assert "created" in shop.run("journal", "--since", "2h", "--flow", "customers").output
    assert "is no time" in shop.run("journal", "--since", "yesterday", code=2).output
    entries = shop.json("journal")
    assert "created" in shop.run("journal", "--run", entries[0]["run_id"][:10]).output
    lines, table = shop.folder / "j.jsonl", shop.folder / "j.csv"
    shop.run("journal", "--jsonl", str(lines))
    shop.run("journal", "--csv", str(table))
    told = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [entry["seq"] for entry in told] == sorted(entry["seq"] for entry in told)
    assert [entry["id"] for entry in told] == [entry["id"] for entry in reversed(entries)]
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    created = next(row for row in rows if row["outcome"] == "created")
    assert json.loads(created["fields"])["phone"] == {"to": "7"}


def test_the_hash_chain_is_verified(shop: Any) -> None:
    shop.crm.put("Accounts", Name="Contoso")
    shop.run("sync")
    assert "runs are whole" in shop.run("journal", "verify").output
    forger = sqlite3.connect(shop.folder / "weft.db")
    for (name,) in forger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        forger.execute(f'DROP TRIGGER "{name}"')
    forger.execute("UPDATE journal SET reason = 'nothing to see' WHERE seq = 1")
    forger.commit()
    forger.close()
    result = shop.run("journal", "verify", code=1)
    assert "broken at entry 1: its content was changed" in result.output
