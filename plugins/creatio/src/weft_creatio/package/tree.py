"""Files of a package tree: JSON and text as Creatio writes them (UTF-8 with byte order mark)."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any

from .errors import PackageError

_DATE = re.compile(r"/Date\((-?\d+(?:[+-]\d{4})?)\)/")


def write_text(text: str) -> bytes:
    """Text as a package file: byte order mark, then UTF-8."""
    return codecs.BOM_UTF8 + text.encode("utf-8")


def write_json(value: object) -> bytes:
    """JSON as a package file. Dates are written ``\\/Date(ms)\\/``: the slash escaped, as Creatio does."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return write_text(_DATE.sub(r"\\/Date(\1)\\/", text))


def package_date(milliseconds: int) -> str:
    """A date value, UTC milliseconds since 1970; :func:`write_json` escapes its slashes."""
    return f"/Date({milliseconds})/"


def read_text(files: Mapping[str, bytes], path: str) -> str:
    """The text of *path*, with or without a byte order mark."""
    if path not in files:
        raise PackageError(f"the package has no {path}")
    try:
        return files[path].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PackageError(f"{path}: not UTF-8 (byte {error.start})") from error


def read_json(files: Mapping[str, bytes], path: str) -> dict[str, Any]:
    """The JSON object in *path*."""
    try:
        value = json.loads(read_text(files, path))
    except json.JSONDecodeError as error:
        raise PackageError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    if not isinstance(value, dict):
        raise PackageError(f"{path}: a JSON object was expected")
    return value
