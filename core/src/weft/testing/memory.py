"""A complete connector for a system that lives in memory: for tests, and to learn from.

One :class:`MemorySystem` is one system and its connector at once; register it like a plugin module::

    crm = MemorySystem(
        [MemoryObject("Accounts", fields={"Id": "text", "Name": "text", "Number": "text"})],
        '''
        entity: customer
        object: Accounts
        key: [Id]
        match: [[name]]
        fields: {Name: name, Number: number}
        ''',
    )
    plugins = Plugins()
    plugins.register("memcrm", crm)
    crm.put("Accounts", Name="Adatum")          # as a person would, in the system's own screens
    crm.fail("lose_answer", op="create")        # the next create is carried out, its answer is lost

Every object is a table; lines and parts of a document are rows of their own objects. Changes are
numbered as they are committed, so a cursor is a number. Versions count the changes of a row.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weft import hookimpl, yamlpos
from weft.errors import AuthError, EndpointDown
from weft.hookspecs import Connector
from weft.mapping.document import Mapping as Document
from weft.mapping.loading import parse
from weft.net.secrets import Secret
from weft.records import Child, Condition, Error, Intents, Item, ObjectSchema, Outcome, Page, Query, Record
from weft.testing.memory_store import Effect, Fault, MemoryObject, MemoryStore, Normalise, Place, Row

__all__ = ["Effect", "Fault", "MemoryObject", "MemorySession", "MemorySettings", "MemorySystem", "Row"]


class MemorySettings(BaseModel):
    """What a connection of this kind is configured with."""

    model_config = ConfigDict(extra="forbid")
    token: Secret | None = Field(None, description="access token, where the system asks for one")
    company: str | None = Field(None, description="company to work in")
    companies: list[str] | None = Field(None, description="companies to work in")
    page_size: int = Field(1000, ge=1, description="records a page")


class MemorySession:
    """An open session; ``identity`` is what ``Record.changed_by`` shows for writes through it."""

    def __init__(self, identity: str) -> None:
        self.identity = identity


class MemorySystem(MemoryStore):
    """A system in memory and its connector.

    ``maps`` is the text of its mapping documents (YAML, several separated by ``---``). ``companies``:
    key -> name, where records live in companies. ``token``: what a session must be opened with.
    ``normalise`` is what the system makes of values it is given, ``check`` may return why it refuses
    them, ``actions`` are its steps by native name. ``answers``: whether a write returns the record.
    """

    def __init__(
        self,
        objects: Sequence[MemoryObject],
        maps: str,
        *,
        title: str = "System in memory",
        companies: Mapping[str, str] | None = None,
        token: str | None = None,
        answers: bool = True,
        normalise: Normalise | None = None,
        check: Callable[[str, dict[str, Any]], str | None] | None = None,
        actions: Mapping[str, Callable[[Row], None]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        commands: str | None = None,
        simulator: str | None = None,
    ) -> None:
        super().__init__(objects, title=title, normalise=normalise, clock=clock)
        self.documents = [parse(loaded) for loaded in yamlpos.load_all(maps, f"{title} (mapping)")]
        self.companies, self.token, self.answers = dict(companies or {}), token, answers
        self.check = check or (lambda _, data: None)
        self.actions = dict(actions or {})
        self.commands, self.simulator = commands, simulator
        self.writes: list[Item] = []
        """Every item that was carried out, in order."""
        self.reads: list[Query] = []
        self.tells_deletes = False
        """Whether a ``changes`` read reports deleted keys as suspects."""

    # -- the connector: what it is -----------------------------------------------------------------

    @hookimpl
    def weft_connector(self) -> Connector:
        return Connector(
            title=self.title,
            settings=MemorySettings,
            companies=bool(self.companies),
            commands=self.commands,
            simulator=self.simulator,
        )

    @hookimpl
    def weft_mappings(self, entity: str) -> list[Document]:
        return [document for document in self.documents if document.entity == entity]

    @hookimpl
    @asynccontextmanager
    async def weft_open(self, ctx: Any) -> AsyncIterator[MemorySession]:
        if self.down is not None:
            raise EndpointDown(f"{ctx.connection}: {self.title}: {self.down}")
        given = ctx.settings.token.reveal() if ctx.settings.token is not None else None
        if self.token is not None and given != self.token:
            raise AuthError(f"{ctx.connection}: {self.title}: the access token is not valid")
        yield MemorySession("weft")

    @hookimpl
    async def weft_companies(self) -> dict[str, str]:
        return dict(self.companies)

    @hookimpl
    async def weft_describe(self, objects: Sequence[str] | None) -> AsyncIterator[ObjectSchema]:
        for name in self.objects if objects is None else objects:
            if name in self.objects:
                yield self.objects[name].schema()

    # -- reading -----------------------------------------------------------------------------------

    @hookimpl
    async def weft_read(self, ctx: Any, query: Query) -> AsyncIterator[Page]:
        self.reads.append(query)
        self._struck("read", query.mode, query.mapping.object.read)
        now = json.dumps({"number": len(self._log), "epoch": self._epoch})
        if query.mode == "changes":
            if query.cursor is None:
                yield Page(cursor=now)
                return
            since = self._since(query.cursor)
            if since is None:
                yield Page(expired=True)
                return
            changed = self._changed(query, since)
            gone = [key for key in changed if not self._there(query, key)] if self.tells_deletes else []
            records = [record for key in changed if (record := self._record(query, key)) is not None]
        elif query.mode == "keys":
            yield self._by_key(query)
            return
        else:
            gone, records = [], list(self._all(query))
            if query.mode == "search":
                records = [one for one in records if any(_meets(one.data, group) for group in query.search)]
        size = query.page_size or ctx.settings.page_size
        pages = [records[at : at + size] for at in range(0, len(records), size)] or [[]]
        for number, page in enumerate(pages, 1):
            last = number == len(pages)
            wanted = now if last and query.mode in ("changes", "scan") else None
            yield Page(page, suspects=gone if last else [], cursor=wanted, total=len(records))

    def _since(self, cursor: str) -> int | None:
        """The change a cursor of ours stands behind; None for a forgotten one or any other text."""
        try:
            found = json.loads(cursor)
            number, epoch = found["number"], found["epoch"]
        except (ValueError, KeyError, TypeError):
            return None
        return number if epoch == self._epoch and isinstance(number, int) and number <= len(self._log) else None

    def _there(self, query: Query, key: str) -> bool:
        return (query.mapping.object.read, query.company, key) in self._rows

    def _by_key(self, query: Query) -> Page:
        page = Page()
        for key in dict.fromkeys(query.keys):
            place = (query.mapping.object.read, query.company, key)
            record = self._record(query, key)
            if place in self._hidden:
                page.invisible.append(key)
            elif record is not None:
                page.records.append(record)
            elif place in self._moved:
                page.moved.append(self._moved[place])
            elif place in self._rows:
                page.invisible.append(key)  # it is there, and the mapping's `where` does not cover it
            else:
                page.gone.append(key)
        return page

    def _changed(self, query: Query, since: int) -> list[str]:
        """Keys of records that changed, or any of whose lines or parts did, oldest change first."""
        mapping = query.mapping
        keys: dict[str, None] = {}
        for change in self._log[since:]:
            object_name, company, key = change.place
            if company != query.company:
                continue
            if object_name == mapping.object.read:
                keys[key] = None
            for lines in mapping.lines.values():
                if object_name == lines.object and change.data.get(lines.parent) is not None:
                    keys[str(change.data[lines.parent])] = None
            for part in mapping.parts.values():
                if object_name == part.object:
                    joined = [Condition(main, "eq", change.data.get(own)) for own, main in part.join.items()]
                    keys.update(dict.fromkeys(one.key for one in self._all(query) if _meets(one.data, joined)))
        return list(keys)

    def _all(self, query: Query) -> Iterator[Record]:
        for place in sorted(self._rows):
            if place[0] == query.mapping.object.read and place[1] == query.company:
                record = self._record(query, place[2])
                if record is not None:
                    yield record

    def _record(self, query: Query, key: str) -> Record | None:
        return self._as_record(query.mapping, query.company, key)

    def _as_record(self, mapping: Document, company: str, key: str) -> Record | None:
        place = (mapping.object.read, company, key)
        row = self._rows.get(place)
        if row is None or place in self._hidden or not _covers(mapping.where, row.data):
            return None
        record = _plain(place, row)
        for name, part in mapping.parts.items():
            joined = {own: row.data.get(main) for own, main in part.join.items()}
            record.children[name] = self._related(part.object, company, {**part.where, **joined})[:1]
        for name, lines in mapping.lines.items():
            record.children[name] = self._related(lines.object, company, {**lines.where, lines.parent: key})
        return record

    def _related(self, object_name: str, company: str, values: Mapping[str, Any]) -> list[Record]:
        return [
            _plain(place, self._rows[place])
            for place in sorted(self._rows)
            if place[:2] == (object_name, company) and _covers(values, self._rows[place].data)
        ]

    # -- writing -----------------------------------------------------------------------------------

    @hookimpl
    async def weft_write(
        self, session: MemorySession, items: Sequence[Item], intents: Intents
    ) -> AsyncIterator[Outcome]:
        for item in items:
            await intents.still_mine()
            fault = self._struck("write", item.op, item.mapping.object.read)
            effect = fault.effect if fault is not None else None
            message = fault.message if fault is not None else ""
            if effect == "reject":
                yield Outcome(item.id, "rejected", error=Error("record", message, code="rejected"))
            elif effect == "throttle":
                after = fault.retry_after if fault is not None else None
                yield Outcome(item.id, "retry", error=Error("endpoint", message, status=429, retry_after=after))
            elif effect == "lose_request":
                yield Outcome(item.id, "in_doubt", error=Error("endpoint", message))
            else:
                outcome = self._carry_out(item, session.identity)
                if effect == "crash":
                    raise RuntimeError(message)
                if effect == "lose_answer":
                    outcome = Outcome(item.id, "in_doubt", error=Error("endpoint", message))
                yield outcome

    def _carry_out(self, item: Item, by: str) -> Outcome:
        wrong = self._refused(item)
        if wrong is not None:
            return Outcome(item.id, "rejected", error=wrong)
        known = self.objects[item.mapping.object.read]
        place = (known.name, item.company, item.key or "")
        row = self._rows.get(place)
        if item.op == "create" and item.key is None:
            return self._create(item, known, by)
        if row is None:
            result: Literal["deleted", "conflict"] = "deleted" if item.op == "delete" else "conflict"
            return Outcome(
                item.id,
                result,
                key=item.key,
                error=None
                if result == "deleted"
                else Error("record", f"{known.name} {item.key} does not exist", code="not_found", status=404),
            )
        if item.version is not None and item.version != str(row.version):
            return Outcome(
                item.id,
                "conflict",
                key=item.key,
                error=Error("record", f"{known.name} {item.key} was changed meanwhile", code="stale", status=412),
            )
        self.writes.append(item)
        if item.op == "delete":
            self.remove(*place[::2], item.company)
            return Outcome(item.id, "deleted", key=item.key)
        before = row.version
        data, parts = _split(item)
        changed = {n: v for n, v in self.normalise(known.name, dict(data)).items() if row.data.get(n) != v}
        if changed:
            self._store(place, changed, by)
        children = self._write_related(item, place, parts, by)
        for action in item.actions:
            self.actions[item.mapping.actions.get(action, action)](self._rows[place])
            self._store(place, {}, by)
        quiet = self._rows[place].version == before and not children and not item.children
        return self._outcome(item, "unchanged" if quiet and not parts else "updated", place, children)

    def _create(self, item: Item, known: MemoryObject, by: str) -> Outcome:
        data, parts = _split(item)
        if item.mapping.company is not None and item.company:
            data[item.mapping.company] = item.company
        for name in known.key:
            if data.get(name) is None:
                data[name] = self._number(known, name)
        place = (known.name, item.company, self.key_of(known.name, data))
        if place in self._rows:
            own = item.mapping.own_key
            if own is not None and own.field in known.key and item.own_key == str(data[own.field]):
                return self._outcome(item, "created", place, {})  # our own key: this very create came through before
            return Outcome(
                item.id,
                "rejected",
                error=Error("record", f"{known.name} {place[2]} exists already", code="duplicate", status=409),
            )
        self.writes.append(item)
        full = {**dict.fromkeys(known.fields), **self._assigned(known, data), **data}
        self._store(place, full, by)
        return self._outcome(item, "created", place, self._write_related(item, place, parts, by))

    def _outcome(
        self, item: Item, result: Literal["created", "updated", "unchanged"], place: Place, children: dict[str, str]
    ) -> Outcome:
        record = self._as_record(item.mapping, place[1], place[2]) if self.answers else None
        version = str(self._rows[place].version)
        return Outcome(item.id, result, place[2], version, place[1], record, children)

    def _refused(self, item: Item) -> Error | None:
        mapping, (data, parts) = item.mapping, _split(item)
        written = [(mapping.object.read, data), *((mapping.parts[n].object, rows) for n, rows in parts.items())]
        written += [(mapping.lines[c.collection].object, c.data) for c in item.children]
        for object_name, values in written:
            schema = self.objects[object_name].schema()
            for name, value in values.items():
                known = schema.properties.get(name)
                if known is None:
                    return Error("configuration", f"{object_name} has no field {name}", "unknown_field", name)
                if known.max_length and isinstance(value, str) and len(value) > known.max_length:
                    return Error("record", f"{name} takes at most {known.max_length} characters", "too_long", name)
            why = self.check(object_name, values)
            if why is not None:
                return Error("record", why, "invalid")
        return None

    def _write_related(self, item: Item, place: Place, parts: Mapping[str, dict[str, Any]], by: str) -> dict[str, str]:
        """Lines and parts of a record; returns the keys of the lines that were created."""
        for name, values in parts.items():
            part = item.mapping.parts[name]
            main = self._rows[place].data
            fixed = {**part.where, **{own: main.get(field_) for own, field_ in part.join.items()}}
            found = self._related(part.object, place[1], fixed)
            if found:
                self._store((part.object, place[1], found[0].key), values, by)
            elif part.create:
                self.put(part.object, company=place[1], by=by, **fixed, **values)
        keys: dict[str, str] = {}
        for child in item.children:
            self._write_line(item, place, child, by, keys)
        return keys

    def _write_line(self, item: Item, place: Place, child: Child, by: str, keys: dict[str, str]) -> None:
        lines = item.mapping.lines[child.collection]
        if child.op == "create":
            values = {**lines.where, **child.data, lines.parent: place[2]}
            keys[child.id] = self.put(lines.object, company=place[1], by=by, **values)
        elif child.key is not None and (lines.object, place[1], child.key) in self._rows:
            if child.op == "delete":
                self.remove(lines.object, child.key, place[1])
            else:
                self.edit(lines.object, child.key, company=place[1], by=by, **child.data)


def _plain(place: Place, row: Row) -> Record:
    object_name, company, key = place
    return Record(object_name, key, dict(row.data), company, str(row.version), row.changed_at, row.changed_by)


def _split(item: Item) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Fields of the main object, and those of its parts by the part's name."""
    parts = {name: item.data[name] for name in item.mapping.parts if name in item.data}
    return {n: v for n, v in item.data.items() if n not in item.mapping.parts}, parts


def _covers(where: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    return all(data.get(n) in v if isinstance(v, list) else data.get(n) == v for n, v in where.items())


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b), "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b), "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b), "le": lambda a, b: bool(a <= b),
    "startswith": lambda a, b: str(a).startswith(str(b)),
}  # fmt: skip


def _meets(data: Mapping[str, Any], conditions: Sequence[Condition]) -> bool:
    for one in conditions:
        value = data.get(one.field)
        if value is None and one.op not in ("eq", "ne"):
            return False
        if not _TESTS[one.op](value, one.value):
            return False
    return True
