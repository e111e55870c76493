"""The checks behind ``weft check``, in the order in which one makes the next possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Literal, cast

from weft.cli import live_checks
from weft.cli.context import App
from weft.config.loading import InvalidConfig
from weft.config.secrets import findings as clear_secrets
from weft.config.secrets import reveal
from weft.errors import WeftError
from weft.jobs.hooks import plain_secrets
from weft.mapping import check as mapping_check
from weft.mapping.rules import compile_rule
from weft.records import Concern, ObjectSchema, Side
from weft.server.people import Tokens
from weft.sync.flow import build
from weft.sync.possible import hindrances

if TYPE_CHECKING:
    from weft.config.models import FlowConfig
    from weft.mapping.compile import CompiledMapping
    from weft.runtime import Runtime
    from weft.state.store import State

Level = Literal["error", "warning"]
Area = Literal["configuration", "plugin", "secret", "state", "connection", "company", "flow", "mapping", "rule"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be told. ``where`` is ``file:line:column`` where it is written in a file."""

    level: Level
    area: Area
    message: str
    about: str = ""
    where: str = ""
    suggestion: str = ""
    code: int = 2


@dataclass
class Checked:
    """What came of all checks; ``passed`` says what was found to be in order."""

    passed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def error(self, area: Area, error: Exception, about: str = "", where: str = "") -> None:
        """An exception as one finding a line of a configuration error, one otherwise."""
        code = error.exit_code if isinstance(error, WeftError) else 2
        lines = error.problems if isinstance(error, InvalidConfig) else (str(error),)
        for line in lines:
            told = "" if line.startswith(f"{about}: ") else about  # systems' errors begin with the connection
            self.findings.append(Finding("error", area, line, told, where, code=code or 2))

    def concern(self, concern: Concern, about: str, where: str) -> None:
        self.findings.append(Finding(concern.level, "flow", concern.message, about, where, concern.remedy))

    @property
    def exit_code(self) -> int:
        """0 without errors, 3 where systems that do not answer are the only ones, else 2."""
        codes = {one.code for one in self.findings if one.level == "error"}
        return 0 if not codes else 3 if codes == {3} else 2


async def check(app: App, flows: Sequence[str] = (), *, offline: bool = False) -> Checked:
    """Run the checks; what cannot be checked because something before it failed is left out."""
    out = Checked()
    try:
        config = app.config
    except WeftError as error:
        out.error("configuration", error)
        return out
    names = app.flows(tuple(flows)) or list(config.flows)
    out.passed.append(f"{app.config_path}: {len(config.connections)} connections, {len(config.flows)} flows")
    plugins = app.plugins(config.kinds())
    wanted = dict.fromkeys(name for flow in names for name in config.flows[flow].between)
    if not flows:
        wanted |= dict.fromkeys(config.connections)
    _state(app, out)
    async with app.make_runtime(cast("State", None)) as runtime:  # no check touches the state
        usable = [name for name in wanted if _settings(runtime, name, out)]
        if not offline:
            usable = [name for name in usable if await _connect(runtime, name, out)]
        _other_secrets(runtime, out)
        for name in names:
            if all(connection in usable for connection in config.flows[name].between):
                await _flow(runtime, name, out, offline=offline)
        _references(runtime, names, usable, out)
    for failed in plugins.failed.values():
        if failed.kind not in config.kinds():
            out.findings.append(Finding("warning", "plugin", f"could not be loaded: {failed.reason}", failed.kind))
    out.findings[:] = [
        Finding(f.level, f.area, app.redactor(f.message), f.about, f.where, f.suggestion, f.code)
        for f in dict.fromkeys(out.findings)
    ]
    return out


def _state(app: App, out: Checked) -> None:
    try:
        if not app.has_state():
            out.passed.append("state: there is none yet, the first sync makes it")
            return
        with app.reading() as state:
            out.passed.append(f"state: {state.place}")
    except WeftError as error:
        out.error("state", error)


def _settings(runtime: Runtime, connection: str, out: Checked) -> bool:
    """Plugin, settings and secrets of a connection."""
    try:
        runtime.kind(connection)
    except WeftError as error:
        out.error("plugin", error)
        return False
    try:
        settings = runtime.settings(connection)
    except WeftError as error:
        out.error("secret" if "${" in str(error) else "configuration", error)
        return False
    for found in clear_secrets(runtime.config, connection, settings):
        out.findings.append(Finding(found.severity, "secret", found.message, found.key, found.where))
    return True


