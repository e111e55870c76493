"""Play seeds: ``python -m harness.run FIRST COUNT [--mutant NAME] [--script] [--keep FOLDER]``.

Prints one JSON line a seed. PYTHONHASHSEED must be 0, so that a seed is played the same each time.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.child import Asked
from harness.people import People
from harness.scenario import run
from harness.world import World

from weft.state.engine import make_engine
from weft.state.place import parse
from weft.state.store import State


def warm(folder: Path) -> Path:
    """An empty state to copy, and this process made ready to be forked.

    Migrating takes longer than a whole scenario, and so does compiling the same SQL in every fork: the
    engine of SQLAlchemy is made here, used once, and inherited. Returns the empty state's file.
    """
    place = folder / "state"
    place.mkdir()
    State.open(f"sqlite:///{place}/weft.db").close()
    empty = folder / "empty.db"
    shutil.copy(place / "weft.db", empty)
    engine = make_engine(parse(f"sqlite:///{place}/weft.db"), read_only=False)
    State._engine = staticmethod(lambda where, worker, *, read_only: engine)  # type: ignore[method-assign]
    world = World(0, place, empty)
    people = People(world)
    for _ in range(2):
        for _ in range(20):
            people.act()
        world.server.run_here(Asked("sync", {}, "warm"))
    world.server.run_here(Asked("sync", {"sweep": True}, "warm"))
    engine.pool.dispose()
    engine.pool = engine.pool.recreate()
    gc.collect()
    gc.freeze()
    return empty


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--mutant", default="")
    parser.add_argument("--script", action="store_true", help="print what happened")
    parser.add_argument("--script-always", action="store_true", help="scripts of seeds that end well, too")
    parser.add_argument("--history", help="print the history of one thing: 'customer T1'")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    return parser


def report(given: argparse.Namespace, make: Callable[[Path], Path], play: Callable[..., World]) -> int:
    """Play the seeds, print a line each; 1 when one failed."""
    shm = Path("/dev/shm")  # noqa: S108  a state in memory, where there is such a place
    folder = Path(tempfile.mkdtemp(prefix="weft-simulation-", dir=shm if shm.is_dir() else None))
    tempfile.tempdir = str(folder)  # what processes that are killed leave behind goes with it
    failed = 0
    try:
        made = make(folder)
        for seed in range(given.first, given.first + given.count):
            began = time.perf_counter()
            place = folder / "state"
            problem = ""
            try:
                world = play(seed, place, made, given.mutant)
            except AssertionError as error:
                world = error.world  # type: ignore[attr-defined]
                problem = f"{type(error).__name__}: {error}"
            shutil.rmtree(place)
            script = world.log if given.script or given.script_always or problem else []
            if given.script:
                print("\n".join([*script, problem or "as it must be"]))
                if given.history:
                    kind, name = given.history.split()
                    print("\n".join(world.things[kind, name].history))
            else:
                took = round(time.perf_counter() - began, 3)
                line = {"seed": seed, "problem": problem, "syncs": world.number, "script": script, "took": took}
                print(json.dumps(line), flush=True)
            failed += bool(problem)
            if problem and given.stop:
                break
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def main() -> int:
    return report(parser().parse_args(), warm, run)


if __name__ == "__main__":
    sys.exit(main())
