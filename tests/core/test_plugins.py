"""Finding plugins: one try each, failures listed with the reason, nobody disturbed by another's fault."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoint, requires
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from weft.errors import PluginError
from weft.plugins import REQUIRED, Plugins

GOOD = """
from contextlib import asynccontextmanager
from pydantic import BaseModel
from weft import hookimpl
from weft.hookspecs import Connector

class Settings(BaseModel):
    pass

calls = []

@hookimpl
def weft_connector():
    return Connector(title="Good", settings=Settings)

@hookimpl
def weft_mappings(entity):
    calls.append(entity)
    return []

@hookimpl
@asynccontextmanager
async def weft_open(ctx):
    yield None

@hookimpl
async def weft_read(query):
    yield query

@hookimpl
async def weft_write(items):
    for item in items:
        yield item
"""


def without(hook: str) -> str:
    """GOOD with one hook no longer marked."""
    head, mark, tail = GOOD.partition(f"def {hook}(")
    assert mark
    at = head.rindex("@hookimpl")
    return head[:at] + head[at:].replace("@hookimpl\n", "", 1) + mark + tail


@pytest.fixture
def module() -> Callable[..., ModuleType]:
    def make(code: str = GOOD, name: str = "a_plugin") -> ModuleType:
        made = ModuleType(name)
        exec(textwrap.dedent(code), vars(made))  # noqa: S102
        return made

    return make


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install distributions, each with one module, as the import system and importlib.metadata see them."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(kind: str, code: str, distribution: str = "", version: str = "1.2") -> None:
        distribution = distribution or f"weft-{kind}"
        package = f"installed_{distribution.replace('-', '_')}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "connector.py").write_text(code)
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[weft]\n{kind} = {package}.connector\n")
        for name in (package, f"{package}.connector"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    return make


# -- broken plugins --------------------------------------------------------------------------------

BROKEN = {
    "import": ("import a_driver_nobody_has\n" + GOOD, "ModuleNotFoundError: No module named 'a_driver_nobody_has'"),
    "syntax": ("def weft_connector(:\n", "SyntaxError"),
    "raises": ("raise RuntimeError('licence has run out')\n", "RuntimeError: licence has run out"),
    "unread": (without("weft_read"), "the connector lacks weft_read"),
    "type": (GOOD.replace("return Connector(", "return dict("), "weft_connector returned dict, not Connector"),
    "silent": (GOOD.replace("return Connector(", "Connector("), "weft_connector returned NoneType, not Connector"),
    "argument": (GOOD.replace("def weft_read(query)", "def weft_read(querry)"), "querry"),
    "crashes": (GOOD.replace("return Connector(", "raise OSError('no disk')\n    Connector("), "OSError: no disk"),
    "unknown": (GOOD + "\n@hookimpl\ndef weft_reed(query):\n    pass\n", "unknown hook weft_reed"),
    "exits": ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_listed_with_the_reason(kind: str, install: Any) -> None:
    code, reason = BROKEN[kind]
    install(kind, code)
    install("good", GOOD)
    plugins = Plugins.discover(only=[kind, "good"])
    failed = plugins.failed[kind]
    assert reason in failed.reason
    assert (failed.kind, failed.distribution, failed.version) == (kind, f"weft-{kind}", "1.2")
    assert kind not in plugins.loaded
    assert plugins.connector("good").title == "Good"
    with pytest.raises(PluginError, match=f"'{kind}' \\(weft-{kind} 1.2\\) could not be loaded: .*"):
        plugins.connector(kind)


def test_all_broken_ones_together_do_not_disturb_the_good_one(install: Any) -> None:
    for kind in BROKEN:
        install(kind, BROKEN[kind][0])
    install("good", GOOD)
    plugins = Plugins.discover(only=[*BROKEN, "good"])
    assert set(BROKEN) <= set(plugins.failed)
    assert plugins.loaded["good"].hooks == tuple(sorted(REQUIRED))
    assert plugins.call("good", "weft_mappings", kind="good", settings=None, entity="customer") == []
    assert plugins.loaded["good"].module.calls == ["customer"]


@pytest.mark.parametrize("hook", REQUIRED[1:])
def test_every_needed_hook_is_named(hook: str, module: Any) -> None:
    with pytest.raises(PluginError, match=f"the connector lacks {hook}"):
        Plugins().register("x", module(without(hook)))


def test_several_missing_hooks_are_named_at_once(module: Any) -> None:
    code = GOOD.partition("@hookimpl\n@asynccontextmanager")[0]
    with pytest.raises(PluginError, match="lacks weft_open, weft_read, weft_write"):
        Plugins().register("x", module(code))


def test_a_refused_plugin_leaves_nothing_behind(module: Any) -> None:
    plugins = Plugins()
    with pytest.raises(PluginError):
        plugins.register("x", module(without("weft_write")))
    plugins.register("x", module())
    assert plugins.connector("x").title == "Good"


def test_a_kind_twice_is_refused_naming_the_first(install: Any) -> None:
    install("good", GOOD, "aa-first")
    install("good", GOOD.replace('"Good"', '"Other"'), "zz-second")
    plugins = Plugins.discover(only=["good"])
    distribution = plugins.loaded["good"].distribution
    assert distribution in ("aa-first", "zz-second")
    assert f"the kind 'good' is already provided by {distribution}" in plugins.failed["good"].reason
    assert plugins.failed["good"].distribution in {"aa-first", "zz-second"} - {distribution}
    assert plugins.connector("good").title in ("Good", "Other")  # the first one goes on working


def test_an_unknown_kind_says_what_there_is(module: Any) -> None:
    plugins = Plugins()
    plugins.register("creatio", module())
    with pytest.raises(PluginError, match=r"did you mean 'creatio'\? \(installed: creatio\)$"):
        plugins.connector("cretio")
    with pytest.raises(PluginError, match=r"would be weft-bc \(installed: none\)"):
        Plugins().connector("bc")


def test_only_the_kinds_in_use_are_imported(install: Any) -> None:
    install("good", GOOD)
    install("unused", "raise RuntimeError('imported')")
    plugins = Plugins.discover(only=["good"])
    assert "good" in plugins.loaded
    assert "unused" not in plugins.failed


def test_a_plugin_without_a_connector_is_no_failure(module: Any) -> None:
    plugins = Plugins()
    code = """
    import weft
    @weft.around("read")
    async def watch(call):
        async for page in call():
            yield page
    """
    plugins.register("watcher", module(code))
    assert plugins.loaded["watcher"].connector is None
    assert [w.hook for w in plugins.loaded["watcher"].wrappers] == ["read"]
    with pytest.raises(PluginError, match="no connector of kind 'watcher'"):
        plugins.connector("watcher")


def test_an_entry_point_without_distribution_can_fail_too() -> None:
    plugins = Plugins()
    plugins.load(EntryPoint("ghost", "no_such_module_anywhere.connector", "weft"))
    assert "no_such_module_anywhere" in plugins.failed["ghost"].reason


# -- calls -----------------------------------------------------------------------------------------


async def test_a_call_reaches_one_kind_only(module: Any) -> None:
    plugins = Plugins()
    first, second, late = module(name="first"), module(name="second"), module(name="late")
    plugins.register("first", first)
    plugins.register("second", second)
    plugins.call("first", "weft_mappings", kind="first", settings=None, entity="customer")
    plugins.register("late", late)
    plugins.call("first", "weft_mappings", kind="first", settings=None, entity="product")
    plugins.call("second", "weft_mappings", kind="second", settings=None, entity="vendor")
    assert first.calls == ["customer", "product"]
    assert second.calls == ["vendor"]
    assert late.calls == []
    arguments = {"ctx": None, "session": None, "query": "asked"}
    assert [page async for page in plugins.iterate_around("late", "read", **arguments)] == ["asked"]


def test_a_hook_that_is_not_there_answers_none(module: Any) -> None:
    plugins = Plugins()
    plugins.register("x", module())
    assert not plugins.has("x", "weft_route")
    assert plugins.call("x", "weft_describe", ctx=None, session=None, objects=None) is None


# -- what is imported, and how quickly -------------------------------------------------------------

HEAVY = ("httpx", "aiohttp", "msal", "sqlalchemy", "pydantic", "dbos", "alembic", "jlens", "yaml")
DRIVERS = ("zeep", "pyodbc")


def _python(code: str) -> Any:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["weft", "weft.hookspecs", "weft.plugins", "weft.errors"])
def test_the_package_brings_nothing_heavy(what: str) -> None:
    loaded = _python(f"import {what}, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert what in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_package_imports_quickly() -> None:
    """The best of five: other work on the machine makes single ones slow, none makes them quicker."""
    code = """
    import json, time
    began = time.perf_counter()
    import weft
    print(json.dumps(time.perf_counter() - began))
    """
    assert min(_python(code) for _ in range(5)) < 0.15


def test_connectors_do_not_need_each_others_drivers() -> None:
    """With zeep and pyodbc made impossible to import, no plugin of the web systems misses them."""
    code = f"""
    import json, sys

    class Refuse:
        asked = []
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {DRIVERS!r}:
                self.asked.append(name)
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Refuse())
    from weft.plugins import Plugins
    plugins = Plugins.discover(["creatio", "bc"])
    failed = {{kind: one.reason for kind, one in plugins.failed.items()}}
    print(json.dumps([Refuse.asked, failed]))
    """
    asked, failed = _python(code)
    assert asked == []
    assert [reason for reason in failed.values() if any(driver in reason for driver in DRIVERS)] == []


@pytest.mark.parametrize("distribution", ["weft", "weft-creatio", "weft-bc"])
def test_no_driver_is_required(distribution: str) -> None:
    named = " ".join(requires(distribution) or ()).lower()
    assert [driver for driver in DRIVERS if driver in named] == []
