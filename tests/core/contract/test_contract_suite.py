"""The suite as an author meets it: one line, plain pytest, reasons for what is skipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from refconnector import ReferenceConnector
from refharness import harness_for

from weft.testing import Broken, Running, Unsupported, checks, connector_contract, run_all, run_check

REFERENCE = Path(__file__).with_name("reference")
THIRD_PARTY = """
from refconnector import ReferenceConnector
from refharness import harness_for
from weft.testing import connector_contract

TestContract = connector_contract(harness_for(ReferenceConnector()))
"""


def plain_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest as somebody does who has configured nothing."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_mine.py").write_text(f"import sys\nsys.path.insert(0, {str(REFERENCE)!r})\n{THIRD_PARTY}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *arguments, "test_mine.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SOME = "required_hooks or scan_delivers or lost_answer_is or money_is_read"


@pytest.mark.parametrize("more", [(), ("-p", "no:asyncio"), ("--strict-markers", "-W", "error::RuntimeWarning")])
def test_one_line_under_plain_pytest(tmp_path: Path, more: tuple[str, ...]) -> None:
    assert "4 passed" in plain_pytest(tmp_path, "-k", SOME, *more)


def test_every_check_is_a_test_with_its_demand() -> None:
    contract = connector_contract(harness_for(ReferenceConnector()))
    for check in checks().values():
        assert getattr(contract, f"test_{check.name}").__doc__ == check.says
        assert len(check.says) > 20
        assert check.where.startswith("weft.")


def test_skip_names_a_check() -> None:
    contract = connector_contract(harness_for(ReferenceConnector()), skip=["moved_is_not_gone"])
    marks = [mark.name for mark in contract.test_moved_is_not_gone.pytestmark]  # type: ignore[attr-defined]
    assert marks == ["skip"]
    with pytest.raises(ValueError, match="there is no check 'no_such'"):
        connector_contract(harness_for(ReferenceConnector()), skip=["no_such"])


async def test_a_connector_without_hooks_is_told() -> None:
    with pytest.raises(Broken, match="weft_connector"):
        await run_check(harness_for(SimpleNamespace()), "required_hooks")


async def test_what_a_harness_cannot_do_is_skipped_with_the_reason() -> None:
    class Bare:
        kind, page_size, module = "booking", 3, ReferenceConnector()

        @asynccontextmanager
        async def start(self) -> AsyncIterator[Running]:
            async with harness_for(ReferenceConnector()).start() as whole:
                yield Running(whole.settings, whole.subjects, company=whole.company)

    with pytest.raises(Unsupported, match="no person's hand"):
        await run_check(Bare(), "change_appears")
    with pytest.raises(Unsupported, match="wrong_settings"):
        await run_check(Bare(), "open_proves_credentials")
    report = await run_all(Bare())
    assert report.broken == {}
    assert set(report.passed) >= {"required_hooks", "mappings_fit_the_system", "unknown_cursor_is_expired"} - set(
        report.skipped
    )
    assert all(reason.strip() for reason in report.skipped.values())


async def test_a_fault_without_a_target_is_skipped() -> None:
    harness: Any = replace(harness_for(ReferenceConnector()), without={"partial_batch": "it knows no batches"})
    with pytest.raises(Unsupported, match="it knows no batches"):
        await run_check(harness, "part_of_a_batch_fails")


def test_nothing_heavy_at_pytest_start() -> None:
    code = (
        "import sys, weft.testing.pytest_plugin\n"
        "heavy = {'httpx', 'aiohttp', 'pydantic', 'sqlalchemy', 'weft.testing.contract'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
