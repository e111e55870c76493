"""What can be wrong with a query, said without any system's wording.

A simulator catches :class:`ODataQueryError` and answers in the words of the system it plays; ``kind`` and
``facts`` are what it needs for that.
"""

from __future__ import annotations


class ODataQueryError(ValueError):
    """A query option or literal that cannot be served.

    ``kind`` is one of:

    ==============  =====================================================================================
    syntax          text does not parse; facts: ``position`` (0-based, in the decoded text), ``text``
    property        no such property; facts: ``name``, ``type`` (entity type name), ``option``
    types           operands do not fit; facts: ``left``, ``right`` (Edm names), ``operator`` (OData kind
                    name such as ``GreaterThan``)
    function        unknown function or wrong number of arguments; facts: ``name``, ``count``
    nodes           more AST nodes than allowed; facts: ``limit``, ``count``
    option          unknown or malformed query option; facts: ``name``, ``value``
    depth           ``$expand`` nested too deep; facts: ``limit``
    unsupported     parsed, but the simulated system refuses it; facts: ``what``
    batch           a batch body that cannot be read; facts: ``what``
    ==============  =====================================================================================
    """

    def __init__(self, kind: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.facts: dict[str, object] = facts
