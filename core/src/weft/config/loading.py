"""Reading ``weft.yaml``: every mistake at once, each with file, line, column and key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PrivateAttr, ValidationError

from weft import yamlpos
from weft.config.models import Connection, Document, FlowConfig
from weft.errors import ConfigError
from weft.yamlpos import Loaded

if TYPE_CHECKING:
    from weft.plugins import Plugins

DEFAULT = "weft.yaml"


class InvalidConfig(ConfigError):
    """One message per mistake in ``problems``, each ``file:line:column: key.path: what is wrong``."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Config(Document):
    """A loaded configuration: the document, where it came from and where each piece stands in it."""

    _loaded: Loaded = PrivateAttr(default_factory=lambda: Loaded({}, DEFAULT))
    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file, None when the configuration was read from a text."""
        return self._path

    @property
    def folder(self) -> Path:
        """What relative paths in the configuration start from."""
        return (self._path.parent if self._path else Path()).absolute()

    @property
    def loaded(self) -> Loaded:
        """The document with the position of every key."""
        return self._loaded

    def where(self, *path: str | int, value: bool = False) -> str:
        """``weft.yaml:12:5``, where the key (or its value) stands, or the nearest piece around it."""
        return self._loaded.at(path, value=value)

    def connection(self, name: str) -> Connection:
        """A connection by name. An unknown one is a :class:`~weft.errors.ConfigError`."""
        found = self.connections.get(name)
        if found is None:
            raise ConfigError(f"{self._loaded.source}: {unknown('connection', name, self.connections)}")
        return found

    def flow(self, name: str) -> FlowConfig:
        """A flow by name. An unknown one is a :class:`~weft.errors.ConfigError`."""
        found = self.flows.get(name)
        if found is None:
            raise ConfigError(f"{self._loaded.source}: {unknown('flow', name, self.flows)}")
        return found

    def kinds(self) -> set[str]:
        """The connector kinds in use."""
        return {connection.kind for connection in self.connections.values()}


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """``there is no connection 'ero', did you mean 'erp'? There are: crm, erp``."""
    names: Sequence[str] = list(known)
    there = f"there are: {', '.join(names)}" if 0 < len(names) <= 20 else ""
    there = there if names else f"no {what} is declared"
    return f"there is no {what} {name!r}{yamlpos.suggest(name, names)}" + (f"; {there}" if there else "")


def load(path: str | Path = DEFAULT, plugins: Plugins | None = None) -> Config:
    """Read and check a configuration file.

    ``plugins`` are asked for the entities they add. Without them, only when an entity is named that
    neither weft nor the file knows, those of the kinds in use are loaded and asked.

    :raises InvalidConfig: with every mistake found.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file; `weft init` writes one")
    config = _validated(yamlpos.load(path))
    config._path = path
    _check(config, plugins)
    return config


def load_text(text: str, source: str = DEFAULT, plugins: Plugins | None = None) -> Config:
    """Like :func:`load`, from a text; relative paths start from the current folder."""
    config = _validated(yamlpos.load(text, source))
    _check(config, plugins)
    return config


def _validated(loaded: Loaded) -> Config:
    if loaded.data is None:
        raise ConfigError(f"{loaded.source}: is empty; `weft init` writes a configuration to start from")
    if not isinstance(loaded.data, dict):
        raise ConfigError(f"{loaded.at()}: expected keys such as `connections:` and `flows:`")
    try:
        config = Config.model_validate(loaded.data)
    except ValidationError as error:
        raise InvalidConfig(yamlpos.explain(error, loaded, Config)) from None
    config._loaded = loaded
    return config


def _check(config: Config, plugins: Plugins | None) -> None:
    from weft.config.checks import problems
    from weft.model.catalogue import Catalogue

    catalogue = Catalogue.of(plugins, config)
    named = {flow.entity for flow in config.flows.values()}
    named |= {entity for entities in config.mappings.values() for entity in entities}
    if plugins is None and any(name not in catalogue for name in named):
        from weft.plugins import Plugins

        catalogue = Catalogue.of(Plugins.discover(config.kinds()), config)
    found = list(problems(config, catalogue))
    if found:
        raise InvalidConfig(found)
