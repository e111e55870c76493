"""Accounts and contacts: their address and communication rows, name parts and careers."""

from __future__ import annotations

from collections.abc import Callable

from weft_creatio.simulator.database import Raw, quoted
from weft_creatio.simulator.pipeline import Handlers, Save

ADDRESS = ("AddressTypeId", "Address", "CityId", "RegionId", "CountryId", "Zip")
COMMUNICATIONS = {
    "Account": {
        "Phone": "6a3fb10c-67cc-df11-9b2a-001d60e938c6",
        "AdditionalPhone": "2b387201-67cc-df11-9b2a-001d60e938c6",
        "Fax": "9a7ab41b-67cc-df11-9b2a-001d60e938c6",
        "Web": "6a8ba927-67cc-df11-9b2a-001d60e938c6",
    },
    "Contact": {
        "Phone": "3dddb3cc-53ee-49c4-a71f-e9e257f59e49",
        "MobilePhone": "d4a2dc80-30ca-df11-9b2a-001d60e938c6",
        "Email": "ee1c85c3-cfcb-df11-9b2a-001d60e938c6",
    },
}
"""Parent column -> type of the communication row that mirrors it."""


def _own_address(save: Save) -> None:
    """A changed address of the parent creates or updates its primary address row."""
    if not save.touched(*ADDRESS):
        return
    name = save.entity.name
    detail, parent = f"{name}Address", f"{name}Id"
    wanted = {column: save.row[column] for column in ADDRESS}
    rows = save.site.db.rows(detail, f"{quoted(parent)}=? AND {quoted('Primary')}=1", (save.id,))
    if not rows:
        if any(wanted.values()):
            save.site.pipeline.create(detail, {**wanted, parent: save.id, "Primary": 1}, save.user)
    elif any(rows[0][column] != value for column, value in wanted.items()):
        save.site.pipeline.update(detail, rows[0]["Id"], wanted, save.user)


def _address_row(parent: str) -> Callable[[Save], None]:
    """A primary address row writes back to its parent and takes Primary from its siblings."""

    def handler(save: Save) -> None:
        key = save.row[f"{parent}Id"]
        if not save.row["Primary"] or key is None:
            return
        db = save.site.db
        for other in db.rows(save.entity.name, f"{parent}Id=? AND {quoted('Primary')}=1 AND Id<>?", (key, save.id)):
            db.update(save.entity.name, other["Id"], {"Primary": 0})
        owner = db.row(parent, key)
        changes = {c: save.row[c] for c in ADDRESS if owner is not None and owner[c] != save.row[c]}
        if changes:
            save.site.pipeline.update(parent, key, changes, save.user)

    return handler


def _communications(save: Save) -> None:
    """Each phone, mail or web column is mirrored by a row: created, changed or removed with it."""
    name = save.entity.name
    detail, parent = f"{name}Communication", f"{name}Id"
    db, pipeline = save.site.db, save.site.pipeline
    for column, kind in COMMUNICATIONS[name].items():
        before = save.old[column] if save.old is not None else ""
        number = save.row[column]
        if number == before:
            continue
        rows = db.rows(detail, f"{quoted(parent)}=? AND CommunicationTypeId=? AND Number=?", (save.id, kind, before))
        if not rows and number:
            exists = db.rows(
                detail, f"{quoted(parent)}=? AND CommunicationTypeId=? AND Number=?", (save.id, kind, number)
            )
            if not exists:
                values: Raw = {parent: save.id, "CommunicationTypeId": kind, "Number": number, "Primary": 1}
                pipeline.create(detail, values, save.user)
        elif rows and number:
            pipeline.update(detail, rows[0]["Id"], {"Number": number}, save.user)
        elif rows:
            pipeline.delete(detail, rows[0]["Id"], save.user)


def _name_parts(save: Save) -> None:
    if save.old is not None or save.sent & {"Surname", "GivenName", "MiddleName"}:
        return
    words = str(save.row["Name"]).split()
    surname_first = save.site.settings.contact_name_order == "surname_first"
    if len(words) < 2:
        parts = ("", "", words[0] if words else "")
        parts = (parts[2], "", "") if not surname_first else parts
    elif surname_first:
        parts = (words[1], " ".join(words[2:]), words[0])
    else:
        parts = (words[0], " ".join(words[1:-1]), words[-1])
    for column, value in zip(("GivenName", "MiddleName", "Surname"), parts, strict=True):
        save.set(column, value[:250])


def _career(save: Save) -> None:
    """A new or changed employer is a new career row; the earlier ones are no longer current."""
    before = save.old["AccountId"] if save.old is not None else None
    account = save.row["AccountId"]
    if account == before:
        return
    db = save.site.db
    current = quoted("Current")
    for career in db.rows("ContactCareer", f"ContactId=? AND {current}=1", (save.id,)):
        save.site.pipeline.update("ContactCareer", career["Id"], {"Current": 0, "Primary": 0}, save.user)
    if account is not None:
        copied = {c: save.row[c] for c in ("AccountId", "DepartmentId", "JobId", "JobTitle", "DecisionRoleId")}
        save.site.pipeline.create("ContactCareer", {**copied, "ContactId": save.id}, save.user)


def register(of: Callable[[str], Handlers]) -> None:
    of("Contact").before.append(_name_parts)
    of("Account").after += [_own_address, _communications]
    of("Contact").after += [_own_address, _communications, _career]
    of("AccountAddress").after.append(_address_row("Account"))
    of("ContactAddress").after.append(_address_row("Contact"))
