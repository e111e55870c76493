"""Installed from wheels into clean environments, with nothing but what each package declares."""

from __future__ import annotations

import json
import re
import statistics
import time
from pathlib import PurePosixPath

import pytest
from packaging.utils import canonicalize_name
from tests.system.installing import CONNECTORS, EXAMPLES, PACKAGES, Make, Wheels, closure

MODULES = ("weft", "weft_bc", "weft_creatio", "weft_d365fo")
ON_PREMISE_DRIVERS = {"zeep", "pyodbc", "lxml", "requests-ntlm"}
HEAVY = ["aiohttp", "alembic", "dbos", "httpx", "msal", "pydantic", "sqlalchemy", "yaml"]


def test_wheels_hold_every_source_file(wheels: Wheels) -> None:
    """Maps, schemas and migrations travel too, and nothing that is no source."""
    for name, folder in PACKAGES.items():
        source = folder / "src"
        wanted = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
        wanted = {file for file in wanted if "__pycache__" not in PurePosixPath(file).parts}
        assert wheels[name].modules == wanted


def test_wheels_say_who_they_are(wheels: Wheels) -> None:
    assert set(wheels) == PACKAGES.keys() | EXAMPLES.keys()
    for wheel in (wheels[name] for name in PACKAGES):
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
