"""$batch: forms, stops, isolation, limits."""

from __future__ import annotations

from typing import Any


def create(bc: Any, index: int, **values: Any) -> dict[str, Any]:
    body = {"displayName": f"Batch {index}", **values}
    return {
        "method": "POST", "id": str(index), "url": f"companies({bc.company})/customers",
        "headers": {"Content-Type": "application/json"}, "body": body,
    }  # fmt: skip


def send(bc: Any, requests: list[dict[str, Any]], **headers: str) -> list[dict[str, Any]]:
    answer = bc.ok("POST", "/$batch", {"requests": requests}, **{"Accept": "application/json", **headers})
    return list(answer["responses"])


def exists(bc: Any, guid: str) -> bool:
    return bool(bc.call("GET", f"customers({guid})")[0] == 200)


def test_each_operation_has_its_answer(bc: Any) -> None:
    made = bc.customer()
    answers = send(
        bc,
        [
            create(bc, 1),
            {"method": "PATCH", "id": "2", "url": f"companies({bc.company})/customers({made['id']})",
             "headers": {"Content-Type": "application/json", "If-Match": made["@odata.etag"]},
             "body": {"city": "Bonn"}},
            {"method": "GET", "id": "3", "url": f"companies({bc.company})/customers({made['id']})?$select=city"},
            {"method": "DELETE", "id": "4", "url": f"companies({bc.company})/customers({made['id']})"},
        ],
    )  # fmt: skip
    assert [(a["id"], a["status"]) for a in answers] == [("1", 201), ("2", 200), ("3", 200), ("4", 204)]
    assert answers[0]["headers"]["location"].endswith(f"customers({answers[0]['body']['id']})")
    assert answers[0]["headers"]["odata-version"] == "4.0"
    assert answers[2]["body"]["city"] == "Bonn"


def test_stops_at_the_first_failure_and_keeps_what_was_before(bc: Any) -> None:
    answers = send(bc, [create(bc, 1), create(bc, 2, displayName=""), create(bc, 3)])
    assert [a["status"] for a in answers] == [201, 400]
    assert exists(bc, answers[0]["body"]["id"])


def test_goes_on_when_asked_to(bc: Any) -> None:
    answers = send(bc, [create(bc, 1), create(bc, 2, displayName=""), create(bc, 3)], Prefer="odata.continue-on-error")
    assert [a["status"] for a in answers] == [201, 400, 201]


def test_snapshot_rolls_back_what_still_reads_201(bc: Any) -> None:
    count = bc.raw("GET", "customers/$count").text
    answers = send(bc, [create(bc, 1), create(bc, 2), create(bc, 3, displayName="")], Isolation="snapshot")
    assert [a["status"] for a in answers] == [201, 201, 400]
    assert not exists(bc, answers[0]["body"]["id"])
    assert bc.raw("GET", "customers/$count").text == count
    number = answers[0]["body"]["number"]
    assert bc.customer()["number"] == number, "the number series is rolled back too"
    done = send(bc, [create(bc, 1), create(bc, 2)], Isolation="snapshot")
    assert [a["status"] for a in done] == [201, 201]
    assert exists(bc, done[1]["body"]["id"])


def test_snapshot_whose_first_operation_fails_has_one_answer(bc: Any) -> None:
    answers = send(bc, [create(bc, 1, displayName=""), create(bc, 2)], Isolation="snapshot")
    assert [a["status"] for a in answers] == [400]


def test_a_hundred_and_no_more(bc: Any) -> None:
    count = bc.raw("GET", "customers/$count").text
    status, body = bc.call(
        "POST", "/$batch", {"requests": [create(bc, i) for i in range(101)]}, Accept="application/json"
    )
    assert (status, body["error"]["code"]) == (500, "Unknown")
    assert "maximum '100'" in body["error"]["message"]
    assert bc.raw("GET", "customers/$count").text == count
    assert len(send(bc, [create(bc, i) for i in range(100)])) == 100


def test_without_accept_the_answer_is_multipart(bc: Any) -> None:
    answer = bc.raw("POST", "/$batch", {"requests": [create(bc, 1)]}, Accept="*/*")
    assert answer.headers["Content-Type"].startswith("multipart/mixed")
    assert "HTTP/1.1 201" in answer.text


def test_injected_partial_batch_and_lost_answer(bc: Any) -> None:
    from weft.testing.simulator import Fault

    bc.served.call(lambda: bc.sim.faults.add(Fault("partial_batch", path=r"\$batch", index=1, status=500)))
    answers = send(bc, [create(bc, i) for i in range(3)], Prefer="odata.continue-on-error")
    assert [a["status"] for a in answers] == [201, 500, 201]
    assert answers[1]["body"]["error"]["code"] == "Internal_ServerError"
