from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from weft_creatio.package.archive import pack, pack_zip, unpack, unpack_all
from weft_creatio.package.errors import ArchiveError

TREE = {"descriptor.json": b"\xef\xbb\xbf{}", "Schemas/Aß/x.cs": b"", "Data/b.json": bytes(range(256)) * 40}


def test_bytes_of_a_tiny_archive_written_out_by_hand() -> None:
    body = (
        b"\x03\x00\x00\x00" + b"a\x00\\\x00b\x00" + b"\x02\x00\x00\x00" + b"hi"
        b"\x01\x00\x00\x00" + b"z\x00" + b"\x00\x00\x00\x00"
    )
    data = pack({"z": b"", "a/b": b"hi"})
    assert gzip.decompress(data) == body
    assert data[:2] == b"\x1f\x8b"
    assert data[3] == 0, "no file name in the gzip header"
    assert data[4:8] == b"\0\0\0\0", "no time stamp in the gzip header"
    assert unpack(gzip.compress(body, mtime=0)) == {"a/b": b"hi", "z": b""}


def test_round_trip_and_same_bytes_whatever_the_order() -> None:
    assert unpack(pack(TREE)) == TREE
    assert pack(TREE) == pack(dict(reversed(TREE.items())))


def test_several_packages_in_a_zip() -> None:
    data = pack_zip({"UsrB": pack({"b": b"2"}), "UsrA": pack({"a": b"1"})})
    assert unpack_all(data) == {"UsrA": {"a": b"1"}, "UsrB": {"b": b"2"}}
    assert data == pack_zip({"UsrA": pack({"a": b"1"}), "UsrB": pack({"b": b"2"})})
    assert unpack_all(pack({"a": b"1"})) == {"": {"a": b"1"}}


def _gz(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello", "not gzip"),
        (b"\x1f\x8bnonsense", "broken gzip"),
        (pack(TREE)[:-20], "broken gzip"),
        (_gz(b""), "no files"),
        (_gz(b"\x01\x00"), "record 1 at byte 0: path length: 4 bytes expected at byte 0, 2 left"),
        (_gz(b"\x00\x00\x00\x00"), "path length 0"),
        (_gz(b"\xff\xff\xff\xff"), "path length -1"),
        (_gz(b"\x05\x00\x00\x00a\x00"), "path: 10 bytes expected at byte 4, 2 left"),
        (_gz(b"\x01\x00\x00\x00\x00\xd8\x00\x00\x00\x00"), "not UTF-16LE"),
        (
            _gz(b"\x01\x00\x00\x00a\x00\x09\x00\x00\x00x"),
            r"\(a\): content: 9 bytes expected at byte 10, 1 left",
        ),
        (_gz(b"\x01\x00\x00\x00a\x00\xff\xff\xff\xff"), "negative length -1"),
        (_gz(b"\x01\x00\x00\x00a\x00\x00\x00\x00\x00" * 2), "a appears twice"),
        (
            _gz(b"\x05\x00\x00\x00" + "..\\\\a".encode("utf-16-le") + b"\0\0\0\0"),
            "not a path inside a package",
        ),
        (_gz(b"\x04\x00\x00\x00" + "..\\a".encode("utf-16-le") + b"\0\0\0\0"), "not a path inside a package"),
        (_gz(b"\x04\x00\x00\x00" + "C:\\a".encode("utf-16-le") + b"\0\0\0\0"), "not a path inside a package"),
    ],
)
def test_malformed_archives_say_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        unpack(data)


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        unpack(pack({"a": b"0" * 5000}), limit=1000)


def test_packing_refuses_paths_that_leave_the_package() -> None:
    with pytest.raises(ArchiveError, match="not a path inside a package"):
        pack({"../a": b""})


def test_zip_of_something_else() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("readme.txt", "x")
    with pytest.raises(ArchiveError, match=r"'readme.txt' is not a package"):
        unpack_all(out.getvalue())
    with pytest.raises(ArchiveError, match=r"UsrA.gz: not gzip"):
        unpack_all(pack_zip({"UsrA": b"zzz"}))
    with pytest.raises(ArchiveError, match="neither gzip nor zip"):
        unpack_all(b"%PDF")
    with pytest.raises(ArchiveError, match="broken zip"):
        unpack_all(b"PK\x03\x04rest")
