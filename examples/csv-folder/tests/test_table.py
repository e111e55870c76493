"""Files as people and spreadsheets write them."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from weft.errors import ConfigError, EndpointDown
from weft_csvdir.folder import Folder
from weft_csvdir.table import Table, spell, version


@pytest.mark.parametrize(
    "raw",
    [
        b"id,name\n1,Adatum\n",
        b"id,name\r\n1,Adatum\r\n2,\r\n",
        b"\xef\xbb\xbfid,name\n1,Adatum\n",
        'id,name\n1,"a ""b"", c"\n2,"two\nlines"\n3,"lone\rreturn"\n4,Żółć 東京 \U0001f600\n'.encode(),
        b"id,name\n1,=1+1\n2, blanks \n3,007\n4,1.10\n",
        b"id\n1\n",
        b"id,name\n",
    ],
)
def test_a_file_is_written_as_it_was_read(raw: bytes) -> None:
    assert Table.parse("t.csv", raw).bytes() == raw


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (b"", EndpointDown, "t.csv: is empty"),
        (b"\n", EndpointDown, "is empty"),
        (b"id,name\n1,Adatum\n2\n", EndpointDown, "t.csv:3: has 1 cells, the first line names 2 columns"),
        (b'id,name\n1,"cut off', EndpointDown, "cannot be read as CSV"),
        (b"id,name\n1,a\n1,b\n", ConfigError, "t.csv:3: the key '1' is there twice"),
        (b"id,name\n,a\n", ConfigError, "t.csv:2: the column 'id' is empty"),
        (b"id,id\n1,2\n", ConfigError, "the column 'id' is there twice"),
        (b"id,\n1,2\n", ConfigError, "a column has no name"),
        (b"name;id\n1;2\n", ConfigError, "has no column 'id'.*is the delimiter right"),
        (b"id,name\n1,\xff\n", ConfigError, r"is not UTF-8 text \(byte 10\)"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(raw: bytes, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        Table.parse("t.csv", raw, "id")


def test_values_are_spelled_exactly() -> None:
    assert spell(Decimal("1E+3")) == "1000"
    assert spell(Decimal("12345678901234567890.10")) == "12345678901234567890.10"
    assert spell(True) == "true"
    assert spell(None) == ""
    assert spell(date(2024, 2, 29)) == "2024-02-29"
    assert spell(datetime(2024, 2, 29, 12, 0, 0, 5, tzinfo=UTC)) == "2024-02-29T12:00:00.000005Z"


def test_a_new_empty_column_changes_no_version() -> None:
    assert version({"id": "1", "name": "a"}) == version({"name": "a", "id": "1", "fax": ""})
    assert version({"id": "1", "name": "a"}) != version({"id": "1", "name": "b"})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "customers.csv").write_text("id,name\n1,Adatum\n")
    return Folder(tmp_path)


def test_writers_wait_for_one_another(folder: Folder) -> None:
    def add(number: int) -> None:
        def change(table: Table) -> None:
            table.rows[str(number)] = {"id": str(number), "name": f"n{number}"}

        folder.edit("", "customers", "id", change)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folder.load("", "customers").rows) == 21
    assert sorted(path.name for path in folder.root.iterdir()) == [".weft.lock", "customers.csv"]


def test_a_save_by_another_program_in_between_is_kept(folder: Folder) -> None:
    tries: list[int] = []

    def change(table: Table) -> None:
        tries.append(len(table.rows))
        if len(tries) == 1:
            (folder.root / "customers.csv").write_text("id,name\n1,Adatum\n2,Contoso\n")
        table.rows["1"]["name"] = "changed"

    folder.edit("", "customers", "id", change)
    assert tries == [1, 2]
    assert (folder.root / "customers.csv").read_text() == "id,name\n1,changed\n2,Contoso\n"


def test_a_program_that_never_stops_saving_makes_it_wait(folder: Folder) -> None:
    def change(table: Table) -> None:
        path = folder.root / "customers.csv"
        path.write_text(path.read_text() + f"{len(table.rows) + 1},x\n")
        table.rows["1"]["name"] = "changed"

    with pytest.raises(EndpointDown, match="another program keeps saving it"):
        folder.edit("", "customers", "id", change)
    assert "changed" not in (folder.root / "customers.csv").read_text()


def test_a_failed_write_leaves_the_file_alone(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EndpointDown, match="No space left on device"):
        folder.edit("", "customers", "id", lambda table: table.rows["1"].update(name="changed"))
    assert (folder.root / "customers.csv").read_text() == "id,name\n1,Adatum\n"
    assert sorted(path.name for path in folder.root.iterdir()) == [".weft.lock", "customers.csv"]


@pytest.mark.parametrize(("company", "name"), [("..", "customers"), ("", "../customers"), ("a/b", "customers")])
def test_names_do_not_lead_out_of_the_folder(folder: Folder, company: str, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        folder.load(company, name)


def test_sub_folders_are_companies(folder: Folder) -> None:
    assert folder.companies() == {"": folder.root.name}
    (folder.root / "north").mkdir()
    assert folder.companies() == {"": folder.root.name}
    (folder.root / "north" / "customers.csv").write_text("id\n")
    assert folder.companies() == {"north": "north"}
