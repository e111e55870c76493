"""What the compiled mappings look things up in: preloaded by sync, synchronous to ask."""

from __future__ import annotations

from typing import Protocol


class Tables(Protocol):
    """Reference data of one connection (and company), loaded before a batch is mapped."""

    def has(self, entity: str) -> bool:
        """Whether rows of this reference entity are loaded."""

    def code_of(self, entity: str, native_id: str) -> str | None:
        """The code of the row with this native key; None when there is no such row."""

    def id_of(self, entity: str, code: str) -> str | None:
        """The native key of the row with this code; None when there is no such row."""


class AlternateTables(Tables, Protocol):
    """Needed only where a mapping refers to a master entity ``by`` a field other than its key."""

    def key_by(self, entity: str, field: str, value: str) -> str | None:
        """The key of the record whose native ``field`` holds ``value``."""

    def value_by(self, entity: str, field: str, key: str) -> str | None:
        """What the native ``field`` of the record with this key holds."""


class NoTables:
    """Tables with nothing in them, for mappings without references."""

    def has(self, entity: str) -> bool:
        return False

    def code_of(self, entity: str, native_id: str) -> str | None:
        return None

    def id_of(self, entity: str, code: str) -> str | None:
        return None
