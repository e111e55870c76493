"""docs/hooks.md says what the contract says: every hook, its exact signature, an example that compiles."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

from weft import hookdocs, hookspecs, records
from weft.config.loading import load_text
from weft.plugins import REQUIRED, Plugins
from weft.runtime import Runtime
from weft.state.store import State
from weft.sync.cycle import sync

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("weft_"))


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/hooks.md has no section {name}"
    return found[1]


def test_the_page_is_up_to_date(page: str) -> None:
    assert page == hookdocs.page(), "run: python -m weft.hookdocs > docs/hooks.md"


def test_all_hooks_are_known() -> None:
    assert sorted(hookdocs.hooks()) == HOOKS
    assert set(REQUIRED) <= set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_the_signature_is_the_specs(page: str, name: str) -> None:
    """Read both as Python: the text in the page and the source of the specification."""
    shown = re.search(r"```python\n(.*?)\n```", section(page, name), re.DOTALL)
    assert shown is not None
    documented = ast.parse(f"def {shown[1]}: ...").body[0]
    (source,) = ast.parse(inspect.getsource(getattr(hookspecs, name))).body
    assert isinstance(documented, ast.FunctionDef)
    assert isinstance(source, ast.FunctionDef)
    assert documented.name == source.name
    assert ast.dump(documented.args) == ast.dump(source.args)
    assert documented.returns is not None
    assert source.returns is not None
    assert ast.dump(documented.returns) == ast.dump(source.returns)


@pytest.mark.parametrize("name", HOOKS)
def test_the_docstring_has_an_example_that_compiles(name: str) -> None:
    text = inspect.cleandoc(getattr(hookspecs, name).__doc__ or "")
    _, mark, example = text.partition("Example::\n")
    assert mark, f"{name} shows no example"
    tree = ast.parse(inspect.cleandoc(example).replace("…", "..."))
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    marks = [ast.unparse(decorator) for decorator in function.decorator_list]
    wrapped = [mark for mark in marks if mark.startswith("weft.around(")]
    assert (function.name == name and "hookimpl" in marks) or wrapped
    if not wrapped:
        known = set(inspect.signature(getattr(hookspecs, name)).parameters)
        assert {argument.arg for argument in function.args.args} <= known


@pytest.mark.parametrize("name", HOOKS)
def test_the_page_says_when_it_is_called(page: str, name: str) -> None:
    assert re.search(r"^\*\*Called:\*\* \w.{15,}\.$", section(page, name), re.MULTILINE)


def test_every_shape_is_there(page: str) -> None:
    """Whatever a signature names and whatever those contain is described."""
    named = {
        word
        for name in HOOKS
        for word in re.findall(r"[A-Z]\w+", hookdocs.signature(name))
        if is_dataclass(getattr(records, word, None))
    }
    assert {"Query", "Page", "Item", "Outcome"} <= named
    for name in sorted(named):
        for inner in getattr(records, name).__dataclass_fields__.values():
            named |= {w for w in re.findall(r"[A-Z]\w+", str(inner.type)) if is_dataclass(getattr(records, w, None))}
    for name in named:
        assert f"### {name}\n" in page


@pytest.mark.parametrize("name", hookdocs.SHAPES)
def test_the_shapes_list_their_fields(page: str, name: str) -> None:
    shown = section(page, name)
    for field in getattr(records, name).__dataclass_fields__.values():
        assert f"\n{field.name}: {field.type}".replace("'", '"') in shown


def test_no_sphinx_is_left(page: str) -> None:
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    assert "``" not in prose
    assert not re.search(r":(class|func|mod|attr|meth|data):", prose)
    assert page.count("```") % 2 == 0


# -- the guide -------------------------------------------------------------------------------------

DOCS = PAGE.parent
GUIDE = DOCS / "connectors.md"


def blocks(language: str) -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    text = re.sub(r"<!-- not run.*?-->\n```.*?```", "", text, flags=re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_guide_shows_every_needed_hook() -> None:
    defined = set(re.findall(r"@hookimpl\n(?:@\w+\n)?(?:async )?def (weft_\w+)", "\n".join(blocks("python"))))
    assert defined == set(REQUIRED)


async def test_the_guides_connector_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "guide_acme"
    (package / "maps").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "connector.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    (document,) = blocks("yaml")
    (package / "maps" / "customer.yaml").write_text(document, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    left, right = tmp_path / "left.json", tmp_path / "right.json"
    left.write_text('{"customers": {"1": {"name": "Adatum", "vat": "DE1", "limit": "10.50", "currency": "EUR"}}}')
    right.write_text(
        '{"customers": {"7": {"name": "Adatum", "vat": "DE1", "mail": "a@adatum.example"}, "8": {"name": "B"}}}'
    )
    plugins = Plugins()
    plugins.register("acme", importlib.import_module("guide_acme.connector"))
    config = load_text(
        f"connections: {{a: {{kind: acme, path: {left}}}, b: {{kind: acme, path: {right}}}}}\n"
        "flows: {customers: {entity: customer, between: [a, b], deletes: delete}}",
        plugins=plugins,
    )
    state = State.open(f"sqlite:///{tmp_path / 'weft.db'}")

    async def run(**options: Any) -> dict[str, int]:
        async with Runtime(config, state, plugins) as runtime:
            (report, *_) = await sync(runtime, **options)
        assert (report.state, report.error) == ("done", "")
        return report.counts

    def held(path: Path) -> list[dict[str, str]]:
        rows = json.loads(path.read_text())["customers"].values()
        return sorted(({k: v for k, v in row.items() if v} for row in rows), key=lambda row: row["name"])

    try:
        await run()
        adatum = {"name": "Adatum", "vat": "DE1", "limit": "10.50", "currency": "EUR", "mail": "a@adatum.example"}
        assert held(left) == held(right) == [adatum, {"name": "B"}]
        assert "updated" not in await run()
        content = json.loads(left.read_text())
        content["customers"]["1"]["limit"] = "12.00"
        left.write_text(json.dumps(content))
        assert (await run())["updated"] == 1
        assert held(right)[0]["limit"] == "12.00"
        del content["customers"]["1"]
        left.write_text(json.dumps(content))
        assert (await run(sweep=True))["deleted"] == 1
        assert [row["name"] for row in held(right)] == ["B"]
    finally:
        state.close()


@pytest.mark.parametrize("name", ["index.md", "connectors.md", "hooks.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (DOCS / target).exists(), f"{name} links to {target}, which is not there"


def test_the_index_names_every_page() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in index] == []
