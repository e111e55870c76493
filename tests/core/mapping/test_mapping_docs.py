"""docs/mapping.md tells every key of the document, and its example is a valid document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from weft import yamlpos
from weft.mapping import document
from weft.mapping.exact import FUNCTIONS
from weft.mapping.loading import parse
from weft.mapping.subset import HIGHER_ORDER, REFUSED

DOCS = Path(__file__).parents[3] / "docs" / "mapping.md"
TEXT = DOCS.read_text(encoding="utf-8")
MODELS = {
    "The document": document.Mapping,
    "Fields": document.FieldMap,
    "Parts": document.PartMap,
    "Lines": document.LineMap,
    "Capture": document.Capture,
    "Own key": document.OwnKey,
}


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE).group(1)


@pytest.mark.parametrize("title", MODELS)
def test_every_key_is_documented(title):
    text = section(title)
    for name, info in MODELS[title].model_fields.items():
        key = info.alias or name
        assert re.search(rf"`[^`]*\b{key}\b[^`]*`", text), f"{title}: {key}"


def test_every_choice_is_documented():
    for choice in document.Compare.__args__:
        assert f"`{choice}`" in section("Fields")
    for function in (*FUNCTIONS, *HIGHER_ORDER, *REFUSED):
        assert f"${function}" in section("Expressions"), function
    for name in ("on", "cast"):
        for choice in re.findall(r"'(\w+)'", str(document.FieldMap.model_fields[name].annotation)):
            assert f"`{choice}`" in section("Fields"), choice


def test_the_example_is_valid():
    example = re.search(r"```yaml\n(entity:.*?)```", TEXT, re.DOTALL).group(1)
    mapping = parse(yamlpos.load(example, "docs/mapping.md"))
    assert mapping.fields["Kind#type"].values == {"customer": "Customer", "prospect": ["Prospect", "Lead"]}


def test_the_example_compiles(build):
    example = re.search(r"```yaml\n(entity:.*?)```", TEXT, re.DOTALL).group(1)
    compiled = build(example)
    assert compiled.readable >= {"number", "name", "email", "type", "currency", "parent", "notes"}
    assert set(compiled.native_fields()) >= {"Id", "ModifiedOn", "Kind", "Archived", "Note1", "Note2"}
