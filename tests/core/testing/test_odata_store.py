"""Rows, transactions, late commits, hidden rows, cached bytes."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.testing.odata.render import dumps, loads, page
from weft.testing.odata.store import DuplicateKey


def test_rows_are_replaced_not_changed(world) -> None:
    first = world.accounts.insert(world.account(1))
    version = world.accounts.version(world.guid(1))
    second = world.accounts.update(world.guid(1).upper(), {"Name": "New"})
    assert (first["Name"], second["Name"]) == ("Name 1", "New")
    assert world.accounts.version(world.guid(1)) > version
    with pytest.raises(ValueError, match="key cannot change"):
        world.accounts.update(world.guid(1), {"Id": world.guid(2)})
    with pytest.raises(KeyError):
        world.accounts.update(world.guid(9), {})
    assert world.accounts.delete(world.guid(1)) is second
    assert world.accounts.get(world.guid(1)) is None


def test_keys_and_uniques(world) -> None:
    world.accounts.insert(world.account(1, Code="x"))
    with pytest.raises(DuplicateKey):
        world.accounts.insert(world.account(1, Code="y"))
    with pytest.raises(world.code_taken):
        world.accounts.insert(world.account(2, Code="x"))
    world.accounts.insert(world.account(3, Code=""))
    world.accounts.insert(world.account(4, Code=None))
    world.accounts.insert(world.account(5, Code=""))
    with pytest.raises(world.code_taken):
        world.accounts.update(world.guid(3), {"Code": "x"})
    world.accounts.delete(world.guid(1))
    world.accounts.update(world.guid(3), {"Code": "x"})


def test_load_stops_at_the_first_clash_and_stays_consistent(world) -> None:
    with pytest.raises(world.code_taken):
        world.accounts.load([world.account(1, Code="a"), world.account(2, Code="a"), world.account(3)])
    assert [row["Code"] for row in world.accounts.find("Code", "a")] == ["a"]
    world.accounts.delete(world.guid(1))
    assert len(world.accounts) == 0


def test_rollback(world) -> None:
    world.accounts.insert(world.account(1, Code="a"))
    version = world.accounts.version(world.guid(1))
    with pytest.raises(ZeroDivisionError), world.store.transaction():  # noqa: PT012 - the block is the transaction
        world.accounts.update(world.guid(1), {"Code": "b"})
        world.accounts.insert(world.account(2))
        world.accounts.delete(world.guid(1))
        1 / 0  # noqa: B018
    assert [row["Code"] for row in world.accounts] == ["a"]
    assert world.accounts.version(world.guid(1)) == version
    assert world.accounts.find("Code", "b") == []
    assert len(world.accounts.find("Code", "a")) == 1


def test_an_inner_failure_undoes_only_the_inner_part(world) -> None:
    with world.store.transaction():
        world.accounts.insert(world.account(1))
        with pytest.raises(ZeroDivisionError), world.store.transaction():  # noqa: PT012 - as above
            world.accounts.insert(world.account(2))
            1 / 0  # noqa: B018
        world.accounts.insert(world.account(3))
    assert sorted(row["Rank"] for row in world.accounts) == [1, 3]


async def test_a_transaction_held_over_an_await_is_told(world) -> None:
    async def holder(entered: asyncio.Event, leave: asyncio.Event) -> None:
        with world.store.transaction():
            entered.set()
            await leave.wait()

    entered, leave = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(holder(entered, leave))
    await entered.wait()
    with pytest.raises(RuntimeError, match="awaited inside its transaction"), world.store.transaction():
        pass
    leave.set()
    await task
    with world.store.transaction():
        world.accounts.insert(world.account(1))
    assert len(world.accounts) == 1


def test_late_commit_shows_later_with_its_old_stamp(world) -> None:
    world.accounts.insert(world.account(1, Name="old"))
    with world.store.transaction(late=True):
        world.accounts.update(world.guid(1), {"Name": "new", "ModifiedOn": "2024-01-02T00:00:00Z"})
        world.accounts.insert(world.account(2, ModifiedOn="2024-01-02T00:00:00Z"))
    world.accounts.insert(world.account(3, ModifiedOn="2024-01-03T00:00:00Z"))
    assert [row["Name"] for row in world.accounts] == ["old", "Name 3"]
    assert world.store.release() == 1
    assert world.accounts.get(world.guid(1))["Name"] == "new"
    assert world.accounts.get(world.guid(2))["ModifiedOn"] == "2024-01-02T00:00:00Z"
    assert world.store.release() == 0


def test_a_writer_waits_for_a_late_commit_of_its_row(world) -> None:
    world.accounts.insert(world.account(1, Name="old", Rank=1))
    with world.store.transaction(late=True):
        world.accounts.update(world.guid(1), {"Rank": 2})
    world.accounts.update(world.guid(1), {"Name": "new"})
    row = world.accounts.get(world.guid(1))
    assert (row["Name"], row["Rank"]) == ("new", 2)
    with world.store.transaction(late=True):
        world.accounts.insert(world.account(2, Code="taken"))
    with pytest.raises(world.code_taken):
        world.accounts.insert(world.account(3, Code="taken"))
    with world.store.transaction(late=True):
        world.accounts.insert(world.account(4))
    with pytest.raises(DuplicateKey):
        world.accounts.insert(world.account(4))
    assert world.store.late == []


def test_hidden_rows_are_gone_until_revealed(world) -> None:
    world.accounts.load(world.account(number) for number in range(4))
    assert world.store.hide("Account", [world.guid(1).upper(), world.guid(99)]) == 1
    assert world.store.hide("Account", lambda row: row["Rank"] >= 2) == 2
    assert len(world.accounts) == 1
    assert [row["Rank"] for row in world.accounts] == [0]
    assert world.accounts.get(world.guid(1)) is None
    assert world.accounts.find("Rank", 2) == []
    with pytest.raises(DuplicateKey):
        world.accounts.insert(world.account(1))
    world.store.reveal()
    assert len(world.accounts) == 4


def test_find_goes_by_any_index(world) -> None:
    world.accounts.load(world.account(number, CityId=world.guid(number % 3)) for number in range(9))
    for column, value in [("CityId", world.guid(1).upper()), ("Rank", 1), ("Active", False)]:
        expected = {row["Id"] for row in world.accounts if str(row[column]).lower() == str(value).lower()}
        assert {row["Id"] for row in world.accounts.find(column, value)} == expected
        assert expected


def test_bytes_are_kept_until_the_row_changes(world) -> None:
    calls: list[str] = []

    def render(row) -> bytes:
        calls.append(row["Id"])
        return dumps({"Id": row["Id"], "Amount": row["Amount"]})

    amounts = [Decimal("0.00"), Decimal("12345678901234567.89")]
    world.accounts.load(world.account(number, Amount=amount) for number, amount in enumerate(amounts, 1))

    def body() -> bytes:
        return page({"@odata.context": "x"}, world.accounts, world.accounts, "s", render, {"@odata.nextLink": "n"})

    first = body()
    assert body() == first
    assert len(calls) == 2
    assert b'"Amount":0.00}' in first
    assert loads(first)["value"][1]["Amount"] == Decimal("12345678901234567.89")
    assert list(orjson.loads(first)) == ["@odata.context", "value", "@odata.nextLink"]
    world.accounts.touch(world.guid(1))
    body()
    assert calls[2:] == [world.guid(1)]
    assert page({}, [], world.accounts, "s", render) == b'{"value":[]}'


def test_json_in_and_out() -> None:
    assert dumps({"a": [Decimal("1.50"), Decimal("1E+3"), None, "é"]}) == '{"a":[1.50,1000,null,"é"]}'.encode()
    for bad in (b'{"a":NaN}', b'{"a":', b"[" * 100_000):
        with pytest.raises(ValueError):  # noqa: PT011 - several texts
            loads(bad)
    with pytest.raises(TypeError):
        dumps(Decimal("NaN"))


_steps = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "touch"]),
        st.integers(0, 4),
        st.sampled_from(["a", "b", "c", "", None]),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(st.tuples(_steps, st.sampled_from(["commit", "fail", "late", "release"])), max_size=8))
def test_indexes_always_agree_with_the_rows(make_world, blocks) -> None:
    """Whatever is written, undone, held back and released: indexes, uniques and rows tell the same story."""
    world = make_world()
    for steps, end in blocks:
        if end == "release":
            world.store.release(1)
        try:
            with world.store.transaction(late=end == "late"):
                for verb, number, code in steps:
                    _step(world, verb, number, code)
                if end == "fail":
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        _check(world)
    world.store.release()
    _check(world)


def _step(world, verb: str, number: int, code: str | None) -> None:
    key = world.guid(number)
    try:
        if verb == "insert":
            world.accounts.insert(world.account(number, Code=code, CityId=key))
        elif verb == "update":
            world.accounts.update(key, {"Code": code, "CityId": world.guid(len(code or ""))})
        elif verb == "delete":
            world.accounts.delete(key)
        else:
            world.accounts.touch(key)
    except (KeyError, DuplicateKey, world.code_taken):
        pass


def _check(world) -> None:
    rows = list(world.accounts.rows.values())
    for index in world.accounts.sorted:
        assert sorted(index.walk(0, len(index))) == sorted(row["Id"] for row in rows)
        entries = [index.entry(key, world.accounts.rows[key]) for key in index.walk(0, len(index))]
        assert entries == sorted(entries)
    for row in rows:
        assert row in world.accounts.find("CityId", row["CityId"])
        assert world.accounts.version(row["Id"]) > 0
    codes = [row["Code"] for row in rows if row["Code"]]
    assert len(codes) == len(set(codes))
    for code in ("a", "b", "c"):
        if code not in codes and not world.store.late:  # a late row may hold it
            probe = world.guid(99)
            world.accounts.insert(world.account(99, Code=code))
            world.accounts.delete(probe)
