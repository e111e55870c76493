"""Links: this record here is that record there, with the base of each side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    not_,
    select,
    update,
)

from weft.records import Side
from weft.state import sql
from weft.state.ids import Settlements
from weft.state.tables import child_links
from weft.state.tables import links as table

LinkState = Literal["linked", "review", "left_gone", "right_gone", "broken"]


@dataclass(slots=True)
class Link:
    """One row of ``links``; ``id`` 0 until it is inserted.

    A base is the text of :func:`weft.model.values.encode` (lines included) or None where the side was
    never read; a print is its fingerprint. Times are aware. ``epoch`` is the caller's (the sweep that
    last saw the pair, say).
    """

    entity: str
    left_connection: str
    left_object: str
    left_key: str
    right_connection: str
    right_object: str
    right_key: str
    created_at: datetime
    updated_at: datetime
    left_company: str = ""
    right_company: str = ""
    left_variant: str = ""
    right_variant: str = ""
    left_base: str | None = None
    right_base: str | None = None
    left_print: str | None = None
    right_print: str | None = None
    left_version: str | None = None
    right_version: str | None = None
    left_changed_at: datetime | None = None
    right_changed_at: datetime | None = None
    state: LinkState = "linked"
    pinned: bool = False
    follow: bool = False
    epoch: int = 0
    settled: int = 0
    id: int = 0


class Head(NamedTuple):
    """What tells that nothing changed: one side of a link without its base."""

    id: int
    key: str
    print: str | None
    version: str | None
    state: LinkState


@dataclass(slots=True)
class ChildLink:
    """A line of a document on both sides; ``id`` is weft's own name for the line."""

    link_id: int
    collection: str
    id: str
    left_key: str | None = None
    right_key: str | None = None
    position: int = 0


class Target(NamedTuple):
    """Where a reference leads: an object and key in the other system."""

    object: str
    key: str
    company: str
    link_id: int


_NAMES = tuple(f.name for f in fields(Link))
_COLUMNS = [table.c[name] for name in _NAMES]
_values = attrgetter(*_NAMES)
_INSERT = insert(table)
_BOUND = tuple("_" + name for name in _NAMES)
_UPDATE = update(table).where(table.c.id == bindparam("_id"))
_UPDATE = _UPDATE.values({name: bindparam("_" + name) for name in _NAMES if name != "id"})
_CHILD_NAMES = tuple(f.name for f in fields(ChildLink))
_child_values = attrgetter(*_CHILD_NAMES)
_PUT_CHILD = sql.Upsert(child_links, _CHILD_NAMES[:3], ["left_key", "right_key", "position"])


def _unindexed(column: ColumnElement[str]) -> ColumnElement[str]:
    """The far side's connection, hidden from the planner: both databases were seen to choose the far
    side's index for it and so read all links of a flow instead of the few keys asked for."""
    return column.concat("")


