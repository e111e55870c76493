"""The package API: upload, import in the background, what failed and why, export."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from typing import Any

import pytest

from weft_d365fo.simulator.dmf.package import Package, made

ACTION = "DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities."
COLUMNS = ("CUSTOMERACCOUNT", "CUSTOMERGROUPID", "SALESCURRENCYCODE", "ORGANIZATIONNAME", "CREDITLIMIT", "PARTYTYPE")


def act(fo: Any, name: str, **arguments: Any) -> Any:
    return fo.ok("POST", f"{ACTION}{name}", arguments)["value"]


def upload(fo: Any, data: bytes, name: str = "load.zip") -> str:
    url = str(json.loads(act(fo, "GetAzureWriteUrl", uniqueFileName=name))["BlobUrl"])
    assert fo.http.put(url, content=data).status_code == 400, "the kind of blob has to be said"
    assert fo.http.put(url, content=data, headers={"x-ms-blob-type": "BlockBlob"}).status_code == 201
    assert fo.http.put(url.partition("&sig=")[0], content=data).status_code == 403
    return url


def load(fo: Any, url: str, group: str = "weft", execution: str = "") -> str:
    return str(
        act(fo, "ImportFromPackage", packageUrl=url, definitionGroupId=group, executionId=execution, execute=True,
            overwrite=True, legalEntityId="usmf")
    )  # fmt: skip


def finished(fo: Any, execution: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = str(act(fo, "GetExecutionSummaryStatus", executionId=execution))
        if status not in ("NotRun", "Executing"):
            return status
        time.sleep(0.02)
    raise AssertionError("the import did not end")


def customers(*rows: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> bytes:
    return made("weft", [("Customers V3", columns, [(*row, "Organization") for row in rows])])


def test_rows_that_fail_are_told_by_their_keys(start: Any) -> None:
    fo = start(error_record="row")
    good = ("P-1", "10", "USD", "One", "12.5")
    url = upload(fo, customers(good, ("P-2", "nix", "USD", "Two", ""), ("P-3", "10", "USD", "", "")))
    execution = load(fo, url)
    assert finished(fo, execution) == "PartiallySucceeded"
    row = fo.ok("GET", "CustomersV3(dataAreaId='usmf',CustomerAccount='P-1')")
    assert (row["CreditLimit"], row["NameAlias"], row["PartyNumber"] != "") == (12.5, "One", True)
    errors = json.loads(act(fo, "GetExecutionErrors", executionId=execution))
    assert [error["RecordId"] for error in errors] == ["2", "3"]
    assert "The value 'nix' in field 'Customer group' is not found" in errors[0]["ErrorMessage"]
    named = {"executionId": execution, "entityName": "Customers V3"}
    assert act(fo, "GetImportTargetErrorKeysFileUrl", **named) == "", "not before it is asked for"
    assert act(fo, "GenerateImportTargetErrorKeysFile", **named) is True
    keys = fo.http.get(act(fo, "GetImportTargetErrorKeysFileUrl", **named)).content.decode("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(keys))) == [{"CUSTOMERACCOUNT": "P-2"}, {"CUSTOMERACCOUNT": "P-3"}]
    again = load(fo, upload(fo, customers(("P-1", "10", "USD", "One and all", "")), "again.zip"), execution="mine")
    assert (again, finished(fo, again)) == ("mine", "Succeeded")
    row = fo.ok("GET", "CustomersV3(dataAreaId='usmf',CustomerAccount='P-1')")
    assert (row["OrganizationName"], row["CreditLimit"]) == ("One and all", 12.5), "known keys are updated"
    assert act(fo, "GenerateImportTargetErrorKeysFile", executionId="mine", entityName="Customers V3") is False


def test_numbers_are_assigned_and_documents_come_in_order(fo: Any) -> None:
    account = fo.customer(SiteId="1")["CustomerAccount"]
    head = ("SALESORDERNUMBER", "ORDERINGCUSTOMERACCOUNTNUMBER", "CUSTOMERSORDERREFERENCE")
    url = upload(
        fo, made("weft", [("Sales order headers V2", head, [("", account, "pack-1"), ("", account, "pack-2")])])
    )
    assert finished(fo, load(fo, url)) == "Succeeded"
    found = fo.rows("SalesOrderHeadersV2?$filter=CustomersOrderReference eq 'pack-*'")
    assert len({row["SalesOrderNumber"] for row in found}) == 2


def broken(**changes: Any) -> bytes:
    """A package with files left out or changed."""
    source = zipfile.ZipFile(io.BytesIO(customers(("P-9", "10", "USD", "Nine", ""))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            change = changes.get(name.partition(".")[0].replace(" ", ""), lambda data: data)
            data = change(source.read(name))
            if data is not None:
                target.writestr(name, data)
    return out.getvalue()


def test_what_cannot_be_read_is_refused_or_imports_nothing(fo: Any) -> None:
    def refusal(data: bytes) -> str:
        url = upload(fo, data, "bad.zip")
        body = {"packageUrl": url, "definitionGroupId": "weft", "executionId": "", "execute": True, "overwrite": True,
                "legalEntityId": "usmf"}  # fmt: skip
        return str(fo.refused(400, "POST", f"{ACTION}ImportFromPackage", body))

    assert "not a valid zip" in refusal(b"nonsense")
    assert "no file Manifest.xml" in refusal(broken(Manifest=lambda data: None))
    unknown = refusal(broken(Manifest=lambda data: data.replace(b"Customers V3", b"CustomersV3")))
    assert unknown == "Entity CustomersV3 does not exist in the target environment."
    plain = load(fo, upload(fo, broken(CustomersV3=lambda data: data.decode("utf-16").encode()), "plain.zip"))
    assert finished(fo, plain) == "Failed"
    assert act(fo, "GetExecutionErrors", executionId=plain) == "[]"
    file = act(fo, "GetImportStagingErrorFileUrl", executionId=plain, entityName="Customers V3")
    assert fo.http.get(file).text == "Selected file is not Unicode."
    short = load(
        fo,
        upload(
            fo,
            broken(CustomersV3=lambda data: data.decode("utf-16").replace("CREDITLIMIT", "X").encode("utf-16")),
            "short.zip",
        ),
    )
    assert finished(fo, short) == "Failed"
    bare = b"<DataManagementPackageEntityData><EntityName>Customers V3</EntityName></DataManagementPackageEntityData>"
    manifest = b'<DataManagementPackageManifest xmlns="http://schemas.microsoft.com/dynamics/2015/01/DataManagement">'
    manifest += b"<PackageEntityList>" + bare + b"</PackageEntityList></DataManagementPackageManifest>"
    empty = load(fo, upload(fo, broken(Manifest=lambda data: manifest), "bare.zip"))
    assert finished(fo, empty) == "Succeeded", "without a map of the fields nothing is staged and nothing fails"
    assert fo.call("GET", "CustomersV3(dataAreaId='usmf',CustomerAccount='P-9')")[0] == 404
    assert "were not found" in fo.refused(400, "POST", f"{ACTION}GetExecutionSummaryStatus", {"executionId": "nix"})
    assert "is missing" in fo.refused(400, "POST", f"{ACTION}GetAzureWriteUrl", {})


@pytest.mark.parametrize("nested", [False, True])
def test_a_project_is_exported(start: Any, nested: bool) -> None:
    fo = start(nested_values=nested)
    fo.command("define_export", group="Out", sets=["CustomerGroups"])
    body = {
        "definitionGroupId": "Out",
        "packageName": "groups",
        "executionId": "",
        "reExecute": False,
        "legalEntityId": "usmf",
    }
    answer = act(fo, "ExportToPackage", **body)
    execution = answer["value"] if nested else answer
    assert execution.startswith("ExportPackage-")
    assert finished(fo, execution) == "Succeeded"
    answer = act(fo, "GetExportedPackageUrl", executionId=execution)
    package = Package(fo.http.get(answer["value"] if nested else answer).content)
    rows = package.rows(package.parts[0])
    assert [row["CUSTOMERGROUPID"] for row in rows] == ["10", "20", "30"]
