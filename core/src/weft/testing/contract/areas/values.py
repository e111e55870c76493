"""Values: exact, blank, dated, and in every script."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area
from weft.testing.contract.writer import create, item_for, new_item, told, write

area = Area("values")


def amounts(bench: Bench) -> list[Decimal]:
    """Amounts a float, a rounding or a text would spoil, within what the subject says its field keeps."""
    places, digits = bench.subject.places, bench.subject.digits
    largest = Decimal("9999999999999999999999"[:digits]).scaleb(-places)
    odd = Decimal("9007199254740993123456"[:digits]).scaleb(-places)  # 2**53 + 1: no double holds it
    found = [largest, odd, Decimal(0), Decimal(1000)]
    for text in ("0.1", "4.35", "0.123456789012345678", "0.2"):
        found.append(Decimal(text).quantize(Decimal(1).scaleb(-places)))
    if bench.subject.negative:
        found.append(-largest)
    return found


def _same_amount(bench: Bench, sent: Decimal, held: Any, how: str) -> None:
    exact = isinstance(held, Decimal | int) and not isinstance(held, bool)
    bench.demand(
        exact or (held is None and not sent),
        f"the amount {sent} comes back as a {type(held).__name__}: {held!r} ({how})",
    )
    bench.demand(Decimal(held or 0) == sent, f"the amount {sent} comes back as {held} ({how})")


@area.check
async def money_is_read_exactly(bench: Bench) -> None:
    """An amount is a Decimal with the very value the system holds: 16 digits, negative, zero, many decimals."""
    name = bench.role("money")
    for amount in amounts(bench):
        key = await bench.person_creates({name: amount})
        _same_amount(bench, amount, (await bench.fields_of(key)).fields.get(name), "typed by a person")


@area.check
async def money_is_written_exactly(bench: Bench) -> None:
    """An amount is written with the very value it was given, never through a binary float."""
    name = bench.role("money")
    for amount in amounts(bench):
        outcome = await create(bench, await new_item(bench, {name: amount}))
        _same_amount(bench, amount, (await bench.fields_of(str(outcome.key))).fields.get(name), "written by a create")


@area.check
async def blanks_are_empty(bench: Bench) -> None:
    """What the system holds nothing in is EMPTY (None) after mapping: "", a zero GUID, 0001-01-01 and the like are
    never values."""
    subject = bench.subject
    if subject.minimal is None or not subject.blank:
        raise Unsupported("the subject names no minimal record and its blank fields")
    key = await bench.system.create(bench.object, subject.minimal(1), bench.company)
    read = await bench.fields_of(key)
    for name in subject.blank:
        bench.demand(name in read.fields, f"{name} is mapped and was not read")
        bench.demand(read.fields[name] is None, f"{name} was left blank and is read as {read.fields[name]!r}")


@area.check
async def dates_are_days(bench: Bench) -> None:
    """A date is a date: the same day whatever the time zone, at a year's end and on a leap day."""
    name = bench.role("day")
    for day in (date(2024, 2, 29), date(2023, 12, 31), date(2024, 1, 1), date(1999, 7, 4)):
        outcome = await create(bench, await new_item(bench, {name: day}))
        held = (await bench.fields_of(str(outcome.key))).fields.get(name)
        bench.demand(type(held) is date, f"the date {day} comes back as a {type(held).__name__}")
        bench.demand(held == day, f"the date {day} comes back as {held}")


@area.check
async def moments_keep_their_zone(bench: Bench) -> None:
    """A time is a moment in UTC: one written with another offset comes back as the same moment."""
    name = bench.role("moment")
    east = timezone(timedelta(hours=5, minutes=30))
    for moment in (datetime(2024, 3, 31, 1, 30, tzinfo=UTC), datetime(2024, 1, 1, 0, 15, tzinfo=east)):
        outcome = await create(bench, await new_item(bench, {name: moment}))
        held = (await bench.fields_of(str(outcome.key))).fields.get(name)
        if not isinstance(held, datetime):
            bench.fail(f"the time {moment} comes back as a {type(held).__name__}")
        bench.demand(held.tzinfo is not None, "a time comes back without a zone")
        bench.demand(held == moment, f"the time {moment.isoformat()} comes back as {held.isoformat()}")


TEXTS = (
    "Ünïcödé Þór", "株式会社アダタム", "شركة العينة", "🚀🏳️‍🌈 emoji", "combining: e\u0301 \u1e9b\u0323",
    "a\u00a0b\u2028c",
)  # fmt: skip


@area.check
async def text_survives_in_every_script(bench: Bench) -> None:
    """Text comes back as it was written, in every script; composed and decomposed letters may be exchanged."""
    name = bench.role("text")
    for text in TEXTS:
        outcome = await create(bench, await new_item(bench, {name: text}))
        held = (await bench.fields_of(str(outcome.key))).fields.get(name)
        equal = isinstance(held, str) and unicodedata.normalize("NFC", held) == unicodedata.normalize("NFC", text)
        bench.demand(equal, f"the text {text!r} comes back as {held!r}")


@area.check
async def control_characters_do_no_harm(bench: Bench) -> None:
    """Tabs and line breaks in a text, and control characters a person got in, are read and written without an
    exception: kept, dropped, or the record rejected."""
    name = bench.role("text")
    native = bench.spec(name).native
    for text in ("tab\there", "line\nbreak", "\r\n", "bell \x07 rings", "zero \x00 ends"):
        item = await new_item(bench)
        item.data[native] = text
        outcome = (await write(bench, [item]))[item.id]
        if outcome.result == "rejected":
            fault = outcome.error.fault if outcome.error is not None else None
            bench.demand(fault == "record", f"a text with control characters is rejected as the fault of the {fault}")
            continue
        bench.demand(outcome.result == "created", f"a text with control characters is {told(outcome)}")
        held = (await bench.fields_of(str(outcome.key))).fields.get(name)
        bench.demand(_visible(str(held or "")) == _visible(text), f"the text {text!r} comes back as {held!r}")


def _visible(text: str) -> str:
    return "".join(one for one in text if one.isprintable() and one != " ")


@area.check
async def every_field_comes_back(bench: Bench) -> None:
    """A record read back holds every mapped field that was written, none ABSENT, none altered."""
    bench.allowed("creates")
    for subject in bench.system.subjects:
        bench._subject = subject
        bench.serial += 1
        sent = subject.sample(bench.serial)
        outcome = await create(bench, await item_for(bench, "create", sent))
        read = await bench.fields_of(str(outcome.key))
        for name, value in sent.items():
            if name not in bench.compiled.readable:
                continue
            bench.demand(name in read.fields, f"{subject.entity}.{name} was written and is ABSENT when read back")
            held = read.fields[name]
            same = bench.same(name, held, value)
            bench.demand(same, f"{subject.entity}.{name} was {value!r} and comes back as {held!r}")
