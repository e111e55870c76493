from __future__ import annotations

from typing import Any

import pytest

from weft.net.errors import EndpointDown, MaybeSent
from weft_creatio.package import install as module
from weft_creatio.package.build import build_archive
from weft_creatio.package.errors import InstallError
from weft_creatio.package.install import Waiting, install, site_dependencies, site_prefix
from weft_creatio.package.model import PackageModel

ROOT = "https://adatum.example/0"
INSTALLER = "ServiceModel/PackageInstallerService.svc"
EXPLORER = "ServiceModel/WorkspaceExplorerService.svc"
NAME = "UsrWeftErp"
FAILED = {
    "errorInfo": {"errorCode": "Exception", "message": "Packages installation failed"},
    "success": False,
}


@pytest.fixture
def archive(model: PackageModel) -> bytes:
    return build_archive(model)


@pytest.fixture
def site(creatio: Any) -> Any:
    creatio.on("POST", f"{INSTALLER}/UploadPackage", {"success": True})
    creatio.on("POST", f"{INSTALLER}/CreateBackup", {"success": True})
    creatio.on("POST", f"{INSTALLER}/InstallPackage", {"success": True, "errorInfo": None})
    creatio.on("GET", f"{INSTALLER}/GetLogFile", b"old. Package installation finished\n")
    creatio.on("POST", f"{EXPLORER}/RunODataBuild", {"success": True})
    creatio.on("POST", f"{EXPLORER}/IsODataBuildRunning", {"value": False})
    creatio.on("GET", "odata/", {"value": []})
    return creatio


