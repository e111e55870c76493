"""Secrets and their masking: nothing secret reaches a log, an error text or a repr."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
import traceback
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST = 4  # masking shorter values would shred ordinary text without hiding anything


class Secret:
    """A text that prints as `***`; `reveal()` gives the value.

    A pydantic field of this type accepts a string and serialises as `***`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        self._value: str = value._value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled: it would be written in clear")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def take(value: Any) -> Secret:
            if isinstance(value, str | Secret):
                return cls(value)
            raise ValueError("must be a text; put it into quotes, or use ${env:NAME}")

        return core_schema.no_info_plain_validator_function(
            take, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}


_NAMES = (
    r"client_secret|client_assertion|access_token|refresh_token|id_token|password|passwd|userpassword"
    r"|passphrase|apikey|api_key|api-key|x-api-key|bpmcsrf|sig|signature|accesskey|sharedaccesskey|secret"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # header lines, also as they appear in a dict's repr: 'Authorization': 'Bearer …'
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|cookie|set-cookie)(['\"]?\s*[:=]\s*)"
            r"(?:b?'[^']*'|b?\"[^\"]*\"|[^\r\n]+)"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|negotiate|ntlm)(\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1\2{MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    # "name": "value"
    (
        re.compile(rf"(?i)(['\"](?:{_NAMES})['\"]\s*:\s*)(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"),
        rf"\1'{MASK}'",
    ),
    # name=value, in query strings, forms and connection strings
    (re.compile(rf"(?i)\b({_NAMES}|pwd)(=)[^&;\s'\",]+"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@"), rf"\1:{MASK}@"),
)


REMEMBERED = 1000


class Redactor:
    """Masks registered secrets, in every spelling they travel in, and anything that looks like a token."""

    def __init__(self, secrets: Iterable[str | Secret] = ()) -> None:
        self._values: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self._clean: set[str] = set()
        """Short texts found to hold no secret: reasons come again and again."""
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | Secret) -> None:
        """Register a value. Shorter than 4 characters is left alone (it would shred ordinary text)."""
        value = secret.reveal() if isinstance(secret, Secret) else secret
        if len(value) < _SHORTEST or value in self._values:
            return
        encoded = base64.b64encode(value.encode()).decode().rstrip("=")
        self._values |= {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], encoded}
        self._values.add(json.dumps(value, ensure_ascii=False)[1:-1])
        longest_first = sorted(self._values, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(v) for v in longest_first))
        self._clean = set()

    def add_login(self, user: str, password: str | Secret) -> None:
        """Register a password together with its HTTP Basic form."""
        value = password.reveal() if isinstance(password, Secret) else password
        self.add(value)
        self.add(base64.b64encode(f"{user}:{value}".encode()).decode())

    def __call__(self, text: str) -> str:
        clean = self._clean
        if text in clean:
            return text
        masked = text
        if self._known is not None:
            masked = self._known.sub(MASK, masked)
        for pattern, replacement in _PATTERNS:
            masked = pattern.sub(replacement, masked)
        if masked == text and len(text) < 100:
            if len(clean) >= REMEMBERED:
                clean.clear()
            clean.add(text)
        return masked


class RedactingFilter(logging.Filter):
    """Masks secrets in every record that passes. Attach it to handlers, so child loggers are covered too."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self.redactor(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = self.redactor(record.exc_text)
        if record.stack_info:
            record.stack_info = self.redactor(record.stack_info)
        return True
