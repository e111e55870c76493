"""docs/hooks.md says what the contract says: every hook, its exact signature, an example that compiles."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from weft import hookdocs, hookspecs, records
from weft.plugins import REQUIRED

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
