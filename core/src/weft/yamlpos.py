"""YAML that remembers where everything stands, so that errors can name file, line and column.

Reads YAML 1.2's small set of plain types: ``true``/``false``, ``null``/``~``, whole numbers, numbers
with a fraction (as :class:`~decimal.Decimal`, exact) and text. Nothing else is guessed: ``on``,
``yes``, ``NO``, ``12:30``, ``007`` and ``2024-01-31`` are text. Keys are always text. Repeated keys,
tags and unclear syntax are refused. The file is data only: no tag can construct an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from weft.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Steps = tuple[str | int, ...]
MAX_NODES = 200_000
MAX_DEPTH = 100


class YamlError(ConfigError):
    """The text is not acceptable YAML; the message begins with ``file:line:column``."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document and where its pieces stand. Lines and columns count from 1."""

    data: Any
    source: str
    keys: dict[Steps, tuple[int, int]] = field(default_factory=dict, repr=False)
    """Path -> position of the key (of the item, in a list; of the content, for the empty path)."""
    values: dict[Steps, tuple[int, int]] = field(default_factory=dict, repr=False)
    """Path -> position of the value."""

    def position(self, path: Sequence[str | int] = (), *, value: bool = False) -> tuple[int, int]:
        """Line and column of ``path``, or of the nearest enclosing piece that exists."""
        table = self.values if value else self.keys
        steps = tuple(path)
        for length in range(len(steps), -1, -1):
            found = table.get(steps[:length])
            if found is not None:
                return found
        return (1, 1)

    def at(self, path: Sequence[str | int] = (), *, value: bool = False) -> str:
        """``file:line:column`` of ``path``."""
        line, column = self.position(path, value=value)
        return f"{self.source}:{line}:{column}"


def load(text: str | Path, source: str | None = None) -> Loaded:
    """Read one document from a file (a :class:`~pathlib.Path`) or from text.

    An empty document's ``data`` is None. Raises :class:`YamlError`, also when there are several.
    """
    documents = load_all(text, source)
    if len(documents) > 1:
        second = documents[1]
        raise YamlError(f"{second.at()}: a second document begins here; only one is expected")
    if documents:
        return documents[0]
    return Loaded(None, source or (str(text) if isinstance(text, Path) else "<text>"))


