"""Administrator commands of the simulator: people's edits, rights, and a look at rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .odata import Call, ODataService
from .pipeline import Operation, User
from .site import Site

if TYPE_CHECKING:
    from .server import CreatioSimulator


class RefusedError(RuntimeError):
    """The site refused what a person did; `status` and `body` are its answer."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}: {body}")
        self.status = status
        self.body = body


class Person:
    """Somebody working in Creatio's pages, through the same saves as the API.

    Values are as in OData bodies: lookups by Id (`AccountId`), dates as ISO text with Z, money as Decimal,
    int or text.
    """

    def __init__(self, service: ODataService, site: Site, user: User) -> None:
        self._service = service
        self._site = site
        self.user = user

    def create(self, entity: str, values: Mapping[str, Any]) -> str:
        """Add a record; returns its Id."""
        return str(self._call("POST", entity, values)["Id"])

    def edit(self, entity: str, key: str, values: Mapping[str, Any]) -> None:
        """Change columns of a record; LookupError when there is none."""
        if not self._site.db.exists(entity, key.lower()):
            raise LookupError(f"no {entity} {key}")
        self._call("PATCH", f"{entity}({key})", values)

    def delete(self, entity: str, key: str) -> None:
        self._call("DELETE", f"{entity}({key})", None)

    def read(self, entity: str, key: str) -> dict[str, Any]:
        """A record as OData shows it."""
        return self._call("GET", f"{entity}({key})", None)

    def find(self, entity: str, query: str = "") -> list[dict[str, Any]]:
        """Records of a raw query string (`$filter=...`)."""
        found: list[dict[str, Any]] = self._call("GET", entity, None, query)["value"]
        return found

    def _call(self, method: str, path: str, values: Mapping[str, Any] | None, query: str = "") -> dict[str, Any]:
        body = b"" if values is None else _json(values)
        before = self._service.calls
        answer = self._service.handle(Call(method, path, query, {}, body, self.user, self._site.settings.odata_root))
        self._service.calls = before
        if answer.status >= 400:
            raise RefusedError(answer.status, answer.body.decode())
        result: dict[str, Any] = json.loads(answer.body, parse_float=Decimal) if answer.body else {}
        return result


def _json(values: Mapping[str, Any]) -> bytes:
    """A JSON object in which Decimals are numbers with their own digits."""
    parts = (
        f"{json.dumps(name)}:{format(value, 'f') if isinstance(value, Decimal) else json.dumps(value)}"
        for name, value in values.items()
    )
    return ("{" + ",".join(parts) + "}").encode()


def register_commands(sim: CreatioSimulator) -> None:
    """Make the commands known to the control endpoint."""

    def person(user: str | None) -> Person:
        return sim.as_user(user)

    async def create(entity: str, values: dict[str, Any], user: str | None = None) -> str:
        return person(user).create(entity, values)

    async def edit(entity: str, id: str, values: dict[str, Any], user: str | None = None) -> None:
        person(user).edit(entity, id, values)

    async def delete(entity: str, id: str, user: str | None = None) -> None:
        person(user).delete(entity, id)

    async def deny(entity: str, operation: Operation, user: str | None = None) -> None:
        sim.site.deny(entity, operation, user)

    async def allow(entity: str, operation: Operation, user: str | None = None) -> None:
        sim.site.allow(entity, operation, user)

    async def hide(entity: str, ids: list[str]) -> int:
        return sim.site.db.hide(entity, ids)

    async def reveal(entity: str | None = None) -> None:
        sim.site.db.reveal(entity)

    async def users() -> list[str]:
        return sorted(sim.site.users)

    async def set_setting(code: str, value: str | int | None) -> None:
        sim.site.store_setting(code, value)

    async def flush_pushes() -> int:
        sender = sim.site.listeners.sender
        return len(await sender.flush()) if sender is not None else 0

    sim.register("set_setting", set_setting, "write a system setting: code, value")
    sim.register("flush_pushes", flush_pushes, "send what an installed package pushes now")
    sim.register("create", create, "add a record as a person: entity, values, user")
    sim.register("edit", edit, "change a record as a person: entity, id, values, user")
    sim.register("delete", delete, "delete a record as a person: entity, id, user")
    sim.register("deny", deny, "take an object right: entity, operation, user")
    sim.register("allow", allow, "give an object right back: entity, operation, user")
    sim.register("hide", hide, "make rows invisible to the API: entity, ids")
    sim.register("reveal", reveal, "make hidden rows visible again: entity")
    sim.register("users", users, "names of the system users")
