"""Installing weft's own package into the simulator over HTTP, and what then exists."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from weft.records import Hint, Request
from weft_creatio.package.archive import pack
from weft_creatio.package.build import BuildOptions, build_archive, build_tree, missing_dependencies
from weft_creatio.package.contents import read_package
from weft_creatio.package.designer import install_with_designer
from weft_creatio.package.install import InstallError, Waiting, install, site_dependencies
from weft_creatio.package.model import load_model
from weft_creatio.pushes import receive

OUTBOX = "UsrWeftOutbox"


@dataclass
class Reply:
    status: int
    content: bytes


class Session:
    """The installer's session over a plain client."""

    def __init__(self, http: httpx.AsyncClient, site: Any) -> None:
        self._http, self._site = http, site

    async def request(self, method, url, *, headers=None, content=None, json=None, timeout=None, ok=None):  # noqa: ASYNC109
        path = f"{self._site.url}{self._site.sim.options.prefix}/{url.lstrip('/')}"
        answer = await self._http.request(method, path, headers=headers, content=content, json=json)
        return Reply(answer.status_code, answer.content)


async def rest(seconds: float) -> None:
    await asyncio.sleep(0)


WAITING = Waiting(interval=1, limit=50, sleep=rest)


async def archive_for(site, **options):
    model = load_model()
    wanted = missing_dependencies(model, BuildOptions())
    depends = await site_dependencies(Session(site.http, site), wanted)
    return build_tree(model, BuildOptions(depends=depends, **options))


async def install_package(site):
    tree = await archive_for(site)
    name = read_package(pack(tree)).name
    return await install(Session(site.http, site), pack(tree), name, waiting=WAITING)


async def test_custom_objects_exist_only_after_the_installation(site):
    assert (await site.call("GET", "UsrPayment?$top=1")).status_code == 404
    assert (await site.call("POST", "Account", {"Name": "x", "UsrTaxId": "1"})).status_code == 400
    report = await install_package(site)
    assert "Package installation finished" in report.log
    assert (await site.get("UsrPayment"))["value"] == []
    assert b'EntityType Name="UsrPayment"' in (await site.call("GET", "$metadata")).content
    account = await site.create("Account", Name="Taxed", UsrTaxId="DE1", UsrCreditLimit=10.5)
    invoice = await site.create("Invoice")
    payment = await site.create(
        "UsrPayment", UsrNumber="P1", UsrAccountId=account["Id"], UsrInvoiceId=invoice["Id"], UsrAmount=12.34
    )
    found = await site.get("UsrPayment", filter="UsrAccount/UsrTaxId eq 'DE1'", expand="UsrAccount($select=Name)")
    assert [row["Id"] for row in found["value"]] == [payment["Id"]]
    assert found["value"][0]["UsrAccount"]["Name"] == "Taxed"
    states = (await site.get("UsrSyncState", orderby="Name"))["value"]
    assert {row["Name"] for row in states} >= {"Pending", "Failed"}


async def test_listener_writes_outbox_rows_in_the_same_transaction(site):
    await install_package(site)
    person = site.sim.as_user("Megan Bowen")
    key = person.create("Account", {"Name": "Watched"})
    person.edit("Account", key, {"Name": "Watched again"})
    person.delete("Account", key)
    mine = {"filter": f"UsrRecordId eq {key}", "orderby": "UsrSequence"}
    rows = (await site.get(OUTBOX, **mine))["value"]
    assert [row["UsrOperation"] for row in rows] == ["insert", "update", "delete"]
    assert {row["UsrEntityName"] for row in rows} == {"Account"}
    assert {row["CreatedById"] for row in rows} == {person.user.contact}
    with pytest.raises(RuntimeError):
        person.create("Account", {"Name": "Refused", "CityId": "12345678-1234-4234-8234-123456789012"})
    order = person.create("Order", {})
    line = person.create("OrderProduct", {"OrderId": order, "TotalAmount": 5})
    (row,) = (await site.get(OUTBOX, filter=f"UsrRecordId eq {line}"))["value"]
    assert (row["UsrParentName"], row["UsrParentId"]) == ("Order", order)
    header = (await site.get(OUTBOX, filter=f"UsrRecordId eq {order}", orderby="UsrSequence"))["value"]
    assert [row["UsrOperation"] for row in header] == ["insert", "update"]
    total = len((await site.get(OUTBOX))["value"])
    person.create("City", {"Name": "Not heard"})
    assert len((await site.get(OUTBOX))["value"]) == total


