"""The site's base currency, against which its exchange rates are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import ConfigError
from weft.net.odata.literals import guid
from weft.net.odata.query import Query, eq
from weft_creatio.values import ZERO_GUID

if TYPE_CHECKING:
    from weft_creatio.session import CreatioSession

RATES = "CurrencyRate"
COLUMN = "weft.baseCurrency"
"""A column that the connector adds to rates: the code of the currency they are paid in."""
_SETTING = "PrimaryCurrency"
_EVERYBODY = "a29a3ba5-4b0d-de11-9a51-005056c00008"
"""All employees: whose value of a system setting is the one that holds for the site."""


async def base_currency(session: CreatioSession) -> str | None:
    """Its code; None when the site does not say. Asked once.

    :raises ConfigError: the user may not read system settings; set `base_currency` then.
    """
    if session.settings.base_currency is not None:
        return session.settings.base_currency
    if session.base_currency is None:
        session.base_currency = await _of_the_site(session)
    return session.base_currency or None


async def known_base_currency(session: CreatioSession) -> str:
    """:raises ConfigError: it is not known, and rates mean nothing without it."""
    code = await base_currency(session)
    if code is None:
        raise ConfigError(
            f"{session.http.system}: the site's base currency is not known: the user sees no system setting "
            f"{_SETTING}; set `base_currency` in the connection"
        )
    return code


async def _of_the_site(session: CreatioSession) -> str:
    query = Query(select=("Id", "SysAdminUnitId", "GuidValue"), filter=eq("SysSettings/Code", _SETTING), top=100)
    rows = await session.rows("SysSettingsValue", query)
    rows.sort(key=lambda row: str(row.get("SysAdminUnitId") or "").lower() != _EVERYBODY)
    key = next((str(row["GuidValue"]) for row in rows if row.get("GuidValue") not in (None, "", ZERO_GUID)), None)
    if key is None:
        return ""
    query = Query(select=("Id", "ShortName", "Name"), filter=eq("Id", guid(key)), top=1)
    found = await session.rows("Currency", query)
    return str(found[0].get("ShortName") or found[0].get("Name") or "") if found else ""
