"""The packages of this workspace, in the words of the tools that install and pin them.

python scripts/packages.py editable   arguments for `pip install`: each package, editable, with all extras;
                                               not the examples that would change what the others do
python scripts/packages.py names      distribution names
python scripts/packages.py projects   the pyproject.toml files
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def projects() -> dict[Path, dict[str, Any]]:
    """The ``[project]`` table of every package, by the folder it is in, core first."""
    folders = [ROOT / "core", *sorted(ROOT.glob("plugins/*")), *sorted(ROOT.glob("examples/*"))]
    found = {folder: folder / "pyproject.toml" for folder in folders}
    return {
        folder: tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for folder, path in found.items()
        if path.exists()
    }


def wraps_only(project: dict[str, Any]) -> bool:
    """Is it a plugin without a connector? Where one is installed, it runs around the calls of all others."""
    points = project.get("entry-points", {}).get("weft", {})
    return bool(points) and not any(module.endswith(".connector") for module in points.values())


def editable() -> list[str]:
    words = []
    for folder, project in projects().items():
        if wraps_only(project):
            continue  # an example to read; the tests and the demo must not run inside it
        extras = ",".join(sorted(project.get("optional-dependencies", {})))
        words += ["-e", f"./{folder.relative_to(ROOT).as_posix()}" + (f"[{extras}]" if extras else "")]
    return words


def main() -> None:
    match sys.argv[1:]:
        case ["editable"]:
            print("\n".join(editable()))
        case ["names"]:
            print("\n".join(project["name"] for project in projects().values()))
        case ["projects"]:
            print("\n".join(f"{folder.relative_to(ROOT).as_posix()}/pyproject.toml" for folder in projects()))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
