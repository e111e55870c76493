"""Query options and paging of the simulated API."""

from __future__ import annotations

from typing import Any

import pytest

OR_TEXT = "The 'OR' operator is not supported on distinct fields on an OData filter."


def test_or_is_for_one_field_only(bc: Any) -> None:
    assert len(bc.rows("customers?$filter=number eq 'C10001' or number eq 'C10002'")) == 2
    text = bc.refused(400, "BadRequest", "GET", "customers?$filter=number eq 'C10001' or displayName eq 'x'")
    assert text == OR_TEXT


@pytest.mark.parametrize(
    "text",
    [
        "number in ('C10001','C10002')",
        "contains(tolower(displayName),'a')",
        "not (number eq 'C10001')",
        "length(displayName) eq 3",
        "defaultDimensions/any(d: d/dimensionCode eq 'X')",
    ],
)
def test_unsupported_filters_are_501(bc: Any, text: str) -> None:
    bc.refused(501, "BadRequest_MethodNotImplemented", "GET", f"customers?$filter={text}")


def test_schemaversion_allows_in_and_nested_functions(bc: Any) -> None:
    found = bc.rows("customers?$schemaversion=2.1&$filter=number in ('C10001','C10003')&$select=number")
    assert [row["number"] for row in found] == ["C10001", "C10003"]
    assert bc.rows("customers?$schemaversion=2.1&$filter=contains(tolower(number),'c1000')")


@pytest.mark.parametrize(
    "text", ["number eq", "number eq 'a", "nope eq 1", "id eq 'x'", "currency/code eq 'EUR'", "type eq 'Robot'"]
)
def test_bad_filters_are_400(bc: Any, text: str) -> None:
    bc.refused(400, "BadRequest", "GET", f"customers?$filter={text}")


def test_enums_by_member_and_by_caption(bc: Any) -> None:
    body = {"customerNumber": "C10001"}
    order = bc.ok("POST", "salesOrders", body)
    assert order["status"] == "Draft"
    assert bc.rows("customers?$filter=blocked eq '_x0020_'&$top=1")
    assert bc.rows("customers?$filter=blocked eq ' '&$top=1")
    assert bc.rows("salesOrders?$filter=status eq 'In Review'") == []


def test_text_literals_with_apostrophes(bc: Any) -> None:
    row = bc.customer(displayName="O'Neil & Söhne 100%")
    found = bc.rows("customers?$filter=displayName eq 'O''Neil %26 Söhne 100%25'")
    assert [r["id"] for r in found] == [row["id"]]


def test_select_in_any_case_and_unknown_refused(bc: Any) -> None:
    row = bc.rows("customers?$select=DISPLAYNAME,number&$top=1")[0]
    assert set(row) == {"@odata.etag", "displayName", "number"}
    bc.refused(400, "BadRequest", "GET", "customers?$select=nope")
    bc.refused(400, "BadRequest", "GET", "customers?$expand=nope")
    bc.refused(400, "BadRequest", "GET", "customers?$orderby=nope")


def test_pages_by_preference_visit_every_row_once(bc: Any) -> None:
    seen: list[str] = []
    path = "customers?$select=id,number&$filter=number ge 'C10001' and number le 'C10030'"
    pages = 0
    while path:
        answer = bc.ok("GET", path, Prefer="odata.maxpagesize=7")
        seen += [row["number"] for row in answer["value"]]
        path = answer.get("@odata.nextLink", "")
        pages += 1
        if path:
            assert "aid=FIN&$skiptoken=" in path
            assert "$select=" in path
    assert pages == 5
    assert seen == sorted(set(seen))
    assert len(seen) == 30


def test_the_last_row_of_a_page_may_vanish_meanwhile(bc: Any) -> None:
    for index in range(4):
        bc.customer(number=f"ZZ{index}")
    page = bc.ok("GET", "customers?$filter=number ge 'ZZ0'&$select=id,number", Prefer="odata.maxpagesize=2")
    assert bc.raw("DELETE", f"customers({page['value'][-1]['id']})").status_code == 204
    rest = bc.ok("GET", page["@odata.nextLink"], Prefer="odata.maxpagesize=2")
    assert [row["number"] for row in rest["value"]] == ["ZZ2", "ZZ3"]


def test_top_beyond_the_page_gives_a_link_with_the_rest(start: Any) -> None:
    bc = start(records=25, page_size=10)
    first = bc.ok("GET", "customers?$top=15")
    assert len(first["value"]) == 10
    assert "$top=5" in first["@odata.nextLink"]
    second = bc.ok("GET", first["@odata.nextLink"])
    assert len(second["value"]) == 5
    assert "@odata.nextLink" not in second
    assert "@odata.nextLink" not in bc.ok("GET", "customers?$top=10")
    assert len(bc.ok("GET", "customers", Prefer="odata.maxpagesize=9999")["value"]) == 10


