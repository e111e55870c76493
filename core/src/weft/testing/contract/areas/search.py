"""Searching by value: exactly what was asked for, whatever characters it has."""

from __future__ import annotations

from weft.mapping.matching import match_value
from weft.records import Condition, Record
from weft.testing.contract.bench import Bench
from weft.testing.contract.harness import Unsupported
from weft.testing.contract.outcome import Area

area = Area("search")

NASTY = {
    "a single quote": "O'Hara's",
    "double quotes": 'the "Blue" Door',
    "a per cent sign": "50% off",
    "an underscore": "first_second",
    "a backslash": "back\\slash",
    "URL characters": "a&b=c?d#e+f/g;h",
    "brackets": "x[0] {y} (z) <w>",
    "letters with accents": "Žluťoučký kůň Łódź",
    "other scripts": "株式会社 Ωμέγα שלום",
    "an emoji": "rocket 🚀 launch",
    "what looks like a filter": "' or 1 eq 1 or name eq '",
    "a star": "star * and ?",
}
"""Values people really type, and some they should not."""
DECOYS = ("50X off", "firstXsecond", "star anything and x", "OHaras", "backslash")


async def _search(bench: Bench, *groups: tuple[Condition, ...]) -> list[Record]:
    pages = await bench.pages(bench.query("search", search=list(groups)))
    return [record for page in pages for record in page.records]


def _asks(bench: Bench, value: object) -> Condition:
    return Condition(bench.spec(bench.role("text")).native, "eq", value)


async def _holding(bench: Bench, text: str) -> tuple[str, str] | None:
    """A record whose text is this, and what the system made of it; None when it refuses the text."""
    try:
        key = await bench.person_creates({bench.role("text"): text})
    except Unsupported:
        raise
    except Exception:  # a person is refused by the system in any way it likes
        return None
    held = (await bench.fields_of(key)).fields.get(bench.role("text"))
    return (key, held) if isinstance(held, str) else None


@area.check
async def search_is_exact(bench: Bench) -> None:
    """A search for a value finds the records that hold it and no others (letter case and blanks aside), whatever
    characters are in it: quotes, per cent signs, underscores, backslashes, other scripts."""
    for decoy in DECOYS:
        await _holding(bench, decoy)
    refused = []
    for what, value in NASTY.items():
        held = await _holding(bench, value)
        if held is None:
            refused.append(what)
            continue
        key, text = held
        try:
            found = await _search(bench, (_asks(bench, text),))
        except AssertionError:
            raise
        except Exception as error:
            bench.fail(f"a search for {text!r} ({what}) raises {type(error).__name__}: {error}")
        there = key in {record.key for record in found}
        bench.demand(there, f"a search for {text!r} ({what}) does not find its record")
        name = bench.role("text")
        for canonical in await bench.canonical(found):
            other = canonical.fields.get(name)
            bench.demand(
                match_value(name, other) == match_value(name, text),
                f"a search for {text!r} ({what}) also finds {other!r}",
            )
    if len(refused) == len(NASTY):
        raise Unsupported("the system refused every value that was to be searched")


@area.check
async def search_finds_nothing(bench: Bench) -> None:
    """A search that nothing satisfies yields no record and does not raise, also for a very long value."""
    await bench.person_creates()
    for value in ("no record holds this", "x" * 240):
        found = await _search(bench, (_asks(bench, value),))
        bench.demand(not found, f"a search for {value[:40]!r} finds {[record.key for record in found]}")


@area.check
async def search_joins_groups_by_or(bench: Bench) -> None:
    """Several groups are joined by OR, however many; the conditions of one group by AND."""
    texts = [f"record {n} of a group" for n in range(3 * bench.harness.page_size)]
    name = bench.role("text")
    keys = {await bench.person_creates({name: text}) for text in texts}
    await bench.person_creates({name: "none of them"})
    found = {record.key for record in await _search(bench, *[(_asks(bench, text),) for text in texts])}
    bench.demand(keys <= found, f"a search with {len(texts)} groups finds {len(keys & found)} of {len(keys)} records")
    bench.demand(found == keys, "a search with several groups finds a record that satisfies none of them")
    both = await _search(bench, (_asks(bench, texts[0]), _asks(bench, texts[1])))
    bench.demand(not both, "two conditions of one group, which no record satisfies together, find a record")


@area.check
async def search_finds_what_was_just_written(bench: Bench) -> None:
    """A search with fresh=True sees what was written a moment before: core looks a lost create up with it."""
    text = "written a moment ago"
    key = await bench.person_creates({bench.role("text"): text})
    pages = await bench.pages(bench.query("search", search=[(_asks(bench, text),)], fresh=True))
    bench.demand(key in {record.key for page in pages for record in page.records}, "a fresh search misses the record")
