"""What a connector says about itself, and opening a connection."""

from __future__ import annotations

from pydantic import ValidationError

from weft.errors import AuthError, EndpointDown
from weft.hookspecs import Connector
from weft.mapping.check import check as held_against
from weft.mapping.check import errors, objects
from weft.net.session import HttpSession
from weft.records import ObjectSchema, Record
from weft.testing.contract.bench import NAME, Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area

area = Area("hooks")


@area.check
async def required_hooks(bench: Bench) -> None:
    """A connector implements weft_connector, weft_mappings, weft_open, weft_read and weft_write, and describes
    itself with a title and a settings model."""
    connector = bench.plugins.connector(bench.harness.kind)
    bench.demand(isinstance(connector, Connector), "weft_connector does not answer a Connector")
    bench.demand(connector.title.strip(), "the connector has no title")
    bench.demand(hasattr(connector.settings, "model_validate"), "settings is no pydantic model")
    bench.demand(connector.max_batch >= 1, "max_batch is below 1")


@area.check
async def settings_forbid_unknown_keys(bench: Bench) -> None:
    """A setting that is not known is refused (extra="forbid"), so that a misspelt key is found at once."""
    model = bench.plugins.connector(bench.harness.kind).settings
    try:
        model.model_validate({**bench.system.settings, "no_such_setting_of_ours": 1})
    except ValidationError as error:
        named = any("no_such_setting_of_ours" in map(str, one["loc"]) for one in error.errors())
        bench.demand(named, f"the harness's settings are refused for another reason: {error}")
        return
    bench.fail("the settings model accepts the unknown key 'no_such_setting_of_ours'")


@area.check
async def open_proves_credentials(bench: Bench) -> None:
    """Entering weft_open proves that the credentials work; wrong ones raise AuthError."""
    wrong = bench.system.wrong_settings
    if wrong is None:
        raise Unsupported("the harness gives no wrong_settings")
    error = await bench.raises(lambda: bench.open_and_close(wrong), "weft_open with wrong credentials")
    kind = type(error).__name__
    bench.demand(isinstance(error, AuthError), f"wrong credentials raise {kind}, not AuthError: {error}")


@area.check
async def open_says_endpoint_down(bench: Bench) -> None:
    """A system that does not answer raises EndpointDown when it is opened, so that core tries later."""
    await bench.system.stop()
    error = await bench.raises(bench.open_and_close, "weft_open of a system that does not answer")
    kind = type(error).__name__
    bench.demand(isinstance(error, EndpointDown), f"a system off the net raises {kind}, not EndpointDown: {error}")


@area.check
async def describe_knows_what_is_mapped(bench: Bench) -> None:
    """weft_describe yields every object the packaged mappings name, with its fields, their types and lengths, and
    leaves out an unknown object."""
    if not bench.has("weft_describe"):
        raise Unsupported("the connector has no weft_describe")
    for subject in bench.system.subjects:
        compiled = bench.compiled_of(subject)
        schemas = await _described(bench, objects(compiled.mapping))
        main = schemas.get(compiled.mapping.object.read)
        if main is None:
            bench.fail(f"{compiled.mapping.object.read} is not described")
        named = [spec for spec in compiled.fields if spec.part is None and spec.path is None]
        for spec in named:
            bench.demand(spec.native in main.properties, f"{main.name}.{spec.native} is mapped and not described")
        kinds = {one.kind for one in main.properties.values()}
        bench.demand(len(kinds) > 1, f"every field of {main.name} is of the kind {kinds}: types are not told")
    nothing = await _described(bench, ["NoSuchObjectOfOurs"])
    bench.demand(not nothing, "an object that does not exist is described")


@area.check
async def mappings_fit_the_system(bench: Bench) -> None:
    """The packaged mappings compile, and `weft check` finds no error between them and the live metadata."""
    for subject in bench.system.subjects:
        compiled = bench.compiled_of(subject)
        if not bench.has("weft_describe"):
            continue
        found = list(errors(held_against(compiled, await _described(bench, objects(compiled.mapping)))))
        bench.demand(not found, "\n    ".join(["the mapping does not fit:", *map(str, found)]))


