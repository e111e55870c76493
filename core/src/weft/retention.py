"""Forgetting what is old: whole journals of runs, idle runs, settled writes, closed issues."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from weft.errors import ConfigError, StateError, WeftError
from weft.state.journal import ChainCheck, chain
from weft.state.statistics import Width
from weft.state.types import time_text

if TYPE_CHECKING:
    from weft.config.loading import Config
    from weft.runtime import Runtime
    from weft.state.runs import Run
    from weft.state.store import State
    from weft.state.tx import Tx

BATCH = 5000
"""Rows that go in one transaction, so that nobody waits long for a turn to write."""
EVERY = timedelta(days=1)
SOON = timedelta(minutes=10)
"""After a start, when the first round comes."""
WORKERS = timedelta(weeks=4)
"""How long workers that ended are remembered."""
STATISTICS: dict[Width, timedelta] = {300: timedelta(weeks=2), 3600: timedelta(weeks=60)}
"""How long sums over short and long stretches are kept: well beyond what the dashboard draws of them."""


@dataclass(slots=True)
class Forgotten:
    """What was forgotten. ``kept`` names runs whose journal is broken: it stays as evidence."""

    journals: int = 0
    entries: int = 0
    runs: int = 0
    intents: int = 0
    issues: int = 0
    exported: list[Path] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


async def prune(state: State, config: Config, now: datetime) -> Forgotten:
    """Forget what ``retention:`` says. May run beside anything; may be cut off at any time.

    :raises StateError: the state or the folder of exports cannot be written.
    """
    settings, out = config.retention, Forgotten()
    if settings.journal is not None:
        await _journals(state, config, now, now - settings.journal, out)
    if settings.runs is not None:
        before = now - settings.runs
        out.runs = await _until_none(state, lambda tx: tx.runs.prune_idle(before, BATCH))
    if settings.intents is not None:
        settled = now - settings.intents
        out.intents = await _until_none(state, lambda tx: tx.intents.prune(settled, BATCH))
    if settings.issues is not None:
        closed = now - settings.issues
        out.issues = await _until_none(state, lambda tx: tx.issues.prune(closed, BATCH))
    window = max((flow.guards.window for flow in config.flows.values()), default=timedelta())

    def rest(tx: Tx) -> None:
        tx.guards.prune(now - window - EVERY)
        tx.workers.prune(now - WORKERS)
        tx.sessions.prune(now)
        for width, kept in STATISTICS.items():
            tx.statistics.prune(now - kept, width)

    await state.write(rest)
    return out


async def _until_none(state: State, forget: Callable[[Tx], int]) -> int:
    total = 0
    while count := await state.write(forget):
        total += count
    return total


async def _journals(state: State, config: Config, now: datetime, before: datetime, out: Forgotten) -> None:
    folder = None if config.retention.export is None else config.folder / config.retention.export
    broken: set[str] = set()
    while True:
        found = await state.read(lambda tx: tx.runs.prunable(before, len(broken) + 100))
        runs = [run for run in found if run.id not in broken]
        if not runs:
            break
        for run in runs:
            given_up = await state.read(lambda tx, run=run: _export(tx, run, folder))  # type: ignore[misc]
            if given_up is None:
                broken.add(run.id)
                continue
            out.exported += [given_up] if folder is not None else []
            await state.write(lambda tx, run=run: tx.runs.mark_pruned([run.id], now))  # type: ignore[misc]
            out.journals += 1
    out.kept = sorted(broken)
    # Also what an earlier round had marked and did not come to delete.
    out.entries = await _until_none(state, lambda tx: tx.journal.prune(BATCH))


def _export(tx: Tx, run: Run, folder: Path | None) -> Path | None:
    """Verify a run's chain and write it to its file; None: it is broken."""
    if not tx.journal.verify_chain(run.id).ok:
        return None
    if folder is None:
        return Path()
    path = folder / f"{run.started_at:%Y-%m}" / f"{run.started_at:%Y%m%dT%H%M%SZ}-{run.flow}-{run.id}.jsonl"
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(_line({"weft": "journal of a run", "run": run.id, "flow": run.flow, "mode": run.mode,
                              "state": run.state, "started": time_text(run.started_at), "counts": run.counts,
                              "rows": run.journal_rows, "tip": run.journal_tip}))  # fmt: skip
            for row in tx.journal.rows_of(run.id):
                file.write(_line({**row, "at": time_text(row["at"])}))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise StateError(
            f"the journal cannot be exported to {path}: {error.strerror}; nothing was forgotten"
        ) from error
    return path


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, default=str) + b"\n"


def verify_file(path: Path) -> ChainCheck:
    """Walk the chain of an exported journal.

    :raises ConfigError: it is no such file.
    """
    try:
        with path.open("rb") as file:
            head = orjson.loads(file.readline())
            if head["weft"] != "journal of a run":
                raise ValueError
            rows = (_row(line) for line in file)
            return chain(head["run"], rows, head["rows"], head["tip"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} is no journal that was exported before it was forgotten, or it is damaged") from None


def _row(line: bytes) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(line)
    return {**row, "at": datetime.fromisoformat(row["at"])}


@asynccontextmanager
async def forgetting(runtime: Runtime, *, first: timedelta = SOON, every: timedelta = EVERY) -> AsyncIterator[None]:
    """Forget once a day until the context ends; of several workers one at a time."""
    task = asyncio.create_task(_keep(runtime, first, every), name="retention")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(runtime: Runtime, first: timedelta, every: timedelta) -> None:
    log = runtime.log.getChild("retention")
    await asyncio.sleep(first.total_seconds())
    while True:
        try:
            lock = await runtime.state.try_lock("retention")
            if lock is not None:
                try:
                    told(log.info, await prune(runtime.state, runtime.config, runtime.clock.now()))
                finally:
                    lock.release()
        except WeftError as error:  # tried again tomorrow; nothing is lost by keeping it longer
            log.warning("nothing is forgotten: %s", runtime.redactor(str(error)))
        except Exception as error:  # a defect here must not end the daemon
            log.error("forgetting failed", exc_info=error)
        await asyncio.sleep(every.total_seconds())


def told(say: Callable[[str], object], out: Forgotten) -> None:
    """Say what was forgotten, in a line each."""
    say(f"forgot {out.journals} journals ({out.entries} entries), {out.runs} runs in which nothing was done, "
        f"{out.intents} settled writes, {out.issues} closed issues")  # fmt: skip
    if out.exported:
        say(f"exported {len(out.exported)} journals, the last to {out.exported[-1]}")
    if out.kept:
        say(f"kept {len(out.kept)} journals that are broken, see weft journal verify: {', '.join(out.kept[:5])}")
