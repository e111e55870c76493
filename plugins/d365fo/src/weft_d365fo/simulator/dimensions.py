"""Financial dimensions as display values: segments in the order of the active format, escaped, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft_d365fo.simulator.errors import refused
from weft_d365fo.simulator.world import World

DEFAULT_FORMAT = "DataEntityDefaultDimensionFormat"
LEDGER_FORMAT = "DataEntityLedgerDimensionFormat"
DELIMITERS = {"-": "Hyphen", ".": "Period", "_": "Underscore", "|": "Bar", "~": "Tilde", "--": "DoubleHyphen",
              "..": "DoublePeriod", "__": "DoubleUnderscore", "||": "DoubleBar", "~~": "DoubleTilde"}  # fmt: skip


def split(text: str, delimiter: str) -> list[str]:
    """Segments of a display value; a backslash takes the next character literally."""
    segments, current, at = [], "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            current += text[at + 1]
            at += 2
        elif text.startswith(delimiter, at):
            segments.append(current)
            current = ""
            at += len(delimiter)
        else:
            current += text[at]
            at += 1
    return [*segments, current]


def escape(value: str, delimiter: str) -> str:
    """``US-108`` -> ``US\\-108`` where the delimiter is a hyphen."""
    return value.replace("\\", "\\\\").replace(delimiter, "\\" + delimiter)


def join(values: Sequence[str], delimiter: str) -> str:
    return delimiter.join(escape(value, delimiter) for value in values)


class Dimensions:
    """Checks display values against the environment's formats and values."""

    def __init__(self, world: World) -> None:
        self.world = world

    def check_default(self, text: str, company: str | None, label: str) -> None:
        """Raises Refused."""
        self._check(text, self.world.settings.default_dimensions, DEFAULT_FORMAT, company, label)

    def check_ledger(self, text: str, company: str | None, label: str) -> None:
        """A ledger account: the main account first, as a rule. Raises Refused."""
        self._check(text, self.world.settings.ledger_dimensions, LEDGER_FORMAT, company, label)

    def main_account(self, text: str) -> str:
        """The main account in a ledger account's display value."""
        names = self.world.settings.ledger_dimensions
        segments = split(text, self.world.settings.delimiter)
        at = names.index("MainAccount") if "MainAccount" in names else 0
        return segments[at] if at < len(segments) else ""

    def _check(self, text: str, names: Sequence[str], kind: str, company: str | None, label: str) -> None:
        if not any(row["IsActive"] == "Yes" for row in self._formats(kind)):
            raise refused("Error", f"There is no active financial dimension format of type {kind}.")
        segments = split(text, self.world.settings.delimiter)
        if len(segments) > len(names) or (len(segments) < len(names) and (len(segments) > 1 or kind != LEDGER_FORMAT)):
            raise refused(
                "Error",
                f"The value '{text}' in field '{label}' has {len(segments)} segments; the active format "
                f"'{join(names, self.world.settings.delimiter)}' has {len(names)}.",
            )
        for name, value in zip(names, segments, strict=False):
            if value and not self.exists(name, value, company):
                raise refused("Error", f"{value} is not a valid value for the financial dimension {name}.")
        if kind == LEDGER_FORMAT and not self.main_account(text):
            raise refused("Error", f"The main account is missing in the value '{text}' of field '{label}'.")

    def _formats(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.world.rows("DimensionIntegrationFormats") if row["DimensionFormatType"] == kind]

    def exists(self, name: str, value: str, company: str | None) -> bool:
        world = self.world
        if name == "MainAccount":
            return any(row.get("IsSuspended") != "Yes" for row in world.find("MainAccounts", "MainAccountId", value))
        if name == "Project" and company is not None and world.get("ProjTable", dataAreaId=company, ProjectId=value):
            return True
        row = world.get("FinancialDimensionValues", FinancialDimension=name, LegalEntityId="", DimensionValue=value)
        return row is not None and row.get("IsSuspended") != "Yes"
