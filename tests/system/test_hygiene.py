"""What holds for the whole repository: what files may hold, who may import whom, what is declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(
    path.parent for group in ("core", "plugins/*", "examples/*") for path in ROOT.glob(f"{group}/pyproject.toml")
)
IGNORED = {
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "build",
    "dist",
}
LONGEST = 500

# Who may import whom at run time: the parts of weft, lowest first. A part imports from lower lines only;
# parts on one line stay apart. Modules that lie directly in weft and are not named here are the ground.
LAYERS = (
    ("model",),
    ("mapping", "net", "state"),
    ("config",),
    ("reference_tables",),
    ("runtime",),
    ("sync",),
    ("desk",),
    ("alerts", "retention", "telemetry"),
    ("jobs",),
    ("server",),
    ("cli",),
)
GROUND = {
    "around",
    "collector",
    "errors",
    "hookdocs",
    "hookspecs",
    "logscope",
    "meter",
    "modelpaths",
    "plugins",
    "records",
    "yamlpos",
}
# What a connector builds on. The rest of weft is its inside.
OPEN_TO_CONNECTORS = GROUND | {"", "config", "mapping", "model", "net", "testing"}
# What `weft run` needs besides the rest of weft comes with the extras weft[daemon] and weft[otel].
DAEMON = (
    "weft.alerts.",
    "weft.telemetry.health",
    "weft.telemetry.metrics",
    "weft.telemetry.traces",
    "weft.server",
    "weft.jobs.dbos_queue",
)
# A connector's own commands and its part in the demo are called by the command line and work with it.
CALLED_BY_CLI = {"commands", "demo"}


def folder_ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def files() -> list[Path]:
    """The files of the repository: what git has or would add; without git, all but what is built."""
    try:
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        found = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not IGNORED & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


@cache
def texts() -> dict[str, str]:
    """Text files by path; what is not UTF-8 is no text."""
    found = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT).as_posix()] = data.decode("utf-8")
    return found


def lines_with(pattern: str) -> list[str]:
    """Where a pattern occurs, this file aside."""
    own = Path(__file__).relative_to(ROOT).as_posix()
    regex = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts().items()
        if name != own
        for number, line in enumerate(text.splitlines(), 1)
        if regex.search(line)
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        r"/work/(main|shared)\b|/tmp/w/|(?<![\w.])/root/|(?<![\w.])/opt/(pypi|wheels)",
        r"pypi\.org|pythonhosted\.org|--(extra-)?index-url|--find-links|--trusted-host|--hash=",
        r"\b(TODO|FIXME)\b",
        r"^(<{7} |>{7} |={7}$)",
    ],
    ids=["paths of one machine", "package indexes", "unfinished work", "merge conflicts"],
)
def test_no_file_holds(pattern: str) -> None:
    assert lines_with(pattern) == []


def test_every_third_party_package_is_pinned_by_name_and_version() -> None:
    pins = [line for line in texts()["constraints.txt"].splitlines() if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9.-]+==[\w.!+]+( ; [^@;]+)?", pin)] == []
    pinned = {pin.partition("==")[0] for pin in pins}
    own: set[str] = {canonicalize_name(project(folder)["name"]) for folder in PROJECTS}
    groups = tomllib.loads(texts()["pyproject.toml"])["dependency-groups"]
    wanted: set[str] = {
        canonicalize_name(Requirement(r).name) for g in groups.values() for r in g if isinstance(r, str)
    }
    for folder in PROJECTS:
        wanted |= declared(folder, extras=True)
    assert wanted - own - pinned == set(), "run: make constraints"
    assert not pinned & own


@pytest.mark.parametrize("folder", PROJECTS, ids=folder_ids)
def test_no_module_is_long(folder: Path) -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in (folder / "src").rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert long == {}


# -- imports ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One module imported by a file of a package."""

    importer: str
    imported: str
    line: int
    typing_only: bool
    lazy: bool
    """Inside a function, or where ImportError is caught."""

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def declared(folder: Path, *, extras: bool) -> set[str]:
    """Distributions that a package names as its dependencies."""
    wanted = list(project(folder).get("dependencies", []))
    if extras:
        wanted += [text for extra in project(folder).get("optional-dependencies", {}).values() for text in extra]
    return {canonicalize_name(Requirement(text).name) for text in wanted}


@cache
def imports(folder: Path) -> list[Import]:
    """Every import in a package's source."""
    source = folder / "src"
    found: list[Import] = []
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        package = parts[:-1]
        importer = ".".join(package if parts[-1] == "__init__" else parts)
        found += _imports(ast.parse(path.read_text(encoding="utf-8")), importer, package)
    assert found, f"{folder} has no source"
    return found


