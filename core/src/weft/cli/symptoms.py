"""What ``weft doctor`` looks at: each finding says what is so, and when it is not well, what helps."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import text

from weft import __version__
from weft.cli import console
from weft.cli.context import user
from weft.config.secrets import findings as clear_secrets
from weft.desk.status import troubles
from weft.errors import AuthError, ConfigError, EndpointDown, OldSchema, StateDown, WeftError
from weft.meter import Meter, Stats
from weft.state.place import parse

if TYPE_CHECKING:
    from weft.cli.context import App
    from weft.runtime import Runtime
    from weft.state.store import State

Level = Literal["ok", "warning", "error"]

LITTLE = 200 * 1024 * 1024
"""Bytes of free disk below which a state is about to stop."""
ENDS_SOON = timedelta(days=21)
"""So long before a certificate ends somebody must have it renewed."""
SKEWED, WRONG = 30.0, 240.0
"""Seconds between two clocks that are odd, and that break logins (tokens live by them)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` names what was looked at; ``remedy`` is empty where all is well. ``code`` is the exit code that
    an error asks for."""

    check: str
    level: Level
    message: str
    remedy: str = ""
    code: int = 2


class _Sessions(Meter):
    """Keeps how each open session stands."""

    def __init__(self) -> None:
        self.stats: dict[str, Stats] = {}

    def opened(self, connection: str, stats: Stats) -> None:
        self.stats[connection] = stats


async def examine(app: App, *, offline: bool = False) -> AsyncIterator[Finding]:
    """Look at everything; what cannot be looked at because something before it failed is left out."""
    yield _versions()
    try:
        config = app.config
    except WeftError as error:
        remedy = f"correct {app.config_path}" if app.config_path.exists() else "weft init writes one; weft -c names one"
        yield Finding("configuration", "error", str(error), remedy)
        return
    flows = sum(flow.enabled for flow in config.flows.values())
    yield Finding("configuration", "ok", f"{app.config_path}: {len(config.connections)} connections, {flows} flows")
    for one in _plugins(app):
        yield one
    for one in _extras(app):
        yield one
    for one in _files(app):
        yield one
    for one in _state(app):
        yield one
    sessions = _Sessions()
    runtime = app.make_runtime(cast("State", None))  # nothing here touches the state
    runtime.meter = sessions
    async with runtime:
        for name in config.connections:
            async for one in _connection(runtime, sessions, name, offline=offline):
                yield one
    for one in _alerts(app):
        yield one
    for one in _certificate(app):
        yield one
    if not offline:
        async for one in _public(app):
            yield one


def _versions() -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    told = f"weft {__version__}, Python {python}, SQLite {sqlite3.sqlite_version}, {platform.platform(terse=True)}"
    return Finding("versions", "ok", told)


def _plugins(app: App) -> Iterator[Finding]:
    used = app.config.kinds()
    plugins = app.plugins(used)
    for kind in sorted(used):
        found = plugins.loaded.get(kind)
        if found is not None:
            yield Finding("plugins", "ok", f"{kind}: {found.distribution} {found.version}")
            continue
        failed = plugins.failed.get(kind)
        why = f"could not be loaded: {failed.reason}" if failed is not None else "is not installed"
        yield Finding("plugins", "error", f"{kind} {why}", f"pip install weft-{kind.replace('_', '-')}")


def _extras(app: App) -> Iterator[Finding]:
    for extra, level in (("daemon", "warning"), ("otel", "error")):
        if extra == "otel" and app.config.telemetry.traces is None:
            continue
        missing = [name for name in _of_extra(extra) if not _installed(name)]
        if missing:
            told = f"weft run needs packages that are not installed: {', '.join(missing)}"
            yield Finding("packages", cast("Level", level), told, f"pip install 'weft[{extra}]'")


def _of_extra(extra: str) -> list[str]:
    """The distributions that an extra of weft brings."""
    wanted = re.compile(rf"""extra\s*==\s*['"]{extra}['"]""")
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires("weft") or () if wanted.search(line)]


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


# -- files and the state -------------------------------------------------------------------------------


def _files(app: App) -> Iterator[Finding]:
    """Whether others can read what holds secrets or customers' data."""
    config = app.config
    named = [config.folder / Path(name).expanduser() for name in _file_references(config.loaded.data)]
    found = [path for path in dict.fromkeys(named) if path.is_file()]
    for path in found:
        yield from _private("secrets", path)
    if found and all(_mode(path) & 0o077 == 0 for path in found):
        yield Finding("secrets", "ok", f"{len(found)} files of secrets, readable by their owner only")


def _file_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _file_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _file_references(inner)
    elif isinstance(value, str):
        yield from (name.strip() for name in re.findall(r"(?<!\$)\$\{file:([^}]+)\}", value))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) if os.name == "posix" else 0


def _private(check: str, path: Path) -> Iterator[Finding]:
    if _mode(path) & 0o077:
        told = f"{path} can be read by others (mode {_mode(path):04o})"
        yield Finding(check, "warning", told, f"chmod 600 {path}")


def _state(app: App) -> Iterator[Finding]:
    try:
        place = parse(app.state_url)
        there = app.has_state()
    except OldSchema as error:
        yield _before_upgrade(error)
        return
    except WeftError as error:
        down = isinstance(error, StateDown)
        remedy = "see to the database server" if down else "correct state: in the configuration"
        yield Finding("state", "error", str(error), remedy, code=error.exit_code)
        return
    if place.path is not None and (told := _closed(place.path.parent)):
        yield Finding("state", "error", told, "make the folder and give it to the user who runs weft, or change state:")
        if not there:
            return
    if not there:
        yield Finding("state", "ok", f"there is none yet at {place}; the first sync makes it")
        return
    try:
        with app.reading() as state:
            yield from _schema(state)
            yield from _sound(state)
            yield from _chains(state)
            yield from _workers(state)
            if state.path is not None:
                yield from _disk(state.path)
                yield from _private("state", state.path)
    except OldSchema as error:
        yield _before_upgrade(error)
    except WeftError as error:
        remedy = "restore a backup: weft restore FILE --force" if "damaged" in str(error) else "see the message"
        yield Finding("state", "error", str(error), remedy)


def _before_upgrade(error: OldSchema) -> Finding:
    return Finding("state", "warning", str(error), "back it up with the weft that wrote it, stop that one, then start")


def _closed(folder: Path) -> str:
    """Why no state can be kept in a folder; empty where one can."""
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} cannot be written by {user()}; SQLite keeps files beside the state"
    return ""


def _schema(state: State) -> Iterator[Finding]:
    from weft.state.migrate import SCHEMA

    with state.begin(writes=False) as tx:
        links = tx.links.count()
        if state.path is not None:
            yield Finding("state", "ok", f"{state.place}: schema {SCHEMA}, {links:,} links")
            return
        server = tx.connection.execute(text("SHOW server_version")).scalar_one()
        size = tx.connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        now = tx.connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    yield Finding(
        "state", "ok", f"{state.place}: PostgreSQL {server}, schema {SCHEMA}, {links:,} links, {_bytes(size)}"
    )
    yield from _clock("clock", "the database server", (now - datetime.now(UTC)).total_seconds())


def _sound(state: State) -> Iterator[Finding]:
    """SQLite's own check of its pages; PostgreSQL looks after its own."""
    if state.path is None:
        return
    with state.begin(writes=False) as tx:
        found = list(tx.connection.execute(text("PRAGMA quick_check(5)")).scalars())
    if found == ["ok"]:
        yield Finding("integrity", "ok", "the file is sound")
    else:
        remedy = "stop weft, then restore a backup: weft restore FILE --force"
        yield Finding("integrity", "error", f"the file is damaged: {'; '.join(map(str, found))}", remedy)


def _chains(state: State) -> Iterator[Finding]:
    """The journals of the last runs; weft journal verify walks all."""
    with state.begin(writes=False) as tx:
        checks = [tx.journal.verify_chain(run.id) for run in tx.runs.page(limit=50) if run.state != "running"]
    broken = [check for check in checks if not check.ok]
    for check in broken:
        remedy = "find out who changed it; compare with a backup: weft journal verify"
        told = f"the journal of run {check.run_id} is broken at entry {check.bad_seq}: {check.problem}"
        yield Finding("journal", "error", told, remedy, code=1)
    if checks and not broken:
        yield Finding("journal", "ok", f"the last {len(checks)} runs are whole")


def _workers(state: State) -> Iterator[Finding]:
    with state.begin(writes=False) as tx:
        alive, overdue = tx.workers.alive(), tx.workers.overdue()
    if alive:
        shown = ", ".join(f"{worker.host}:{worker.pid}" for worker in alive)
        yield Finding("workers", "ok", f"{len(alive)} at work: {shown}")
    for name, problem in troubles(alive).items():
        yield Finding("webhooks", "warning", f"{name} {problem}", "weft check tells what is missing for it")
    if overdue and not state.place.sqlite:  # there whoever starts next goes on by itself
        told = f"{len(overdue)} died and nobody has taken their work over: {', '.join(overdue)}"
        yield Finding("workers", "warning", told, "start weft run; it takes over by itself")


def _disk(path: Path) -> Iterator[Finding]:
    free, size = shutil.disk_usage(path.parent).free, path.stat().st_size
    log = path.with_name(path.name + "-wal")
    behind = log.stat().st_size if log.exists() else 0
    told = f"{_bytes(size)} of state, {_bytes(free)} free on its disk"
    if free < max(LITTLE, behind):
        yield Finding("disk", "error", told, "make room; weft prune --compact gives some back when retention: is set")
    elif free < size:
        yield Finding(
            "disk", "warning", told, "a restore or weft prune --compact needs as much room as the state takes"
        )
    else:
        yield Finding("disk", "ok", told)


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


# -- the systems -----------------------------------------------------------------------------------------


async def _connection(runtime: Runtime, sessions: _Sessions, name: str, *, offline: bool) -> AsyncIterator[Finding]:
    try:
        settings = runtime.settings(name)
    except WeftError as error:
        told = str(error)
        missing = "set the secret it names, or correct the reference" if "${" in told else "correct the configuration"
        yield Finding("secrets", "error", told, missing)
        return
    for found in clear_secrets(runtime.config, name, settings):
        yield Finding("secrets", "warning", str(found), "write ${env:…}, ${file:…} or ${keyring:…} instead")
    if offline:
        return
    try:
        await runtime.session(name)
    except WeftError as error:
        yield Finding("connection", "error", str(error), _remedy(error), code=error.exit_code)
        return
    except Exception as error:  # a defect in a connector; the others are still looked at
        told = f"{name}: {type(error).__name__}: {error}"
        yield Finding("connection", "error", told, "report it to the connector's authors; --debug shows where", code=1)
        return
    yield Finding("connection", "ok", f"{name}: signed in")
    if name not in sessions.stats:
        return
    stats = sessions.stats[name]()
    if stats.skew is not None:
        for one in _clock("clock", name, stats.skew):
            yield one
    if stats.auth.get("certificate_ends_soon"):
        told = f"{name}: the certificate of weft's login ends {stats.auth.get('certificate_ends')}"
        yield Finding("connection", "warning", told, "make a new one and upload it to the app registration before then")


def _remedy(error: WeftError) -> str:
    if isinstance(error, AuthError):
        return "check user or client, secret and tenant; the system's own words say which"
    if isinstance(error, EndpointDown):
        return "check the address, the network, a proxy or firewall between, and whether the system is in maintenance"
    if isinstance(error, ConfigError):
        return "correct the connection's settings"
    return "weft check tells more"


def _clock(check: str, whose: str, skew: float) -> Iterator[Finding]:
    if abs(skew) < SKEWED:
        yield Finding(check, "ok", f"{whose}: agrees with ours")
        return
    told = f"{whose}: {console.span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} ours"
    level: Level = "error" if abs(skew) > WRONG else "warning"
    yield Finding(check, level, told, "set this machine's clock by NTP (timedatectl set-ntp true), else ask theirs to")


# -- telling and being told ------------------------------------------------------------------------------


def _alerts(app: App) -> Iterator[Finding]:
    config = app.config
    if not config.alerts.channels:
        yield Finding("alerts", "warning", "nobody is told when something needs a person",
                      "declare a channel under alerts:, then weft alerts test")  # fmt: skip
        return
    try:
        from weft.alerts.channels import Channels

        Channels(config, app.redactor)
    except ModuleNotFoundError:
        return  # told with the packages
    except WeftError as error:
        yield Finding("alerts", "error", str(error), "correct the channel's url, then weft alerts test")
        return
    yield Finding("alerts", "ok", f"{len(config.alerts.channels)} channels: {', '.join(config.alerts.channels)}")


def _certificate(app: App) -> Iterator[Finding]:
    """Of the server's own HTTPS: readable, not about to end, its key nobody else's."""
    tls = app.config.server.tls
    if tls is None:
        return
    from cryptography import x509

    certificate, key = (app.config.folder / Path(name).expanduser() for name in (tls.certificate, tls.key))
    renew = "get a new one, then restart weft run"
    try:
        ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "it holds no certificate in PEM"
        yield Finding("server", "error", f"server.tls.certificate: {certificate}: {words}", "correct server.tls")
        return
    left = ends - app.now()
    level: Level = "error" if left <= timedelta() else "warning" if left < ENDS_SOON else "ok"
    yield Finding("server", level, f"the certificate {certificate} ends {console.when(ends)}", renew)
    if key.exists():
        yield from _private("server", key)


async def _public(app: App) -> AsyncIterator[Finding]:
    """Whether the address by which others reach us leads to a weft."""
    url = app.config.server.public_url
    if url is None:
        return
    import httpx

    live = f"{url}/health/live"
    remedy = "check DNS, certificate and the proxy's forwarding to server.listen, and that weft run is up"
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=True) as client:
            answer = await client.get(live)
    except httpx.HTTPError as error:
        yield Finding("webhooks", "error", f"{live} cannot be reached: {error or type(error).__name__}", remedy, code=3)
        return
    if answer.status_code == 200 and '"alive"' in answer.text:
        yield Finding("webhooks", "ok", f"{url} leads to weft")
    else:
        told = f"{live} answered {answer.status_code}, which is not weft"
        yield Finding("webhooks", "error", told, remedy, code=3)