@area.check
async def mappings_answer_the_same(bench: Bench) -> None:
    """weft_mappings answers the same for the same arguments, and an empty list for an entity it does not have."""
    kind, settings = bench.harness.kind, bench.runtime.settings(NAME)
    for entity in {subject.entity for subject in bench.system.subjects}:
        first, second = (
            bench.plugins.call(kind, "weft_mappings", kind=kind, settings=settings, entity=entity) for _ in range(2)
        )
        bench.demand(first == second, f"two calls for {entity} answer differently")
    none = bench.plugins.call(kind, "weft_mappings", kind=kind, settings=settings, entity="no_such_entity")
    bench.demand(none == [], f"an entity the connector does not have gives {none!r}, not an empty list")


@area.check
async def requests_can_be_bounded(bench: Bench) -> None:
    """A session that sends through weft.net.session.HttpSession shows core its ``limiter``, so that the limit of a
    connection holds for all workers together."""
    session = await bench.session()
    http = getattr(session, "http", None)
    if not isinstance(http, HttpSession):
        raise Unsupported("the session shows no HttpSession as `http`")
    shown = getattr(session, "limiter", None)
    bench.demand(shown is http.limiter, "the session has no property `limiter` that returns its HttpSession's")


@area.check
async def companies_are_listed(bench: Bench) -> None:
    """weft_companies answers the companies the credentials can see, key -> display name."""
    if not bench.plugins.connector(bench.harness.kind).companies:
        raise Unsupported("the system has no companies")
    bench.demand(bench.has("weft_companies"), "Connector.companies is true and there is no weft_companies")
    ctx, session = bench.context(), await bench.session()
    seen = await bench.plugins.call(bench.harness.kind, "weft_companies", ctx=ctx, session=session)
    for company in (bench.company, bench.system.other_company):
        bench.demand(company is None or company in seen, f"the company {company!r} is not among {sorted(seen)}")


@area.check
async def base_currencies_are_codes(bench: Bench) -> None:
    """weft_base_currencies answers a code of three capital letters for the company in use, ``""`` without companies."""
    if not bench.has("weft_base_currencies"):
        raise Unsupported("the connector does not tell base currencies")
    ctx, session = bench.context(), await bench.session()
    seen = await bench.plugins.call(bench.harness.kind, "weft_base_currencies", ctx=ctx, session=session)
    bench.demand(bench.company in seen, f"of the company {bench.company!r} nothing is told, only of {sorted(seen)}")
    odd = [code for code in seen.values() if not (len(code) == 3 and code.isalpha() and code.isupper())]
    bench.demand(not odd, f"{odd[:1]} is no code of a currency")


@area.check
async def companies_are_separated(bench: Bench) -> None:
    """A read in one company delivers no record of another."""
    other = bench.system.other_company
    if other is None:
        raise Unsupported("the harness names no other company")
    mine = await bench.person_creates()
    bench.serial += 1
    typed = await bench.typed(bench.serial)
    theirs = await bench.system.create(bench.object, typed, other)
    native = bench.spec(bench.role("text")).native

    def stray(found: dict[str, Record]) -> bool:
        """Two companies may number their records alike, so it is the record that counts, not its key."""
        return theirs in found and found[theirs].data.get(native) == typed.get(native)

    records, cursor = await bench.read("scan")
    bench.demand(mine in records, "a scan leaves out a record of its company")
    bench.demand(not stray(records), f"a scan of {bench.company!r} delivers a record of {other!r}")
    changed, _ = await bench.read("changes", cursor=cursor)
    bench.demand(not stray(changed), f"a changes read of {bench.company!r} delivers a record of {other!r}")
    wrong = [one.company for one in records.values() if one.company not in ("", bench.company)]
    bench.demand(not wrong, f"records of {bench.company!r} say they are of {wrong[:1]}")


async def _described(bench: Bench, names: list[str]) -> dict[str, ObjectSchema]:
    ctx, session = bench.context(), await bench.session()
    found = bench.plugins.call(bench.harness.kind, "weft_describe", ctx=ctx, session=session, objects=names)
    return {schema.name: schema async for schema in found}
