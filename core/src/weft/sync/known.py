"""Known: the links that records of one end have, over every connection of the other side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.records import Side

if TYPE_CHECKING:
    from weft.state.links import Link
    from weft.state.tx import Tx
    from weft.sync.flow import End, Flow
    from weft.sync.run import Run


def find_links(flow: Flow, tx: Tx, end: End, company: str, keys: Sequence[str]) -> dict[str, list[Link]]:
    """All links of records of one end that this flow can work with, over every connection of its other side."""
    connections = list(flow.rights) if end.side == "left" else [end.connection]
    found: dict[str, list[Link]] = defaultdict(list)
    for connection in connections:
        for key, links in tx.links.by_keys(
            flow.entity.name, flow.left.connection, connection, end.side, None, company, keys
        ).items():
            found[key].extend(link for link in links if flow.adopt(link))
    return {key: links for key, links in found.items() if links}


def taken(flow: Flow, tx: Tx, end: End, object_name: str, company: str, keys: Sequence[str]) -> set[str]:
    """Keys of records that another flow of the entity keeps together with an object this flow does not know: the
    invoice that was made of an opportunity, in a flow of invoices. They are left to it."""
    connections = list(flow.rights) if end.side == "left" else [end.connection]
    elsewhere: list[set[str]] = []
    for connection in connections:
        held = tx.links.by_keys(
            flow.entity.name, flow.left.connection, connection, end.side, object_name, company, keys
        )  # fmt: skip
        elsewhere.append({key for key, links in held.items() if not any(flow.adopt(link) for link in links)})
    return set.intersection(*elsewhere)


async def links_of(run: Run, end: End, company: str, keys: Sequence[str]) -> dict[str, list[Link]]:
    """As :func:`find_links`, in a transaction of its own."""
    return await run.runtime.state.read(lambda tx: find_links(run.flow, tx, end, company, keys))


def key_of(link: Link, side: Side) -> str:
    return link.left_key if side == "left" else link.right_key
