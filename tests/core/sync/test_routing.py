"""Companies: where new records go, several at once, and links that are pinned."""

from __future__ import annotations

from typing import Any

import pytest

from weft.desk import links
from weft.desk.desk import Desk
from weft.records import Error, Hint
from weft.sync.verify import verify
from weft.testing.memory import MemoryObject, MemorySystem

ERP = """
entity: customer
object: customers
key: [id]
match: [[tax_id]]
returns: [number]
fields: {displayName: name, taxNumber: tax_id, number: {from: number, on: read}}
---
entity: product
object: items
key: [id]
match: [[number]]
fields: {no: number, displayName: name}
"""


@pytest.fixture
def companies(world: Any) -> Any:
    """The ERP with two companies."""
    world.erp = MemorySystem(
        [
            MemoryObject(
                "customers",
                {"id": "text", "displayName": "text", "taxNumber": "text", "number": "text"},
                key=("id",),
                assigns={"number": "C{:05d}".format},
            ),
            MemoryObject("items", {"id": "text", "no": "text", "displayName": "text"}, key=("id",)),
        ],
        ERP,
        companies={"us": "Adatum US", "de": "Adatum DE"},
    )
    world.configure("owner: crm}", "owner: crm, company: {by: tax_id, US1: Adatum US, DE1: de}}")
    world.configure("on_conflict: review}", "on_conflict: review, company: [us, de]}")
    world.config = world.config[: world.config.index("  orders:")]
    return world


def names(world: Any, object: str, company: str) -> set[str]:
    return {row["displayName"] for row in world.erp.rows(object, company).values()}


async def test_a_rule_sends_each_record_to_its_company(companies: Any) -> None:
    companies.crm.put("Accounts", Name="American", Tax="US1")
    companies.crm.put("Accounts", Name="German", Tax="DE1")
    await companies.sync("customers")
    assert names(companies, "customers", "us") == {"American"}
    assert names(companies, "customers", "de") == {"German"}


async def test_no_rule_matches_is_an_issue_not_a_default(companies: Any) -> None:
    companies.crm.put("Accounts", Name="French", Tax="FR1")
    await companies.sync("customers")
    [issue] = await companies.issues()
    assert issue.code == "unrouted"
    assert companies.erp.rows("customers") == {}


async def test_a_product_is_released_in_several_companies_and_edits_reach_all(companies: Any) -> None:
    key = companies.crm.put("Products", Code="P1", Name="Chair")
    await companies.sync("products")
    assert names(companies, "items", "us") == names(companies, "items", "de") == {"Chair"}
    companies.crm.edit("Products", key, Name="Armchair")
    await companies.sync("products")
    assert names(companies, "items", "us") == names(companies, "items", "de") == {"Armchair"}
    item = next(iter(companies.erp.rows("items", "us")))
    companies.erp.edit("items", item, company="us", displayName="Sofa")
    await companies.sync("products")
    await companies.sync("products")
    assert companies.crm.get("Products", key)["Name"] == "Sofa"
    assert names(companies, "items", "de") == {"Sofa"}, "an edit in one company reaches the other"
    assert await companies.issues() == []


async def test_a_proof_counts_each_counterpart_once(companies: Any) -> None:
    companies.crm.put("Products", Code="P1", Name="Chair")
    await companies.sync("products")
    item = next(iter(companies.erp.rows("items", "us")))
    companies.erp.edit("items", item, company="us", displayName="Sofa")
    async with companies.runtime() as runtime:
        [proof] = await verify(runtime, ["products"])
    assert (proof.agree, proof.differ, proof.only_left, proof.only_right) == (1, 1, 0, 0)


async def test_a_customer_that_moves_is_a_question_not_a_second_customer(companies: Any) -> None:
    key = companies.crm.put("Accounts", Name="Mover", Tax="US1")
    await companies.sync("customers")
    companies.crm.edit("Accounts", key, Tax="DE1")
    await companies.sync("customers")
    assert names(companies, "customers", "de") == set()
    assert {issue.code for issue in await companies.issues()} == {"rerouted"}


