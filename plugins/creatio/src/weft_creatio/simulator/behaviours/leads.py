"""The display name of a lead, rebuilt after each save by direct SQL."""

from __future__ import annotations

from collections.abc import Callable

from weft_creatio.simulator.pipeline import Handlers, Save


def _lead_name(save: Save) -> None:
    """`<need> / <contact>, <account>`; qualified links win over the plain texts."""
    site, row = save.site, save.row
    if site.setting_value("FillingInLeadNameWithProcess"):
        return
    need = site.db.value("SELECT Name FROM LeadType WHERE Id=?", (row["LeadTypeId"],))
    contact = site.db.value("SELECT Name FROM Contact WHERE Id=?", (row["QualifiedContactId"],)) or row["Contact"]
    account = site.db.value("SELECT Name FROM Account WHERE Id=?", (row["QualifiedAccountId"],)) or row["Account"]
    who = ", ".join(part for part in (contact, account) if part)
    name = " / ".join(part for part in (need, who) if part)[:500]
    if name != row["LeadName"]:
        site.db.update("Lead", save.id, {"LeadName": name})


def register(of: Callable[[str], Handlers]) -> None:
    of("Lead").after.append(_lead_name)
