"""Creatio package archives: ``.gz`` for one package, ``.zip`` of such files for several.

A ``.gz`` is gzip over records, without a terminator::

    int32 LE   length of the path in UTF-16 code units
    bytes      the path, UTF-16LE, folders separated by backslashes
    int32 LE   length of the content in bytes
    bytes      the content

(clio's packer, and two archives decoded byte for byte.) In Python, trees are ``{path: content}`` with
forward slashes. Packing is deterministic: paths in order, no time stamp in gzip or zip.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from .errors import ArchiveError

_LENGTH = struct.Struct("<i")
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAX_PATH_UNITS = 4096
MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes an archive may unfold to before it is refused as a decompression bomb."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """One package tree as ``.gz`` bytes. Equal trees give equal bytes."""
    body = bytearray()
    for path in sorted(files):
        checked = _checked_path(path, f"file {path!r}")
        name = checked.replace("/", "\\").encode("utf-16-le")
        body += _LENGTH.pack(len(name) // 2) + name
        body += _LENGTH.pack(len(files[path])) + files[path]
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as stream:
        stream.write(bytes(body))
    return out.getvalue()


def unpack(data: bytes, *, limit: int = MAX_UNPACKED) -> dict[str, bytes]:
    """The tree inside ``.gz`` bytes. Raises :class:`ArchiveError` for anything malformed."""
    body = _gunzip(data, limit)
    files: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        record = f"record {len(files) + 1} at byte {at}"
        units, at = _read_length(body, at, f"{record}: path length")
        if not 0 < units <= _MAX_PATH_UNITS:
            raise ArchiveError(f"{record}: path length {units} is not between 1 and {_MAX_PATH_UNITS}")
        raw, at = _read_bytes(body, at, units * 2, f"{record}: path")
        try:
            path = raw.decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise ArchiveError(f"{record}: path is not UTF-16LE ({error.reason})") from error
        path = _checked_path(path.replace("\\", "/"), record)
        size, at = _read_length(body, at, f"{record} ({path}): content length")
        content, at = _read_bytes(body, at, size, f"{record} ({path}): content")
        if path in files:
            raise ArchiveError(f"{record}: {path} appears twice")
        files[path] = content
    if not files:
        raise ArchiveError("the archive holds no files")
    return files


def pack_zip(packages: Mapping[str, bytes]) -> bytes:
    """Several packages, ``{package name: .gz bytes}``, as one ``.zip``. Deterministic."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(packages):
            entry = zipfile.ZipInfo(f"{name}.gz", date_time=_ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0
            bundle.writestr(entry, packages[name])
    return out.getvalue()


def unpack_all(data: bytes, *, limit: int = MAX_UNPACKED) -> dict[str, dict[str, bytes]]:
    """Every package in ``.gz`` or ``.zip`` bytes: ``{package name: tree}``.

    A lone ``.gz`` does not carry its name outside its descriptor, so its key is ``""``.
    """
    if data[:2] == _GZIP_MAGIC:
        return {"": unpack(data, limit=limit)}
    if data[:4] != _ZIP_MAGIC:
        raise ArchiveError("neither gzip nor zip: a package is a .gz file, several packages are a .zip of them")
    packages: dict[str, dict[str, bytes]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            for entry in bundle.infolist():
                if not entry.filename.endswith(".gz") or "/" in entry.filename:
                    raise ArchiveError(f"zip entry {entry.filename!r} is not a package .gz at the top level")
                if entry.file_size > limit:
                    raise ArchiveError(f"zip entry {entry.filename!r} is larger than {limit} bytes")
                name = entry.filename.removesuffix(".gz")
                try:
                    packages[name] = unpack(bundle.read(entry), limit=limit)
                except ArchiveError as error:
                    raise ArchiveError(f"{entry.filename}: {error}") from error
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"broken zip: {error}") from error
    if not packages:
        raise ArchiveError("the zip holds no packages")
    return packages


def _gunzip(data: bytes, limit: int) -> bytes:
    if data[:2] != _GZIP_MAGIC:
        raise ArchiveError("not gzip: a package archive starts with bytes 1f 8b")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            body = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"broken gzip: {error}") from error
    if len(body) > limit:
        raise ArchiveError(f"the archive unfolds to more than {limit} bytes")
    return body


def _read_length(body: bytes, at: int, what: str) -> tuple[int, int]:
    raw, at = _read_bytes(body, at, _LENGTH.size, what)
    (value,) = _LENGTH.unpack(raw)
    return int(value), at


def _read_bytes(body: bytes, at: int, size: int, what: str) -> tuple[bytes, int]:
    if size < 0:
        raise ArchiveError(f"{what}: negative length {size}")
    if at + size > len(body):
        raise ArchiveError(f"{what}: {size} bytes expected at byte {at}, {len(body) - at} left")
    return body[at : at + size], at + size


def _checked_path(path: str, where: str) -> str:
    """Relative, inside the package; an archive must not write elsewhere when unfolded."""
    parts = path.split("/")
    if not path or "\\" in path or ":" in path or any(part in ("", ".", "..") for part in parts):
        raise ArchiveError(f"{where}: {path!r} is not a path inside a package")
    return path
