"""Tests that one worker runs one after the other, because they share what is costly to set up.

xdist's own marks for that rely on the id of a test being changed, which pytest 9.2 no longer allows.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "test_install.py": "wheels",
    "test_example_connector.py": "wheels",
    "test_benchmarks.py": "benchmarks",
    "test_server_browser.py": "browser",
}
"""By file name: what its tests share."""
FOLDERS = ("tests/system/objects/",)
"""The tests of each file below share the systems they are played on."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out groups whole and all other tests one by one, the largest groups first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(FOLDERS):
            return file
        return GROUPS.get(PurePosixPath(file).name, nodeid)
