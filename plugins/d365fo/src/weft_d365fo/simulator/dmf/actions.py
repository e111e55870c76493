"""The actions of the package API, bound to DataManagementDefinitionGroups."""

from __future__ import annotations

import uuid
from typing import Any

from weft.testing.odata.render import dumps
from weft_d365fo.simulator.dmf.blobs import Blobs
from weft_d365fo.simulator.dmf.jobs import Execution, Jobs
from weft_d365fo.simulator.dmf.package import Package, PackageError
from weft_d365fo.simulator.errors import INVALID_OPERATION, FoError
from weft_d365fo.simulator.service import Action
from weft_d365fo.simulator.world import Company, User, World

OWNER = "DataManagementDefinitionGroups"


def _invalid(text: str) -> FoError:
    return FoError(400, text, INVALID_OPERATION)


def _argument(arguments: dict[str, Any], name: str, kind: type = str) -> Any:
    value = arguments.get(name)
    if not isinstance(value, kind):
        raise _invalid(f"The parameter '{name}' of the action is missing or has the wrong type.")
    return value


class PackageActions:
    def __init__(self, world: World, jobs: Jobs, blobs: Blobs) -> None:
        self.world = world
        self.jobs = jobs
        self.blobs = blobs

    def table(self) -> dict[tuple[str, str], Action]:
        named: dict[str, Action] = {
            "GetAzureWriteUrl": self.write_url,
            "ImportFromPackage": self.import_package,
            "ImportFromPackageAsync": self.import_package,
            "ExportToPackage": self.export_package,
            "ExportToPackageAsync": self.export_package,
            "GetExecutionSummaryStatus": self.status,
            "GetExportedPackageUrl": self.exported_url,
            "GetExecutionErrors": self.errors,
            "GetImportStagingErrorFileUrl": self.staging_errors,
            "GenerateImportTargetErrorKeysFile": self.make_error_keys,
            "GetImportTargetErrorKeysFileUrl": self.error_keys_url,
        }
        return {(OWNER, name): action for name, action in named.items()}

    async def write_url(self, arguments: dict[str, Any], user: User) -> str:
        name = _argument(arguments, "uniqueFileName")
        blob = {"BlobId": f"{{{str(uuid.uuid4()).upper()}}}", "BlobUrl": self.blobs.url(name)}
        return dumps(blob).decode()

    async def import_package(self, arguments: dict[str, Any], user: User) -> str:
        data = self.blobs.read(_argument(arguments, "packageUrl"))
        if data is None:
            raise _invalid("The package could not be downloaded from the URL given.")
        group = _argument(arguments, "definitionGroupId")
        execute = _argument(arguments, "execute", bool)
        _argument(arguments, "overwrite", bool)
        company = self._company(arguments, user)
        try:
            package = Package(data)
        except PackageError as error:
            raise _invalid(str(error)) from None
        for part in package.parts:
            if self.jobs.entity(part.entity) is None:
                raise _invalid(f"Entity {part.entity} does not exist in the target environment.")
        self._project(group, "Import")
        execution = Execution(self._id(arguments, f"{group}-{self.world.stamp()}-"), group, company.id)
        if execute:
            self.jobs.start(self.jobs.importing(package, company), execution)
        else:
            self.jobs.executions[execution.id] = execution
        return execution.id

    async def export_package(self, arguments: dict[str, Any], user: User) -> Any:
        group = _argument(arguments, "definitionGroupId")
        sets = self.jobs.exports.get(group)
        if sets is None:
            raise _invalid(f"The data project {group} does not exist.")
        name = _argument(arguments, "packageName")
        company = self._company(arguments, user)
        moment = self.world.clock.now()
        told = f"{moment.month}/{moment.day}/{moment.year} {moment:%I:%M:%S} {moment:%p}".lower()
        execution = Execution(self._id(arguments, f"ExportPackage-{told}"), group, company.id)
        store = lambda data: self.blobs.store(f"{name}.zip", data)  # noqa: E731 - used once
        self.jobs.start(self.jobs.exporting(sets, company, store), execution)
        return self._nested(execution.id)

    async def status(self, arguments: dict[str, Any], user: User) -> str:
        return self._execution(arguments).status

    async def exported_url(self, arguments: dict[str, Any], user: User) -> Any:
        return self._nested(self._execution(arguments).exported)

    async def errors(self, arguments: dict[str, Any], user: User) -> str:
        return self.jobs.errors(self._execution(arguments))

    async def staging_errors(self, arguments: dict[str, Any], user: User) -> str:
        """Texts of what failed before any row was staged."""
        execution = self._execution(arguments)
        if not execution.texts:
            return ""
        return self.blobs.store(f"staging-{execution.id}.txt", "\r\n".join(execution.texts).encode())

    async def make_error_keys(self, arguments: dict[str, Any], user: User) -> bool:
        execution, entity = self._execution(arguments), _argument(arguments, "entityName")
        data = self.jobs.error_keys(execution, entity)
        if data is None:
            return False
        execution.files[entity.lower()] = self.blobs.store(f"{execution.id}-{entity}-ErrorKeys", data)
        return True

    async def error_keys_url(self, arguments: dict[str, Any], user: User) -> str:
        return self._execution(arguments).files.get(_argument(arguments, "entityName").lower(), "")

    def _nested(self, value: str) -> Any:
        return {"value": value} if self.world.settings.nested_values else value

    def _id(self, arguments: dict[str, Any], made: str) -> str:
        given = arguments.get("executionId") or ""
        if given in self.jobs.executions:
            raise _invalid(f"The execution {given} exists already.")
        return given or (made if not made.endswith("-") else f"{made}{uuid.uuid4()}")

    def _execution(self, arguments: dict[str, Any]) -> Execution:
        name = _argument(arguments, "executionId")
        found = self.jobs.executions.get(name)
        if found is None:
            raise _invalid(f"Execution details for execution id {name} were not found.")
        return found

    def _company(self, arguments: dict[str, Any], user: User) -> Company:
        name = _argument(arguments, "legalEntityId")
        company = self.world.company(name or user.company)
        if company is None or not user.sees(company.id):
            raise _invalid(f"The legal entity {name} does not exist or user {user.id} has no access to it.")
        return company

    def _project(self, group: str, operation: str) -> None:
        """A data project that is missing is made."""
        if self.world.get(OWNER, Name=group) is None:
            members = self.world.schema[OWNER].properties["OperationType"].members
            row = {"Name": group, "Description": group}
            if operation in members:
                row["OperationType"] = operation
            self.world.insert(OWNER, row)
