"""The benchmarks run, and write down what they are to write down. Their figures are no test's business."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A dozen simulators are started one after another, once for all.
pytestmark = pytest.mark.timeout(600)
NUMBERS = ("seconds", "cpu", "floor_seconds", "ratio", "records_per_second", "records_per_core_second")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "results.json"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--records", "60", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    assert "single record" in done.stdout
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    ("pair", "case", "records"),
    [
        ("creatio", "read", 60),
        ("creatio", "first", 60),
        ("creatio", "unchanged", 120),
        ("creatio", "changed", 3),
        ("creatio", "latency", 1),
        ("bc", "read", 120),
        ("bc", "first", 60),
        ("bc", "unchanged", 120),
        ("bc", "changed", 3),
        ("bc", "latency", 1),
    ],
)
def test_each_case_has_its_figures(report: dict[str, Any], pair: str, case: str, records: int) -> None:
    result = report["pairs"][pair][case]
    assert result["records"] == records
    assert all(result[name] > 0 for name in NUMBERS)
    assert result["requests"] > 0
    assert result["differing_answers"] == 0, "the floor was given other answers than weft"


def test_writing_cases_wrote(report: dict[str, Any]) -> None:
    cases = report["pairs"]["bc"]
    assert cases["first"]["counts"]["created"] == 60
    assert cases["changed"]["counts"]["updated"] == 3
    assert cases["unchanged"]["counts"]["unchanged"] == 120


def test_a_pass_over_many_links_is_measured_at_several_sizes():
    command = [sys.executable, "-m", "benchmarks.scale", "500", "1500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["500", "1,500"]


def test_memory_is_measured_at_two_sizes(report: dict[str, Any]) -> None:
    assert [one["records"] for one in report["memory"]["bc"]] == [60, 120]
    assert all(one["sweep_mb"] >= one["start_mb"] > 10 for one in report["memory"]["bc"])


def test_a_soak_of_seconds_ends_in_agreement() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "3", "--rate", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^verify \w+: proven, [1-9]", done.stdout, re.M)) == 3, done.stdout
    assert re.search(r"faults that struck: .*[1-9]", done.stdout), done.stdout
