"""What differs between OData versions: literals and the envelope of answers. Only v4 is spoken so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from weft.net.odata.literals import Key, Value, key_segment, literal


class Dialect(Protocol):
    """A version of OData."""

    version: str

    def literal(self, value: Value) -> str: ...
    def key(self, key: Key) -> str: ...
    def headers(self) -> Mapping[str, str]: ...
    def rows(self, document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """The rows of a collection answer; None if it is none."""

    def next_link(self, document: Mapping[str, Any]) -> str | None: ...
    def delta_link(self, document: Mapping[str, Any]) -> str | None: ...
    def count(self, document: Mapping[str, Any]) -> int | None: ...
    def etag(self, row: Mapping[str, Any]) -> str | None: ...


class V4:
    version = "4.0"

    def literal(self, value: Value) -> str:
        return literal(value)

    def key(self, key: Key) -> str:
        return key_segment(key)

    def headers(self) -> Mapping[str, str]:
        return {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}

    def rows(self, document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        rows = document.get("value")
        return rows if isinstance(rows, list) else None

    def next_link(self, document: Mapping[str, Any]) -> str | None:
        return document.get("@odata.nextLink") or None

    def delta_link(self, document: Mapping[str, Any]) -> str | None:
        return document.get("@odata.deltaLink") or None

    def count(self, document: Mapping[str, Any]) -> int | None:
        count = document.get("@odata.count")
        return None if count is None else int(count)

    def etag(self, row: Mapping[str, Any]) -> str | None:
        return row.get("@odata.etag") or None
