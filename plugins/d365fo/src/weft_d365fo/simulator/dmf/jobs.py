"""Executions of imports and exports: each row through the pipeline of the entity, in the background."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from xml.sax.saxutils import escape

from weft.testing.odata.render import dumps
from weft_d365fo.simulator.dmf.package import Package, PackageError, Part, made
from weft_d365fo.simulator.errors import FoError, Refused, refused
from weft_d365fo.simulator.reading import Reader
from weft_d365fo.simulator.schema import Property
from weft_d365fo.simulator.tables import Shown
from weft_d365fo.simulator.values import decode
from weft_d365fo.simulator.world import Company, World
from weft_d365fo.simulator.writing import Writer

Status = Literal["Unknown", "NotRun", "Executing", "Succeeded", "PartiallySucceeded", "Failed", "Canceled"]
SLICE = 50  # rows between two breaths


@dataclass
class Failure:
    """A row that did not make it. ``row`` counts from 1 in the file."""

    entity: str
    row: int
    key: dict[str, str]
    text: str


@dataclass
class Execution:
    id: str
    group: str
    company: str
    status: Status = "NotRun"
    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # of what failed before any row
    files: dict[str, str] = field(default_factory=dict)  # entity -> URL of its error keys
    exported: str = ""


class Jobs:
    """Runs executions one after the other, as the batch server does for one data project."""

    def __init__(self, world: World, writer: Writer, reader: Reader) -> None:
        self.world = world
        self.writer = writer
        self.reader = reader
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.executions: dict[str, Execution] = {}
        self.exports: dict[str, list[str]] = {}  # data project -> entity sets it exports
        self._by_label = {shown.set.label.lower(): shown for shown in world.shown.values()}
        self._running: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def entity(self, label: str) -> Shown | None:
        return self._by_label.get(label.lower())

    async def stop(self) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def start(self, work: Callable[[Execution], Awaitable[None]], execution: Execution) -> None:
        self.executions[execution.id] = execution
        task = asyncio.create_task(self._run(work, execution))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, work: Callable[[Execution], Awaitable[None]], execution: Execution) -> None:
        async with self._turn:
            execution.status = "Executing"
            await self.sleep(self.world.settings.package_time)
            try:
                await work(execution)
            except PackageError as error:
                execution.texts.append(str(error))
                execution.status = "Failed"

    # Import

    def importing(self, package: Package, company: Company) -> Callable[[Execution], Awaitable[None]]:
        async def work(execution: Execution) -> None:
            for part in package.parts:
                await self._import_part(execution, package, part, company)
            failed = len(execution.failures) + len(execution.texts)
            if not failed:
                execution.status = "Succeeded"
            else:
                execution.status = "PartiallySucceeded" if execution.done else "Failed"

        return work

    async def _import_part(self, execution: Execution, package: Package, part: Part, company: Company) -> None:
        shown = self.entity(part.entity)
        if shown is None or not part.columns:
            return  # an entity without a map of its fields stages nothing
        try:
            rows = package.rows(part)
            fields = {field: self._property(shown, field) for field in part.columns.values()}
        except PackageError as error:
            execution.texts.append(str(error))
            return
        for at, row in enumerate(rows, 1):
            try:
                self._import_row(shown, fields, row, company)
                execution.done += 1
            except (Refused, FoError) as error:
                key = {name.upper(): row.get(name.upper(), "") for name in shown.set.key if name != "dataAreaId"}
                told = _told(error, shown.set.aot)
                execution.failures.append(Failure(part.entity, at, key, told))
            if at % SLICE == 0:
                await asyncio.sleep(0)

    @staticmethod
    def _property(shown: Shown, field: str) -> Property:
        """Fields are in capitals there."""
        for prop in shown.set.properties.values():
            if prop.name.upper() == field.upper():
                return prop
        raise PackageError(f"Field {field} does not exist in entity {shown.set.label}.")

    def _import_row(self, shown: Shown, fields: dict[str, Property], row: dict[str, str], company: Company) -> None:
        settings = self.world.settings
        given: dict[str, Any] = {}
        for field_, prop in fields.items():
            text = row[field_]
            if text == "":
                continue  # a blank cell is a field left out
            if prop.read_only and not prop.is_key:
                raise refused("Error", f"Field '{prop.label}' cannot be edited.")
            given[shown.columns[prop.name]] = decode(prop, _typed(prop, text), settings)
        home = company
        if shown.set.company_key:
            named = self.world.company(str(given.pop("dataAreaId", company.id)))
            if named is None:
                raise refused("Error", "The company does not exist.")
            home = named
            given["dataAreaId"] = home.id
        with self.world.store.transaction():
            held = None
            filed = self.world.filed(shown.view.table)
            if all(column in given for column in filed.key):
                held = filed.table.get(filed.key_of(given))
            if held is None:
                self.writer.insert(shown, given, home)
            else:
                self.writer.change(shown, held, {k: v for k, v in given.items() if k not in filed.key})

    # Export

    def exporting(
        self, sets: list[str], company: Company, store: Callable[[bytes], str]
    ) -> Callable[[Execution], Awaitable[None]]:
        async def work(execution: Execution) -> None:
            entities = []
            for name in sets:
                shown = self.world.shown_set(name)
                names = list(shown.set.properties)
                wanted = company.id if shown.set.company_key else None
                rows = [
                    [_text(row.get(shown.columns[n], shown.prop(n).blank)) for n in names]
                    for row in self.world.rows(shown.view.table, wanted)
                    if all(row.get(c) == v for c, v in shown.view.where.items())
                ]
                execution.done += len(rows)
                entities.append((shown.set.label, [n.upper() for n in names], rows))
                await asyncio.sleep(0)
            execution.exported = store(made(execution.group, entities))
            execution.status = "Succeeded"

        return work

    # What became of it

    def errors(self, execution: Execution) -> str:
        """The JSON list of GetExecutionErrors; empty when the file could not be read at all."""
        settings = self.world.settings
        if settings.execution_errors == "empty":
            return "[]"
        told = [
            {
                "RecordId": str(failure.row) if settings.error_record == "row" else "",
                "Field": "",
                "ErrorMessage": failure.text,
            }
            for failure in execution.failures
        ]
        return dumps(told).decode()

    def error_keys(self, execution: Execution, entity: str) -> bytes | None:
        """The keys of the rows that failed in an entity; None where there are none."""
        failed = [failure.key for failure in execution.failures if failure.entity.lower() == entity.lower()]
        if not failed:
            return None
        names = list(failed[0])
        if self.world.settings.error_keys == "xml":
            rows = "".join(
                f"<Record>{''.join(f'<{n}>{escape(key[n])}</{n}>' for n in names)}</Record>" for key in failed
            )
            return f'<?xml version="1.0" encoding="utf-8"?><Document>{rows}</Document>'.encode()
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(names)
        writer.writerows([key[name] for name in names] for key in failed)
        return text.getvalue().encode("utf-8-sig")


def _told(error: Refused | FoError, aot: str) -> str:
    if isinstance(error, FoError):
        return error.message
    return " ".join(text.replace("{aot}", aot) for _, text in error.log)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _typed(prop: Property, text: str) -> Any:
    """A cell as JSON would have it."""
    if prop.kind == "N":
        try:
            return Decimal(text)
        except InvalidOperation:
            raise refused("Error", f"The value '{text}' of field '{prop.label}' is not a number.") from None
    if prop.kind in "IL":
        if not text.lstrip("-").isdigit():
            raise refused("Error", f"The value '{text}' of field '{prop.label}' is not a whole number.")
        return int(text)
    if prop.kind in "DT":
        return text if "T" in text else f"{text.replace(' ', 'T')}Z" if " " in text else f"{text}T12:00:00Z"
    if prop.kind == "B":
        return text.lower() in ("true", "yes", "1")
    return text
