"""Plays seeds in processes of their own: forks must not be made from a process with threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def play() -> Callable[..., list[dict[str, Any]]]:
    """``play(first, count, *options)``: one result a seed, as ``harness.run`` prints them."""

    def run(first: int, count: int, *options: str, module: str = "harness.run") -> list[dict[str, Any]]:
        command = [sys.executable, "-m", module, str(first), str(count), *options]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(HERE)}
        done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        failed = any(result["problem"] for result in results)
        assert done.returncode == (1 if failed else 0), done.stderr[-4000:]
        return results

    return run


@pytest.fixture
def tell() -> Callable[..., str]:
    return told


def told(result: dict[str, Any], module: str = "harness.run", erp: str = "") -> str:
    """A failing seed: what happened, the whole script, and how to play it again. ``erp``: the real one it is of."""
    seed = result["seed"]
    again = f"WEFT_REAL_ERP={erp} WEFT_REAL_SEED={seed}" if erp else f"WEFT_SEED={seed}"
    return "\n".join(
        [
            f"seed {seed}{erp and f' with {erp}'}: {result['problem']}",
            *result["script"],
            f"again: {again} make simulate",
            f"or, with the script as it goes: cd tests/simulation && PYTHONHASHSEED=0 PYTHONPATH=. "
            f"python -m {module} {erp and f'--erp {erp} '}{seed} --script",
        ]
    )
