"""Automatic numbers: Order and Contract before the save, Invoice and Account after it by direct SQL."""

from __future__ import annotations

from collections.abc import Callable

from weft_creatio.simulator.pipeline import Handlers, Save
from weft_creatio.simulator.site import Site


def next_number(site: Site, name: str) -> str:
    """The next number of an object, from settings `<Object>CodeMask` and `<Object>LastNumber`."""
    mask = str(site.setting_value(f"{name}CodeMask") or "{0}")
    number = int(site.setting_value(f"{name}LastNumber") or 0) + 1
    site.store_setting(f"{name}LastNumber", number)
    return mask.replace("{0}", str(number))


def _order(save: Save) -> None:
    if not save.row["Number"]:
        save.set("Number", next_number(save.site, "Order"))


def _contract(save: Save) -> None:
    if save.old is None and not save.row["Number"]:
        save.set("Number", next_number(save.site, "Contract"))


def _afterwards(name: str, column: str) -> Callable[[Save], None]:
    """The echo of the insert still shows an empty number, and ModifiedOn does not move."""

    def handler(save: Save) -> None:
        if not save.row[column]:
            save.site.db.update(name, save.id, {column: next_number(save.site, name)})

    return handler


def register(of: Callable[[str], Handlers]) -> None:
    of("Order").before.append(_order)
    of("Contract").before.append(_contract)
    of("Invoice").after.append(_afterwards("Invoice", "Number"))
    of("Account").after.append(_afterwards("Account", "Code"))
