"""Finding connectors, one try each, and calling the hooks of one kind.

A plugin that fails to load is listed with the reason and stops only the flows that use it.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy

from weft import hookspecs
from weft.around import Wrapper, wrap, wrappers
from weft.errors import PluginError
from weft.hookspecs import Connector

GROUP = "weft"
REQUIRED = ("weft_connector", "weft_mappings", "weft_open", "weft_read", "weft_write")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin. ``connector`` is None for one that only wraps or adds entities."""

    kind: str
    module: Any
    distribution: str
    version: str
    hooks: tuple[str, ...]
    connector: Connector | None = None
    wrappers: tuple[Wrapper, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedPlugin:
    """A plugin that could not be loaded, and why."""

    kind: str
    distribution: str
    version: str
    reason: str


@dataclass(slots=True)
class Plugins:
    """All plugins of this installation."""

    loaded: dict[str, Plugin] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    """Kinds that are installed, but were not asked for."""
    failed: dict[str, FailedPlugin] = field(default_factory=dict)
    _manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("weft"))
    _callers: dict[tuple[str, str], pluggy.HookCaller] = field(default_factory=dict)

    @classmethod
    def discover(cls, only: Iterable[str] | None = None) -> Plugins:
        """Load every plugin registered in the entry-point group ``weft`` (or just the kinds in ``only``).

        Plugins without a connector are always loaded: they wrap others.
        """
        plugins = cls()
        wanted = None if only is None else set(only)
        points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
        for point in points:
            if wanted is None or point.name in wanted or not _looks_like_connector(point):
                plugins.load(point)
            else:
                plugins.others.append(point.name)
        return plugins

    def __post_init__(self) -> None:
        self._manager.add_hookspecs(hookspecs)

    def load(self, point: EntryPoint) -> None:
        """Import and register one plugin; a failure is noted with its reason."""
        distribution = point.dist.name if point.dist else "?"
        version = point.dist.version if point.dist else "?"
        try:
            self.register(point.name, importlib.import_module(point.module), distribution, version)
        except (Exception, SystemExit) as error:  # whatever a foreign module raises must not stop the others
            reason = f"{type(error).__name__}: {error}"
            self.failed[point.name] = FailedPlugin(point.name, distribution, version, reason)

    def register(self, kind: str, module: Any, distribution: str = "", version: str = "") -> None:
        """Register an imported module as the plugin of ``kind``.

        :raises PluginError: the kind is taken, or a connector lacks a required hook.
        """
        if kind in self.loaded:
            raise PluginError(f"the kind {kind!r} is already provided by {self.loaded[kind].distribution}")
        self._manager.register(module, kind)
        self._callers.clear()  # a cached caller would also call the plugin that came after it
        try:
            hooks = tuple(sorted(caller.name for caller in self._manager.get_hookcallers(module) or ()))
            unknown = sorted(
                name
                for name in vars(module)
                if name.startswith("weft_") and _marked(module, name) and not hasattr(hookspecs, name)
            )
            if unknown:
                raise PluginError(f"unknown hook {unknown[0]}; see weft.hookspecs for the names there are")
            connector: Connector | None = None
            if "weft_connector" in hooks:
                missing = [name for name in REQUIRED if name not in hooks]
                if missing:
                    raise PluginError(f"the connector lacks {', '.join(missing)}")
                connector = self._caller(kind, "weft_connector", module)()
                if not isinstance(connector, Connector):
                    raise PluginError(f"weft_connector returned {type(connector).__name__}, not Connector")
            self.loaded[kind] = Plugin(kind, module, distribution, version, hooks, connector, tuple(wrappers(module)))
        except Exception:
            self._manager.unregister(module)
            self._callers.clear()
            raise

    def _caller(self, kind: str, hook: str, module: Any) -> pluggy.HookCaller:
        found = self._callers.get((kind, hook))
        if found is None:
            others = [other for other in self._manager.get_plugins() if other is not module]
            found = self._manager.subset_hook_caller(hook, remove_plugins=others)
            self._callers[kind, hook] = found
        return found

    def connector(self, kind: str) -> Connector:
        """The connector of a kind.

        :raises PluginError: naming what is installed, what failed and why, and how to install.
        """
        plugin = self.loaded.get(kind)
        if plugin is not None and plugin.connector is not None:
            return plugin.connector
        if kind in self.failed:
            failed = self.failed[kind]
            raise PluginError(
                f"the connector {kind!r} ({failed.distribution} {failed.version}) could not be loaded: {failed.reason}"
            )
        kinds = sorted({*(name for name, known in self.loaded.items() if known.connector), *self.others})
        near = get_close_matches(kind, kinds, 1)
        guess = f"; did you mean {near[0]!r}?" if near else f"; its package would be weft-{kind.replace('_', '-')}"
        raise PluginError(
            f"no connector of kind {kind!r} is installed{guess} (installed: {', '.join(kinds) or 'none'})"
        )

    def has(self, kind: str, hook: str) -> bool:
        """Does the plugin of this kind implement the hook?"""
        return hook in self.loaded[kind].hooks

    def call(self, kind: str, hook: str, /, **arguments: Any) -> Any:
        """Call one hook of one kind; None when the plugin does not implement it.

        Arguments an implementation does not name are left out by pluggy.
        """
        self.connector(kind)
        return self._caller(kind, hook, self.loaded[kind].module)(**arguments)

    def iterate_around(self, kind: str, hook: Literal["read", "write"], **arguments: Any) -> AsyncIterator[Any]:
        """Call ``weft_read`` or ``weft_write`` with every plugin's wrappers around it."""
        call = partial(self.call, kind, f"weft_{hook}")
        result: AsyncIterator[Any] = wrap(call, self._wrapping(kind, hook), arguments)
        return result

    async def await_around(
        self,
        kind: str,
        hook: Literal["map", "route"],
        inner: Callable[..., Awaitable[list[Any]]],
        **arguments: Any,
    ) -> list[Any]:
        """Call ``weft_map`` or ``weft_route`` with wrappers; ``inner`` is core's own, for those it leaves."""
        name = f"weft_{hook}"
        implemented = self.has(kind, name)

        async def innermost(**given: Any) -> list[Any]:
            answer = self.call(kind, name, **given) if implemented else None
            result = None if answer is None else await answer
            return await inner(**given) if result is None else result

        wrapping = self._wrapping(kind, hook)
        result: list[Any] = await wrap(innermost, wrapping, arguments)
        return result

    def wrapped(self, kind: str, hook: str) -> bool:
        """Does any plugin wrap this hook of the kind?"""
        return bool(self._wrapping(kind, hook))

    def _wrapping(self, kind: str, hook: str) -> list[Wrapper]:
        return [
            wrapper
            for plugin in self.loaded.values()
            for wrapper in plugin.wrappers
            if wrapper.hook == hook and wrapper.kind in (None, kind)
        ]


def _looks_like_connector(point: EntryPoint) -> bool:
    return point.module.rpartition(".")[2] == "connector"


def _marked(module: Any, name: str) -> bool:
    return hasattr(getattr(module, name), "weft_impl")
