"""Package archives in and out of Creatio: reading them (re-exported), and installing them over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from weft.net.errors import EndpointDown, MaybeSent

from .contents import (
    Column,
    DataRows,
    Default,
    ObjectDescription,
    PackageContents,
    read_package,
    read_packages,
    read_tree,
)
from .errors import InstallError
from .service import HttpSession, Service, checked, excerpt, json_object, service_error

__all__ = [
    "Column",
    "DataRows",
    "Default",
    "InstallReport",
    "ObjectDescription",
    "PackageContents",
    "Waiting",
    "install",
    "read_package",
    "read_packages",
    "read_tree",
    "rebuild_odata",
    "site_dependencies",
    "site_prefix",
]

CHUNK = 1024 * 1024
"""Bytes a chunk of the upload."""
_INSTALLER = "ServiceModel/PackageInstallerService.svc"
_EXPLORER = "ServiceModel/WorkspaceExplorerService.svc"
_FINISHED = "Package installation finished"
_GATEWAY_GAVE_UP = (502, 503, 504)
_LOG_TAIL = 600

Report = Callable[[str], None]


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Waiting:
    """How long to wait for Creatio's background work. Seconds; *sleep* is replaceable in tests."""

    interval: float = 5.0
    limit: float = 900.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def attempts(self) -> int:
        return max(1, int(self.limit / self.interval))


@dataclass(frozen=True)
class InstallReport:
    """What happened. ``warnings`` are for a person to read; ``log`` is Creatio's own."""

    package: str
    warnings: tuple[str, ...]
    log: str


async def install(
    session: HttpSession,
    archive: bytes,
    name: str,
    *,
    root: str = "",
    waiting: Waiting | None = None,
    report: Report = _silent,
) -> InstallReport:
    """Upload *archive*, back up, install, rebuild OData and wait until the new objects answer.

    *name* is the package name; the file is called ``<name>.gz``. Raises :class:`InstallError` with
    Creatio's words. Creatio may answer ``success: false`` although the package was installed (when a
    schema had been changed on the site): then its log decides, and the report carries a warning.
    """
    contents = read_package(archive)
    if contents.name != name:
        raise InstallError(f"the archive holds the package {contents.name}, not {name}")
    waiting = waiting or Waiting()
    service = Service(session, root)
    file_name = f"{name}.gz"
    report(f"uploading {file_name}, {len(archive)} bytes")
    await _upload(service, archive, file_name)
    report("creating a backup")
    backup = {"Name": name, "Code": name, "ZipPackageName": file_name, "LastUpdate": 0}
    await service.call(f"{_INSTALLER}/CreateBackup", backup, "creating the backup")
    before = await _log(service)
    report("installing; this takes minutes")
    warning = await _install(service, name, before, waiting, report)
    probes = [found.name for found in contents.objects if not found.extends]
    await rebuild_odata(service, probes[:1] + probes[-1:], waiting, report)
    return InstallReport(name, (warning,) if warning else (), _new_part(before, await _log(service)))


async def _install(service: Service, name: str, before: str, waiting: Waiting, report: Report) -> str | None:
    """The installation itself; a warning when it finished otherwise than with a plain success."""
    try:
        response = await service.send("POST", f"{_INSTALLER}/InstallPackage", body=f"{name}.gz", seconds=waiting.limit)
    except MaybeSent as error:
        lost = str(error)
    else:
        answer = json_object(response)
        if response.status not in _GATEWAY_GAVE_UP:
            if response.status >= 400 or answer is None:
                raise InstallError(f"installing {name}: HTTP {response.status}: {excerpt(response)}")
            if answer.get("success"):
                return None
            log = _new_part(before, await _log(service))
            if _FINISHED not in log:
                raise InstallError(f"installing {name}: {service_error(answer)}. {_tail(log)}")
            return f"Creatio reported: {service_error(answer)}; its log says the installation finished"
        lost = f"HTTP {response.status}"
    report(f"the answer was lost ({lost}); following Creatio's log")
    await _wait_for_log(service, before, waiting)
    return f"the answer was lost ({lost}), Creatio's log says the installation finished"


async def rebuild_odata(service: Service, probes: Iterable[str], waiting: Waiting, report: Report = _silent) -> None:
    """Ask for the OData assembly to be rebuilt and wait until every object in *probes* can be read.

    The build takes one to two minutes; until then a new object answers 404 or "The request is invalid.".
    """
    report("rebuilding OData")
    await _start_build(service, waiting)
    last = ""
    left = list(dict.fromkeys(probes))
    for attempt in range(waiting.attempts):
        while left:
            problem = await _probe(service, left[0])
            if problem:
                last = f"{left[0]}: {problem}"
                break
            left.pop(0)
        if not left:
            return
        if attempt + 1 < waiting.attempts:
            await waiting.sleep(waiting.interval)
    raise InstallError(
        f"installed, but OData does not show the new objects after {waiting.limit:.0f} s ({last}). "
        "Compile the configuration in Creatio (Configuration section, Compile all) and try again"
    )