class Hook:
    """An address that is pushed to; answers with ``status``."""

    def __init__(self):
        self.bodies, self.status = [], 200

    async def answer(self, request):
        self.bodies.append(await request.read())
        return web.Response(status=self.status)

    def hints(self):
        """What weft makes of what was pushed since it was last asked."""
        bodies, self.bodies = self.bodies, []
        context = SimpleNamespace(log=logging.getLogger("test"))
        return [hint for body in bodies for hint in receive(context, Request("POST", {}, {}, body)).hints]


@pytest.fixture
async def hook():
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hooks/crm/a-long-enough-secret", hook.answer)
    async with TestServer(app) as server:
        hook.url = str(server.make_url("/hooks/crm/a-long-enough-secret"))
        yield hook


async def test_the_package_pushes_once_its_setting_holds_an_address(serve_site, hook):
    site = await serve_site(push_every=None)
    sim, person = site.sim, site.sim.as_user()
    sim.site.store_setting("UsrWeftPushUrl", hook.url)
    person.create("Account", {"Name": "Too early"})
    assert await sim.command("flush_pushes") == 0, "nothing listens without the package"
    await install_package(site)
    sim.site.store_setting("UsrWeftPushUrl", "")
    person.create("Account", {"Name": "Not wanted"})
    assert await sim.command("flush_pushes") == 0
    sim.site.store_setting("UsrWeftPushUrl", hook.url)
    order = person.create("Order", {})
    line = person.create("OrderProduct", {"OrderId": order, "TotalAmount": 5})
    person.create("City", {"Name": "Not heard"})
    await sim.command("flush_pushes")
    assert set(hook.hints()) == {Hint("Order", order)}, "a line tells its document"
    hook.status = 500
    person.delete("OrderProduct", line)
    assert await sim.command("flush_pushes") > 0
    assert set(hook.hints()) == {Hint("Order", order)}
    assert await sim.command("flush_pushes") == 0, "a push that fails is not made again"
    (row,) = (await site.get(OUTBOX, filter=f"UsrRecordId eq {line} and UsrOperation eq 'delete'"))["value"]
    assert row["UsrParentId"] == order, "its row is there to be polled"


async def test_the_package_brings_the_setting_empty(site):
    await install_package(site)
    setting = await site.get("SysSettings", filter="Code eq 'UsrWeftPushUrl'")
    assert [row["ValueTypeName"] for row in setting["value"]] == ["Text"]
    assert site.sim.site.setting_value("UsrWeftPushUrl") is None
    site.sim.site.store_setting("UsrWeftPushUrl", "https://weft.example.com")
    assert len((await site.get("SysSettings", filter="Code eq 'UsrWeftPushUrl'"))["value"]) == 1


async def test_direct_sql_raises_no_event(site):
    await install_package(site)
    person = site.sim.as_user()
    invoice = person.create("Invoice", {})
    person.create("InvoiceProduct", {"InvoiceId": invoice, "TotalAmount": 5})
    rows = (await site.get(OUTBOX, filter=f"UsrRecordId eq {invoice}"))["value"]
    assert [row["UsrOperation"] for row in rows] == ["insert"]


