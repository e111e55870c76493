"""Peak memory of one process that makes a first load and then a sweep; run by ``benchmarks.run``, one a size.

    python -m benchmarks.memory PAIR RECORDS

Prints JSON: resident megabytes before, after the first load, after the sweep (peaks so far).
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from benchmarks.cases import expect
from benchmarks.systems import PAIRS, weft
from weft.sync.cycle import run_flow


def peak() -> float:
    """Megabytes; Linux counts in kilobytes, macOS in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(used) / (1024 * 1024 if sys.platform == "darwin" else 1024)


async def measure(pair_name: str, size: int) -> dict[str, Any]:
    pair = PAIRS[pair_name]()
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder, pair.serve(size, 0) as served:
        async with weft(pair, served, Path(folder) / "weft.db") as runtime:
            start = peak()
            expect(await run_flow(runtime, "customers"), created=size)
            first = peak()
            expect(await run_flow(runtime, "customers", sweep=True), unchanged=2 * size)
    return {"records": size, "start_mb": start, "first_load_mb": first, "sweep_mb": peak()}


def in_process(pair_name: str, size: int) -> dict[str, Any]:
    """As :func:`measure`, in a fresh process: a peak never comes down again."""
    command = [sys.executable, "-m", "benchmarks.memory", pair_name, str(size)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the memory benchmark failed:\n{done.stderr}")
    result: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))).decode() + "\n")
