"""Play seeds: ``python -m harness.run FIRST COUNT [--mutant NAME] [--script] [--keep FOLDER]``.

Prints one JSON line a seed. PYTHONHASHSEED must be 0, so that a seed is played the same each time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from harness.scenario import run


def template(folder: Path) -> Path:
    """An empty state, made once: migrating takes longer than a whole scenario."""
    from weft.state.store import State

    path = folder / "template.db"
    process = os.fork()
    if process == 0:
        State.open(f"sqlite:///{path}").close()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if status:
        raise RuntimeError(f"the state could not be made: {status}")
    return path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--mutant", default="")
    parser.add_argument("--script", action="store_true", help="print what happened")
    parser.add_argument("--history", help="print the history of one thing: 'customer T1'")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    given = parser.parse_args()
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="weft-simulation-", dir=shm if shm.is_dir() else None))
    failed = 0
    try:
        made = template(folder)
        for seed in range(given.first, given.first + given.count):
            began = time.perf_counter()
            place = folder / str(seed)
            problem, world = "", None
            try:
                world = run(seed, place, made, given.mutant)
            except AssertionError as error:
                world = error.world  # type: ignore[attr-defined]
                problem = f"{type(error).__name__}: {error}"
            shutil.rmtree(place, ignore_errors=True)
            script = world.log if given.script or problem else []
            line = {"seed": seed, "problem": problem, "syncs": world.number, "script": script,
                    "took": round(time.perf_counter() - began, 3)}  # fmt: skip
            if given.script:
                print("\n".join(script))
                print(problem or "as it must be")
                if given.history:
                    kind, name = given.history.split()
                    print("\n".join(world.things[kind, name].history))
            else:
                print(json.dumps(line), flush=True)
            failed += bool(problem)
            if problem and given.stop:
                break
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
