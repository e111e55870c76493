"""The packaged mapping documents, with the connection's settings filled in."""

from __future__ import annotations

from weft.mapping.document import FieldMap, Mapping, OwnKey
from weft.mapping.loading import packaged
from weft_d365fo.settings import FoSettings


def mappings(settings: FoSettings, entity: str) -> list[Mapping]:
    """Documents of one entity. The wait for an unanswered write comes from the settings."""
    places = {
        "site": settings.site,
        "revenue_account": settings.revenue_account,
        "base_price_list": settings.base_price_list,
        "journal_text": settings.journal_text,
        "cash_terms": settings.cash_terms,
        "statement_charge": settings.statement_charge,
        "check_method": settings.check_method,
        "rate_type": settings.rate_type,
        "general_journal": settings.journals.general,
        "card_journal": settings.journals.card,
    } | {f"dimension_{name}": text for name, text in settings.dimensions.model_dump().items()}
    return [_settled(document, settings) for document in packaged(__package__, entity, places)]


def _settled(document: Mapping, settings: FoSettings) -> Mapping:
    """Without defaults that the settings leave empty: an empty text is not the same as none here."""
    changed: dict[str, object] = {"fields": _without_empty(document.fields)}
    changed["lines"] = {
        name: lines.model_copy(update={"fields": _without_empty(lines.fields)})
        for name, lines in document.lines.items()
    }
    if not document.read_only:
        changed["settle_seconds"] = settings.settle_seconds
    own = settings.own_keys.get(document.entity)
    if own and document.own_key is None and not document.read_only:
        changed["own_key"] = OwnKey(field=own, length=20)
    return document.model_copy(update=changed)


def _without_empty(fields: dict[str, FieldMap]) -> dict[str, FieldMap]:
    found: dict[str, FieldMap] = {}
    for label, one in fields.items():
        if one.default != "":
            found[label] = one
        elif one.canonical is not None:
            found[label] = one.model_copy(update={"default": None})
    return found
