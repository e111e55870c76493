"""The README tells the truth: its commands run, its configuration holds, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
# Folders whose pages are not the repository's.
FOREIGN = {".venv", ".git", ".pytest_cache", "node_modules", "__pycache__"}
# weft commands that need neither a network nor a running system: they are run. Of the others the options are
# tried, by asking for help after them.
OFFLINE = {"plugins", "schema", "init", "new-connector", "completion"}
FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\][]|\[[^\]]*\])*\]\((?P<target>[^()\s]+(?:\([^()]*\))?)\)")


@dataclass(frozen=True)
class Command:
    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


@cache
def pages() -> list[Path]:
    found = [p for p in ROOT.rglob("*.md") if not FOREIGN & set(p.relative_to(ROOT).parts)]
    assert README in found
    return sorted(found)


def blocks(page: Path, *languages: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [match["body"] for match in FENCE.finditer(text) if match["language"] in languages]


def commands(*names: str) -> list[Command]:
    """Every command line in the shell blocks of the pages a newcomer reads."""
    found = []
    for name in names:
        for block in blocks(ROOT / name, "sh", "bash", "console", "shell"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words:
                    found.append(Command(name, tuple(words)))
    return found


FIRST_PAGES = ("README.md", "core/README.md", "CONTRIBUTING.md")
COMMANDS = commands(*FIRST_PAGES)


@pytest.fixture
def environ() -> dict[str, str]:
    """The programs of this environment come first; the secrets of the README's configuration are set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "PYTEST", "MAKE"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return {**kept, "PATH": path, "NO_COLOR": "1", "CREATIO_SECRET": "opensesame-crm", "BC_SECRET": "opensesame-erp"}


def run(words: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_there_are_commands_to_try() -> None:
    assert {command.words[0] for command in COMMANDS} >= {"make", "pip", "weft"}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_works(command: Command, tmp_path: Path, environ: dict[str, str]) -> None:
    program, *rest = command.words
    if program == "make":
        assert_target(rest, environ)
    elif program == "pip":
        assert_installable(rest)
    elif program == "weft":
        offline = not rest or rest[0] in OFFLINE or rest[0].startswith("-")
        done = run(["weft", *rest] if offline else ["weft", *rest, "--help"], tmp_path, environ)
        assert done.returncode == 0, done.stderr
        if not offline:
            assert done.stdout.startswith(f"Usage: weft {rest[0]}"), done.stdout
    elif program == ".venv/bin/python":
        assert rest[:2] == ["-m", "pytest"], "a form of command that this test does not know"
        assert all((ROOT / path).exists() for path in rest[2:]), rest
    else:
        pytest.fail(f"{program}: a command that this test does not know how to try")


def assert_target(words: list[str], environ: dict[str, str]) -> None:
    """``make -n`` knows the target, and it sets itself up before anything else."""
    done = run(["make", "-n", *words], ROOT, environ)
    assert done.returncode == 0, done.stderr
    if words[0] != "help":
        assert done.stdout.splitlines()[0] == "scripts/setup"


def assert_installable(words: list[str]) -> None:
    assert words[0] == "install"
    projects = {}
    for path in [ROOT / "core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        projects[canonicalize_name(project["name"])] = project
    for word in words[1:]:
        if word.startswith("."):
            path, _, extras = word.rstrip("]").partition("[")
            project = tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            assert set(filter(None, extras.split(","))) <= set(project.get("optional-dependencies", {})), word
        else:
            wanted = Requirement(word)
            project = projects[canonicalize_name(wanted.name)]
            assert wanted.extras <= set(project.get("optional-dependencies", {})), word


def test_make_demo_runs_the_demo(environ: dict[str, str]) -> None:
    done = run(["make", "-n", "demo"], ROOT, environ)
    assert done.stdout.splitlines()[-1] == ".venv/bin/weft demo"
    shown = run(["weft", "demo", "--help"], ROOT, environ)
    assert shown.returncode == 0, shown.stderr


def configurations() -> list[str]:
    return [block for block in blocks(README, "yaml") if "connections:" in block]


def test_the_configuration_holds(tmp_path: Path, environ: dict[str, str]) -> None:
    """``weft check --offline``: the file, the secrets, and every mapping of every flow in it."""
    (text,) = configurations()
    (tmp_path / "weft.yaml").write_text(text, encoding="utf-8")
    done = run(["weft", "check", "--offline"], tmp_path, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "opensesame" not in done.stdout + done.stderr


def test_the_configuration_is_noticed_when_wrong(tmp_path: Path, environ: dict[str, str]) -> None:
    """The test above can fail."""
    (text,) = configurations()
    (tmp_path / "weft.yaml").write_text(text.replace("owner: crm", "onwer: crm"), encoding="utf-8")
    done = run(["weft", "check", "--offline"], tmp_path, environ)
    assert done.returncode == 2
    assert "onwer" in done.stdout + done.stderr


def test_commands_of_the_table_are_those_there_are(environ: dict[str, str], tmp_path: Path) -> None:
    section = README.read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `weft ([a-z-]+)` \|", section, re.MULTILINE))
    shown = run(["weft", "--help"], tmp_path, environ).stdout
    listed = re.findall(r"^  ([a-z-]+)  ", shown.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE)
    assert told == set(listed) - {"completion"}


# -- links -----------------------------------------------------------------------------------------


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """(file or folder, anchor) of each link to something in the repository."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        target = match["target"]
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            path, _, anchor = target.partition("#")
            yield ((page.parent / unquote(path)).resolve() if path else page), anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their text."""
    seen: dict[str, int] = {}
    found = set()
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target, anchor in links(page):
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{os.path.relpath(target, ROOT)}#{anchor}".rstrip("#"))
        elif not target.is_relative_to(ROOT):
            dead.append(f"{target} is outside of the repository")
    assert dead == []


def test_every_page_is_reached_from_the_readme() -> None:
    """By links; a link to a folder reaches the pages in it."""
    reached: set[Path] = set()
    ahead = [README]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for target, _ in links(page):
            if target.is_dir():
                ahead += target.glob("*.md")
            elif target.suffix == ".md" and target.exists():
                ahead.append(target)
    assert [page.relative_to(ROOT).as_posix() for page in pages() if page not in reached] == []
