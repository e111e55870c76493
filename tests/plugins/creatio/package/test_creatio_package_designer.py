from __future__ import annotations

import itertools
from typing import Any

import pytest

from weft_creatio.package import stock
from weft_creatio.package.build import build_archive
from weft_creatio.package.designer import install_with_designer
from weft_creatio.package.errors import InstallError
from weft_creatio.package.install import PackageContents, Waiting, read_package
from weft_creatio.package.model import PackageModel

ROOT = "https://adatum.example/0"
DESIGNER = "ServiceModel/EntitySchemaDesignerService.svc"
PACKAGE = ("UsrShop", "aaaaaaaa-0000-4000-8000-000000000001")


class Designer:
    """The designer's side: keeps what was saved, hands out UIds, refuses references it does not know."""

    def __init__(self, creatio: Any) -> None:
        self.saved: dict[str, dict[str, Any]] = {}
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.known = set(stock.SCHEMAS.values())
        self.order: list[str] = []
        numbers = itertools.count(1)
        on = creatio.on
        on("POST", f"{DESIGNER}/GetSchemaDesignItem", self.get)
        on(
            "POST",
            f"{DESIGNER}/CreateNewSchema",
            lambda body: {"success": True, "schema": {"uId": f"uid-{next(numbers)}", "columns": []}},
        )
        on("POST", f"{DESIGNER}/AssignParentSchema", self.assign)
        on("POST", f"{DESIGNER}/SaveSchema", self.save)
        on("POST", "DataService/json/SyncReply/SchemaDesignerRequest", {"success": True})
        on("POST", "ServiceModel/WorkspaceExplorerService.svc/", {"success": True, "value": False})
        on("GET", "odata/", {"value": []})
        on("POST", "odata/", (201, {}))

    def get(self, body: dict[str, Any]) -> Any:
        schema = self.saved.get(body["name"])
        return {"success": True, "schema": schema} if schema else (200, b"<html>not reachable</html>")

    def assign(self, body: dict[str, Any]) -> Any:
        assert body["parentSchemaUId"] in self.known
        return {"success": True, "schema": body["designSchema"] | {"parentSchema": body["parentSchemaUId"]}}

    def save(self, body: dict[str, Any]) -> Any:
        self.known.add(body["uId"])
        for column in body["columns"]:
            if column["type"] == 10 and column["referenceSchema"]["uId"] not in self.known:
                return {"success": False, "errorInfo": {"message": f"{column['name']}: no such schema"}}
        self.order.append(body["name"])
        self.saved[body["name"]] = body
        return {"success": True, "schemaUid": body["uId"]}


@pytest.fixture
def contents(model: PackageModel) -> PackageContents:
    return read_package(build_archive(model))


async def test_creates_everything_in_an_order_the_designer_accepts(
    creatio: Any, contents: PackageContents, waiting: Waiting
) -> None:
    designer = Designer(creatio)
    result = await install_with_designer(creatio, contents, PACKAGE, root=ROOT, waiting=waiting)
    assert set(designer.saved) == {found.name for found in contents.objects}
    for found in contents.objects:
        saved = designer.saved[found.name]
        assert [column["name"] for column in sorted(saved["columns"], key=lambda c: str(c["name"]))] == sorted(
            column.name for column in found.columns
        )
        assert saved["extendParent"] is found.extends
        assert saved["package"] == {"uId": PACKAGE[1], "name": PACKAGE[0]}
    amount = next(c for c in designer.saved["UsrPayment"]["columns"] if c["name"] == "UsrAmount")
    assert (amount["type"], amount["caption"]) == (6, [{"cultureName": "en-US", "value": "Amount"}])
    number = next(c for c in designer.saved["UsrPayment"]["columns"] if c["name"] == "UsrNumber")
    assert number["requirementType"] == 1
    assert designer.saved["UsrPayment"]["primaryDisplayColumn"] == number
    parent = next(c for c in designer.saved["UsrGLAccount"]["columns"] if c["name"] == "UsrParentAccount")
    assert parent["referenceSchema"]["uId"] == designer.saved["UsrGLAccount"]["uId"]
    bodies = [request.body for request in creatio.seen("DataService/json/SyncReply/SchemaDesignerRequest")]
    assert set(bodies[0]["saveSchemaDBStructure"]) == {s["uId"] for s in designer.saved.values()}
    assert bodies[1] == {"buildWorkspace": True, "buildChangedConfiguration": True}
    rows = [request for request in creatio.requests if (request.method, request.path[:6]) == ("POST", "odata/")]
    assert {"odata/UsrPaymentStatus", "odata/UsrPaymentMethod"} <= {request.path for request in rows}
    assert {"Id", "Name"} <= set(rows[0].body)
    assert "polling" in result.warnings[0]


async def test_a_second_run_changes_nothing(creatio: Any, contents: PackageContents, waiting: Waiting) -> None:
    designer = Designer(creatio)
    await install_with_designer(creatio, contents, PACKAGE, root=ROOT, waiting=waiting)
    saves = len(designer.order)
    creatio.on("GET", "odata/", {"value": [{"Id": "x"}]})
    creatio.requests.clear()
    await install_with_designer(creatio, contents, PACKAGE, root=ROOT, waiting=waiting)
    assert len(designer.order) == saves
    assert creatio.seen("DataService/") == []
    assert all(request.method == "GET" or "GetSchemaDesignItem" in request.path for request in creatio.requests)


async def test_refusals_name_the_object_and_the_step(creatio: Any, contents: PackageContents, waiting: Waiting) -> None:
    designer = Designer(creatio)
    designer.known.discard(stock.SCHEMAS["Invoice"])
    with pytest.raises(InstallError, match=r"object Usr\w+: SaveSchema: UsrInvoice: no such schema"):
        await install_with_designer(creatio, contents, PACKAGE, root=ROOT, waiting=waiting)
