"""What a process of the site pushes: one record, several, rows of the outbox, and nonsense."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from weft.records import Hint, Request
from weft_creatio.pushes import receive

ONE, TWO = "6a2c0a3e-0c7d-4a1e-8d25-11f0e3a1b001", "6a2c0a3e-0c7d-4a1e-8d25-11f0e3a1b002"
NONE = "00000000-0000-0000-0000-000000000000"


def told(body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    context: Any = SimpleNamespace(log=logging.getLogger("test"))
    return receive(context, Request("POST", {}, {}, raw))


def test_records_are_told_by_name_and_id() -> None:
    assert told({"entity": "Opportunity", "id": ONE.upper()}).hints == (Hint("Opportunity", ONE),)
    both = told([{"Entity": "Order", "Id": ONE}, {"entity": "Order", "id": ONE}, {"entity": "Order", "id": TWO}])
    assert both.hints == (Hint("Order", ONE), Hint("Order", TWO))


def test_a_row_of_the_outbox_tells_the_document_of_a_line() -> None:
    row = {"Id": NONE[:-1] + "9", "UsrEntityName": "OrderProduct", "UsrRecordId": TWO, "UsrOperation": "update"}
    assert told(row).hints == (Hint("OrderProduct", TWO),)
    assert told({**row, "UsrParentName": "Order", "UsrParentId": ONE}).hints == (Hint("Order", ONE),)
    assert told({**row, "UsrParentName": "", "UsrParentId": NONE}).hints == (Hint("OrderProduct", TWO),)


@pytest.mark.parametrize(
    "body", [b"", b"<xml/>", b"\xff\xfe", [], "text", 7, {}, [7], {"entity": "Order"}, {"entity": "Order", "id": NONE},
             {"entity": "Order'; drop", "id": ONE}, {"entity": ["Order"], "id": {"a": 1}}]
)  # fmt: skip
def test_nonsense_is_answered_with_400(body: Any) -> None:
    reply = told(body)
    assert (reply.status, reply.hints) == (400, ())
