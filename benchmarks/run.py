"""Measure weft, each figure beside a floor taken in the same run.

    python -m benchmarks.run [--quick] [--only NAME ...] [--pair NAME ...] [--json FILE] [--rounds N]

The floor is a bare loop over weft's own transport and orjson that sends the requests weft sent, with the same
concurrency, to systems in the same state. ``ratio`` is floor time / weft's time. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

import weft
from benchmarks import memory
from benchmarks.cases import Bench, Result
from benchmarks.loads import Loads
from benchmarks.systems import PAIRS, Pair

CASES = ("read", "first", "unchanged", "changed", "latency")
HEADER = ("", "records", "weft s", "floor s", "ratio", "records/s", "a core", "requests", "at once", "aim")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: does it work?")
    parser.add_argument("--only", action="append", choices=(*CASES, "load", "memory"), help="may be repeated")
    parser.add_argument("--pair", action="append", choices=tuple(PAIRS), help="the two systems; default: each pair")
    parser.add_argument("--records", type=int, help="a side; default 20000, quick 200")
    parser.add_argument("--rounds", type=int, help="default 3, quick 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    given = parser.parse_args(arguments)
    size = given.records or (200 if given.quick else 20_000)
    rounds = given.rounds or (1 if given.quick else 3)
    wanted = given.only or [*CASES, "load", "memory"]
    report: dict[str, Any] = {
        "weft": weft.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "records": size,
        "rounds": rounds,
        "pairs": {},
        "loads": {},
        "memory": {},
    }
    say(f"{size:,} records a side, {rounds} rounds, Python {report['python']}, {report['cores']} cores")
    names = given.pair or list(PAIRS)
    for name in names:
        report["pairs"][name] = measure(PAIRS[name](), size, rounds, wanted)
    if "load" in wanted:
        say("\nLoads into Finance & Operations\n")
        row(HEADER)
        for result in asyncio.run(Loads(size, max(1, size // 4), rounds).measure()):
            report["loads"][result.name] = result.as_dict()
            show(result)
    if "memory" in wanted:
        sizes = (size, 2 * size) if given.quick else (size, 10 * size)
        report["memory"] = {name: [grown(name, one) for one in sizes] for name in names[-1:]}
    if given.json:
        given.json.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))


def measure(pair: Pair, size: int, rounds: int, wanted: Sequence[str]) -> dict[str, Any]:
    """The cases of one pair, by name."""
    cases = [name for name in CASES if name in wanted]
    found: dict[str, Any] = {}
    if cases:
        say(f"\n{pair.title}\n")
        row(HEADER)
    bench = Bench(pair, size, rounds)
    try:
        for name in cases:
            result = asyncio.run(getattr(bench, name)())
            found[name] = result.as_dict()
            show(result)
    finally:
        bench.close()
    return found


def grown(pair_name: str, size: int) -> dict[str, Any]:
    """Peak memory at one size."""
    figures = memory.in_process(pair_name, size)
    say(
        f"\npeak memory, {size:,} records: {figures['start_mb']:.0f} MB at the start, "
        f"{figures['first_load_mb']:.0f} MB after the first load, {figures['sweep_mb']:.0f} MB after a sweep"
    )
    return figures


def show(result: Result) -> None:
    met = {True: " met", False: " missed", None: ""}[result.met]
    row((
        result.name, f"{result.records:,}", f"{result.seconds:.2f}", f"{result.floor_seconds:.2f}",
        f"{result.ratio:.2f}", f"{result.records_per_second:,.0f}", f"{result.records_per_core_second:,.0f}",
        str(result.requests), str(result.concurrency), result.aim + met,
    ))  # fmt: skip
    if result.latency_ms is not None:
        say(f"{'':26}{result.latency_ms:.1f} ms a record, floor {result.floor_latency_ms:.1f} ms")
    if result.differing_answers:
        say(f"{'':26}{result.differing_answers} answers to the floor had another status than those to weft")


def row(cells: tuple[str, ...]) -> None:
    widths = (9, 9, 9, 7, 11, 9, 10, 9)
    middle = "".join(f"{cell:>{width}}" for cell, width in zip(cells[1:-1], widths, strict=True))
    say(f"{cells[0]:<26}{middle}  {cells[-1]}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
