"""What a system cannot do with an entity, declared beside the mappings, with the reason for people.

A document in ``<package>/maps/*.yaml`` with a key ``impossible`` is no mapping but such a statement::

    entity: gl_account
    impossible: write
    reason: the API shows the chart of accounts, but does not change it
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from weft.mapping.document import Part


class Impossible(Part):
    """``keep``: the system has no such thing at all. ``write``: it cannot be created or changed there.
    ``read``: nothing that begins there can be told as this entity. ``variant`` None: whatever the variant."""

    entity: str
    impossible: Literal["keep", "write", "read"] = "keep"
    reason: str
    variant: str | None = None

    def stops(self, variants: Iterable[str], *, written: bool, read: bool) -> bool:
        """Does it stop a flow that uses these variants, writes to the system, and takes records from it?"""
        if self.variant is not None and set(variants) != {self.variant}:
            return False
        return self.impossible == "keep" or (written if self.impossible == "write" else read)
