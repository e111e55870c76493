"""Financial dimensions: one text a field, written in the order of the environment's active format.

``001-022--`` is a business unit and a department of a format with four dimensions; in a ledger account the
main account is one of the segments. A delimiter inside a value is escaped with a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.net.odata.query import Query

if TYPE_CHECKING:
    from weft_d365fo.session import FoSession

MAIN_ACCOUNT = "MainAccount"
_DELIMITERS = {"Hyphen": "-", "Period": ".", "Underscore": "_", "Bar": "|", "Tilde": "~"}
_TYPES = {"default": "DataEntityDefaultDimensionFormat", "ledger": "DataEntityLedgerDimensionFormat"}


@dataclass(frozen=True, slots=True)
class Formats:
    """``default`` and ``ledger``: names of the dimensions in order; None where no format is active."""

    delimiter: str
    default: tuple[str, ...] | None
    ledger: tuple[str, ...] | None

    def names(self, kind: str) -> tuple[str, ...]:
        """:raises ConfigError: the environment has no active format of this kind."""
        found = self.ledger if kind == "ledger" else self.default
        if found is None:
            raise ConfigError(
                f"the environment has no active dimension format of the type {_TYPES[kind]}: set one up under General "
                "ledger > Chart of accounts > Dimensions > Financial dimension configuration for integrating "
                "applications"
            )
        return found

    def join(self, kind: str, values: Mapping[str, str]) -> str:
        """Values by dimension as one text; "" when there are none. :raises ConfigError: the format lacks one."""
        names = self.names(kind)
        given = {name.casefold(): value for name, value in values.items() if value}
        lacking = set(given) - {name.casefold() for name in names}
        if lacking:
            raise ConfigError(
                f"the active dimension format of the type {_TYPES[kind]} ({self.delimiter.join(names)}) has no "
                f"{', '.join(sorted(lacking))}; add it to the format, or name another one under `dimensions`"
            )
        if not given:
            return ""
        return self.delimiter.join(self.escape(given.get(name.casefold(), "")) for name in names)

    def split(self, kind: str, text: str) -> dict[str, str]:
        """The values in a text by dimension in small letters."""
        if not text:
            return {}
        pieces = self.pieces(text)
        return {name.casefold(): piece for name, piece in zip(self.names(kind), pieces, strict=False)}

    def pieces(self, text: str) -> list[str]:
        """The segments of a text, unescaped: a backslash takes the character after it as it is."""
        pieces = [""]
        for found in re.finditer(rf"\\(?P<plain>.)|{re.escape(self.delimiter)}|(?P<any>.)", text, re.DOTALL):
            if found.lastgroup is None:
                pieces.append("")
            else:
                pieces[-1] += found[found.lastgroup]
        return pieces

    def escape(self, value: str) -> str:
        return value.replace("\\", "\\\\").replace(self.delimiter, "\\" + self.delimiter)


async def read_formats(session: FoSession) -> Formats:
    """The active formats and the delimiter. Where the user may not see them, dimensions cannot be used."""
    rows = await session.rows("DimensionParameters", Query(select=("Key", "DimensionSegmentDelimiter")))
    name = str(rows[0].get("DimensionSegmentDelimiter") or "Hyphen") if rows else "Hyphen"
    single = name.removeprefix("Double")
    delimiter = _DELIMITERS.get(single, "-") * (2 if single != name else 1)
    fields = ("DimensionFormatName", "DimensionFormatType", "FinancialDimensionFormat", "IsActive")
    active: dict[str, tuple[str, ...]] = {}
    for row in await session.rows("DimensionIntegrationFormats", Query(select=fields)):
        if row.get("IsActive") == "Yes":
            names = str(row.get("FinancialDimensionFormat") or "").split(delimiter)
            active[str(row["DimensionFormatType"])] = tuple(name for name in names if name)
    return Formats(delimiter, active.get(_TYPES["default"]), active.get(_TYPES["ledger"]))
