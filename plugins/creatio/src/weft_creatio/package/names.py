"""Names with a site's prefix, for mappings and code that talk to the package's objects.

Creatio wants the prefix of its setting ``SchemaNamePrefix`` (stock value ``Usr``) before the name of
every custom object and of every column weft adds. Mappings write ``{prefix}Payment`` and
``{prefix}Amount``; ``Names(prefix).expand`` fills them in.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from . import stock
from .errors import PackageError

DEFAULT_PREFIX = "Usr"
MAX_NAME = 128
NAMESPACE = uuid.UUID("c7f4cf3c-197a-5f8f-9a5c-5ab186f06a59")
"""Every identifier of the package is a uuid5 in this namespace: a re-build gives the same ones."""
_PREFIX = re.compile(r"[A-Z][A-Za-z0-9]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def fixed_uid(*parts: str) -> str:
    """The UId for a thing named by *parts*, lower case, always the same."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


@dataclass(frozen=True)
class Names:
    """Resolves prefix-free names. An empty prefix is allowed: Creatio's setting may be empty."""

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        if self.prefix and not _PREFIX.fullmatch(self.prefix):
            raise PackageError(
                f"prefix {self.prefix!r}: Latin letters and digits starting with a capital, as in Usr "
                "(Creatio's setting SchemaNamePrefix)"
            )

    def object(self, name: str) -> str:
        """``Payment`` -> ``UsrPayment``; stock objects keep their name."""
        return name if name in stock.SCHEMAS else self._prefixed(name)

    def column(self, name: str) -> str:
        """``Amount`` -> ``UsrAmount``; for a lookup this is the navigation, its value is :meth:`lookup`."""
        return self._prefixed(name)

    def lookup(self, name: str) -> str:
        """``Account`` -> ``UsrAccountId``, the property to write a lookup column with in OData."""
        return f"{self._prefixed(name)}Id"

    def expand(self, text: str) -> str:
        """*text* with every ``{prefix}`` filled in; other braces are left alone."""
        return text.replace("{prefix}", self.prefix)

    def row(self, lookup: str, name: str) -> str:
        """The Id of a seeded lookup row, the same under every prefix: ``row("PaymentStatus", "Posted")``."""
        return fixed_uid("row", lookup, name)

    def _prefixed(self, name: str) -> str:
        full = f"{self.prefix}{name}"
        if not _NAME.fullmatch(full) or len(full) > MAX_NAME:
            raise PackageError(f"name {full!r}: Latin letters and digits, at most {MAX_NAME}")
        return full
