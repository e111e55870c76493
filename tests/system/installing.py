"""Wheels of the working tree, and clean environments with nothing but what they declare.

No network: the third-party distributions a package needs are linked, file by file, from the environment
that runs the tests, and no others.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONNECTORS = ("weft-bc", "weft-creatio", "weft-d365fo")
PACKAGES = {"weft": ROOT / "core"} | {name: ROOT / "plugins" / name.removeprefix("weft-") for name in CONNECTORS}
EXAMPLES = {"weft-csvdir": ROOT / "examples" / "csv-folder"}


@dataclass(frozen=True)
class Wheel:
    path: Path
    metadata: Message

    @classmethod
    def read(cls, path: Path) -> Wheel:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return cls(path, Parser().parsestr(archive.read(name).decode()))

    @property
    def requires(self) -> list[str]:
        return self.metadata.get_all("Requires-Dist") or []

    @property
    def modules(self) -> set[str]:
        """Files of the wheel, without its metadata."""
        with zipfile.ZipFile(self.path) as archive:
            return {name for name in archive.namelist() if ".dist-info/" not in name}


Wheels = dict[str, Wheel]


@dataclass(frozen=True)
class Environment:
    """A virtual environment; commands run in an empty folder of its own."""

    folder: Path
    site: Path
    third_party: frozenset[str]

    def run(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment."""
        program, *arguments = words
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "WEFT_", "VIRTUAL_ENV"))}
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder / "work",
            env={**kept, "NO_COLOR": "1", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def weft(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("weft", *words)


Make = Callable[..., Environment]


def closure(wheels: Wheels, wanted: Iterable[str]) -> set[str]:
    """Third-party distributions that the requirements bring, with all that those bring in turn."""
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in wanted]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            requires = wheels[name].requires if name in wheels else distribution(name).requires or []
            for further in map(Requirement, requires):
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    todo.append(further)
    return {name for name, _ in seen} - set(wheels)


def link(name: str, site: Path) -> None:
    """Make one installed distribution visible in a folder, and nothing else that lies next to it."""
    found = distribution(name)
    assert found.files, f"{name} has no list of files"
    for file in found.files:
        if file.parts[0] == ".." or "__pycache__" in file.parts:
            continue
        target = site.joinpath(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(str(found.locate_file(file))).resolve())


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Every distribution, built from the working tree; tests that ask share a group, so that one worker builds."""
    out = tmp_path_factory.mktemp("wheels")
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, *PACKAGES.values(), *EXAMPLES.values()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    read = [Wheel.read(path) for path in out.glob("*.whl")]
    return {canonicalize_name(str(wheel.metadata["Name"])): wheel for wheel in read}


@pytest.fixture(scope="session")
def make(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a clean environment out of requirements such as ``weft[testing]``, once for each set of them.

    ``own=True`` gives one that no other test sees.
    """

    def environment(*wanted: str, own: bool = False) -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        (folder / "work").mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = next(folder.glob("lib/python3.*/site-packages"))
        third_party = closure(wheels, wanted)
        for name in third_party:
            link(name, site)
        paths = [wheels[canonicalize_name(Requirement(text).name)].path for text in wanted]
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "install"]
        options: list[str | Path] = [
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-compile",
            "--disable-pip-version-check",
        ]
        done = subprocess.run([*pip, *options, *paths], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Environment(folder, site, frozenset(third_party))

    return functools.cache(environment)
