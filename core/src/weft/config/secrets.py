"""References to secrets in ``weft.yaml``, and the settings of a connection with them filled in.

``${env:NAME}`` is an environment variable, ``${file:path}`` the content of a file (relative to the
configuration, a final line break dropped), ``${keyring:service/name}`` an entry of the system's
keyring. References may stand inside a longer text; what they give is taken as it is, never searched
again. ``$${`` writes ``${``. They are looked up when a connection is opened, never when the file is
read, so that a missing one stops only what needs it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from weft import yamlpos
from weft.config.loading import InvalidConfig
from weft.net.secrets import Redactor, Secret

if TYPE_CHECKING:
    from weft.config.loading import Config

Settings = TypeVar("Settings", bound=BaseModel)
Steps = tuple[str | int, ...]
_LARGEST = 64 * 1024


class _Unresolved(Exception):
    """Why a reference has no value; never holds one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something ``weft check`` tells about the configuration. ``where`` is ``file:line:column``."""

    severity: Literal["warning", "error"]
    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.message}"


def resolve(config: Config, connection: str, model: type[Settings], *, redactor: Redactor | None = None) -> Settings:
    """The settings of a connection, secrets filled in, validated by the connector's model.

    Every value in a field of type :class:`~weft.net.secrets.Secret` is registered with ``redactor``.

    :raises InvalidConfig: with every missing reference, or else every setting that does not fit.
    """
    at: Steps = ("connections", connection)
    filled, found, wrong = _fill(config, config.connection(connection).settings, at)
    if wrong:
        raise InvalidConfig(wrong)
    try:
        settings = model.model_validate(filled)
    except ValidationError as error:
        mask = Redactor(found)
        lines = yamlpos.explain(error, config.loaded, model, prefix=at)
        raise InvalidConfig(mask(line) for line in lines) from None
    if redactor is not None:
        for _, secret in secrets_in(settings):
            redactor.add(secret)
    return settings


def reveal(config: Config, written: str, path: Steps, *, redactor: Redactor) -> str:
    """A text outside the connections with its references filled in, such as the address of an alert channel.
    All of it is registered with ``redactor``.

    :raises InvalidConfig: a missing reference.
    """
    filled, found, wrong = _fill(config, written, path)
    if wrong:
        raise InvalidConfig(wrong)
    for value in (*found, str(filled)):
        redactor.add(value)
    return str(filled)


def findings(config: Config, connection: str, settings: BaseModel) -> Iterator[Finding]:
    """Secrets of a connection that stand in the file in clear."""
    raw = config.connection(connection).settings
    for path, _ in secrets_in(settings):
        written = _written(raw, path)
        if isinstance(written, str) and written and "${" not in written.replace("$${", ""):
            steps = ("connections", connection, *path)
            yield Finding(
                "warning",
                config.where(*steps),
                ".".join(map(str, steps)),
                "is a secret in clear text; put it into the environment and write ${env:NAME}, or use "
                "${file:path} or ${keyring:service/name}",
            )


def secrets_in(value: Any, path: Steps = ()) -> Iterator[tuple[Steps, Secret]]:
    """Every :class:`~weft.net.secrets.Secret` in settings, with the keys that lead to it."""
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from secrets_in(getattr(value, name), (*path, info.alias or name))
        for name, inner in (value.__pydantic_extra__ or {}).items():
            yield from secrets_in(inner, (*path, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from secrets_in(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from secrets_in(inner, (*path, index))


def state_url(config: Config, *, redactor: Redactor | None = None) -> str:
    """The state database's URL, references filled in, a relative SQLite file made absolute.

    :raises InvalidConfig: a missing reference, or what it gives is no such URL.
    """
    filled, found, wrong = _fill(config, config.state, ("state",))
    if wrong:
        raise InvalidConfig(wrong)
    for value in found if redactor is not None else ():
        redactor.add(value)  # type: ignore[union-attr]
    url = str(filled)
    if not url.startswith(("sqlite://", "postgresql://", "postgresql+")):
        raise InvalidConfig([f"{config.where('state')}: state: {config.state} gives no sqlite:// or postgresql:// URL"])
    prefix, file = "sqlite:///", url.removeprefix("sqlite:///")
    if url.startswith(prefix) and file and not file.startswith((":memory:", "file:")):
        name, mark, options = file.partition("?")
        return f"{prefix}{config.folder / name}{mark}{options}"
    return url


def _written(raw: Any, path: Steps) -> Any:
    for step in path:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None  # a default, or under another name: not written in the file
    return raw


def _fill(config: Config, value: Any, path: Steps) -> tuple[Any, list[str], list[str]]:
    """The value with every reference replaced, what references gave, and what is missing."""
    found: list[str] = []
    wrong: list[str] = []

    def fill(value: Any, path: Steps) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner, (*path, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return _substitute(value, lambda reference: _look_up(reference, config.folder, found))
        except _Unresolved as error:
            wrong.append(f"{config.where(*path, value=True)}: {'.'.join(map(str, path))}: {error}")
            return value

    return fill(value, path), found, wrong


def _substitute(text: str, look_up: Callable[[str], str]) -> str:
    pieces: list[str] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        if text[position:start].endswith("$"):
            pieces.append(text[position : start - 1] + "${")
            position = start + 2
            continue
        end = text.find("}", start)
        inner = text[start + 2 : end if end >= 0 else None]
        if "${" in inner:
            raise _Unresolved(f"{text[start:]}: references cannot be nested")
        if end < 0:
            raise _Unresolved("a reference begins with ${ and is not closed with }; write $${ for a plain ${")
        pieces += [text[position:start], look_up(inner)]
        position = end + 1
    return "".join([*pieces, text[position:]])


def _look_up(reference: str, folder: Path, found: list[str]) -> str:
    scheme, colon, name = reference.partition(":")
    sources = {"env": _env, "file": _file, "keyring": _keyring}
    if scheme not in sources or not colon or not name.strip():
        raise _Unresolved(
            f"${{{reference}}} is no reference; write ${{env:NAME}}, ${{file:path}} or "
            "${keyring:service/name}, or $${ for a plain ${"
        )
    try:
        value = sources[scheme](name.strip(), folder)
    except _Unresolved as error:
        raise _Unresolved(f"${{{reference}}}: {error}") from None
    if not value:
        raise _Unresolved(f"${{{reference}}}: is empty")
    found.append(value)
    return value


def _env(name: str, folder: Path) -> str:
    value = os.environ.get(name)
    if value is None:
        raise _Unresolved(f"the environment variable {name} is not set")
    return value


def _file(name: str, folder: Path) -> str:
    path = folder / Path(name).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise _Unresolved(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > _LARGEST:
        raise _Unresolved(f"{path} is larger than {_LARGEST // 1024} KiB; is it the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unresolved(f"{path} is not UTF-8 text (byte {error.start})") from None
    return text.removesuffix("\n").removesuffix("\r")


def _keyring(name: str, folder: Path) -> str:
    service, slash, user = name.rpartition("/")
    if not slash or not service or not user:
        raise _Unresolved("write service and name with a slash between them")
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise _Unresolved("needs the keyring package: pip install 'weft[keyring]'") from None
    try:
        value: str | None = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise _Unresolved(f"the keyring cannot be read: {type(error).__name__}: {error}") from None
    if value is None:
        raise _Unresolved(f"the keyring has no entry {user!r} of the service {service!r}")
    return value