def load_all(text: str | Path, source: str | None = None) -> list[Loaded]:
    """Read every document of a file or text; ``source`` is the name that errors show."""
    if isinstance(text, Path):
        name = source or str(text)
        try:
            content = text.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise YamlError(f"{name}: cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise YamlError(f"{name}: is not UTF-8 text (byte {error.start})") from error
    else:
        name, content = source or "<text>", text.removeprefix("\ufeff")
    try:
        loader = _Loader(content)
        try:
            return list(_documents(loader, name))
        finally:
            loader.dispose()
    except _TooDeepError as error:
        place = _place(error.node)
        raise YamlError(f"{name}:{place[0]}:{place[1]}: nested more than {MAX_DEPTH} levels deep") from None
    except yaml.MarkedYAMLError as error:
        raise YamlError(_syntax(error, name, content)) from error
    except yaml.reader.ReaderError as error:
        raise YamlError(f"{_forbidden(content, name)}: {error.reason}") from error


def _documents(loader: Any, source: str) -> Iterator[Loaded]:
    while loader.check_node():
        builder = _Builder(source)
        root = loader.get_node()
        builder.keys[()] = builder.values[()] = (root.start_mark.line + 1, root.start_mark.column + 1)
        data = builder.build(root, ())
        if data is not None:
            yield Loaded(data, source, builder.keys, builder.values)


def _forbidden(content: str, source: str) -> str:
    """Where the first character stands that YAML does not allow. The reader's own position counts bytes or
    characters, depending on which of its two implementations is there."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(content)
    if found is None:
        return f"{source}: holds a character that YAML does not allow"
    line = content.count("\n", 0, found.start()) + 1
    column = found.start() - content.rfind("\n", 0, found.start())
    return f"{source}:{line}:{column}: the character U+{ord(found.group()):04X} is not allowed in YAML; remove it"


def _syntax(error: yaml.MarkedYAMLError, source: str, content: str) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{source}: {error.problem or error}"
    lines = content.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    message = f"{source}:{mark.line + 1}:{mark.column + 1}: {error.problem or error.context}"
    if "\t" in line[: len(line) - len(line.lstrip())] or line[mark.column : mark.column + 1] == "\t":
        return message + "; indent with blanks, not with tabs"
    if error.context and error.problem:
        message += f" ({error.context})"
    if "mapping values are not allowed" in (error.problem or ""):
        message += "; put text that holds ': ' into quotes"
    elif re.search(r"(?:^|[:,{\[]|- )\s*\{\w+\}\S", line):
        message += "; put text that begins with '{' into quotes"
    return message


class _TooDeepError(Exception):
    """``node`` is the collection that is one level too deep."""

    def __init__(self, node: yaml.Node) -> None:
        super().__init__()
        self.node = node


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Only composes nodes; its resolver knows nothing but the types above, and counts how deep it is: the C composer
    recurses without a limit and would take the process down."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    def descend_resolver(self, parent: Any, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:
            raise _TooDeepError(parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _resolve(tag: str, pattern: str, first: str) -> None:
    compiled = re.compile(rf"^(?:{pattern})$")
    for character in first:
        table = _Loader.yaml_implicit_resolvers.setdefault(character, [])
        table.append((f"tag:yaml.org,2002:{tag}", compiled))


_resolve("null", "~|null|Null|NULL", "~nN")
_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789")
_resolve("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", "-+0123456789")
_resolve("merge", "<<", "<")
_Loader.yaml_implicit_resolvers[""] = [("tag:yaml.org,2002:null", re.compile("^$"))]

_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": lambda text: int(text, 16) if text.startswith("0x") else int(text),
    "tag:yaml.org,2002:float": Decimal,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:merge": str,
}


class _Builder:
    def __init__(self, source: str) -> None:
        self.source = source
        self.keys: dict[Steps, tuple[int, int]] = {}
        self.values: dict[Steps, tuple[int, int]] = {}
        self.count = 0
        self.open: set[int] = set()

    def fail(self, node: yaml.Node, message: str) -> YamlError:
        mark = node.start_mark
        return YamlError(f"{self.source}:{mark.line + 1}:{mark.column + 1}: {message}")

    def build(self, node: yaml.Node, path: Steps) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.fail(node, f"the document has more than {MAX_NODES} pieces")
        if isinstance(node, yaml.ScalarNode):
            convert = _SCALARS.get(node.tag)
            if convert is None:
                raise self.fail(node, f"the tag {_short(node.tag)} is not allowed here")
            try:
                return convert(node.value)
            except (ArithmeticError, ValueError) as error:
                raise self.fail(node, f"{node.value!r} is not a {_short(node.tag).lstrip('!')}") from error
        if id(node) in self.open:
            raise self.fail(node, "an alias refers to a piece that contains it")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
                return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
                return self._mapping(node, path)
        finally:
            self.open.discard(id(node))
        raise self.fail(node, f"the tag {_short(node.tag)} is not allowed here")

    def _item(self, node: yaml.Node, path: Steps) -> Any:
        self.keys[path] = self.values[path] = _place(node)
        return self.build(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Steps) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        places: dict[str, tuple[int, int]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(key, "a key must be a plain text")
            if key.tag == "tag:yaml.org,2002:merge":
                for piece in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(piece, yaml.MappingNode):
                        raise self.fail(piece, "'<<' takes a mapping or a list of mappings")
                    for name, inner in self.build(piece, path).items():
                        merged.setdefault(name, inner)
                continue
            name = str(key.value)
            if name in places:
                line, _ = places[name]
                raise self.fail(key, f"the key {name!r} appears twice, first on line {line}")
            places[name] = _place(key)
            self.keys[(*path, name)] = places[name]
            self.values[(*path, name)] = _place(value)
            result[name] = self.build(value, (*path, name))
        return {**merged, **result} if merged else result


def _place(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


# -- pydantic errors ---------------------------------------------------------------------------------


def explain(
    error: ValidationError,
    loaded: Loaded,
    model: type[BaseModel] | None = None,
    *,
    prefix: Sequence[str | int] = (),
) -> list[str]:
    """One message per finding: ``file:line:column: key.path: what is wrong, what is allowed``.

    ``model`` is the model that was validated; it lets unknown keys be told with the allowed ones
    and the likely intended one. ``prefix`` is where in the document the validated piece stands.
    """
    from weft.modelpaths import allowed_keys

    messages: list[str] = []
    for finding in error.errors(include_url=False, include_input=True):
        steps = _existing(loaded, tuple(prefix), finding["loc"])
        missing = finding["type"] == "missing"
        unknown = finding["type"] == "extra_forbidden"
        shown = [str(step) for step in steps]
        if missing and finding["loc"]:
            shown.append(str(finding["loc"][-1]))
        where = loaded.at(steps, value=not (unknown or missing))
        path = ".".join(shown) or "document"
        if unknown:
            name = str(finding["loc"][-1])
            allowed = allowed_keys(model, finding["loc"][:-1]) if model is not None else []
            text = f"unknown key {name!r}{suggest(name, allowed)}"
            if allowed:
                text += f"; allowed: {', '.join(allowed)}"
        elif missing:
            text = "is missing"
        else:
            text = _message(dict(finding))
        line = f"{where}: {path}: {text}"
        if line not in messages:
            messages.append(line)
    return messages


def suggest(word: str, allowed: Sequence[str]) -> str:
    """``, did you mean 'x'?`` when one of ``allowed`` is close to ``word``, else nothing."""
    close = get_close_matches(word, allowed, n=1, cutoff=0.6)
    if not close:
        folded = {name.casefold().replace("_", ""): name for name in allowed}
        same = folded.get(word.casefold().replace("_", ""))
        close = [same] if same else []
    return f", did you mean {close[0]!r}?" if close else ""


def _existing(loaded: Loaded, prefix: Steps, loc: tuple[str | int, ...]) -> Steps:
    """The part of ``loc`` that is written in the file: pydantic adds names of union members and such."""
    path = prefix
    for step in loc:
        if (*path, step) in loaded.keys:
            path = (*path, step)
    return path


_PLAIN = {
    "dict_type": "write keys and values here, as in `{{name: value}}`",
    "model_type": "write keys and values here, as in `{{name: value}}`",
    "model_attributes_type": "write keys and values here, as in `{{name: value}}`",
    "list_type": "write a list here, as in `[a, b]`",
    "string_type": "write a text here",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "decimal_type": "write a number",
    "decimal_parsing": "write a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
"""pydantic's kinds of mistakes, in words for people who write YAML."""


def _message(finding: dict[str, Any]) -> str:
    if plain := _PLAIN.get(finding["type"]):
        return plain.format_map(finding.get("ctx") or {})
    text = str(finding["msg"])
    for start in ("Value error, ", "Assertion failed, "):
        text = text.removeprefix(start)
    text = text[:1].lower() + text[1:]
    value = finding.get("input")
    if finding["type"] == "literal_error" and isinstance(value, str):
        allowed = re.findall(r"'([^']*)'", str(finding.get("ctx", {}).get("expected", "")))
        return f"{value!r} is not one of {', '.join(allowed)}{suggest(value, allowed)}"
    return text
