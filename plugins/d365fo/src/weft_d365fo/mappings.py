"""The packaged mapping documents, with the connection's settings filled in."""

from __future__ import annotations

from weft.mapping.document import Mapping
from weft.mapping.loading import packaged
from weft_d365fo.settings import FoSettings


def mappings(settings: FoSettings, entity: str) -> list[Mapping]:
    """Documents of one entity. The wait for an unanswered write comes from the settings."""
    places = {
        "revenue_account": settings.revenue_account,
        "cash_terms": settings.cash_terms,
        "statement_charge": settings.statement_charge,
        "check_method": settings.check_method,
        "general_journal": settings.journals.general,
        "card_journal": settings.journals.card,
    } | {f"dimension_{name}": text for name, text in settings.dimensions.model_dump().items()}
    return [
        document if document.read_only else document.model_copy(update={"settle_seconds": settings.settle_seconds})
        for document in packaged(__package__, entity, places)
    ]