class Links:
    """Reached as ``tx.links``."""

    def __init__(
        self,
        connection: Connection,
        take_ids: Callable[[Connection, int], Sequence[int]],
        settlements: Settlements,
    ) -> None:
        self._db = connection
        self._take_ids = take_ids
        self._settlements = settlements

    # -- reading

    def by_keys(
        self,
        entity: str,
        left_connection: str,
        right_connection: str,
        side: Side,
        object: str | None,
        company: str | None,
        keys: Sequence[str],
    ) -> dict[str, list[Link]]:
        """The links of these keys of one side's object; several where a record went to several
        companies. ``object`` or ``company`` None: any. Keys without a link are left out."""
        found: dict[str, list[Link]] = defaultdict(list)
        at = _NAMES.index(f"{side}_key")
        for batch in sql.chunks(keys):
            query = select(*_COLUMNS).where(
                *self._where(entity, left_connection, right_connection, side, object, company),
                sql.among(self._db, table.c[f"{side}_key"], batch),
            )
            for row in self._db.execute(query):
                found[row[at]].append(Link(*row))
        return dict(found)

    def heads(
        self,
        entity: str,
        left_connection: str,
        right_connection: str,
        side: Side,
        object: str | None,
        company: str | None,
        keys: Sequence[str],
    ) -> dict[str, list[Head]]:
        """As :meth:`by_keys`, but only what the no-change path needs; print and version are ``side``'s."""
        found: dict[str, list[Head]] = {}
        columns = [table.c.id] + [table.c[f"{side}_{n}"] for n in ("key", "print", "version")] + [table.c.state]
        make = Head._make
        for batch in sql.chunks(keys):
            query = select(*columns).where(
                *self._where(entity, left_connection, right_connection, side, object, company),
                sql.among(self._db, table.c[f"{side}_key"], batch),
            )
            for row in self._db.execute(query).fetchall():
                head = make(row)
                if head[1] in found:
                    found[head[1]].append(head)
                else:
                    found[head[1]] = [head]
        return found

    @staticmethod
    def _where(entity: str, left: str, right: str, side: Side, object: str | None, company: str | None) -> list[Any]:
        where = [table.c.entity == entity]
        for near, connection in (("left", left), ("right", right)):
            column = table.c[f"{near}_connection"]
            where.append((column if near == side else _unindexed(column)) == connection)
        if object is not None:
            where.append(table.c[f"{side}_object"] == object)
        if company is not None:
            where.append(table.c[f"{side}_company"] == company)
        return where

    def get(self, id: int) -> Link | None:
        return self.get_many([id]).get(id)

    def get_many(self, ids: Sequence[int]) -> dict[int, Link]:
        found: dict[int, Link] = {}
        for batch in sql.chunks(ids):
            for row in self._db.execute(select(*_COLUMNS).where(sql.among_ids(self._db, table.c.id, batch))):
                link = Link(*row)
                found[link.id] = link
        return found

    def page(
        self,
        after_id: int = 0,
        limit: int = 200,
        *,
        entity: str | None = None,
        left_connection: str | None = None,
        right_connection: str | None = None,
        left_company: str | None = None,
        right_company: str | None = None,
        left_object: str | None = None,
        right_object: str | None = None,
        state: LinkState | Sequence[LinkState] | None = None,
        epoch_not: int | None = None,
        follow: bool | None = None,
    ) -> list[Link]:
        """Links in order of id, after ``after_id``. ``epoch_not`` gives those that the sweep of this epoch
        has not marked, ``follow`` those whose records are read again in every run."""
        query = select(*_COLUMNS).where(table.c.id > after_id, *self._filter(locals()))
        return [Link(*row) for row in self._db.execute(query.order_by(table.c.id).limit(limit))]

    def count(self, **filters: Any) -> int:
        """How many links :meth:`page` would give in all; the same filters by name."""
        query = select(func.count()).select_from(table).where(*self._filter(filters))
        return int(self._db.execute(query).scalar_one())

    def counts(self) -> dict[tuple[str, str, str, LinkState], int]:
        """Links by (entity, left connection, right connection, state).

        All of them are counted in an index, those in another state than ``linked`` one by one: there are few.
        """
        by = (table.c.entity, table.c.left_connection, table.c.right_connection)
        totals = {(e, left, right): n for e, left, right, n in self._db.execute(
            select(*by, func.count()).group_by(*by))}  # fmt: skip
        odd = select(*by, table.c.state, func.count()).where(table.c.state != literal_column("'linked'"))
        found: dict[tuple[str, str, str, LinkState], int] = {}
        for entity, left, right, state, n in self._db.execute(odd.group_by(*by, table.c.state)):
            found[entity, left, right, state] = n
            totals[entity, left, right] -= n
        return {**{(*of, "linked"): n for of, n in totals.items() if n}, **found}

    def beginning(self, entity: str, left: str, right: str, side: Side, text: str, limit: int) -> list[Link]:
        """Links whose key on one side begins so, in no order."""
        key = table.c[f"{side}_key"]
        begins = key.startswith(text, autoescape=True)
        if sql.is_sqlite(self._db):  # its LIKE knows no case, and so no index
            begins = and_(key >= text, key < text + chr(0x10FFFF))
        query = select(*_COLUMNS).where(*self._where(entity, left, right, side, None, None), begins)
        return [Link(*row) for row in self._db.execute(query.limit(limit))]

    @staticmethod
    def _filter(given: Mapping[str, Any]) -> list[Any]:
        names = ("entity", "left_connection", "right_connection", "left_company", "right_company",
                 "left_object", "right_object")  # fmt: skip
        where: list[Any] = [table.c[n] == given[n] for n in names if given.get(n) is not None]
        if (state := given.get("state")) is not None:
            states = [state] if isinstance(state, str) else list(state)
            where.append(table.c.state.in_(states))
            if "linked" not in states:  # says to the database that the index on odd ones will do
                where.append(table.c.state != literal_column("'linked'"))
        if (epoch := given.get("epoch_not")) is not None:
            where.append(table.c.epoch != epoch)  # not less than: a clock that ran ahead is set back
        if given.get("follow") is not None:
            where.append(table.c.follow if given["follow"] else not_(table.c.follow))
        return where

    def translate(
        self,
        entity: str,
        from_connection: str,
        to_connection: str,
        refs: Sequence[tuple[str, str]],
        *,
        from_company: str | None = None,
        to_company: str | None = None,
    ) -> dict[tuple[str, str], Target]:
        """Where references lead: (object, key) of ``from_connection`` -> the record linked to it in
        ``to_connection``. An empty object in a reference means any.

        ``from_company`` and ``to_company`` None: any. Given, a record of that company is preferred
        over one that belongs to none (company ''), and those of other companies do not count.
        Links whose target is gone and broken links do not count. References without an answer
        are left out; the caller may then ask :meth:`weft.state.aliases.Aliases.resolve`.
        """
        wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for ref in refs:
            wanted[ref[1]].append((ref[0], ref[1]))
        best: dict[tuple[str, str], tuple[tuple[bool, bool, int], Target]] = {}
        sides: tuple[tuple[Side, Side], ...] = (("left", "right"), ("right", "left"))
        for near, far in sides:
            near_object, near_key = table.c[f"{near}_object"], table.c[f"{near}_key"]
            near_company, far_company = table.c[f"{near}_company"], table.c[f"{far}_company"]
            where = [
                table.c.entity == entity,
                table.c[f"{near}_connection"] == from_connection,
                _unindexed(table.c[f"{far}_connection"]) == to_connection,
                table.c.state.not_in(["broken", f"{far}_gone"]),
            ]
            if from_company is not None:
                where.append(near_company.in_([from_company, ""]))
            if to_company is not None:
                where.append(far_company.in_([to_company, ""]))
            far_columns = (table.c[f"{far}_object"], table.c[f"{far}_key"], far_company, table.c.id)
            for batch in sql.chunks(wanted):
                query = select(near_object, near_key, near_company, *far_columns).where(
                    *where, sql.among(self._db, near_key, batch)
                )
                for obj, key, company, *rest in self._db.execute(query):
                    target = Target(*rest)
                    rank = (
                        company != (from_company or company),
                        target.company != (to_company or target.company),
                        target.link_id,
                    )
                    for ref in wanted[key]:
                        if ref[0] in ("", obj) and (ref not in best or rank < best[ref][0]):
                            best[ref] = (rank, target)
        return {ref: target for ref, (_, target) in best.items()}

    # -- writing

    def insert_many(self, links: Sequence[Link]) -> None:
        """Insert; gives each link its ``id`` (kept if it has one already)."""
        if not links:
            return
        new = [link for link in links if not link.id]
        for link, number in zip(new, self._take_ids(self._db, len(new)), strict=True):
            link.id = number
        sql.many(self._db, _INSERT, _NAMES, map(_values, links))

    def update_many(self, links: Sequence[Link]) -> None:
        """Write every column of these links (by ``id``)."""
        sql.many(self._db, _UPDATE, _BOUND, map(_values, links))

    def set_many(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Write some columns: each change names ``id`` and the columns to set, as raw as in Link."""
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for change in changes:
            names = tuple(sorted(n for n in change if n != "id"))
            groups[names].append({"_" + n: v for n, v in change.items()})
        for names, rows in groups.items():
            statement = update(table).where(table.c.id == bindparam("_id"))
            self._db.execute(statement.values({n: bindparam("_" + n) for n in names}), rows)

    def mark(self, ids: Sequence[int], epoch: int) -> None:
        """Note that these links were seen in sweep ``epoch``."""
        for batch in sql.chunks(ids):
            seen = sql.among_ids(self._db, table.c.id, batch)
            self._db.execute(update(table).where(seen).values(epoch=epoch))

    def delete_many(self, ids: Sequence[int]) -> int:
        """Forget links, their lines, aliases and flips. Returns how many there were."""
        gone = 0
        for batch in sql.chunks(ids):
            gone += self._db.execute(delete(table).where(sql.among_ids(self._db, table.c.id, batch))).rowcount
        return gone

    # -- settlements

    def settlement(self) -> int:
        """A number for a settlement about to be stored; it goes into :attr:`Link.settled`."""
        return self._settlements.take(self._db)

    def last_settlement(self) -> int:
        """The last number given. What is read from now on is younger than that settlement."""
        return self._settlements.last(self._db)

    def note_dropped(self, entity: str, settlement: int) -> None:
        """Links of an entity are forgotten in this settlement."""
        self._settlements.dropped(self._db, entity, settlement)

    def last_dropped(self, entity: str) -> int:
        """The last settlement that forgot links of an entity; 0: none has."""
        return self._settlements.last_dropped(self._db, entity)

    # -- lines

    def children(self, link_ids: Sequence[int]) -> dict[int, list[ChildLink]]:
        """The lines of these links, in order of position; links without lines are left out."""
        found: dict[int, list[ChildLink]] = defaultdict(list)
        columns = [child_links.c[name] for name in _CHILD_NAMES]
        for batch in sql.chunks(link_ids):
            query = select(*columns).where(sql.among_ids(self._db, child_links.c.link_id, batch))
            order = (
                child_links.c.link_id,
                child_links.c.collection,
                child_links.c.position,
                child_links.c.id,
            )
            for row in self._db.execute(query.order_by(*order)):
                found[row[0]].append(ChildLink(*row))
        return dict(found)

    def put_children(self, children: Sequence[ChildLink]) -> None:
        """Insert lines or overwrite those with the same (link, collection, id)."""
        if not children:
            return
        sql.many(self._db, _PUT_CHILD.on(self._db), _CHILD_NAMES, map(_child_values, children))

    def delete_children(self, children: Iterable[tuple[int, str, str]]) -> None:
        """Forget lines named by (link id, collection, line id)."""
        rows = [{"_link": link, "_collection": collection, "_id": id} for link, collection, id in children]
        if rows:
            statement = delete(child_links).where(
                child_links.c.link_id == bindparam("_link"),
                child_links.c.collection == bindparam("_collection"),
                child_links.c.id == bindparam("_id"),
            )
            self._db.execute(statement, rows)