def _imports(tree: ast.AST, importer: str, package: tuple[str, ...]) -> Iterator[Import]:
    def walk(node: ast.AST, typing_only: bool, lazy: bool) -> Iterator[Import]:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from weft import records` names a module, `from weft.records import Page` does not: both are told
            # apart well enough by looking at the first two parts.
            names = [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            yield Import(importer, name, getattr(node, "lineno", 0), typing_only, lazy)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(node, ast.Try) and any("ImportError" in ast.unparse(h.type) for h in node.handlers if h.type)
        )
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from walk(child, True, lazy)
            for child in node.orelse:
                yield from walk(child, typing_only, lazy)
            return
        for inner in ast.iter_child_nodes(node):
            yield from walk(inner, typing_only, lazy or inside)

    yield from walk(tree, False, False)


def part(module: str) -> str:
    """The part of weft that a module belongs to; '' for weft itself."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else ""


def weft_part(imported: str) -> str:
    """Like :func:`part` for what is imported: names that weft itself exports belong to ''."""
    name = part(imported)
    source = ROOT / "core/src/weft"
    return name if (source / name).is_dir() or (source / f"{name}.py").exists() else ""


def of_weft(folder: Path) -> list[Import]:
    return [one for one in imports(folder) if one.imported.split(".")[0] == "weft"]


def test_imports_in_core_point_one_way() -> None:
    rank = {name: level for level, names in enumerate(LAYERS) for name in names} | dict.fromkeys([*GROUND, ""], 0)
    wrong, unknown = [], set()
    for one in of_weft(ROOT / "core"):
        importer, imported = part(one.importer), weft_part(one.imported)
        if one.typing_only or importer == imported or "testing" in (importer, imported):
            continue
        unknown |= {importer, imported} - set(rank)
        if rank.get(importer, 0) < rank.get(imported, 0) or 0 < rank.get(importer, 0) == rank.get(imported, 0):
            wrong.append(str(one))
    assert unknown == set(), "not placed in LAYERS or GROUND"
    assert wrong == []


@pytest.mark.parametrize("folder", PROJECTS, ids=folder_ids)
def test_production_code_does_not_need_what_is_for_testing(folder: Path) -> None:
    """Simulators may; the commands that start them import them only then."""
    wrong = [
        str(one)
        for one in of_weft(folder)
        if weft_part(one.imported) == "testing"
        and not for_testing(one.importer)
        and not one.typing_only
        and not one.lazy
    ]
    assert wrong == []


def test_core_knows_no_connector() -> None:
    connectors = {path.name for folder in PROJECTS if folder != ROOT / "core" for path in (folder / "src").iterdir()}
    assert [str(one) for one in imports(ROOT / "core") if one.imported.split(".")[0] in connectors] == []
    # Nor by a name in text, which importlib could be given.
    named = re.compile(rf"\b({'|'.join(sorted(connectors))})\b")
    source = [name for name in texts() if name.startswith("core/src/") and name.endswith(".py")]
    assert [name for name in source if named.search(code_only(texts()[name]))] == []


def code_only(text: str) -> str:
    """A module without docstrings and comments, where a connector may serve as an example."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                statement
                for statement in body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize("folder", [f for f in PROJECTS if f != ROOT / "core"], ids=folder_ids)
def test_connectors_keep_to_what_is_open_to_them(folder: Path) -> None:
    own = {path.name for path in (folder / "src").iterdir()}
    others = {path.name for other in PROJECTS for path in (other / "src").iterdir()} - own - {"weft"}
    assert [str(one) for one in imports(folder) if one.imported.split(".")[0] in others] == []
    inside = []
    for one in of_weft(folder):
        is_open = OPEN_TO_CONNECTORS | ({"cli"} if part(one.importer) in CALLED_BY_CLI else set())
        if weft_part(one.imported) not in is_open:
            inside.append(str(one))
    assert inside == []


def for_the_daemon(module: str) -> bool:
    """Parts that run with an extra of their own and are imported only then."""
    return module.startswith(DAEMON)


def for_testing(module: str) -> bool:
    return module.startswith("weft.testing") or ".simulator" in module


@pytest.mark.parametrize("folder", PROJECTS, ids=folder_ids)
def test_every_import_is_declared(folder: Path) -> None:
    """Always needed: among the dependencies. Imported when used, by a simulator or the daemon: an extra will do."""
    distributions = packages_distributions()
    needed, any_extra = declared(folder, extras=False), declared(folder, extras=True)
    own = {path.name for path in (folder / "src").iterdir()}
    missing: dict[str, str] = {}
    for one in imports(folder):
        top = one.imported.split(".")[0]
        if one.typing_only or top in sys.stdlib_module_names or top in own or top == "weft":
            continue
        names = {canonicalize_name(name) for name in distributions.get(top, [top])}
        extra = one.lazy or for_testing(one.importer) or for_the_daemon(one.importer)
        if not names & (any_extra if extra else needed):
            missing.setdefault("|".join(sorted(names)), str(one))
    assert missing == {}
