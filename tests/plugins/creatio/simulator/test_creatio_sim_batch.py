"""`$batch` in JSON and multipart, and injected faults."""

from __future__ import annotations

import json

import httpx
import pytest

from weft.testing.simulator import Fault


def part(number, method, url, body=None, **more):
    found = {"id": f"t{number}", "method": method, "url": url, "headers": {"Content-Type": "application/json"}, **more}
    return found if body is None else {**found, "body": body}


async def send(site, parts, **headers):
    answer = await site.call("POST", "$batch", {"requests": parts}, **headers)
    assert answer.status_code == 200, answer.text
    return {found["id"]: found for found in answer.json()["responses"]}


async def test_json_batch_creates_and_reads(site):
    found = await send(site, [
        part(1, "POST", "City", {"Name": "Faketown"}),
        part(2, "GET", "City?$filter=Name eq 'Faketown'&$select=Name"),
        part(3, "GET", f"{site.sim.options.odata_root}/City/$count"),
    ])  # fmt: skip
    assert found["t1"]["status"] == 201
    assert found["t1"]["headers"]["location"].startswith(f"{site.root}/City(")
    assert found["t1"]["body"]["Name"] == "Faketown"
    assert found["t2"]["body"]["value"] == [{"Name": "Faketown"}]
    assert found["t3"]["status"] == 200


async def test_batch_stops_at_the_first_error_unless_told_otherwise(site):
    parts = [
        part(1, "POST", "City", {"Name": "First"}),
        part(2, "POST", "City", {"Nmae": "Second"}),
        part(3, "POST", "City", {"Name": "Third"}),
    ]
    found = await send(site, parts)
    assert set(found) == {"t1", "t2"}
    assert found["t2"]["status"] == 400
    found = await send(site, parts, Prefer="continue-on-error")
    assert [found[key]["status"] for key in ("t1", "t2", "t3")] == [201, 400, 201]


@pytest.mark.parametrize(("atomic", "left"), [(True, 0), (False, 1)])
async def test_atomicity_group(serve_site, atomic, left):
    site = await serve_site(atomic_groups=atomic)
    await send(site, [
        part(1, "POST", "City", {"Name": "Grouped"}, atomicityGroup="g1"),
        part(2, "POST", "City", {"Nmae": "Bad"}, atomicityGroup="g1"),
    ])  # fmt: skip
    assert len((await site.get("City", filter="Name eq 'Grouped'"))["value"]) == left


async def test_group_name_in_the_answer_is_the_servers(site):
    found = await send(site, [part(1, "POST", "City", {"Name": "G"}, atomicityGroup="g1")])
    assert found["t1"]["atomicityGroup"] != "g1"


async def test_more_than_100_parts_are_refused(site):
    parts = [part(n, "GET", "City?$top=1&$select=Id") for n in range(101)]
    assert len(await send(site, parts[:100])) == 100
    assert (await site.call("POST", "$batch", {"requests": parts})).status_code == 400


async def test_each_part_counts_for_the_quota(site):
    before = site.sim.stats()["odata_calls"]
    await send(site, [part(n, "GET", "City/$count") for n in range(5)])
    assert site.sim.stats()["odata_calls"] == before + 5


async def test_multipart_batch_answers_in_the_form_accepted(site):
    lines = [
        "--b", "Content-Type: multipart/mixed;boundary=c", "", "--c", "Content-Type: application/http",
        "Content-Transfer-Encoding: binary", "Content-ID: 7", "", "POST City HTTP/1.1",
        "Content-Type: application/json", "", '{"Name":"Multi"}', "--c--", "--b--", "",
    ]  # fmt: skip
    body = "\r\n".join(lines).encode()
    headers = {"Content-Type": "multipart/mixed;boundary=b"}
    answer = await site.http.post(f"{site.root}/$batch", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/mixed")
    assert "201 Created" in answer.text
    answer = await site.http.post(
        f"{site.root}/$batch", content=body, headers={**headers, "Accept": "application/json"}
    )
    (found,) = answer.json()["responses"]
    assert (found["id"], found["status"]) == ("7", 201)


async def test_answer_lost_after_the_commit(site):
    key = "aaaaaaaa-1111-4222-8333-cccccccccccc"
    site.sim.faults.add(Fault("lost_answer", method="POST", path="/odata/City"))
    with pytest.raises(httpx.HTTPError):
        await site.call("POST", "City", {"Id": key, "Name": "Lost"})
    assert (await site.row("City", key))["Name"] == "Lost"


async def test_error_after_commit_has_creatios_shape(site):
    key = "aaaaaaaa-1111-4222-8333-dddddddddddd"
    site.sim.faults.add(Fault("error_after_commit", method="POST", path="/odata/City"))
    answer = await site.call("POST", "City", {"Id": key, "Name": "There"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "An error has occurred.")
    assert (await site.row("City", key))["Name"] == "There"


async def test_late_commit_is_invisible_until_released(site):
    key = "aaaaaaaa-1111-4222-8333-eeeeeeeeeeee"
    site.sim.faults.add(Fault("late_commit", method="POST", path="/odata/Account"))
    assert (await site.call("POST", "Account", {"Id": key, "Name": "Late", "Phone": "1"})).status_code == 201
    assert (await site.call("GET", f"Account({key})")).status_code == 404
    assert site.sim.release() == 1
    assert (await site.row("Account", key))["Code"] != ""


async def test_part_of_a_batch_fails(site):
    site.sim.faults.add(Fault("partial_batch", path="batch", index=1, status=500))
    found = await send(site, [part(n, "POST", "City", {"Name": f"P{n}"}) for n in range(3)])
    assert [found[key]["status"] for key in sorted(found)] == [201, 500]
    assert json.dumps(found["t1"]["body"]).startswith('{"error"')


async def test_expired_session_through_the_fault(site):
    site.sim.faults.add(Fault("token_expiry"))
    assert (await site.call("GET", "City?$top=1")).status_code == 401
