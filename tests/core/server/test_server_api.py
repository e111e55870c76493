"""The API: what it answers, and that its OpenAPI document tells the truth."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from weft.desk import journal
from weft.desk.actions import ACTIONS, QUESTIONS
from weft.desk.looking import FlowView
from weft.desk.status import FlowStatus
from weft.server import api
from weft.server.pages.overview import verdict
from weft.server.site import Site
from weft.state.journal import Entry
from weft.state.pauses import Pause
from weft.state.runs import Run
from weft.sync.cycle import sync

Client = Callable[..., httpx.AsyncClient]
BASE = "/api/v1"


@pytest.fixture
async def reader(guarded_site: Site, client: Client) -> Any:
    async with client(guarded_site, "viewer") as opened:
        yield opened


@pytest.fixture
async def operator(guarded_site: Site, client: Client) -> Any:
    async with client(guarded_site, "operator") as opened:
        yield opened


async def found(asked: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    answer = await asked.get(f"{BASE}/issues", params={"kind": kind})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def fits(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    return [f"{e.json_path}: {e.message}" for e in Draft202012Validator(whole).iter_errors(value)]


async def test_every_answer_is_as_the_document_says(guarded_site: Site, reader: httpx.AsyncClient) -> None:
    document = (await reader.get(f"{BASE}/openapi.json")).json()
    routes = {
        (route.path, method.lower())
        for route in api.routes(guarded_site)
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    told = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert routes == told
    issue = (await found(reader, "failed"))[0]["id"]
    run = (await reader.get(f"{BASE}/runs")).json()["items"][0]["id"]
    ids = {f"{BASE}/issues/{{id}}": issue, f"{BASE}/links/{{id}}": 1, f"{BASE}/runs/{{id}}": run}
    for path, methods in document["paths"].items():
        if "get" not in methods or path in (f"{BASE}/proofs/{{id}}", f"{BASE}/journal.csv", f"{BASE}/journal.jsonl"):
            continue
        answer = await reader.get(path.replace("{id}", str(ids.get(path, ""))))
        assert answer.status_code == 200, (path, answer.text)
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert fits(document, schema, answer.json()) == []
    missing = await reader.get(f"{BASE}/issues/99999")
    assert missing.status_code == 404
    assert fits(document, document["components"]["schemas"]["Error"], missing.json()) == []
    assert len(told) == len(ACTIONS) + len(QUESTIONS) + 3


async def test_what_is_wanted_is_validated(operator: httpx.AsyncClient) -> None:
    for path, body, words in (
        ("issues/retry", {}, "give ids, or all"),
        ("issues/retry", {"ids": [1], "all": True}, "give ids, or all"),
        ("issues/skip", {"ids": [1]}, "reason: Field required"),
        ("issues/skip", {"ids": [1], "reason": "r", "force": 1}, "force: there is no such name here"),
        ("links/add", {"flow": "customer", "pairs": [{"left_key": "1", "right_key": "2"}]}, "did you mean 'customers'"),
        ("flows/pause", {"flow": "nobody", "reason": "r"}, "there is no flow 'nobody'"),
    ):
        answer = await operator.post(f"{BASE}/{path}", json=body)
        assert answer.status_code == 422, answer.text
        assert words in answer.json()["error"]["message"]
    bad = await operator.post(f"{BASE}/issues/skip", content=b"{", headers={"content-type": "application/json"})
    assert bad.status_code == 422
    assert (await operator.post(f"{BASE}/issues/skip", data={"ids": "1"})).status_code == 415
    assert (await operator.get(f"{BASE}/issues", params={"limit": "many"})).status_code == 422
    assert (await operator.get(f"{BASE}/nothing")).json()["error"]["code"] == "not_there"
    assert (await operator.delete(f"{BASE}/issues")).status_code == 405


async def test_issues_are_found_by_cause_and_retried_together(guarded_site: Site, operator: httpx.AsyncClient) -> None:
    causes = (await operator.get(f"{BASE}/causes", params={"kind": "failed"})).json()["items"]
    assert [(one["count"], one["kind"]) for one in causes] == [(2, "failed")]
    assert causes[0]["words"] == "The field Phone No. must be filled in. It cannot be zero or empty."
    same = (await operator.get(f"{BASE}/issues", params={"cause": causes[0]["key"]})).json()["items"]
    assert {one["label"] for one in same} == {"Contoso <b>AG</b>", "Fabrikam"}
    done = await operator.post(f"{BASE}/issues/retry", json={"cause": causes[0]["key"]})
    assert done.json() == {"count": 2}
    due = await guarded_site.runtime.state.read(lambda tx: tx.issues.due(guarded_site.now))
    assert {issue.label for issue in due} == {"Contoso <b>AG</b>", "Fabrikam"}


async def test_decisions_are_taken_once(operator: httpx.AsyncClient) -> None:
    [conflict] = await found(operator, "conflict")
    wrong = await operator.post(f"{BASE}/conflicts/resolve", json={"id": conflict["id"], "fields": {"name": "left"}})
    assert "'name' is not in conflict" in wrong.json()["error"]["message"]
    done = await operator.post(f"{BASE}/conflicts/resolve", json={"id": conflict["id"], "fields": {"phone": "left"}})
    assert done.json()["chosen"] == {"phone": "left"}
    failed, other = await found(operator, "failed")
    edited = await operator.post(f"{BASE}/issues/edit", json={"id": failed["id"], "values": {"phone": "5"}})
    assert edited.json()["values"] == {"phone": "5"}
    assert (await operator.post(f"{BASE}/issues/approve", json={"ids": [other["id"]]})).status_code == 409
    skipped = await operator.post(f"{BASE}/issues/skip", json={"ids": [other["id"]], "reason": "test"})
    assert skipped.json() == {"count": 1}
    again = await operator.post(f"{BASE}/issues/skip", json={"ids": [other["id"]], "reason": "test"})
    assert again.status_code == 409
    assert "skipped already: test (by operator)" in again.json()["error"]["message"]
    [approval] = await found(operator, "approval")
    assert (await operator.post(f"{BASE}/issues/approve", json={"ids": [approval["id"]]})).json() == {"count": 1}


async def test_flows_are_paused_resumed_and_asked_for(guarded_site: Site, operator: httpx.AsyncClient) -> None:
    past = {"flow": "*", "reason": "r", "until": "2020-01-01T00:00:00Z"}
    assert (await operator.post(f"{BASE}/flows/pause", json=past)).status_code == 422
    assert (await operator.post(f"{BASE}/flows/pause", json={"flow": "*", "reason": "closing"})).status_code == 200
    seen = (await operator.get(f"{BASE}/status")).json()
    assert seen["paused"]["reason"] == "closing"
    assert {flow["pause"]["by"] for flow in seen["flows"]} == {"operator"}
    refused = await operator.post(f"{BASE}/flows/run", json={"flows": ["products"]})
    assert refused.status_code == 409
    assert "products is paused with all flows by operator: closing" in refused.json()["error"]["message"]
    assert (await operator.post(f"{BASE}/flows/resume", json={"flow": "*"})).status_code == 200
    assert (await operator.post(f"{BASE}/flows/resume", json={"flow": "*"})).status_code == 409
    assert (await operator.post(f"{BASE}/flows/run", json={"flows": ["products"], "what": "sweep"})).json()[
        "count"
    ] == 1
    [asked] = await guarded_site.runtime.state.read(lambda tx: tx.requests.waiting())
    assert (asked.flow, asked.what, asked.by) == ("products", "sweep", "operator")


async def finished(site: Site) -> None:
    """Wait for what goes on in the background."""
    await asyncio.wait_for(asyncio.gather(*site._tasks), 30)


async def test_proofs_and_plans_are_made_in_the_background(
    world: Any, guarded_site: Site, operator: httpx.AsyncClient
) -> None:
    world.crm.edit("Accounts", "Accounts-0003", Phone="+49 30 4444")
    begun = (await operator.post(f"{BASE}/proofs/start", json={})).json()["ids"]
    again = await operator.post(f"{BASE}/proofs/start", json={"flows": ["customers"]})
    assert again.status_code == 409
    plan = (await operator.post(f"{BASE}/plans/start", json={"flows": ["customers"]})).json()["ids"]["customers"]
    await finished(guarded_site)
    proof = (await operator.get(f"{BASE}/proofs/{begun['customers']}")).json()
    assert (proof["state"], proof["proven"], proof["by"]) == ("done", False, "operator")
    sums = proof["result"]["totals"]["credit_limit"]["EUR"]
    assert sums["left"] == sums["right"] == "78000"
    assert (await operator.get(f"{BASE}/proofs/{begun['products']}")).json()["proven"] is True
    planned = (await operator.get(f"{BASE}/runs/{plan}")).json()
    assert (planned["mode"], planned["state"]) == ("plan", "done")
    [write] = planned["plan"]["writes"]
    assert write["fields"]["phone"]["to"] == "+49 30 4444"
    seen = (await operator.get(f"{BASE}/status")).json()["flows"]
    assert all(flow["status"]["last_run"]["mode"] != "plan" for flow in seen)


async def test_a_proof_that_breaks_says_why(world: Any, guarded_site: Site, operator: httpx.AsyncClient) -> None:
    world.erp.down = "maintenance until noon"
    guarded_site.runtime._open.clear()
    begun = (await operator.post(f"{BASE}/proofs/start", json={"flows": ["products"]})).json()["ids"]
    await finished(guarded_site)
    proof = (await operator.get(f"{BASE}/proofs/{begun['products']}")).json()
    assert proof["state"] == "failed"
    assert "maintenance until noon" in proof["error"]


async def test_the_journal_is_exported_whole_and_in_order(reader: httpx.AsyncClient) -> None:
    lines = [json.loads(line) for line in (await reader.get(f"{BASE}/journal.jsonl")).text.splitlines()]
    rows = list(csv.DictReader((await reader.get(f"{BASE}/journal.csv")).text.splitlines()))
    ids = [line["id"] for line in lines]
    assert ids == sorted(ids)
    assert [int(row["id"]) for row in rows] == ids
    first = (await reader.get(f"{BASE}/journal", params={"limit": 5})).json()
    second = (await reader.get(f"{BASE}/journal", params={"limit": 1000, "before": first["next"]})).json()
    assert [one["id"] for one in (*first["items"], *second["items"])] == ids[::-1]
    some = (await reader.get(f"{BASE}/journal.csv", params={"outcome": "rejected"})).text.splitlines()
    assert len(some) == 3
    assert (await reader.get(f"{BASE}/journal.csv", params={"run": "nosuchrun"})).status_code == 404
    for until, most in (("2020-01-01", 0), ("2100-01-01", len(ids)), ("2100-01-01T00:00:00+02:00", len(ids))):
        cut = (await reader.get(f"{BASE}/journal", params={"until": until, "limit": 1000})).json()["items"]
        assert len(cut) == most


async def test_downloads_that_nobody_fetches_hold_nobody_up(guarded_site: Site) -> None:
    """However many stand still, whoever else asks the state something is answered."""
    state, now = guarded_site.runtime.state, guarded_site.now

    def fill(tx: Any) -> None:
        tx.runs.start(Run("long", "customers", "changes", now))
        tx.journal.append_many("long", [Entry(now, "customers", "customer", "deliver", "updated") for _ in range(6000)])

    await state.write(fill)
    standing = []
    for kind in journal.KINDS * 4:
        pages = await state.read(partial(journal.Pages.begin, wanted=journal.Filter(run="long"), kind=kind))
        text = api._stream(guarded_site, pages)
        assert await anext(text) == kind.head
        first = await anext(text)
        assert first.count("\n") == journal.PAGE
        standing.append(text)
    async with asyncio.timeout(20):
        assert await state.read(lambda tx: tx.runs.get("long")) is not None
        await state.write(lambda tx: tx.journal.append_many("long", [Entry(now, "customers", "customer", "x", "late")]))
        rest = "".join([piece async for piece in standing[0]])
    assert rest.count("\n") == 6000 - journal.PAGE, "what came later is not in it"


async def test_an_approval_given_on_a_stale_page_is_refused(guarded_site: Site, operator: httpx.AsyncClient) -> None:
    issue = next(one for one in await found(operator, "approval"))["id"]
    seen = (await operator.get(f"{BASE}/issues/{issue}")).json()["mark"]
    body = {"ids": [issue], "seen": [seen]}

    def change(tx: Any) -> None:
        renewed = tx.issues.get(issue)
        renewed.payload = {**renewed.payload, "right": {"op": "create", "fields": {"credit_limit": 9}}}
        tx.issues.upsert_many([renewed])

    before = await guarded_site.runtime.state.read(lambda tx: tx.issues.get(issue))
    await guarded_site.runtime.state.write(change)
    stale = await operator.post(f"{BASE}/issues/approve", json=body)
    assert (stale.status_code, "has changed since you looked" in stale.text) == (409, True)
    await guarded_site.runtime.state.write(lambda tx: tx.issues.upsert_many([before]))
    assert (await operator.post(f"{BASE}/issues/approve", json=body)).json() == {"count": 1}
    assert (await operator.post(f"{BASE}/issues/approve", json={**body, "seen": ["a", "b"]})).status_code == 422


async def test_links_are_found_by_key(reader: httpx.AsyncClient) -> None:
    async def keys(key: str, **more: str) -> list[str]:
        answer = await reader.get(f"{BASE}/links", params={"key": key, **more})
        return [one["left_key"] for one in answer.json()["items"]]

    assert await keys("Customers-0003") == ["Accounts-0003"]
    assert await keys("Accounts-0003", flow="products") == []
    assert await keys("Accounts-000") == [f"Accounts-000{n}" for n in range(1, 10)]
    assert await keys("Customers-001", state="linked") == ["Accounts-0010", "Accounts-0011", "Accounts-0012"]
    assert await keys("accounts-0003") == []
    assert await keys("%") == []


async def test_statistics_add_up(reader: httpx.AsyncClient) -> None:
    seen = (await reader.get(f"{BASE}/statistics", params={"flow": "customers"})).json()
    assert seen["total"]["written"] == 25  # 12 created, their numbers brought back, one changed
    assert sum(point["figures"]["written"] for point in seen["points"]) == seen["total"]["written"]
    assert seen["flows"]["customers"]["runs"] >= 2
    assert (await reader.get(f"{BASE}/statistics", params={"span": "year"})).status_code == 422


async def test_a_system_that_is_down_is_told_in_its_own_words(world: Any, client: Client) -> None:
    async with world.runtime() as runtime:
        await world.stories(runtime)
        world.erp.down = "maintenance until noon"
    async with world.runtime() as runtime:  # a new process, whose sessions are not open yet
        await sync(runtime)
        async with client(Site(runtime, runtime.config.server)) as browser:
            text = (await browser.get("/")).text
            assert "2 of 2 flows are stuck" in text
            assert "Memory ERP: maintenance until noon" in text
            flow = (await browser.get(f"{BASE}/status")).json()["flows"][0]["status"]
            assert (flow["state"], "maintenance" in flow["last_run"]["error"]) == ("down", True)


async def test_postgresql_answers_the_same(world: Any, client: Client, postgres_url: str) -> None:
    world.database = postgres_url
    async with world.site() as site, client(site) as asked:
        for path in ("status", "statistics", "causes", "issues", "links", "links/1", "journal", "runs", "proofs"):
            assert (await asked.get(f"{BASE}/{path}")).status_code == 200, path
        keys = (await asked.get(f"{BASE}/links", params={"key": "Accounts-000"})).json()["items"]
        assert len(keys) == 9
        cut = (await asked.get(f"{BASE}/journal", params={"until": "2020-01-01", "outcome": "rejected"})).json()
        assert cut["items"] == []
        rejected = (
            await asked.get(f"{BASE}/journal.jsonl", params={"since": "2020-01-01", "outcome": "rejected"})
        ).text
        assert len(rejected.splitlines()) == 2
        assert (await asked.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("state", "more", "found"),
    [
        ("lost", {"blackout": "mon-fri 08:00-18:00"}, ("calm", "customers is in a blackout window")),
        ("lost", {"pause": Pause("*", "kim", "stocktaking", datetime(2026, 3, 2, tzinfo=UTC))},
         ("calm", "customers is paused")),
        ("lost", {}, ("good", "Everything is in agreement")),  # a daemon is at it again in a moment
        ("failed", {}, ("bad", "customers is stuck")),
    ],
)  # fmt: skip
def test_what_rests_as_it_should_is_not_stuck(state: str, more: dict[str, Any], found: tuple[str, str]) -> None:
    status = FlowStatus(state, "customer", ["crm", "erp"], flow="customers")
    assert (
        verdict([FlowView(status, **{"pause": None, "blackout": "", "requests": [], "proof": None, **more})]) == found
    )