async def test_a_company_nobody_can_see_is_named(companies: Any) -> None:
    companies.configure("DE1: de", "DE1: Fabrikam")
    async with companies.runtime() as runtime:
        from weft.sync.cycle import sync

        [report] = await sync(runtime, ["customers"])
    assert report.state == "failed"
    assert report.exit_code == 2
    assert "Fabrikam" in report.error
    assert "Adatum US" in report.error


async def test_success_in_one_company_leaves_the_issue_about_another(
    companies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counterpart of a record fails and succeeds for itself."""
    key = companies.crm.put("Products", Code="P1", Name="Chair")
    german = Error("record", "blocked here")
    monkeypatch.setattr(companies.erp, "_refused", lambda item: german if item.company == "de" else None)
    await companies.sync("products")
    assert (names(companies, "items", "us"), names(companies, "items", "de")) == ({"Chair"}, set())
    [first] = await companies.issues()
    assert (first.kind, first.reason, first.target) == ("failed", "erp/Adatum DE: blocked here", "erp/de")
    companies.crm.edit("Products", key, Name="Armchair")
    await companies.sync("products")
    [still] = await companies.issues()
    assert (still.id, still.attempts) == (first.id, 2), "the update of the one in the US says nothing about Germany"
    item = next(iter(companies.erp.rows("items", "us")))
    companies.erp.edit("items", item, company="us", displayName="Sofa")
    await companies.sync("products")
    assert [one.id for one in await companies.issues()] == [first.id]
    monkeypatch.undo()
    await companies.sync("products")
    companies.crm.edit("Products", key, Name="Stool")
    await companies.sync("products")
    assert names(companies, "items", "us") == names(companies, "items", "de") == {"Stool"}
    assert await companies.issues() == []


async def test_what_is_told_of_another_company_is_not_read(companies: Any) -> None:
    """An environment tells of all its companies; only those of the flow are its business."""
    companies.erp.companies["fr"] = "Adatum France"
    american = companies.erp.put("customers", company="us", displayName="American", taxNumber="US1")
    await companies.sync("customers")
    foreign = companies.erp.put("customers", company="fr", displayName="French", taxNumber="FR1")
    companies.erp.edit("customers", american, company="us", displayName="American Inc")
    told = [Hint("customers", foreign, "fr"), Hint("customers", None, "fr"), Hint("customers", american, "US")]
    await companies.tell(lambda tx: tx.hints.put_many("customers", "erp", told, companies.clock.now()))
    await companies.sync("customers")
    assert [row["Name"] for row in companies.crm.rows("Accounts").values()] == ["American Inc"]
    assert "fr" not in {query.company for query in companies.erp.reads}
    assert await companies.ask(lambda tx: tx.hints.counts()) == {}


async def test_a_company_that_is_added_later_gets_what_is_there(companies: Any) -> None:
    """Nothing about the records has changed, so that no pass and no sweep looked at them."""
    companies.configure("company: [us, de]", "company: [us]")
    companies.crm.put("Products", Code="P1", Name="Chair")
    companies.crm.put("Products", Code="P2", Name="Table")
    companies.erp.put("items", company="de", no="P2", displayName="Table")
    await companies.sync("products")
    companies.configure("company: [us]", "company: [us, de]")
    await companies.sync("products")
    assert names(companies, "items", "de") == {"Chair", "Table"}
    assert len(companies.erp.rows("items", "de")) == 2
    before = len(companies.erp.reads)
    await companies.sync("products")
    assert {query.mode for query in companies.erp.reads[before:]} == {"changes"}


async def test_a_record_whose_link_is_removed_moves_to_where_the_rule_says(companies: Any) -> None:
    """The advice of the question was followed, and nothing happened; the question stayed open."""
    key = companies.crm.put("Accounts", Name="Adatum", Tax="US1")
    await companies.sync("customers")
    companies.crm.edit("Accounts", key, Tax="DE1")
    await companies.sync("customers")
    [issue] = await companies.issues()
    async with companies.runtime() as runtime:
        desk = Desk(runtime.config, runtime.state, "kim", companies.clock, lambda: runtime, lambda work: None)
        await links.remove.run(desk, links.Remove(ids=[issue.link_id]))
    await companies.sync("customers")
    assert names(companies, "customers", "de") == {"Adatum"}
    assert await companies.issues() == []
