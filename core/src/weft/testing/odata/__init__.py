"""OData v4 from the server's side: what simulators of OData systems share.

Order of a request: :func:`query.parse_query` -> :class:`compile.Scope` -> :func:`plan.find_rows` ->
:func:`render.page`; writes go to :class:`store.Table` inside ``store.transaction()``.
"""
