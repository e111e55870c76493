"""Request and response rules of the simulated API: tags, codes, types, paths."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import Any

import msal
import pytest
import requests

from weft_bc.simulator import AUDIENCE, CLIENT_ID, CLIENT_SECRET


def test_real_msal_over_tls_gets_a_token_that_opens_the_api(start: Any) -> None:
    bc = start(tls=True)
    session = requests.Session()
    session.trust_env = False
    session.verify = bc.served.ca_file
    app = msal.ConfidentialClientApplication(
        CLIENT_ID,
        client_credential=CLIENT_SECRET,
        authority=f"{bc.sim.base_url}/{bc.sim.config.tenant}",
        http_client=session,
        instance_discovery=False,
    )
    token = app.acquire_token_for_client([f"{AUDIENCE}/.default"])
    assert "access_token" in token, token
    answer = bc.http.get(f"{bc.root}/companies", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["value"]] != []


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic dTpw"])
def test_without_a_valid_token_401(bc: Any, header: str) -> None:
    answer = bc.http.get(f"{bc.root}/companies", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Authentication_InvalidCredentials"


def test_a_right_taken_away_is_403_until_given_back(bc: Any) -> None:
    bc.command("deny", client_id=CLIENT_ID, set="vendors")
    try:
        status, body = bc.call("GET", "vendors")
        assert status == 403
        assert body["error"]["code"].startswith("Authorization_")
        assert bc.call("GET", "items?$top=1")[0] == 200
    finally:
        bc.command("allow", client_id=CLIENT_ID)
    assert bc.call("GET", "vendors")[0] == 200


def test_companies_have_no_tag_and_are_several(bc: Any) -> None:
    rows = bc.rows("/companies")
    assert len(rows) == 2
    assert all("@odata.etag" not in row for row in rows)
    assert bc.rows("/companies?$filter=name eq 'CRONUS USA, Inc.'")[0]["id"] == bc.company


def test_company_by_query_is_the_same_as_by_path(bc: Any) -> None:
    by_path = bc.rows("customers?$top=3&$select=number")
    by_query = bc.rows(f"/customers?company={bc.company}&$top=3&$select=number")
    assert by_path == by_query
    bc.refused(400, "BadRequest_RequiredParamNotProvided", "GET", "/customers")
    bc.refused(404, "Internal_CompanyNotFound", "GET", f"/companies({uuid.uuid4()})/customers")


def test_the_tenant_may_stand_in_the_url_or_not(bc: Any) -> None:
    short = f"{bc.sim.base_url}/v2.0/{bc.sim.config.environment}/api/v2.0/companies"
    assert bc.http.get(short).status_code == 200
    wrong = f"{bc.sim.base_url}/v2.0/sandbox/api/v2.0/companies"
    assert bc.http.get(wrong).status_code == 404


def test_metadata_is_in_the_namespace_of_the_service(bc: Any) -> None:
    text = bc.raw("GET", "/$metadata").text
    assert 'Namespace="Microsoft.NAV"' in text
    assert '<EntitySet Name="salesInvoices"' in text
    assert 'Name="In_x0020_Review"' in text
    assert '<Action Name="shipAndInvoice" IsBound="true">' in text
    assert "$lineId" not in text


def test_tag_is_weak_base64_and_moves_only_with_writes(bc: Any) -> None:
    row = bc.customer()
    tag = row["@odata.etag"]
    assert tag.startswith('W/"')
    assert base64.b64decode(tag[3:-1]).startswith(b"20;")
    assert bc.ok("GET", f"customers({row['id']})")["@odata.etag"] == tag
    again = bc.patch(f"customers({row['id']})", {"displayName": "Adatum Lighting"}, tag)
    assert again["@odata.etag"] == tag, "a save that changes nothing is no write"
    moved = bc.patch(f"customers({row['id']})", {"displayName": "Adatum Lamps"}, tag)
    assert moved["@odata.etag"] != tag
    before, after = (datetime.fromisoformat(one["lastModifiedDateTime"]) for one in (row, moved))
    assert after >= before


def test_patch_needs_a_tag_and_a_stale_one_is_409(bc: Any) -> None:
    row = bc.customer()
    path = f"customers({row['id']})"
    bc.refused(400, "BadRequest_InvalidToken", "PATCH", path, {"city": "Bonn"})
    bc.refused(400, "BadRequest_InvalidToken", "PATCH", path, {"city": "Bonn"}, If_Match="abc")
    bc.patch(path, {"city": "Bonn"}, row["@odata.etag"])
    text = bc.refused(409, "Request_EntityChanged", "PATCH", path, {"city": "Ulm"}, If_Match=row["@odata.etag"])
    assert text.startswith("Another user has already changed the record.")
    assert bc.patch(path, {"city": "Ulm"}, "*")["city"] == "Ulm"
    bc.refused(409, "Request_EntityChanged", "DELETE", path, If_Match=row["@odata.etag"])
    assert bc.raw("DELETE", path).status_code == 204
    bc.refused(404, "BadRequest_ResourceNotFound", "GET", path)


def test_create_answers_the_record_and_where_it_is(bc: Any) -> None:
    answer = bc.raw("POST", "customers", {"displayName": "Fabrikam"})
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/customers({body['id']})")
    assert body["@odata.context"].endswith("/customers/$entity")
    assert body["number"].startswith("C")
    empty = bc.raw("POST", "customers", {"displayName": "Fabrikam"}, Prefer="return-no-content")
    assert (empty.status_code, empty.content) == (204, b"")
    assert bc.raw("GET", empty.headers["Location"]).json()["displayName"] == "Fabrikam"


def test_blanks_are_never_null(bc: Any) -> None:
    row = bc.customer()
    assert row["addressLine2"] == ""
    assert row["paymentTermsId"] == "00000000-0000-0000-0000-000000000000"
    assert row["blocked"] == "_x0020_"
    assert (row["currencyCode"], row["currencyId"]) == ("USD", "00000000-0000-0000-0000-000000000000")
    assert None not in row.values()
    found = bc.rows(f"customers?$filter=addressLine2 eq null and id eq {row['id']}")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"displayName": "a", "faxNo": "1"}, "BadRequest", "'faxNo' does not exist on type 'Microsoft.NAV.customer'."),
        ({"displayName": "a", "balanceDue": 1}, "BadRequest_InvalidOperation", "read-only"),
        ({"displayName": "a" * 101}, "Application_StringExceededLength", "less than or equal to 100"),
        ({"displayName": ""}, "Application_DialogException", "displayName"),
        ({"city": "Bonn"}, "Application_DialogException", "displayName"),
        ({"displayName": 5}, "BadRequest", "Edm.String"),
        ({"displayName": "a", "creditLimit": "10"}, "BadRequest", "Edm.Decimal"),
        ({"displayName": "a", "creditLimit": None}, "BadRequest", "Edm.Decimal"),
        ({"displayName": "a", "type": "Robot"}, "Unknown", "Company,Person"),
        ({"displayName": "a", "paymentTermsId": "30D"}, "BadRequest", "Edm.Guid"),
        ({"displayName": "a", "paymentTermsId": str(uuid.uuid4())}, "Application_DialogException", "Payment Terms"),
        ({"displayName": "a", "currencyCode": "XXX"}, "Application_DialogException", "currencyCode"),
        ({"displayName": "a", "country": "XX"}, "Internal_InvalidTableRelation", "Country/Region"),
        ({"displayName": "a", "id": str(uuid.uuid4())}, "BadRequest_InvalidOperation", "read-only"),
    ],
)  # fmt: skip
def test_bad_bodies_are_refused(bc: Any, body: dict[str, Any], code: str, words: str) -> None:
    before = bc.raw("GET", "customers/$count").text
    assert words in bc.refused(400, code, "POST", "customers", body)
    assert bc.raw("GET", "customers/$count").text == before


def test_codes_are_kept_in_capitals_and_numbers_are_unique(bc: Any) -> None:
    row = bc.customer(number="lower-1", currencyCode="eur")
    assert (row["number"], row["currencyCode"]) == ("LOWER-1", "EUR")
    assert row["currencyId"] == bc.rows("currencies?$filter=code eq 'EUR'")[0]["id"]
    bc.refused(400, "Internal_EntityWithSameKeyExists", "POST", "customers", {"displayName": "b", "number": "LOWER-1"})


def test_number_can_be_renamed_and_reaches_documents(bc: Any) -> None:
    row = bc.customer()
    order = bc.ok("POST", "salesOrders", {"customerId": row["id"]})
    bc.patch(f"customers({row['id']})", {"number": "RENAMED1"})
    assert bc.ok("GET", f"salesOrders({order['id']})")["customerNumber"] == "RENAMED1"


def test_exact_money_on_the_wire(bc: Any) -> None:
    answer = bc.raw("POST", "items", {"displayName": "x", "unitPrice": 0.1, "unitCost": 1234567.89})
    assert '"unitPrice":0.1,' in answer.text
    assert '"unitCost":1234567.89,' in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "nothing", 404, "BadRequest_NotFound"),
        ("GET", "customers('C10001')", 400, "BadRequest_InvalidRequestUrl"),
        ("GET", "customers(number='C10001')", 400, "BadRequest_InvalidRequestUrl"),
        ("POST", "accounts", 405, "BadRequest_MethodNotAllowed"),
        ("DELETE", "customers", 405, "BadRequest_MethodNotAllowed"),
        ("PUT", "customers", 405, "BadRequest_MethodNotAllowed"),
        ("GET", "customers?$search=x", 501, "BadRequest_MethodNotImplemented"),
        ("GET", "customers?$apply=x", 501, "BadRequest_MethodNotImplemented"),
    ],
)
def test_what_the_url_may_not_say(bc: Any, method: str, path: str, status: int, code: str) -> None:
    bc.refused(status, code, method, path, {} if method in ("POST", "PUT") else None)


def test_flow_fields_move_without_stamp_and_tag(bc: Any) -> None:
    customer = bc.customer()
    body = {
        "customerId": customer["id"],
        "dueDate": "2020-01-01",
        "salesInvoiceLines": [{"itemId": bc.item()["id"], "quantity": 1}],
    }
    invoice = bc.ok("POST", "salesInvoices", body)
    bc.ok("POST", f"salesInvoices({invoice['id']})/Microsoft.NAV.post")
    after = bc.ok("GET", f"customers({customer['id']})?$expand=customerFinancialDetail,agedAccountsReceivable")
    assert after["balanceDue"] == 100
    assert after["customerFinancialDetail"]["balance"] == 100
    assert after["customerFinancialDetail"]["overdueAmount"] == 100
    assert after["agedAccountsReceivable"]["period3Amount"] == 100
    assert after["lastModifiedDateTime"] == customer["lastModifiedDateTime"]
    assert after["@odata.etag"] == customer["@odata.etag"]


def test_inventory_on_patch_posts_an_adjustment(bc: Any) -> None:
    bc.refused(400, "Application_DialogException", "POST", "items", {"displayName": "x", "inventory": 3})
    item = bc.item()
    assert bc.patch(f"items({item['id']})", {"inventory": 7})["inventory"] == 7
    bc.patch(f"items({item['id']})", {"inventory": 5})
    entries = bc.rows(f"itemLedgerEntries?$filter=itemNumber eq '{item['number']}'")
    assert [(e["entryType"], e["quantity"]) for e in entries] == [
        ("Positive_x0020_Adjmt_x002E_", 7), ("Negative_x0020_Adjmt_x002E_", -2),
    ]  # fmt: skip


def test_accept_none_leaves_annotations_out(bc: Any) -> None:
    answer = bc.ok("GET", "customers?$top=1", Accept="application/json;odata.metadata=none")
    assert "@odata.context" not in answer
    assert "@odata.etag" not in answer["value"][0]
