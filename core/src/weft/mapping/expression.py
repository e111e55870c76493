"""The seam to the expression language: JSONata, bounded in time and size.

Everything that evaluates an expression goes through :class:`Expression`; no other module knows the
engine. Which JSONata is allowed is told in :mod:`.subset`, how numbers stay exact in :mod:`.exact`,
why this engine in ``docs/decisions/001-expression-engine.md``. Beyond JSONata's own functions there
are ``$blank(value)`` and, in exact decimals, ``$plus``, ``$minus``, ``$times``,
``$divide(a, b, places)`` and ``$money(a, places)`` (halves away from zero).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jlens

from weft.errors import ConfigError
from weft.mapping.exact import FUNCTIONS, Inexact, enter, leave
from weft.mapping.shortcut import LONGEST, shortcut
from weft.mapping.subset import Refused, check

TIMEOUT = 0.5
"""Seconds one evaluation may take."""
_LIMITS: dict[str, Any] = {
    "timeout": TIMEOUT,
    "max_depth": 200,
    "max_steps": 1_000_000,
    "max_string_length": 1_000_000,
    "max_array_length": 100_000,
    "max_result_size": 1_000_000,
}


REMEMBERED = 500
"""So many results an expression keeps; a result depends on nothing but the input."""
_UNKNOWN = object()
_PLAIN = frozenset([str, type(None)])


class ExpressionError(ConfigError):
    """An expression is wrong, or failed on a value.

    ``at`` is where it is written (``file:line:column``), ``offset`` the character within it where
    the error arose, from 0, None when there is no such place.
    """

    def __init__(self, message: str, source: str, at: str = "", offset: int | None = None) -> None:
        self.source, self.at, self.offset = source, at, offset
        text = f"{at}: " if at else ""
        if offset is not None:
            text += f"at character {offset + 1}, near {_near(source, offset)}: "
        else:
            text += f"in {_near(source, 0)}: "
        super().__init__(text + message)
        self.reason = message


class Expression:
    """A compiled expression. Evaluating is free of side effects and safe from any thread.

    ``lists`` names the inputs that are lists: missing, they are empty lists, not empty text.
    """

    __slots__ = ("_compiled", "_known", "_quick", "_reads", "at", "reads", "source", "texts")

    def __init__(self, source: str, at: str = "", lists: Iterable[str] = ()) -> None:
        self.source, self.at = source, at
        try:
            check(source, FUNCTIONS.keys())
            compiled = jlens.Expression(source)
        except Refused as error:
            raise ExpressionError(str(error), source, at, error.offset) from None
        except jlens.JlensError as error:
            raise ExpressionError(_engine_words(error), source, at, _place(error)) from None
        for name, function in FUNCTIONS.items():
            compiled.register_function(name, function)
        self._compiled = compiled
        reads = compiled.reads().get("input", {})
        self.reads: dict[str, Any] | None = reads if isinstance(reads, dict) else None
        """Fields read, each with what is read of it (True: all); None: the whole input."""
        many = frozenset(lists)
        self._reads = (
            tuple((name, inner, name in many) for name, inner in self.reads.items()) if self.reads is not None else None
        )

        self.texts: tuple[str, ...] | None = None
        """Up to two fields, where a result depends on nothing but their values."""
        plain = self._reads is not None and all(inner is True and not many for _, inner, many in self._reads)
        if plain and len(self._reads or ()) <= 2:
            self.texts = tuple(name for name, _, _ in self._reads or ())
        self._quick = None if self.texts is None else shortcut(source, self.texts)
        self._known: dict[tuple[str | None, ...], Any] = {}

    @classmethod
    def compile(cls, text: str, at: str = "", lists: Iterable[str] = ()) -> Expression:
        """Compile; raises :class:`ExpressionError` that names ``at`` and the offset."""
        return cls(text, at, lists)

    def __repr__(self) -> str:
        return f"Expression({self.source!r}, at={self.at!r})"

    def evaluate(self, value: Mapping[str, Any]) -> Any:
        """The result for a record (a mapping of field names); None when undefined or null.

        Numbers of the result are ``int`` or ``Decimal``. Raises :class:`ExpressionError`.
        """
        key = self._key(value)
        if key is not None:
            if self._quick is not None:
                return self._quick([text or "" for text in key])
            found = self._known.get(key, _UNKNOWN)
            if found is not _UNKNOWN:
                return found
        result = self._evaluate(value)
        if key is not None and not isinstance(result, dict | list):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = result
        return result

    def evaluate_all(self, values: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The result for each of many records; a failure stands in its place.

        Where nothing but a text or two goes in, what comes again is evaluated once.
        """
        if self.texts is None:
            return [self._tried(value) for value in values]
        columns = [[value.get(name) for value in values] for name in self.texts]
        if any(not _PLAIN.issuperset(map(type, column)) for column in columns):
            return [self._tried(value) for value in values]
        if self._quick is not None and all(len(text or "") <= LONGEST for column in columns for text in column):
            quick, texts = self._quick, [[text or "" for text in column] for column in columns]
            return list(map(quick, zip(*texts, strict=True))) if texts else [quick(())] * len(values)
        keys = list(zip(*columns, strict=True)) if columns else [()] * len(values)
        known = {key: self._tried(dict(zip(self.texts, key, strict=True))) for key in set(keys)}
        if any(isinstance(result, dict | list) for result in known.values()):
            return [self._tried(value) for value in values]  # two records must not share one
        return [known[key] for key in keys]

    def _tried(self, value: Mapping[str, Any]) -> Any:
        try:
            return self._evaluate(value)
        except ExpressionError as error:
            return error

    def _key(self, value: Mapping[str, Any]) -> tuple[str | None, ...] | None:
        """The inputs, where they are nothing but a short text or two: codes and words come again and again."""
        if self.texts is None:
            return None
        key = []
        for name in self.texts:
            raw = value[name] if name in value else None  # noqa: SIM401 - a record's view is dearer to get from
            if raw is not None and (raw.__class__ is not str or len(raw) > 40):
                return None
            key.append(raw)
        return tuple(key)

    def _evaluate(self, value: Mapping[str, Any]) -> Any:
        reads = self._reads
        try:
            if reads is None:
                given = enter(value)
            else:
                given = {}
                for name, inner, many in reads:
                    if name in value:
                        given[name] = enter(value[name], inner)
                    else:
                        given[name] = [] if many else enter(None, inner)
            return leave(self._compiled.evaluate(given, **_LIMITS))
        except jlens.JlensError as error:
            raise ExpressionError(_engine_words(error), self.source, self.at, _place(error)) from None
        except (Inexact, TypeError, ValueError, ArithmeticError) as error:
            raise ExpressionError(str(error), self.source, self.at) from None
        except BaseException as error:
            # The engine's own defects arrive as a PanicException, which is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise ExpressionError(f"the engine failed: {error}", self.source, self.at) from None

    def truth(self, value: Mapping[str, Any]) -> bool:
        """The result as a condition: undefined, null, false, 0, '', [] and {} do not hold."""
        result = self.evaluate(value)
        return any(result) if isinstance(result, list) else bool(result)


def _place(error: jlens.JlensError) -> int | None:
    """The engine counts to the end of the token in question."""
    return None if error.position is None else max(error.position - 1, 0)


def _engine_words(error: jlens.JlensError) -> str:
    return f"{error} ({error.code})" if error.code else str(error)


def _near(source: str, offset: int) -> str:
    start = max(0, offset - 12)
    piece = " ".join(source[start : offset + 28].split())
    return f"'{'…' if start else ''}{piece}{'…' if offset + 28 < len(source) else ''}'"
