"""core's own entities, one module per area; :func:`weft.model.catalogue.core_entities` collects them."""
