"""Installed from wheels into clean environments, with nothing but what each package declares.

No network: the third-party distributions a package needs are linked, file by file, from the environment
that runs the tests, and no others.
"""

from __future__ import annotations

import functools
import json
import os
import re
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONNECTORS = ("weft-bc", "weft-creatio", "weft-d365fo")
MODULES = ("weft", "weft_bc", "weft_creatio", "weft_d365fo")
PACKAGES = {"weft": ROOT / "core"} | {name: ROOT / "plugins" / name.removeprefix("weft-") for name in CONNECTORS}
ON_PREMISE_DRIVERS = {"zeep", "pyodbc", "lxml", "requests-ntlm"}
HEAVY = ["aiohttp", "alembic", "dbos", "httpx", "msal", "pydantic", "sqlalchemy", "yaml"]

# One worker builds the wheels once.
pytestmark = pytest.mark.xdist_group("install")


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


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """The three distributions, built from the working tree."""
    out = tmp_path_factory.mktemp("wheels")
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, *PACKAGES.values()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    read = [Wheel.read(path) for path in out.glob("*.whl")]
    return {canonicalize_name(str(wheel.metadata["Name"])): wheel for wheel in read}


@pytest.fixture(scope="module")
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


def test_wheels_hold_every_source_file(wheels: Wheels) -> None:
    """Maps, schemas and migrations travel too, and nothing that is no source."""
    for name, folder in PACKAGES.items():
        source = folder / "src"
        wanted = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
        wanted = {file for file in wanted if "__pycache__" not in PurePosixPath(file).parts}
        assert wheels[name].modules == wanted


def test_wheels_say_who_they_are(wheels: Wheels) -> None:
    assert set(wheels) == set(PACKAGES)
    for wheel in wheels.values():
        assert wheel.metadata["License-Expression"] == "Apache-2.0"
        assert wheel.metadata["Requires-Python"] == ">=3.11"
        assert wheel.metadata["Version"] == wheels["weft"].metadata["Version"]
        assert len(str(wheel.metadata.get_payload())) > 500, f"{wheel.path.name} has no readme to speak of"


def test_core_alone_knows_no_connector(make: Make) -> None:
    done = make("weft").weft("plugins", "--json")
    assert json.loads(done.stdout) == {"plugins": [], "failed": []}, done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["bc", "d365fo"])
def test_core_and_one_connector_alone(make: Make, kind: str) -> None:
    done = make("weft", f"weft-{kind}").weft("plugins", "--json")
    found = json.loads(done.stdout)
    assert [one["kind"] for one in found["plugins"]] == [kind], done.stdout
    assert found["failed"] == []
    assert done.returncode == 0
    assert found["plugins"][0]["entities"], f"{kind} maps nothing"


def test_connectors_together(make: Make) -> None:
    done = make("weft", *CONNECTORS).weft("plugins")
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert listed == ["bc", "creatio", "d365fo"]


def test_no_driver_of_an_on_premise_system_comes_along(wheels: Wheels, make: Make) -> None:
    wanted = ["weft", *CONNECTORS]
    everything = [f"{name}[{','.join(wheels[name].metadata.get_all('Provides-Extra') or [])}]" for name in wanted]
    assert not closure(wheels, everything) & ON_PREMISE_DRIVERS
    installed = make(*wanted).run(
        "python", "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    )
    names = {canonicalize_name(name) for name in installed.stdout.split()}
    assert names == {*wanted, *make(*wanted).third_party}
    assert not names & ON_PREMISE_DRIVERS


IMPORT_ALL = """
import importlib, pkgutil, re, sys, traceback
skip, failed = re.compile(sys.argv[1]), []
for name in sys.argv[2:]:
    found = pkgutil.walk_packages(importlib.import_module(name).__path__, name + ".", onerror=lambda name: None)
    for module in found:
        if not skip.search(module.name):
            try:
                importlib.import_module(module.name)
            except Exception as error:
                failed.append(f"{module.name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
"""
# Migrations run inside alembic; __main__ acts when imported.
NEVER_IMPORTED = r"\.migrations\.|__main__$"
FOR_THE_DAEMON = r"^weft\.(alerts|jobs|server|telemetry\.(health|metrics|traces))"


def test_production_code_imports_with_what_is_declared(make: Make) -> None:
    skip = NEVER_IMPORTED + r"|^weft\.testing|\.simulator|" + FOR_THE_DAEMON
    done = make("weft", *CONNECTORS).run("python", "-W", "error", "-c", IMPORT_ALL, skip, *MODULES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_daemon_imports_with_its_extras(make: Make) -> None:
    environment = make("weft[daemon,otel]")
    skip = NEVER_IMPORTED + r"|^weft\.testing"
    done = environment.run("python", "-c", IMPORT_ALL, skip, "weft")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_simulators_import_with_their_extra(make: Make) -> None:
    environment = make("weft[testing]", *(f"{name}[simulator]" for name in CONNECTORS))
    skip = NEVER_IMPORTED + "|" + FOR_THE_DAEMON
    done = environment.run("python", "-c", IMPORT_ALL, skip, *MODULES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_a_simulator_without_its_extra_says_what_to_install(make: Make) -> None:
    done = make("weft", "weft-bc").weft("simulate", "bc")
    assert done.returncode == 2, done.stderr
    assert re.search(r"pip install '?weft(-bc)?\[(testing|simulator)\]", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_plugin_is_listed_with_its_reason(make: Make) -> None:
    environment = make("weft", "weft-bc", own=True)
    site = environment.site
    (site / "weft_loom").mkdir()
    (site / "weft_loom/__init__.py").write_text("")
    (site / "weft_loom/connector.py").write_text("raise ImportError('libloom.so.3 is not on this machine')\n")
    info = site / "weft_loom-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weft-loom\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text("[weft]\nloom = weft_loom.connector\n")
    done = environment.weft("plugins", "--json")
    found = json.loads(done.stdout)
    assert [one["kind"] for one in found["plugins"]] == ["bc"]
    reason = "ImportError: libloom.so.3 is not on this machine"
    assert found["failed"] == [{"kind": "loom", "distribution": "weft-loom", "version": "2.5", "reason": reason}]
    assert done.returncode == 2
    assert f"weft-loom 2.5) could not be loaded: {reason}" in environment.weft("plugins").stderr


def test_help_is_quick(make: Make) -> None:
    """Under half a second; on a machine under load, within a multiple of what Python itself takes then."""
    environment = make("weft", *CONNECTORS)
    assert environment.weft("--help").returncode == 0  # compiles the modules

    def seconds(*words: str) -> float:
        begin = time.perf_counter()
        assert environment.run(*words).returncode == 0
        return time.perf_counter() - begin

    taken = [(seconds("weft", "--help"), seconds("python", "-c", "pass")) for _ in range(7)]
    help_took, python_took = (statistics.median(column) for column in zip(*taken, strict=True))
    assert help_took < max(0.5, 12 * python_took), f"{help_took:.3f} s; python alone {python_took:.3f} s"


@pytest.mark.parametrize("imported", ["weft", "weft.cli", "weft.cli.root", "weft.hookspecs"])
def test_nothing_heavy_is_imported_up_front(make: Make, imported: str) -> None:
    code = f"import sys, {imported}; print(*sorted({{m.partition('.')[0] for m in sys.modules}} & set(sys.argv[1:])))"
    done = make("weft", *CONNECTORS).run("python", "-c", code, *HEAVY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
