"""The suite: every check as a test of one class."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from importlib import import_module
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

from weft.errors import PluginError
from weft.plugins import GROUP, Plugins
from weft.testing.contract.areas import documents, faults, hooks, keys, lost, push, reading, search, secrets, values
from weft.testing.contract.areas import writing as writing_checks
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Harness, Unsupported
from weft.testing.contract.logtrap import trapped
from weft.testing.contract.outcome import Broken, Check

AREAS = (
    hooks.area, reading.area, keys.area, search.area, values.area, writing_checks.area, lost.area, documents.area,
    faults.area, secrets.area, push.area,
)  # fmt: skip
LIMIT = 120.0
"""Seconds a check may take: one that hangs is broken."""


def checks() -> dict[str, Check]:
    """Every check, by name."""
    return {check.name: check for area in AREAS for check in area.checks}


def load(harness: Harness) -> Plugins:
    """The plugin under test, and no other.

    :raises Broken: it cannot be registered, or is not installed.
    """
    plugins = Plugins()
    module = harness.module
    try:
        if module is None:
            points = [point for point in entry_points(group=GROUP) if point.name == harness.kind]
            if not points:
                raise PluginError(f"no installed plugin is called {harness.kind!r} in the entry-point group {GROUP!r}")
            module = import_module(points[0].module)
        elif isinstance(module, str):
            module = import_module(module)
        plugins.register(harness.kind, module)
        plugins.connector(harness.kind)
    except PluginError as error:
        where = "weft.hookspecs: only weft_connector, weft_mappings, weft_open, weft_read and weft_write are needed"
        raise Broken(f"{harness.kind}: required_hooks: {error}\n  It is written in: {where}") from None
    return plugins


async def run_check(harness: Harness, name: str) -> None:
    """Run one check against a fresh system.

    :raises Broken: the connector does not keep the contract; the text says what, and where it is written.
    :raises Unsupported: the harness or the system cannot do what the check needs.
    """
    check = checks()[name]
    plugins = load(harness)
    with trapped() as log:
        async with asyncio.timeout(LIMIT), harness.start() as system:
            bench = Bench(check, harness, system, plugins, log)
            try:
                await check.body(bench)
            except (Broken, Unsupported):
                raise
            except Exception as error:
                words = f"{type(error).__name__} came out of the connector or the harness: {error}"
                raise bench.wrong(words) from error
            finally:
                await bench.close()


def connector_contract(harness: Harness, *, skip: Collection[str] = ()) -> type:
    """The whole suite as a test class, for one line in a test file::

        TestContract = connector_contract(MyHarness())

    ``skip`` names checks that are left out; each is then reported as skipped. A check that needs what the
    harness cannot do is skipped with the reason.

    :raises ValueError: ``skip`` names a check that does not exist.
    """
    import pytest

    every = checks()
    unknown = sorted(set(skip) - every.keys())
    if unknown:
        raise ValueError(f"there is no check {unknown[0]!r}; there are: {', '.join(every)}")
    members: dict[str, Any] = {"__doc__": f"The contract of a connector, held against {harness.kind}."}
    for check in every.values():
        test = _test(harness, check)
        if check.name in skip:
            test = pytest.mark.skip(reason="left out by the author of the harness")(test)
        members[f"test_{check.name}"] = test
    members["pytestmark"] = [pytest.mark.weft_contract, pytest.mark.asyncio]
    return type("ConnectorContract", (), members)


def _test(harness: Harness, check: Check) -> Callable[[Any], Awaitable[None]]:
    import pytest

    async def test(self: Any) -> None:
        skipped = failed = ""
        try:
            await run_check(harness, check.name)
        except Unsupported as reason:
            skipped = str(reason)
        except Broken as broken:
            if broken.__cause__ is not None:
                raise  # something unexpected came out: its traceback tells more
            failed = str(broken)
        if skipped:
            pytest.skip(skipped)
        if failed:
            pytest.fail(failed, pytrace=False)

    test.__name__ = f"test_{check.name}"
    test.__doc__ = check.says
    return test


async def run_all(harness: Harness) -> SimpleNamespace:
    """Run every check; answers ``passed`` (names), ``skipped`` and ``broken`` (name -> text). For reports."""
    report = SimpleNamespace(passed=[], skipped={}, broken={})
    for name in checks():
        try:
            await run_check(harness, name)
        except Unsupported as reason:
            report.skipped[name] = str(reason)
        except Broken as broken:
            report.broken[name] = str(broken)
        else:
            report.passed.append(name)
    return report
