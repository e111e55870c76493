# ruff: noqa: S608 - names come from the model, values are bound
"""The simulated site: model, rows, users, settings and the clock, without any HTTP."""

from __future__ import annotations

import random
import uuid
from collections import deque
from typing import Any

from weft.testing.simulator import SimClock

from . import errors
from .database import Database, Raw, quoted
from .listeners import Listeners
from .model import Column, load
from .pipeline import Operation, Pipeline, User
from .settings import SUPERVISOR_CONTACT, SUPERVISOR_USER, CreatioSettings
from .values import cut_instant, raw_instant

ALL_EMPLOYEES = "a29a3ba5-4b0d-de11-9a51-005056c00008"
SETTING_COLUMNS = {
    "Boolean": "BooleanValue", "Integer": "IntegerValue", "Lookup": "GuidValue", "DateTime": "DateTimeValue",
    "Float": "FloatValue", "Money": "FloatValue",
}  # fmt: skip
"""Value type of a system setting -> column of SysSettingsValue; every text type is in TextValue."""


class Site:
    """State of one simulated Creatio. Nothing here awaits."""

    def __init__(self, settings: CreatioSettings, clock: SimClock) -> None:
        from .behaviours import stock_handlers

        self.settings = settings
        self.clock = clock
        self.rng = random.Random(settings.seed + 1)
        self.model = load(settings.without_packages)
        self.db = Database(self.model, mssql=settings.database == "mssql")
        self.listeners = Listeners(self)
        self.pipeline = Pipeline(self, stock_handlers())
        self.users: dict[str, User] = {
            settings.user: User(SUPERVISOR_USER, settings.user, SUPERVISOR_CONTACT, password=settings.password)
        }
        self._denied: set[tuple[str | None, str, str]] = set()
        self._touches: deque[tuple[int, str, str]] = deque()

    def new_id(self) -> str:
        """A fresh GUID, the same sequence for the same seed."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    # -- users and rights

    @property
    def supervisor(self) -> User:
        return self.users[self.settings.user]

    @property
    def technical_user(self) -> User:
        """The user OAuth calls run as."""
        return self.users.get(self.settings.technical_user, self.supervisor)

    def user(self, name: str) -> User:
        """A system user by name; KeyError names those there are."""
        found = self.users.get(name)
        if found is None:
            raise KeyError(f"no user '{name}'; there are {', '.join(sorted(self.users))}")
        return found

    def deny(self, entity: str, operation: Operation, user: str | None = None) -> None:
        """Take an object right from a user, or from everyone."""
        self._denied.add((user, entity, operation))

    def allow(self, entity: str, operation: Operation, user: str | None = None) -> None:
        self._denied.discard((user, entity, operation))

    def check_right(self, user: User, entity: str, operation: Operation) -> None:
        """Raise what the site answers to a user without the object right."""
        if self._denied and {(None, entity, operation), (user.name, entity, operation)} & self._denied:
            raise errors.no_rights(self.settings.no_rights_status, entity, operation)

    # -- system settings

    def setting_value(self, code: str) -> Any:
        """Value of a system setting, None when it is not there."""
        found = self._setting(code)
        return found[1] if found else None

    def store_setting(self, code: str, value: str | int | None) -> None:
        """Change a system setting, or add one."""
        found = self._setting(code)
        if found:
            self.db.update("SysSettingsValue", found[0], {found[2]: value})
            return
        kind = "Integer" if isinstance(value, int) else "Text"
        there = self.db.rows("SysSettings", "fold(Code)=?", (code.lower(),))  # without a value so far
        key = there[0]["Id"] if there else self.new_id()
        if not there:
            self.db.insert("SysSettings", {"Id": key, "Code": code, "Name": code, "ValueTypeName": kind})
        column = SETTING_COLUMNS.get(kind, "TextValue")
        row: Raw = {"Id": self.new_id(), "SysSettingsId": key, "SysAdminUnitId": ALL_EMPLOYEES, "IsDef": 1}
        self.db.insert("SysSettingsValue", {**row, column: value})

    def _setting(self, code: str) -> tuple[str, Any, str] | None:
        found = self.db.execute(
            "SELECT v.Id, s.ValueTypeName, v.TextValue, v.IntegerValue, v.BooleanValue, v.GuidValue, v.DateTimeValue,"
            " v.FloatValue FROM SysSettings s JOIN SysSettingsValue v ON v.SysSettingsId=s.Id WHERE fold(s.Code)=?",
            (code.lower(),),
        ).fetchone()
        if found is None:
            return None
        column = SETTING_COLUMNS.get(found[1], "TextValue")
        order = ("TextValue", "IntegerValue", "BooleanValue", "GuidValue", "DateTimeValue", "FloatValue")
        return found[0], found[2 + order.index(column)], column

    def system_setting(self, code: str, column: Column) -> Any:
        """A setting as the default of a column."""
        value = self.setting_value(code)
        if value is None:
            return "" if column.kind == "text" else None
        return value

    # -- background process

    def wrote(self, name: str, key: str) -> None:
        """A write through the entity layer: a background process may move ModifiedOn later."""
        delay = self.settings.background_touch_seconds
        if delay > 0:
            self._touches.append((self.clock.now_ns() + int(delay * 1e9), name, key))

    def run_due(self) -> None:
        """What the site did in the background since the last request."""
        now = self.clock.now_ns()
        while self._touches and self._touches[0][0] <= now:
            due, name, key = self._touches.popleft()
            stamp = cut_instant(raw_instant(due), self.settings.fraction_digits)
            self.db.execute(f"UPDATE {quoted(name)} SET ModifiedOn=? WHERE Id=?", (stamp, key))
