"""The data-management package API: a zip of rows, uploaded, imported in the background, asked about.

A package holds a manifest, a header and one file of rows for each entity, named by the entity's label. The
manifest maps the file's columns to the entity's fields; without that map nothing is staged.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from weft.errors import EndpointDown
from weft.net import json as exact_json
from weft.net.errors import NetError
from weft.net.limiter import Lane
from weft.net.odata.errors import ODataError

if TYPE_CHECKING:
    from weft_d365fo.session import FoSession

SET = "DataManagementDefinitionGroups"
ACTIONS = "Microsoft.Dynamics.DataEntities."
SPACE = "http://schemas.microsoft.com/dynamics/2015/01/DataManagement"
RUNNING = frozenset(["Unknown", "NotRun", "Executing"])
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'


@dataclass(frozen=True, slots=True)
class Load:
    """Rows of one entity: its label, the columns, and a value for each column of each row."""

    label: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(slots=True)
class Told:
    """What an import says became of it. ``by_row``: number of the row (from 1) -> text, where the environment
    gives numbers; ``by_key``: key columns of failed rows; ``texts``: everything it said."""

    status: str
    by_row: dict[int, str] = field(default_factory=dict)
    by_key: list[dict[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def cell(value: Any) -> str:
    """A value as a file of rows has it: an empty cell is a field left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, str) and value.endswith("T12:00:00Z"):
        return value[:10]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return str(value)


def package(group: str, loads: Sequence[Load]) -> bytes:
    """The zip for these entities, imported in this order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        listed = []
        for at, load in enumerate(loads, 1):
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(load.columns)
            writer.writerows([[cell(value) for value in row] for row in load.rows])
            packed.writestr(f"{load.label}.csv", text.getvalue().encode("utf-16"))
            maps = "".join(
                f"<EntityMap><EntityField>{escape(name)}</EntityField><XMLField>{escape(name)}</XMLField></EntityMap>"
                for name in load.columns
            )
            listed.append(
                f"<DataManagementPackageEntityData><EntityMapList>{maps}</EntityMapList>"
                f"<EntityName>{escape(load.label)}</EntityName><ExecutionUnit>1</ExecutionUnit>"
                f"<InputFilePath>{escape(load.label)}.csv</InputFilePath><LevelInExecutionUnit>1</LevelInExecutionUnit>"
                f"<SequenceInLevel>{at}</SequenceInLevel><SourceFormat>CSV-Unicode</SourceFormat>"
                "</DataManagementPackageEntityData>"
            )
        packed.writestr(
            "Manifest.xml",
            f'{_HEAD}<DataManagementPackageManifest xmlns="{SPACE}"><DefinitionGroupName>{escape(group)}'
            f"</DefinitionGroupName><PackageEntityList>{''.join(listed)}</PackageEntityList>"
            "</DataManagementPackageManifest>",
        )
        packed.writestr(
            "PackageHeader.xml",
            f'{_HEAD}<DataManagementPackageHeader xmlns="{SPACE}"><Description>{escape(group)}</Description>'
            "<PackageType>DefinitionGroup</PackageType><PackageVersion>2</PackageVersion>"
            "</DataManagementPackageHeader>",
        )
    return out.getvalue()


class Dmf:
    """One environment's package API."""

    def __init__(self, session: FoSession, lane: Lane = "bulk") -> None:
        self.session = session
        self.lane = lane

    async def act(self, name: str, *, idempotent: bool = True, **arguments: Any) -> Any:
        """The result of an action. Results stand one deeper in some versions."""
        client = self.session.client
        url = f"{client.root}/{SET}/{ACTIONS}{name}"
        response = await client.send("POST", url, body=arguments, idempotent=idempotent, lane=self.lane)
        value: Any = response.json()
        while isinstance(value, dict) and "value" in value:
            value = value["value"]
        return value

    async def upload(self, name: str, data: bytes) -> str:
        """Put a package into the environment's storage; answers the address to import it from. The address is
        a permission by itself and goes nowhere else."""
        blob = exact_json.loads(str(await self.act("GetAzureWriteUrl", uniqueFileName=name)))
        url = str(blob["BlobUrl"])
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/zip"}
        response = await self.session.http.bare("PUT", url, content=data, headers=headers)
        if not response.ok:
            raise EndpointDown(f"{self.session.http.system}: the upload of a package was answered {response.status}")
        return url

    async def start(self, url: str, execution: str, company: str) -> None:
        """Import a package under an id of ours, so that it can be asked about should the answer be lost."""
        project = self.session.settings.package.project
        await self.act(
            "ImportFromPackage", idempotent=False, packageUrl=url, definitionGroupId=project,
            executionId=execution, execute=True, overwrite=True, legalEntityId=company,
        )  # fmt: skip

    async def finished(self, execution: str) -> str | None:
        """How an import ended; None when it did not within the time set. Trouble on the way is waited out."""
        settings = self.session.settings.package
        deadline = time.monotonic() + settings.patience
        while time.monotonic() < deadline:
            try:
                status = str(await self.act("GetExecutionSummaryStatus", executionId=execution))
            except (NetError, ODataError) as error:
                self.session.log.warning("asking about import %s failed: %s", execution, error)
                status = "Unknown"
            if status not in RUNNING:
                return status
            await asyncio.sleep(settings.poll)
        return None

    async def told(self, execution: str, status: str, label: str) -> Told:
        """Why rows failed, as far as the environment says."""
        told = Told(status)
        if status == "Succeeded":
            return told
        listed = exact_json.loads(str(await self.act("GetExecutionErrors", executionId=execution)) or "[]")
        for one in listed if isinstance(listed, list) else ():
            text = str(one.get("ErrorMessage") or "")
            told.texts.append(text)
            if str(one.get("RecordId") or "").isdigit():
                told.by_row[int(one["RecordId"])] = text
        url = str(await self.act("GetImportStagingErrorFileUrl", executionId=execution, entityName=label) or "")
        if url:
            told.texts += [line for line in (await self._file(url)).splitlines() if line.strip()]
        if await self.act("GenerateImportTargetErrorKeysFile", executionId=execution, entityName=label):
            deadline = time.monotonic() + 60
            while not url and time.monotonic() < deadline:
                url = str(
                    await self.act("GetImportTargetErrorKeysFileUrl", executionId=execution, entityName=label) or ""
                )
                if not url:
                    await asyncio.sleep(self.session.settings.package.poll)
            if url:
                told.by_key = keys_in(await self._file(url))
        return told

    async def _file(self, url: str) -> str:
        response = await self.session.http.bare("GET", url)
        data = response.content if response.ok else b""
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")


def keys_in(text: str) -> list[dict[str, str]]:
    """Rows of a file of error keys, which is CSV or XML: column in small letters -> value."""
    if text.lstrip().startswith("<"):
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - no entity is expanded by expat here, and it is small
        except ElementTree.ParseError:
            return []
        rows: list[Mapping[str, str | None]] = [
            {child.tag.rpartition("}")[2]: child.text for child in record} for record in root
        ]
    else:
        rows = list(csv.DictReader(io.StringIO(text)))
    return [{name.lower(): (value or "").strip() for name, value in row.items() if name} for row in rows]
