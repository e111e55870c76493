"""The packaged mapping documents, with the connection's settings filled in."""

from __future__ import annotations

from typing import Any

from weft.mapping.document import FieldMap, Mapping
from weft.mapping.loading import packaged
from weft_bc.dimensions import dimensioned
from weft_bc.selection import PREFIX
from weft_bc.settings import BcSettings


def places(settings: BcSettings) -> dict[str, str]:
    """What stands for the names in braces."""
    names = (
        "payment_journal", "vendor_payment_journal", "deposit_journal", "check_journal", "card_journal",
        "journal_prefix",
    )  # fmt: skip
    return {
        **{name: str(getattr(settings, name)) for name in names},
        "payment_sign": "-1" if settings.payment_sign == "negative" else "1",
    }


def mappings(settings: BcSettings, entity: str) -> list[Mapping]:
    """Documents of one entity. The wait for an unanswered write comes from the settings, as do the dimensions."""
    return [_fitted(document, settings) for document in packaged(__package__, entity, places(settings))]


def _fitted(document: Mapping, settings: BcSettings) -> Mapping:
    if document.read_only:
        return document
    changed: dict[str, Any] = {"settle_seconds": settings.settle_seconds}
    own = {
        f"{PREFIX}{code}": FieldMap.model_validate(
            {"from": f"dimensions.{name}", "ref": "dimension_value", "by": "code", "max": 20, "compare": "casefold"}
        )
        for name, code in settings.dimensions.items()
    }
    if own and dimensioned(document.object.read):
        changed["fields"] = {**document.fields, **own}
    if own and document.lines:
        changed["lines"] = {
            name: lines.model_copy(update={"fields": {**lines.fields, **own}}) if dimensioned(lines.object) else lines
            for name, lines in document.lines.items()
        }
    return document.model_copy(update=changed)