async def _start_build(service: Service, waiting: Waiting) -> None:
    """Start the build and wait while Creatio says it runs; older sites cannot say, probes decide then."""
    for attempt in range(waiting.attempts):
        try:
            await service.call(f"{_EXPLORER}/RunODataBuild", {}, "starting the OData build")
            break
        except MaybeSent:
            break  # a second build beside the first would fail on its files
        except EndpointDown:  # the application restarts after an installation
            if attempt + 1 == waiting.attempts:
                raise
            await waiting.sleep(waiting.interval)
    for _ in range(waiting.attempts):
        try:
            answer = await service.send("POST", f"{_EXPLORER}/IsODataBuildRunning", body={})
        except (EndpointDown, MaybeSent):
            return
        state = json_object(answer)
        if state is None or state.get("value") is not True:
            return
        await waiting.sleep(waiting.interval)


async def site_dependencies(
    session: HttpSession, names: Iterable[str], *, root: str = ""
) -> dict[str, tuple[str, str | None]]:
    """UId and version of packages on the site, for ``BuildOptions.depends``; absent ones are left out.

    Reads ``SysPackage``; :class:`InstallError` when the user may not, or the site hides system tables.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    test = " or ".join(f"Name eq '{name}'" for name in wanted)
    query = f"odata/SysPackage?$select=Name,UId,Version&$top=100&$filter={quote(test)}"
    response = await Service(session, root).send("GET", query)
    rows = checked(response, "reading the site's packages (SysPackage)").get("value", [])
    return {
        str(row["Name"]): (str(row["UId"]).lower(), str(row.get("Version") or "") or None)
        for row in rows
        if row.get("Name") in wanted and row.get("UId")
    }


async def site_prefix(session: HttpSession, *, root: str = "") -> str | None:
    """The site's setting SchemaNamePrefix; None when it cannot be read."""
    test = quote("SysSettings/Code eq 'SchemaNamePrefix'")
    query = f"odata/SysSettingsValue?$select=TextValue&$top=1&$filter={test}"
    response = await Service(session, root).send("GET", query)
    answer = json_object(response) if response.status == 200 else None
    rows: list[Mapping[str, Any]] = (answer or {}).get("value", [])
    return str(rows[0].get("TextValue", "")) if rows else None


async def _probe(service: Service, name: str) -> str:
    try:
        response = await service.send("GET", f"odata/{name}?$select=Id&$top=1")
    except EndpointDown as error:  # the application restarts after an installation
        return str(error)
    return "" if response.status == 200 else f"HTTP {response.status}: {excerpt(response)}"


async def _upload(service: Service, archive: bytes, file_name: str) -> None:
    mime = "application/x-gzip"
    path = (
        f"{_INSTALLER}/UploadPackage?totalFileLength={len(archive)}"
        f"&fileName={quote(file_name)}&mimeType={quote(mime, safe='')}"
    )
    for start in range(0, len(archive), CHUNK):
        chunk = archive[start : start + CHUNK]
        headers = {
            "Content-Type": mime,
            "Content-Range": f"bytes {start}-{start + len(chunk) - 1}/{len(archive)}",
            "Content-Disposition": f"attachment; filename={file_name}",
        }
        response = await service.send("POST", path, headers=headers, content=chunk)
        checked(response, f"uploading {file_name} from byte {start}")


async def _log(service: Service) -> str:
    response = await service.send("GET", f"{_INSTALLER}/GetLogFile")
    if response.status != 200:
        return ""
    text = response.content.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


async def _wait_for_log(service: Service, before: str, waiting: Waiting) -> None:
    log = ""
    for _ in range(waiting.attempts):
        log = _new_part(before, await _log(service))
        if _FINISHED in log:
            return
        await waiting.sleep(waiting.interval)
    raise InstallError(
        f"the installation did not finish within {waiting.limit:.0f} s. {_tail(log)} "
        "Look at the package in Creatio's Configuration section before trying again"
    )


def _new_part(before: str, after: str) -> str:
    """The log is one file over several installations: only what came after *before* counts."""
    return after[len(before) :] if before and after.startswith(before) else after


def _tail(log: str) -> str:
    text = " ".join(log.split())
    return f"Creatio's log ends: …{text[-_LOG_TAIL:]}" if text else "Creatio's log is empty."
