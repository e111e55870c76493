"""Sign-in, addresses, companies, writes, errors, tags, metadata."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree

from weft_d365fo.simulator import CLIENT_ID, CLIENT_SECRET

KEY = "CustomersV3(dataAreaId='usmf',CustomerAccount='{}')"


def test_only_a_mapped_application_with_a_token_for_this_environment_gets_in(start: Any) -> None:
    fo = start(tls=True)
    assert fo.ok("GET", "CustomersV3/$count") == 30
    tokens = f"{fo.sim.base_url}/{fo.sim.config.tenant}/oauth2/token"
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    older = fo.http.post(tokens, data={**form, "resource": fo.sim.base_url}).json()
    assert (older["token_type"], older["expires_in"]) == ("Bearer", "3599")
    other = fo.http.post(tokens, data={**form, "resource": "https://other.operations.dynamics.com"})
    assert other.json()["error"] == "invalid_resource"
    answer = fo.raw("GET", "CustomersV3", Authorization="Bearer nonsense")
    assert answer.status_code == 401
    assert answer.json() == {
        "Message": "Authentication failed.", "StackTrace": None, "ExceptionType": "System.InvalidOperationException",
    }  # fmt: skip
    assert "p3p" in answer.headers
    fo.command("unmap_client", client_id=CLIENT_ID)
    assert fo.raw("GET", "CustomersV3").status_code == 401
    fo.command("map_client", client_id=CLIENT_ID, companies=["usmf"])
    assert fo.rows("CustomersV3?cross-company=true&$filter=dataAreaId eq 'demf'") == []
    assert "no access" in fo.refused(400, "POST", "CustomersV3", {"dataAreaId": "demf", "OrganizationName": "A"})
    fo.command("deny", set="CustomersV3", method="PATCH")
    assert fo.raw("PATCH", KEY.format("C-000001"), {}).status_code == 403


def test_companies_are_crossed_only_on_demand(fo: Any) -> None:
    german = KEY.format("C-000001").replace("usmf", "demf")
    assert {row["dataAreaId"] for row in fo.rows("CustomersV3")} == {"usmf"}
    assert fo.rows("CustomersV3?$filter=dataAreaId eq 'demf'") == []
    assert {row["dataAreaId"] for row in fo.rows("CustomersV3?cross-company=true")} == {"usmf", "demf"}
    assert fo.call("GET", german)[0] == 404
    assert fo.refused(400, "PATCH", german, {"NameAlias": "x"}) == "No resources were found when selecting for update."
    assert fo.raw("PATCH", f"{german}?cross-company=true", {"NameAlias": "x"}).status_code == 204
    made = fo.customer(dataAreaId="DEMF", OrganizationName="Kontor")
    assert made["dataAreaId"] == "demf"


def test_a_customer_is_made_changed_and_deleted(fo: Any) -> None:
    body = {
        "CustomerGroupId": "10", "SalesCurrencyCode": "USD", "OrganizationName": "O'Hara", "AddressCity": "Atlanta",
        "AddressCountryRegionId": "USA", "AddressState": "GA",
        "PartyType": "Organization", "PrimaryContactEmail": "a@b.example",
    }  # fmt: skip
    answer = fo.raw("POST", "CustomersV3", body)
    assert answer.status_code == 201
    made = answer.json()
    tag = base64.b64decode(made["@odata.etag"][3:-1]).decode()
    assert re.fullmatch(r"'1,\d+;0,0'", tag)
    assert answer.headers["etag"] == made["@odata.etag"]
    key = KEY.format(made["CustomerAccount"])
    assert answer.headers["location"] == f"{fo.root}/{key}"
    assert made["FullPrimaryAddress"] == "Atlanta, GA\nUSA"
    assert (made["NameAlias"], made["OnHoldStatus"], made["LanguageId"]) == ("O'Hara", "No", "en-us")
    changed = fo.raw("PATCH", key, {"NameAlias": "", "CreditLimit": 12.5})
    assert (changed.status_code, changed.content) == (204, b"")
    row = fo.ok("GET", key)
    assert (row["NameAlias"], row["CreditLimit"], row["OrganizationName"]) == ("", 12.5, "O'Hara")
    assert fo.raw("PATCH", key, {"CreditLimit": 1}, If_Match=made["@odata.etag"]).status_code == 412
    assert fo.raw("PATCH", key, {"CreditLimit": 1}, If_Match=row["@odata.etag"]).status_code == 204
    assert fo.raw("DELETE", key).status_code == 204
    assert fo.refused(400, "DELETE", key) == "No resources were found when selecting for update."
    assert fo.call("GET", key)[0] == 404


def test_business_errors_are_the_infolog(fo: Any) -> None:
    body = {"CustomerGroupId": "10", "SalesCurrencyCode": "USD", "OrganizationName": "A"}
    untold = fo.refused(400, "POST", "CustomersV3", body)
    assert "Field 'Party type' must be filled in." in untold
    body["PartyType"] = "Organization"
    assert fo.refused(400, "POST", "CustomersV3", {**body, "CustomerGroupId": "Local"}) == (
        "Write failed for table row of type 'CustCustomerV3Entity'. Infolog: Warning: The value 'Local' in field "
        "'Customer group' is not found in the related table 'Customer groups'.; Warning: validateField failed on field "
        "'CustCustomerV3Entity.CustomerGroupId'."
    )
    assert "Field 'Customer group' must be filled in.; Warning: validateWrite failed on data source" in fo.refused(
        400, "POST", "CustomersV3", {"SalesCurrencyCode": "USD", "OrganizationName": "A", "PartyType": "Organization"}
    )
    fo.ok("POST", "CustomerGroups", {"CustomerGroupId": "W1", "Description": "one"})
    duplicate = fo.refused(400, "POST", "CustomerGroups", {"CustomerGroupId": "w1"})
    assert (
        "Infolog: Info: Cannot create a record in Customer groups (CustGroup). Customer group: w1.\n"
        "The record already exists.." in duplicate
    )
    assert "does not exist on type" in fo.refused(400, "POST", "CustomersV3", {**body, "Nonsense": 1})
    assert "cannot be edited" in fo.refused(400, "POST", "CustomersV3", {**body, "AddressRecordId": 5})
    assert "Cannot convert" in fo.refused(400, "POST", "CustomersV3", {**body, "OnHoldStatus": 1})
    assert "longer than the 20 characters" in fo.refused(400, "POST", "CustomersV3", {**body, "NameAlias": "x" * 21})
    assert "is read-only" in fo.refused(400, "POST", "CustTableBiEntities", {})
    for path in (
        "CustomersV3('C-000001')",
        "CustomersV3(CustomerAccount='C-000001')",
        "Nonsense",
        "CustomersV3(dataAreaId=usmf,CustomerAccount='x')",
    ):
        status, answer = fo.call("GET", path)
        assert status == 404
        assert answer["Message"].startswith(f"No HTTP resource was found that matches the request URI '{fo.root}/")


def test_a_party_is_shared_and_its_changes_leave_the_customer_untouched(fo: Any) -> None:
    first = fo.customer(PrimaryContactEmail="old@party.example")
    party = first["PartyNumber"]
    second = fo.customer(dataAreaId="demf", PartyNumber=party, OrganizationName="Adatum Lighting")
    assert second["PrimaryContactEmail"] == "old@party.example"
    feed = f"CustTableBiEntities?$filter=AccountNum eq '{first['CustomerAccount']}'&$select=SysModifiedDateTime"
    before = fo.rows(feed)[0]
    fo.command("edit", set="CustomersV3", key={"dataAreaId": "usmf", "CustomerAccount": first["CustomerAccount"]},
               values={"OrganizationName": "Adatum Light", "PrimaryContactEmail": "new@party.example"})  # fmt: skip
    after = fo.rows(feed)[0]
    assert before["SysModifiedDateTime"] == after["SysModifiedDateTime"]
    assert before["@odata.etag"] != after["@odata.etag"]
    other = fo.ok("GET", KEY.format(second["CustomerAccount"]).replace("usmf", "demf") + "?cross-company=true")
    assert (other["OrganizationName"], other["PrimaryContactEmail"]) == ("Adatum Light", "new@party.example")
    contact = fo.rows(f"PartyContactsV3?$filter=PartyNumber eq '{party}'")[0]
    assert (contact["Locator"], contact["IsPrimary"]) == ("new@party.example", "Yes")
    extra = {"PartyNumber": party, "Type": "Email", "Locator": "third@party.example", "IsPrimary": "Yes"}
    fo.ok("POST", "PartyContactsV3", extra)
    assert fo.ok("GET", KEY.format(first["CustomerAccount"]))["PrimaryContactEmail"] == "third@party.example"
    person = fo.ok("POST", "ContactPersons", {"AssociatedPartyNumber": party, "FirstName": "Noor", "LastName": "Ito"})
    assert (person["ContactPersonName"], person["ContactPersonId"] != "") == ("Noor Ito", True)


def test_products_are_shared_and_released(fo: Any) -> None:
    body = {
        "ProductNumber": "L-1",
        "ProductName": "Lamp",
        "ProductType": "Item",
        "ItemModelGroupId": "FIFO",
        "ProductGroupId": "Audio",
    }
    missing = fo.refused(400, "POST", "ReleasedProductCreationsV2", body)
    assert "Field 'Storage dimension group name' must be filled in." in missing
    assert fo.call("GET", "ProductsV2(ProductNumber='L-1')")[0] == 404, "nothing stays of what failed"
    groups = {"StorageDimensionGroupName": "SiteWH", "TrackingDimensionGroupName": "None"}
    made = fo.ok("POST", "ReleasedProductCreationsV2", {**body, **groups})
    assert (made["ProductSearchName"], made["SalesUnitSymbol"]) == ("Lamp", "ea")
    item = made["ItemNumber"]
    key = f"ReleasedProductsV2(dataAreaId='usmf',ItemNumber='{item}')"
    fo.ok("PATCH", key, {"SalesPrice": 12.5})
    released = fo.ok("GET", key)
    assert (released["SalesPrice"], released["SalesSalesTaxItemGroupCode"], "ProductName" in released) == (
        12.5,
        "FULL",
        False,
    )
    german = {"dataAreaId": "demf", "ItemNumber": item, "ProductNumber": "L-1"}
    assert fo.ok("POST", "ReleasedProductsV2", german)["ProductType"] == "Item"
    fo.ok("PATCH", "ProductsV2(ProductNumber='L-1')", {"ProductName": "Desk lamp"})
    assert (
        fo.ok("GET", f"ReleasedProductCreationsV2(dataAreaId='usmf',ItemNumber='{item}')")["ProductName"] == "Desk lamp"
    )
    assert "cannot be deleted while dependent Released products exist" in fo.refused(
        400, "DELETE", "ProductsV2(ProductNumber='L-1')"
    )


def test_metadata_tells_keys_enums_and_what_is_required(fo: Any) -> None:
    tree = ElementTree.fromstring(fo.raw("GET", "$metadata").content)  # noqa: S314 - our own simulator
    ns = {"e": "http://docs.oasis-open.org/odata/ns/edm"}
    customer = tree.find(".//e:EntityType[@Name='CustomerV3']", ns)
    assert customer is not None
    assert [ref.get("Name") for ref in customer.findall("e:Key/e:PropertyRef", ns)] == ["dataAreaId", "CustomerAccount"]
    group = customer.find("e:Property[@Name='CustomerGroupId']", ns)
    assert group is not None
    notes = {n.get("Term", "").rpartition(".")[2]: n for n in group.findall("e:Annotation", ns)}
    assert notes["IsRequired"].get("Bool") == "true"
    assert notes["AXType"][0].text == "Microsoft.Dynamics.OData.Core.V1.AXType/String"
    assert tree.find(".//e:EnumType[@Name='NoYes']/e:Member[@Name='Yes']", ns) is not None
    action = tree.find(".//e:Action[@Name='ImportFromPackage']", ns)
    assert action is not None
    assert action[0].get("Type") == "Collection(Microsoft.Dynamics.DataEntities.DataManagementDefinitionGroup)"
    root = fo.root.removesuffix("/data")
    entity = fo.ok("GET", f"{root}/metadata/PublicEntities('CustomerV3')")
    assert next(p for p in entity["Properties"] if p["Name"] == "CustomerGroupId")["IsMandatory"] is True
    found = fo.ok("GET", f"{root}/metadata/DataEntities?$filter=contains(tolower(Name),'custcustomerv3')")["value"]
    assert [row["PublicCollectionName"] for row in found] == ["CustomersV3"]
    label = fo.ok("GET", f"{root}/metadata/Labels(Id='{entity['LabelId']}',Language='en-us')")
    assert label["Value"] == "Customers V3"
    probe = "DataManagementEntities/Microsoft.Dynamics.DataEntities.GetApplicationVersion"
    assert fo.ok("POST", probe, {})["value"].startswith("10.0.")