async def test_steps_in_order_with_a_chunked_upload(
    site: Any, archive: bytes, waiting: Waiting, slept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", len(archive) // 2 + 1)
    result = await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert (result.package, result.warnings) == (NAME, ())
    uploads = site.seen(f"{INSTALLER}/UploadPackage")
    total = len(archive)
    assert uploads[0].path == (
        f"{INSTALLER}/UploadPackage?totalFileLength={total}&fileName=UsrWeftErp.gz&mimeType=application%2Fx-gzip"
    )
    half = total // 2 + 1
    assert [upload.headers["Content-Range"] for upload in uploads] == [
        f"bytes 0-{half - 1}/{total}",
        f"bytes {half}-{total - 1}/{total}",
    ]
    assert uploads[0].headers["Content-Disposition"] == "attachment; filename=UsrWeftErp.gz"
    assert b"".join(upload.content for upload in uploads) == archive
    backup, installation = site.seen(f"{INSTALLER}/CreateBackup"), site.seen(f"{INSTALLER}/InstallPackage")
    assert backup[0].body == {
        "Name": NAME,
        "Code": NAME,
        "ZipPackageName": "UsrWeftErp.gz",
        "LastUpdate": 0,
    }
    assert installation[0].body == "UsrWeftErp.gz"
    order = [request.path.split("?")[0].rsplit("/", 1)[1] for request in site.requests]
    assert [step for step in order if step != "GetLogFile"] == [
        *("UploadPackage", "UploadPackage", "CreateBackup", "InstallPackage", "RunODataBuild"),
        *("IsODataBuildRunning", "UsrBankAccount", "UsrWeftOutbox"),
    ]
    assert slept.seconds == []


async def test_waits_while_the_odata_assembly_is_built(site: Any, archive: bytes, waiting: Waiting, slept: Any) -> None:
    site.on("POST", f"{EXPLORER}/RunODataBuild", EndpointDown("restarting"), {"success": True})
    site.on("POST", f"{EXPLORER}/IsODataBuildRunning", {"value": True}, {"value": True}, {"value": False})
    not_yet = (404, {"Message": "No HTTP resource was found"})
    site.on("GET", "odata/UsrBankAccount", not_yet, EndpointDown("recycling"), {"value": []})
    await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert slept.seconds == [5] * 5
    assert len(site.seen("odata/UsrBankAccount?")) == 3


async def test_a_site_that_cannot_tell_about_its_build_is_probed(site: Any, archive: bytes, waiting: Waiting) -> None:
    site.on("POST", f"{EXPLORER}/IsODataBuildRunning", (404, b"<html>no such page</html>"))
    await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert len(site.seen("odata/UsrBankAccount?")) == 1


async def test_objects_that_never_appear_are_an_error_with_the_last_answer(
    site: Any, archive: bytes, waiting: Waiting
) -> None:
    site.on("GET", "odata/UsrWeftOutbox", (400, {"error": {"message": "The request is invalid."}}))
    with pytest.raises(InstallError, match=r"UsrWeftOutbox: HTTP 400.*The request is invalid"):
        await install(site, archive, NAME, root=ROOT, waiting=waiting)


async def test_failure_without_a_finished_log_is_a_failure(site: Any, archive: bytes, waiting: Waiting) -> None:
    site.on("POST", f"{INSTALLER}/InstallPackage", FAILED)
    old = b"old. Package installation finished\n"
    site.on("GET", f"{INSTALLER}/GetLogFile", old, old + b"Unable to find package CrtInvoice")
    words = r"Packages installation failed \(Exception\)\. .*Unable to find package CrtInvoice"
    with pytest.raises(InstallError, match=words):
        await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert site.seen(f"{EXPLORER}/RunODataBuild") == []


async def test_failure_with_a_finished_log_is_a_warning(site: Any, archive: bytes, waiting: Waiting) -> None:
    site.on("POST", f"{INSTALLER}/InstallPackage", FAILED)
    site.on("GET", f"{INSTALLER}/GetLogFile", b"", b"schema changed. Package installation finished")
    result = await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert "its log says the installation finished" in result.warnings[0]
    assert result.log == "schema changed. Package installation finished"


@pytest.mark.parametrize("lost", [MaybeSent("no answer in time"), (504, b"<html>Gateway Timeout</html>")])
async def test_a_lost_answer_is_settled_by_the_log_and_never_sent_again(
    site: Any, archive: bytes, waiting: Waiting, lost: Any
) -> None:
    site.on("POST", f"{INSTALLER}/InstallPackage", lost)
    done = b'"Package installation finished"'
    site.on("GET", f"{INSTALLER}/GetLogFile", b"", b'"working"', done)
    result = await install(site, archive, NAME, root=ROOT, waiting=waiting)
    assert len(site.seen(f"{INSTALLER}/InstallPackage")) == 1
    assert "the answer was lost" in result.warnings[0]
    site.on("GET", f"{INSTALLER}/GetLogFile", b"")
    with pytest.raises(InstallError, match="did not finish within 50 s"):
        await install(site, archive, NAME, root=ROOT, waiting=waiting)


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (
            "UploadPackage",
            {"success": False, "errorInfo": {"message": "disk full"}},
            "from byte 0: disk full",
        ),
        ("UploadPackage", (403, b""), "HTTP 403: an empty answer"),
        ("CreateBackup", (200, b"<html>login</html>"), "creating the backup: HTTP 200: <html>login"),
        ("InstallPackage", (500, b"boom"), "installing UsrWeftErp: HTTP 500: boom"),
    ],
)
async def test_refused_steps_carry_creatios_words(
    site: Any, archive: bytes, waiting: Waiting, path: str, answer: Any, words: str
) -> None:
    site.on("POST", f"{INSTALLER}/{path}", answer)
    with pytest.raises(InstallError, match=words):
        await install(site, archive, NAME, root=ROOT, waiting=waiting)


async def test_the_name_must_be_the_packages(site: Any, archive: bytes) -> None:
    with pytest.raises(InstallError, match="holds the package UsrWeftErp, not UsrOther"):
        await install(site, archive, "UsrOther", root=ROOT)
    assert site.requests == []


async def test_reads_packages_and_prefix_of_the_site(site: Any) -> None:
    rows = [
        {"Name": "CrtOrder", "UId": "AA", "Version": "8.1"},
        {"Name": "CrtInvoice", "UId": "bb", "Version": ""},
    ]
    site.on("GET", "odata/SysPackage", {"value": rows})
    found = await site_dependencies(site, ["CrtOrder", "CrtInvoice", "Nope"], root=ROOT)
    assert found == {"CrtOrder": ("aa", "8.1"), "CrtInvoice": ("bb", None)}
    query = site.seen("odata/SysPackage")[0].path
    assert "Name%20eq%20%27CrtInvoice%27%20or%20Name%20eq" in query
    site.on("GET", "odata/SysSettingsValue", {"value": [{"TextValue": "Adm"}]})
    assert await site_prefix(site, root=ROOT) == "Adm"
    site.on("GET", "odata/SysSettingsValue", (403, b"no"))
    assert await site_prefix(site, root=ROOT) is None
    site.on("GET", "odata/SysPackage", (403, b"no right"))
    with pytest.raises(InstallError, match=r"SysPackage\): HTTP 403: no right"):
        await site_dependencies(site, ["CrtOrder"], root=ROOT)
