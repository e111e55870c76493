"""weft.around: other people's code around the reads, writes, maps and routes of a connector."""

from __future__ import annotations

import importlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from weft import around, hookimpl
from weft.errors import EndpointDown
from weft.hookspecs import Connector
from weft.mapping.document import Mapping
from weft.plugins import Plugins
from weft.records import Canonical, Error, Item, Mapped, Outcome, Page, Query, Record, Target

MAPPING = Mapping.model_validate(
    {"entity": "customer", "object": "Customers", "key": ["id"], "fields": {"name": "name"}}
)


class Settings(BaseModel):
    pass


class System(ModuleType):
    """A connector over a list of rows; ``fail`` is raised after the first page, or the first item."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.rows = {"1": "Adatum", "2": "Contoso"}
        self.fail: Exception | None = None
        self.sent: list[Item] = []
        self.closed = False

        @hookimpl
        def weft_connector() -> Connector:
            return Connector(title=kind, settings=Settings)

        @hookimpl
        def weft_mappings() -> list[Mapping]:
            return [MAPPING]

        @hookimpl
        def weft_open() -> None:
            raise AssertionError("not opened here")

        @hookimpl
        async def weft_read(query: Query) -> AsyncIterator[Page]:
            try:
                for key, name in self.rows.items():
                    if query.keys and key not in query.keys:
                        continue
                    yield Page([Record("Customers", key, {"id": key, "name": name, "email": f"{key}@adatum.example"})])
                    if self.fail is not None:
                        raise self.fail
            finally:
                self.closed = True

        @hookimpl
        async def weft_write(items: list[Item]) -> AsyncIterator[Outcome]:
            for item in items:
                self.sent.append(item)
                yield Outcome(item.id, "updated", key=item.key)
                if self.fail is not None:
                    raise self.fail

        for function in (weft_connector, weft_mappings, weft_open, weft_read, weft_write):
            setattr(self, function.__name__, function)


@pytest.fixture
def erp() -> System:
    return System("erp")


@pytest.fixture
def plugins(erp: System) -> Plugins:
    made = Plugins()
    made.register("erp", erp)
    made.register("crm", System("crm"))
    return made


@pytest.fixture
def wrap(plugins: Plugins) -> Callable[..., None]:
    """Register functions as a plugin of their own."""
    names = iter(f"wrapper{number}" for number in range(9))

    def register(*functions: Callable[..., Any]) -> None:
        module = ModuleType("wrapping")
        for function in functions:
            setattr(module, function.__name__, function)
        plugins.register(next(names), module)

    return register


async def read(plugins: Plugins, kind: str = "erp", **query: Any) -> list[Record]:
    arguments = {"ctx": None, "session": None, "query": Query("scan", MAPPING, **query)}
    return [r async for page in plugins.iterate_around(kind, "read", **arguments) for r in page.records]


async def write(plugins: Plugins, *items: Item) -> list[Outcome]:
    arguments = {"ctx": None, "session": None, "items": list(items), "intents": None}
    return [outcome async for outcome in plugins.iterate_around("erp", "write", **arguments)]


def item(id: str, op: str = "update") -> Item:
    return Item(id, op, MAPPING, "Customers", {}, key=id)  # type: ignore[arg-type]


def canonical(key: str, **fields: Any) -> Canonical:
    return Canonical("customer", "Customers", key, fields)


# -- read ------------------------------------------------------------------------------------------


async def test_a_read_can_be_masked(plugins: Plugins, wrap: Any) -> None:
    @around("read")
    async def mask(call: Any) -> AsyncIterator[Page]:
        async for page in call():
            for record in page.records:
                record.data["email"] = ""
            yield page

    wrap(mask)
    assert [r.data["email"] for r in await read(plugins)] == ["", ""]
    assert [r.data["name"] for r in await read(plugins)] == ["Adatum", "Contoso"]


async def test_a_read_can_be_asked_for_something_else(plugins: Plugins, wrap: Any) -> None:
    @around("read")
    async def only_two(call: Any, query: Query) -> AsyncIterator[Page]:
        async for page in call(query=Query("keys", query.mapping, keys=["2"])):
            yield page

    wrap(only_two)
    assert [r.key for r in await read(plugins)] == ["2"]


async def test_a_read_can_be_answered_without_the_system(plugins: Plugins, wrap: Any, erp: System) -> None:
    @around("read")
    async def cached(call: Any) -> AsyncIterator[Page]:
        yield Page([Record("Customers", "9", {})])

    wrap(cached)
    assert [r.key for r in await read(plugins)] == ["9"]
    assert not erp.closed  # it was never begun


async def test_errors_of_a_read_surface_in_the_wrapper(plugins: Plugins, wrap: Any, erp: System) -> None:
    erp.fail = EndpointDown("gone fishing")
    seen: list[Any] = []

    @around("read")
    async def watch(call: Any) -> AsyncIterator[Page]:
        try:
            async for page in call():
                seen.append(page.records[0].key)
                yield page
        except EndpointDown as error:
            seen.append(str(error))
            raise

    wrap(watch)
    with pytest.raises(EndpointDown, match="gone fishing"):
        await read(plugins)
    assert seen == ["1", "gone fishing"]


async def test_a_wrapper_can_try_again(plugins: Plugins, wrap: Any, erp: System) -> None:
    erp.fail = EndpointDown("once")

    @around("read")
    async def twice(call: Any) -> AsyncIterator[Page]:
        try:
            async for page in call():
                yield page
        except EndpointDown:
            erp.fail = None
            async for page in call():
                yield page

    wrap(twice)
    assert [r.key for r in await read(plugins)] == ["1", "1", "2"]


# -- write -----------------------------------------------------------------------------------------


async def test_a_write_can_be_vetoed(plugins: Plugins, wrap: Any, erp: System) -> None:
    @around("write")
    async def no_deletes(call: Any, items: list[Item]) -> AsyncIterator[Outcome]:
        for one in items:
            if one.op == "delete":
                yield Outcome(one.id, "rejected", error=Error("configuration", "not here"))
        async for outcome in call(items=[one for one in items if one.op != "delete"]):
            yield outcome

    wrap(no_deletes)
    outcomes = await write(plugins, item("a"), item("b", "delete"), item("c"))
    assert {o.id: o.result for o in outcomes} == {"a": "updated", "b": "rejected", "c": "updated"}
    assert [one.id for one in erp.sent] == ["a", "c"]


async def test_errors_of_a_write_surface_in_the_wrapper(plugins: Plugins, wrap: Any, erp: System) -> None:
    erp.fail = EndpointDown("cut off")
    seen: list[str] = []

    @around("write")
    async def watch(call: Any) -> AsyncIterator[Outcome]:
        try:
            async for outcome in call():
                yield outcome
        except EndpointDown as error:
            seen.append(str(error))
            raise

    wrap(watch)
    with pytest.raises(EndpointDown):
        await write(plugins, item("a"), item("b"))
    assert seen == ["cut off"]
    assert len(erp.sent) == 1


# -- map and route ---------------------------------------------------------------------------------


async def test_a_map_can_add_a_field(plugins: Plugins, wrap: Any) -> None:
    @around("map")
    async def with_source(call: Any, direction: str) -> list[Mapped]:
        mapped: list[Mapped] = await call()
        for one in mapped if direction == "in" else ():
            if one.canonical is not None:
                one.canonical.fields["custom.source"] = "erp"
        return mapped

    async def core(records: list[Record], **_: Any) -> list[Mapped]:
        return [Mapped(canonical(r.key, name=r.data["name"])) for r in records]

    wrap(with_source)
    records = await read(plugins)
    for direction, expected in (("in", {"name": "Adatum", "custom.source": "erp"}), ("out", {"name": "Adatum"})):
        mapped = await plugins.await_around("erp", "map", core, ctx=None, direction=direction, records=records)
        assert mapped[0].canonical.fields == expected


async def test_errors_of_a_map_surface_in_the_wrapper(plugins: Plugins, wrap: Any) -> None:
    seen: list[str] = []

    @around("map")
    async def watch(call: Any) -> list[Mapped]:
        try:
            return await call()  # type: ignore[no-any-return]
        except ValueError as error:
            seen.append(str(error))
            return []

    async def core(**_: Any) -> list[Mapped]:
        raise ValueError("cannot be mapped")

    wrap(watch)
    assert await plugins.await_around("erp", "map", core, ctx=None, direction="in", records=[]) == []
    assert seen == ["cannot be mapped"]


async def core_route(entities: list[Canonical], **_: Any) -> list[list[Target]]:
    return [[Target("erp", "usmf")] for _ in entities]


async def test_a_route_can_be_overridden(plugins: Plugins, wrap: Any) -> None:
    @around("route")
    async def german(call: Any, entities: list[Canonical]) -> list[list[Target]]:
        targets: list[list[Target]] = await call()
        return [
            [Target("erp", "demf")] if entity.fields.get("address.country") == "DE" else found
            for entity, found in zip(entities, targets, strict=True)
        ]

    wrap(german)
    entities = [canonical("1", **{"address.country": "DE"}), canonical("2", **{"address.country": "US"})]
    routed = await plugins.await_around("erp", "route", core_route, ctx=None, entities=entities)
    assert routed == [[Target("erp", "demf")], [Target("erp", "usmf")]]


async def test_a_connectors_own_route_comes_before_cores(plugins: Plugins, erp: System) -> None:
    answers: list[Any] = [None, [[Target("erp", "own")]]]

    @hookimpl
    async def weft_route(entities: list[Canonical]) -> Any:
        return answers.pop(0)

    other = System("other")
    other.weft_route = weft_route  # type: ignore[attr-defined]
    plugins.register("other", other)
    entities = [canonical("1")]
    assert await plugins.await_around("other", "route", core_route, ctx=None, entities=entities) == [
        [Target("erp", "usmf")]
    ]
    assert await plugins.await_around("other", "route", core_route, ctx=None, entities=entities) == [
        [Target("erp", "own")]
    ]


# -- several wrappers, kinds, shapes ---------------------------------------------------------------


async def test_the_first_registered_is_outermost(plugins: Plugins, wrap: Any) -> None:
    steps: list[str] = []

    def stepping(name: str) -> Callable[..., Any]:
        @around("read")
        async def step(call: Any) -> AsyncIterator[Page]:
            steps.append(f"{name} in")
            async for page in call():
                yield page
            steps.append(f"{name} out")

        step.__name__ = name
        return step

    wrap(stepping("a"), stepping("b"))
    wrap(stepping("c"))
    assert len(await read(plugins)) == 2
    assert steps == ["a in", "b in", "c in", "c out", "b out", "a out"]


async def test_a_change_made_outside_is_seen_inside(plugins: Plugins, wrap: Any, erp: System) -> None:
    seen: list[list[str]] = []

    @around("write")
    async def drop_first(call: Any, items: list[Item]) -> AsyncIterator[Outcome]:
        async for outcome in call(items=items[1:]):
            yield outcome

    @around("write")
    async def look(call: Any, items: list[Item]) -> AsyncIterator[Outcome]:
        seen.append([one.id for one in items])
        async for outcome in call():
            yield outcome

    wrap(drop_first)
    wrap(look)
    await write(plugins, item("a"), item("b"))
    assert seen == [["b"]]
    assert [one.id for one in erp.sent] == ["b"]


async def test_a_wrapper_of_one_kind_leaves_others_alone(plugins: Plugins, wrap: Any) -> None:
    @around("read", kind="crm")
    async def nothing(call: Any) -> AsyncIterator[Page]:
        yield Page()

    wrap(nothing)
    assert len(await read(plugins, "erp")) == 2
    assert await read(plugins, "crm") == []


async def test_a_connector_may_wrap_too_and_one_function_several_hooks(plugins: Plugins) -> None:
    steps: list[str] = []

    @around("map")
    @around("route")
    async def note(call: Any) -> Any:
        steps.append("noted")
        return await call()

    both = System("both")
    both.note = note  # type: ignore[attr-defined]
    plugins.register("both", both)
    await plugins.await_around("erp", "route", core_route, ctx=None, entities=[])
    assert steps == ["noted"]
    assert {w.hook for w in plugins.loaded["both"].wrappers} == {"map", "route"}


async def _coroutine(call: Any) -> None: ...


async def _generator(call: Any) -> AsyncIterator[Page]:
    yield Page()


def _plain(call: Any) -> None: ...


@pytest.mark.parametrize(
    ("hook", "function", "wants"),
    [
        ("read", _coroutine, "async generator"),
        ("write", _coroutine, "async generator"),
        ("read", _plain, "async generator"),
        ("map", _generator, "async function"),
        ("route", _generator, "async function"),
        ("map", _plain, "async function"),
    ],
)
def test_the_wrong_shape_is_refused(hook: Any, function: Any, wants: str) -> None:
    with pytest.raises(TypeError, match=rf"weft.around\('{hook}'\) wants an {wants}.*{function.__name__} is not"):
        around(hook)(function)


# -- the example package ---------------------------------------------------------------------------


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, plugins: Plugins) -> Any:
    folder = Path(__file__).parents[2] / "examples" / "around" / "src"
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("weft_around_example.wrappers")
    plugins.register("around_example", module)
    return module


async def test_the_example_vetoes_deletes(plugins: Plugins, example: Any, erp: System) -> None:
    outcomes = await write(plugins, item("a", "delete"), item("b"))
    assert [(o.id, o.result) for o in outcomes] == [("a", "rejected"), ("b", "updated")]
    assert outcomes[0].error is not None
    assert outcomes[0].error.fault == "configuration"
    assert [one.id for one in erp.sent] == ["b"]
    assert [o.result for o in await write(plugins, item("c", "delete"))] == ["rejected"]


async def test_the_example_meters_reads(
    plugins: Plugins, example: Any, erp: System, caplog: pytest.LogCaptureFixture
) -> None:
    context = SimpleNamespace(connection="office", log=logging.getLogger("weft.office"))
    arguments = {"ctx": context, "session": None, "query": Query("scan", MAPPING)}
    with caplog.at_level(logging.INFO, "weft.office"):
        assert [page async for page in plugins.iterate_around("erp", "read", **arguments)]
        erp.fail = EndpointDown("gone")
        with pytest.raises(EndpointDown):
            _ = [page async for page in plugins.iterate_around("erp", "read", **arguments)]
    assert [message.partition(" in ")[0] for message in caplog.messages] == ["office: 2 records", "office: 1 records"]


async def test_the_example_masks_and_routes(plugins: Plugins, example: Any) -> None:
    async def core(records: list[Canonical], **_: Any) -> list[Mapped]:
        return [Mapped(one) for one in records]

    record = canonical("1", name="Adatum", notes="likes boats")
    (mapped,) = await plugins.await_around("erp", "map", core, ctx=None, direction="in", records=[record])
    assert mapped.canonical.fields == {"name": "Adatum", "notes": None}
    entities = [canonical("1", **{"address.country": "XX"}), canonical("2")]
    routed = await plugins.await_around("erp", "route", core_route, ctx=None, entities=entities)
    assert routed == [[], [Target("erp", "usmf")]]