def test_count_inline_and_alone(bc: Any) -> None:
    answer = bc.ok("GET", "items?$count=true&$top=2&$filter=type eq 'Service'")
    assert answer["@odata.count"] == int(bc.raw("GET", "items/$count?$filter=type eq 'Service'").text)
    assert len(answer["value"]) == 2


def test_order_skip_and_top(bc: Any) -> None:
    prices = [row["unitPrice"] for row in bc.rows("items?$orderby=unitPrice desc&$select=unitPrice")]
    assert prices == sorted(prices, reverse=True)
    assert [row["unitPrice"] for row in bc.rows("items?$orderby=unitPrice desc&$skip=3&$top=2")] == prices[3:5]


def test_changes_are_found_by_stamp(bc: Any) -> None:
    row = bc.customer()
    found = bc.rows(
        f"customers?$filter=lastModifiedDateTime ge {row['lastModifiedDateTime']}&$orderby=lastModifiedDateTime"
    )
    assert row["id"] in [r["id"] for r in found]
    assert bc.rows("customers?$filter=lastModifiedDateTime gt 2999-01-01T00:00:00Z") == []
    bc.refused(400, "BadRequest", "GET", "customers?$filter=lastModifiedDateTime gt '2020-01-01'")


def test_expand_is_nested_with_its_own_options(bc: Any) -> None:
    item = bc.item()
    lines = [{"itemId": item["id"], "quantity": n} for n in (1, 2, 3)]
    order = bc.ok("POST", "salesOrders", {"customerNumber": "C10001", "salesOrderLines": lines})
    answer = bc.ok(
        "GET",
        f"salesOrders({order['id']})?$select=number&$expand=customer($select=number;$expand=paymentTerm($select=code)),"
        "salesOrderLines($select=quantity;$filter=quantity gt 1;$orderby=quantity desc;$top=1;"
        "$expand=item($select=number))",
    )
    assert set(answer) == {"@odata.context", "@odata.etag", "number", "customer", "salesOrderLines"}
    assert answer["customer"]["number"] == "C10001"
    assert set(answer["customer"]["paymentTerm"]) == {"@odata.etag", "code"}
    assert len(answer["salesOrderLines"]) == 1
    assert answer["salesOrderLines"][0]["quantity"] == 3
    assert answer["salesOrderLines"][0]["item"]["number"] == item["number"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("salesOrderLines", "You must specify an Id or a Document Id to get the lines."),
        ("purchaseInvoiceLines", "You must specify an Id or a Document Id to get the lines."),
        ("journalLines", "You must specify a journal batch ID or a journal ID to get a journal line."),
        ("customerPayments", "You must specify a journal batch ID or a journal ID to get a journal line."),
        ("dimensionSetLines", "You must get to the parent first"),
        ("defaultDimensions", "You must get to the parent first to get to the default dimensions."),
    ],
)
def test_lines_need_their_parent(bc: Any, path: str, words: str) -> None:
    assert bc.refused(400, "Application_DialogException", "GET", path).startswith(words)


def test_lines_by_filter_by_path_and_by_id(bc: Any) -> None:
    body = {"customerNumber": "C10001", "salesOrderLines": [{"itemId": bc.item()["id"], "quantity": 1}]}
    order = bc.ok("POST", "salesOrders", body)
    by_path = bc.rows(f"salesOrders({order['id']})/salesOrderLines")
    by_filter = bc.rows(f"salesOrderLines?$filter=documentId eq {order['id']}")
    assert [r["id"] for r in by_path] == [r["id"] for r in by_filter]
    assert bc.ok("GET", f"salesOrderLines({by_path[0]['id']})")["documentId"] == order["id"]
    assert bc.ok("GET", f"salesOrders({order['id']})/salesOrderLines({by_path[0]['id']})")["quantity"] == 1


def test_journals_show_the_general_template_unless_asked(bc: Any) -> None:
    assert {row["templateDisplayName"] for row in bc.rows("journals")} == {"GENERAL"}
    other = bc.rows("journals?$filter=templateDisplayName eq 'CASHRCPT'")
    assert other
    payment = bc.rows("customerPaymentJournals")[0]
    assert bc.ok("GET", f"journals({payment['id']})")["templateDisplayName"] == "CASHRCPT"


def test_pdf_of_an_invoice_is_a_pdf(bc: Any) -> None:
    invoice = bc.posted_invoice()
    row = bc.ok("GET", f"salesInvoices({invoice['id']})/pdfDocument")
    link = row["pdfDocumentContent@odata.mediaReadLink"]
    assert bc.raw("GET", link).content.startswith(b"%PDF-1.4")
