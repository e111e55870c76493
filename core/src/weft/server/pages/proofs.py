"""Proofs of agreement."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from weft.desk import proofs as desk
from weft.server.api import parameters
from weft.server.pages.render import render
from weft.server.people import Person
from weft.server.site import Site

COUNTS = ("agree", "differ", "only_left", "only_right", "not_compared")


class Money(NamedTuple):
    """One amount field in one currency, added up for each side."""

    field: str
    currency: str
    left: Decimal
    right: Decimal
    difference: Decimal


async def proofs(request: Request, site: Site, person: Person) -> Response:
    wanted = parameters(desk.Which, request)
    page = await desk.proofs.run(site.desk(person), wanted)
    latest = await site.runtime.state.read(lambda tx: tx.proofs.latest())
    since = site.now - desk.SILENT
    return await render(
        request, site, person, "proofs.html", page=page, wanted=wanted, latest=latest, counts=COUNTS, silent=since
    )


async def proof(request: Request, site: Site, person: Person) -> Response:
    found = await desk.proof.run(site.desk(person), desk.OneProof(id=request.path_params["id"]))
    result: dict[str, Any] = found.result or {}
    return await render(
        request, site, person, "proof.html", proof=found, result=result, counts=COUNTS, money=money(result),
        silent=site.now - desk.SILENT,
    )  # fmt: skip


def money(result: dict[str, Any]) -> list[Money]:
    """The totals of a proof, row by row."""
    found = []
    for name, currencies in sorted((result.get("totals") or {}).items()):
        for currency, sides in sorted(currencies.items()):
            left, right = (_amount(sides.get(side)) for side in ("left", "right"))
            found.append(Money(name, currency, left, right, right - left))
    return found


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(str(value)) if value is not None else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