@pytest.mark.parametrize(("answer", "status"), [("404", 404), ("invalid", 400)])
async def test_odata_is_refused_while_the_assembly_is_rebuilt(serve_site, answer, status):
    site = await serve_site(rebuild_requests=3, rebuild_answer=answer)
    archive = pack(await archive_for(site))
    base = f"{site.url}/0/ServiceModel/PackageInstallerService.svc"
    upload = {"Content-Range": f"bytes 0-{len(archive) - 1}/{len(archive)}"}
    await site.http.post(f"{base}/UploadPackage?fileName=p.gz", content=archive, headers=upload)
    assert (await site.http.post(f"{base}/InstallPackage", json="p.gz")).json() == {"success": True, "errorInfo": None}
    seen = [(await site.call("GET", "UsrPayment?$top=1")).status_code for _ in range(4)]
    assert seen == [status, status, status, 200]


async def test_rebuild_by_the_clock(serve_site):
    site = await serve_site(rebuild_seconds=90.0)
    url = f"{site.url}/0/ServiceModel/WorkspaceExplorerService.svc/RunODataBuild"
    assert (await site.http.post(url)).json()["success"] is True
    assert (await site.call("GET", "Account?$top=1")).status_code == 404
    site.sim.clock.advance(91)
    assert (await site.call("GET", "Account?$top=1")).status_code == 200


async def test_refused_packages(serve_site):
    site = await serve_site()
    base = f"{site.url}/0/ServiceModel/PackageInstallerService.svc"
    failed = {"errorInfo": {"errorCode": "Exception", "message": "Packages installation failed"}, "success": False}
    assert (await site.http.post(f"{base}/InstallPackage", json="missing.gz")).json() == failed
    await site.http.post(f"{base}/UploadPackage?fileName=bad.gz", content=b"not gzip")
    assert (await site.http.post(f"{base}/InstallPackage", json="bad.gz")).json() == failed
    tree = build_archive(
        load_model(), BuildOptions(depends={"Nowhere": ("11111111-1111-4111-8111-111111111111", None)})
    )
    with pytest.raises(InstallError, match="Nowhere"):
        await install(Session(site.http, site), tree, read_package(tree).name, waiting=WAITING)
    wrong = pack(await archive_for(site, prefix="Abc"))
    with pytest.raises(InstallError, match="must start with the prefix Usr"):
        await install(Session(site.http, site), wrong, read_package(wrong).name, waiting=WAITING)


@pytest.mark.parametrize("strict", [False, True])
async def test_metadata_without_the_event_process(serve_site, strict):
    site = await serve_site(strict_metadata=strict)
    tree = await archive_for(site)
    path = "Schemas/UsrPayment/metadata.json"
    lines = tree[path].decode("utf-8-sig").splitlines(keepends=True)
    reduced = "".join(line for line in lines if "MetaData.Schema.EG1" not in line)
    assert len(reduced) < len("".join(lines))
    archive = pack({**tree, path: b"\xef\xbb\xbf" + reduced.encode()})
    work = install(Session(site.http, site), archive, read_package(archive).name, waiting=WAITING)
    if strict:
        with pytest.raises(InstallError, match="EG1"):
            await work
    else:
        await work
        assert (await site.get("UsrPayment"))["value"] == []


async def test_designer_services_make_the_same_objects(site):
    contents = read_package(pack(await archive_for(site)))
    package = (await site.get("SysPackage", top="1", orderby="Name"))["value"][0]
    report = await install_with_designer(
        Session(site.http, site), contents, (package["Name"], package["UId"]), waiting=WAITING
    )
    assert "polling" in report.warnings[0]
    account = await site.create("Account", Name="Taxed", UsrTaxId="DE1")
    await site.create("UsrPayment", UsrNumber="P1", UsrAccountId=account["Id"], UsrAmount=12.34)
    assert len((await site.get("UsrSyncState"))["value"]) >= 4
    site.sim.as_user().edit("Account", account["Id"], {"Name": "Changed"})
    assert (await site.get(OUTBOX))["value"] == []