def _other_secrets(runtime: Runtime, out: Checked) -> None:
    """Those of webhooks, access tokens, channels and traces: without one of them weft run does not start."""
    config, mask = runtime.config, runtime.redactor
    looks: list[Callable[[], object]] = [partial(plain_secrets, runtime, name) for name in config.webhooks]
    if config.server.enabled:
        looks.append(partial(Tokens.of, config, mask))
    for name, channel in config.alerts.channels.items():
        path: tuple[str | int, ...] = ("alerts", "channels", name, "url")
        looks += [partial(reveal, config, url, (*path, i), redactor=mask) for i, url in enumerate(channel.url)]
    if config.telemetry.traces is not None:
        path = ("telemetry", "traces", "headers")
        headers = config.telemetry.traces.headers.items()
        looks += [partial(reveal, config, value, (*path, name), redactor=mask) for name, value in headers]
    for look in looks:
        try:
            look()
        except WeftError as error:
            out.error("secret", error)


async def _connect(runtime: Runtime, connection: str, out: Checked) -> bool:
    try:
        session = await runtime.session(connection)
        companies: dict[str, str] = {}
        kind = runtime.kind(connection)
        if runtime.plugins.connector(kind).companies and runtime.plugins.has(kind, "weft_companies"):
            context = runtime.context(connection)
            companies = await runtime.plugins.call(kind, "weft_companies", ctx=context, session=session)
    except WeftError as error:
        out.error("connection", error, connection, runtime.config.where("connections", connection))
        return False
    except Exception as error:
        # A defect in a connector is told like anything else: the other connections are still checked.
        runtime.log.debug("opening %s failed", connection, exc_info=True)
        told = RuntimeError(f"{type(error).__name__}: {error}")
        out.error("connection", told, connection, runtime.config.where("connections", connection))
        return False
    seen = f"; companies: {', '.join(sorted(companies.values())[:10])}" if companies else ""
    out.passed.append(f"connection {connection}: opened{seen}")
    return True


async def _flow(runtime: Runtime, name: str, out: Checked, *, offline: bool) -> None:
    """Companies, variants, rules and mappings of one flow."""
    before = len(out.findings)
    _rules(runtime, name, out)
    wrong = len(out.findings) > before  # told by now, and building the flow would tell it again
    config = runtime.config.flows[name]
    for connection in config.between:
        for hindrance in hindrances(runtime, config, connection):
            out.findings.append(Finding("error", "flow", hindrance, name, runtime.config.where("flows", name)))
    if any(one.area == "flow" for one in out.findings[before:]):
        return
    try:
        sides = _mappings(runtime, config) if offline or wrong else await _live(runtime, name)
    except WeftError as error:
        out.error("flow", error, name)
        return
    for connection, compiled in sides.items():
        if not compiled:
            out.findings.append(
                Finding(
                    "error",
                    "flow",
                    f"{runtime.kind(connection)} has no mapping for the entity {config.entity!r}",
                    name,
                    runtime.config.where("flows", name),
                )
            )
    for concern in (*live_checks.undated(config, sides), *_pushes(runtime, config)):
        out.concern(concern, name, runtime.config.where("flows", name))
    if not offline:
        whole = dict(sides)
        async for about, concern in live_checks.concerns(runtime, name, config, sides):
            out.concern(concern, about, runtime.config.where("flows", name))
            if concern.missing:
                whole.pop(about.removeprefix(f"{name}: "), None)
        await _against_metadata(runtime, name, config, whole, out)
    if len(out.findings) == before:
        fields = " and ".join(
            f"{sum(len(c.readable | c.writable) for c in compiled)} fields on {connection}"
            for connection, compiled in sides.items()
        )
        out.passed.append(f"flow {name}: {fields}" + ("" if offline else ", held against live metadata"))


def _mappings(runtime: Runtime, config: FlowConfig) -> dict[str, list[CompiledMapping]]:
    return {name: list(runtime.mappings(name, config.entity).values()) for name in config.between}


async def _live(runtime: Runtime, name: str) -> dict[str, list[CompiledMapping]]:
    flow = await build(runtime, name)
    return {end.connection: list(end.mappings.values()) for end in flow.ends()}


def _rules(runtime: Runtime, name: str, out: Checked) -> None:
    """Conditions of a flow: their spelling, and the names of fields in them."""
    config, entity = runtime.config.flows[name], runtime.catalogue.get(runtime.config.flows[name].entity)
    rules: list[tuple[tuple[str | int, ...], str | None]] = [(("when",), config.when), (("approve",), config.approve)]
    for index, rule in enumerate(config.company.rules if config.company is not None else ()):
        rules.append((("company", index, "when"), rule.when))
    for path, text in rules:
        if text is None:
            continue
        where = runtime.config.where("flows", name, *path, value=True)
        try:
            compile_rule(text, at=where, fields=entity.fields)
        except WeftError as error:
            out.error("rule", error, f"{name}.{'.'.join(map(str, path))}")


