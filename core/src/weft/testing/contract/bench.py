"""What the checks work with: the connector under test, called the way core calls it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, cast

from weft.config.loading import load_text
from weft.errors import WeftError
from weft.mapping.comparison import Comparator
from weft.model.values import Fields
from weft.records import Canonical, Context, Mapped, Mode, Page, Query, Record
from weft.runtime import Runtime
from weft.testing.contract.harness import Harness, Running, Subject, Unsupported
from weft.testing.contract.invariants import violation
from weft.testing.contract.logtrap import LogTrap
from weft.testing.contract.outcome import Broken, Check

if TYPE_CHECKING:
    from weft.mapping.compile import CompiledMapping
    from weft.mapping.spec import FieldSpec
    from weft.plugins import Plugins
    from weft.reference_tables import ReferenceTables

NAME = "system"
"""Name of the connection under test."""
DAY = 86_400.0
Between = Callable[[int, Page], Awaitable[None]]
"""Called after each page, with its number from 0 and the page."""


class Bench:
    """One check's view of the connector: a runtime with one connection, and the running system behind it."""

    def __init__(self, check: Check, harness: Harness, system: Running, plugins: Plugins, log: LogTrap) -> None:
        self.check, self.harness, self.system, self.plugins, self.log = check, harness, system, plugins, log
        self.company = system.company
        self.runtime = self._runtime(system.settings)
        self._subject: Subject | None = None
        self.serial = 0

    # -- saying what is wrong --------------------------------------------------------------------------

    def wrong(self, text: str) -> Broken:
        """The error to raise: what is wrong, what the contract demands, and where."""
        check = self.check
        where = f"The contract: {check.says}\n  It is written in: {check.where}"
        return Broken(f"{self.harness.kind}: {check.name}: {text}\n  {where}")

    def fail(self, text: str) -> NoReturn:
        raise self.wrong(text)

    def demand(self, kept: object, text: str) -> None:
        if not kept:
            self.fail(text)

    # -- the connection --------------------------------------------------------------------------------

    def _runtime(self, settings: Mapping[str, Any]) -> Runtime:
        document = {"connections": {NAME: {"kind": self.harness.kind, **settings}}}
        text = json.dumps(document, default=str, ensure_ascii=False).replace("${", "$${")
        config = load_text(text, "the harness's settings", self.plugins)
        return Runtime(config, cast(Any, None), self.plugins)  # no check reaches the state

    async def session(self) -> Any:
        return await self.runtime.session(NAME)

    async def restart(self) -> None:
        """As after a restart of the process: a new session, nothing remembered."""
        await self.close()
        self.runtime = self._runtime(self.system.settings)

    async def close(self) -> None:
        await self.runtime.__aexit__(None, None, None)

    @asynccontextmanager
    async def opened(self, settings: Mapping[str, Any] | None = None) -> AsyncIterator[Any]:
        """A session of its own, by weft_open alone."""
        runtime = self._runtime(self.system.settings if settings is None else settings)
        ctx = runtime.context(NAME)
        async with self.plugins.call(self.harness.kind, "weft_open", ctx=ctx) as session:
            yield session

    async def open_and_close(self, settings: Mapping[str, Any] | None = None) -> None:
        async with self.opened(settings):
            return

    def context(self, company: str | None = None) -> Context:
        return self.runtime.context(
            NAME,
            flow="contract",
            run="contract",
            entity=self.subject.entity,
            company=self.company if company is None else company,
            side="left",
        )

    def has(self, hook: str) -> bool:
        return self.plugins.has(self.harness.kind, hook)

    # -- the subject -----------------------------------------------------------------------------------

    @property
    def subject(self) -> Subject:
        """The entity in use: the first without lines, until :meth:`document` was called."""
        if self._subject is None:
            plain = [subject for subject in self.system.subjects if subject.lines is None]
            if not self.system.subjects:
                raise Unsupported("the harness names no subjects")
            self._subject = (plain or list(self.system.subjects))[0]
        return self._subject

    def document(self) -> Subject:
        """Work with the first subject that has lines."""
        for subject in self.system.subjects:
            if subject.lines is not None:
                self._subject = subject
                return subject
        raise Unsupported("the harness names no document (a subject with lines)")

    @property
    def compiled(self) -> CompiledMapping:
        return self.compiled_of(self.subject)

    def compiled_of(self, subject: Subject) -> CompiledMapping:
        found = self.runtime.mappings(NAME, subject.entity)
        variant = subject.variant or next(iter(found), "")
        if variant not in found:
            there = ", ".join(found) or "none"
            self.fail(f"weft_mappings has no {subject.entity} {subject.variant or ''}; its variants: {there}")
        return found[variant]

    @property
    def object(self) -> str:
        return self.compiled.mapping.object.read

    def spec(self, canonical: str) -> FieldSpec:
        """The native field that a role's canonical field is mapped to, plainly."""
        for spec in self.compiled.fields:
            plain = spec.part is None and spec.path is None and not spec.map.values and spec.in_ is None
            if spec.canonical == canonical and plain and spec.map.const is None and spec.target is None:
                return spec
        raise Unsupported(f"{canonical} is not mapped plainly, so it cannot play a role")

    def role(self, name: str) -> str:
        """The canonical field that plays a role. :raises Unsupported: none does."""
        found: str | None = getattr(self.subject, name)
        if found is None:
            raise Unsupported(f"the subject {self.subject.entity} names no field for the role {name!r}")
        return found

    def allowed(self, op: str) -> None:
        if not getattr(self.subject, op):
            raise Unsupported(f"the subject {self.subject.entity} says {op}=False")

    # -- mapping ---------------------------------------------------------------------------------------

    async def tables(self) -> ReferenceTables:
        tables = self.runtime.tables(NAME, self.company)
        await tables.load(self.compiled.references())
        return tables

    async def canonical(self, records: Sequence[Record]) -> list[Canonical]:
        """Map records in; a record that cannot be mapped breaks the contract."""
        tables, compiled = await self.tables(), self.compiled

        async def inner(records: Sequence[Record], **_: Any) -> list[Mapped]:
            return compiled.read(records, tables)

        mapped = await self.plugins.await_around(
            self.harness.kind, "map", inner, ctx=self.context(), direction="in", records=records
        )
        found = []
        for record, one in zip(records, mapped, strict=True):
            if one.canonical is None:
                reason = one.excluded or "; ".join(f"{p.field}: {p.message}" for p in one.problems)
                self.fail(f"{record.object} {record.key} cannot be mapped: {reason}")
            found.append(one.canonical)
        return found

    def same(self, field: str, a: Any, b: Any) -> bool:
        return Comparator(self.compiled.entity, self.compiled, None).same(field, a, b)

    async def typed(self, n: int, changes: Fields | None = None) -> dict[str, Any]:
        """Record n as a person types it in, with some canonical fields changed."""
        subject = self.subject
        if subject.typed is not None:
            data = dict(subject.typed(n))
            for name, value in (changes or {}).items():
                data[self.spec(name).native] = value
            return data
        fields = {**subject.sample(n), **(changes or {})}
        canonical = Canonical(subject.entity, self.object, "", fields)
        mapped = self.compiled.write(canonical, "create", await self.tables(), full=fields)
        if mapped.native is None:
            reason = "; ".join(f"{p.field}: {p.message}" for p in mapped.problems)
            self.fail(f"sample({n}) cannot be mapped out: {reason}")
        return {name: value for name, value in mapped.native.items() if name not in self.compiled.mapping.parts}

    async def person_creates(self, changes: Fields | None = None) -> str:
        """A person adds the next record, with some canonical fields changed."""
        self.serial += 1
        return await self.system.create(self.object, await self.typed(self.serial, changes), self.company)

    async def person_edits(self, key: str, text: str) -> None:
        native = {self.spec(self.role("text")).native: text}
        await self.system.edit(self.object, key, native, self.company)

    async def age(self) -> None:
        """Make everything there is older than any overlap of a cursor, where the harness can: what is skipped
        now is then skipped for good. Without it the check still holds, only less would be found out."""
        with suppress(Unsupported):
            await self.system.age(DAY)

    async def tick(self) -> None:
        """Let a second pass for the system, where the harness can: less than any overlap."""
        with suppress(Unsupported):
            await self.system.age(1)

    async def keys(self) -> list[str]:
        """What the system really holds."""
        return await self.system.keys(self.compiled.mapping.object.read, self.company)

    # -- reading ---------------------------------------------------------------------------------------

    def query(self, mode: Mode, **options: Any) -> Query:
        options.setdefault("company", self.company)
        options.setdefault("page_size", self.harness.page_size)
        return Query(mode, self.compiled.mapping, **options)

    async def pages(self, query: Query, between: Between | None = None) -> list[Page]:
        """Read everything; what a page must never do breaks the contract."""
        session = await self.session()
        pages: list[Page] = []
        ctx = self.context(query.company)
        async for page in self.plugins.iterate_around(self.harness.kind, "read", ctx=ctx, session=session, query=query):
            wrong = violation(query, page)
            if wrong:
                self.fail(f"{query.mode} read: {wrong}")
            pages.append(page)
            if between is not None:
                await between(len(pages) - 1, page)
        return pages

    async def read(self, mode: Mode, between: Between | None = None, **options: Any) -> tuple[dict[str, Record], str]:
        """Records by key of a scan or changes read, and its last cursor."""
        pages = await self.pages(self.query(mode, **options), between)
        records = {record.key: record for page in pages for record in page.records}
        if any(page.expired for page in pages):
            self.fail(f"a {mode} read says that a cursor it gave a moment ago has expired")
        cursor = pages[-1].cursor if pages else None
        if cursor is None:
            self.fail(f"the last page of a {mode} read carries no cursor, so the next run has nothing to go on from")
        return records, cursor

    async def by_keys(self, keys: Sequence[str]) -> Page:
        """One page with everything a keys read told."""
        whole = Page()
        for page in await self.pages(self.query("keys", keys=list(keys), fresh=True)):
            whole.records += page.records
            whole.gone += page.gone
            whole.invisible += page.invisible
            whole.moved += page.moved
        return whole

    async def fetch(self, key: str) -> Record:
        """A record that is known to be there."""
        page = await self.by_keys([key])
        for record in page.records:
            if record.key == key:
                return record
        said = "gone" if key in page.gone else "invisible" if key in page.invisible else "nothing"
        raise self.wrong(f"the record {key} is there, and a keys read says {said} about it")

    async def fields_of(self, key: str) -> Canonical:
        return (await self.canonical([await self.fetch(key)]))[0]

    async def raises(self, work: Callable[[], Awaitable[Any]], doing: str) -> WeftError:
        """The typed error that ``work`` must end in."""
        try:
            await work()
        except WeftError as error:
            self.demand(str(error).strip(), f"{doing} raises {type(error).__name__} without a word of explanation")
            return error
        except Broken:
            raise
        except Unsupported:
            raise
        except Exception as error:
            self.fail(
                f"{doing} raises {type(error).__module__}.{type(error).__name__} ({str(error)[:200]}); "
                "raise EndpointDown, AuthError or ConfigError of weft.errors, with the reason in words"
            )
        raise self.wrong(f"{doing} raises nothing")