def _pushes(runtime: Runtime, config: FlowConfig) -> Iterator[Concern]:
    """A flow that waits for pushes which cannot come."""
    if config.on != "webhook":
        return
    server, plugins = runtime.config.server, runtime.plugins
    told = [name for name in config.between if name in runtime.config.webhooks]
    meanwhile = "the flow finds changes by its schedule alone, every five minutes where it has none"
    if not told:
        either = " or ".join(config.between)
        remedy = f"give {either} a `secret` under `webhooks:`"
        yield Concern("warning", f"on: webhook, but nothing can be pushed: {meanwhile}", remedy)
    elif not server.enabled:
        yield Concern("warning", f"on: webhook, but weft does not listen: {meanwhile}", "set `server.enabled: true`")
    elif server.public_url is None:
        deaf = [name for name in told if plugins.has(runtime.kind(name), "weft_subscribe")]
        if deaf:
            what = f"on: webhook, but {', '.join(deaf)} cannot be told where to push: {meanwhile}"
            yield Concern("warning", what, "set `server.public_url`, the address by which the system reaches weft")


async def _against_metadata(
    runtime: Runtime, name: str, config: FlowConfig, sides: dict[str, list[CompiledMapping]], out: Checked
) -> None:
    described: dict[str, dict[str, ObjectSchema]] = {}
    for connection, mappings in sides.items():
        kind = runtime.kind(connection)
        if not runtime.plugins.has(kind, "weft_describe"):
            out.findings.append(
                Finding(
                    "warning",
                    "mapping",
                    f"the connector {kind} does not describe its objects; the mapping is not checked",
                    name,
                )
            )
            continue
        side: Side = "left" if connection == config.left else "right"
        try:
            company = (await runtime.companies(connection, config, side))[0]
            described[connection] = await _describe(runtime, connection, name, company, mappings)
        except WeftError as error:
            out.error("mapping", error, f"{name}: {connection}")
    for connection, mappings in sides.items():
        if connection not in described:
            continue
        lengths: dict[str, int] = {}
        for other, theirs in sides.items():
            if other != connection and other in described and config.writes_to(connection):
                for compiled in theirs:
                    for field_name, most in mapping_check.longest_texts(compiled, described[other]).items():
                        lengths[field_name] = max(lengths.get(field_name, 0), most)
        for compiled in mappings:
            for found in mapping_check.check(compiled, described[connection], lengths=lengths):
                about = f"{connection}: {found.mapping} {found.field}"
                out.findings.append(
                    Finding(found.level, "mapping", found.message, about, found.where, found.suggestion)
                )


async def _describe(
    runtime: Runtime, connection: str, flow: str, company: str, mappings: Sequence[CompiledMapping]
) -> dict[str, ObjectSchema]:
    objects = list(dict.fromkeys(name for compiled in mappings for name in mapping_check.objects(compiled.mapping)))
    context = runtime.context(connection, flow=flow, company=company)
    session = await runtime.session(connection)
    found: Any = runtime.plugins.call(
        runtime.kind(connection), "weft_describe", ctx=context, session=session, objects=objects
    )
    return {schema.name: schema async for schema in found}


def _references(runtime: Runtime, names: Sequence[str], usable: Sequence[str], out: Checked) -> None:
    """Flows whose records refer to one another in a circle, or to records that no flow keeps."""
    config = runtime.config
    kept = {flow.entity for flow in config.flows.values() if flow.enabled}
    graph: dict[str, set[str]] = {}
    for name in names:
        flow = config.flows[name]
        if not all(connection in usable for connection in flow.between):
            continue
        try:
            wanted = _referred(flow, _mappings(runtime, flow))
        except WeftError:
            continue  # told by the check of the flow itself
        for entity in sorted(wanted - kept):
            out.findings.append(
                Finding(
                    "warning",
                    "flow",
                    f"{flow.entity} refers to {entity}, which no enabled flow keeps in agreement: records "
                    f"that refer to one that is not linked will wait for it",
                    name,
                    config.where("flows", name),
                )
            )
        graph[name] = {other for other in names if other != name and config.flows[other].entity in wanted}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        out.findings.append(
            Finding(
                "warning",
                "flow",
                f"records of these flows refer to one another in a circle: {circle}; references that "
                "cannot be filled at once wait, and are filled when the other record is linked",
            )
        )


def _referred(flow: FlowConfig, sides: dict[str, list[CompiledMapping]]) -> set[str]:
    """Entities that records written by the flow refer to."""
    wanted: set[str] = set()
    for connection, mappings in sides.items():
        if not flow.writes_to(connection):
            continue
        known = {n for other, theirs in sides.items() if other != connection for c in theirs for n in c.readable}
        wanted |= {
            spec.target.name
            for compiled in mappings
            for spec in compiled.fields
            if spec.target is not None
            and spec.target.kind != "reference"
            and (spec.on_create or spec.on_update)
            and spec.canonical in known
        }
    return wanted
