"""The pages on the API and the dashboard tell what is there."""

from __future__ import annotations

import re
from pathlib import Path

from weft.config.loading import load_text
from weft.server.page import api_page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_the_api_is_current() -> None:
    assert (DOCS / "api.md").read_text("utf-8") == api_page(), "run: python -m weft.server.page > docs/api.md"


def test_refusals_on_the_page_are_those_of_the_code() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (DOCS.parent / "core/src/weft/server").rglob("*.py"))
    codes = set(re.findall(r'Refused\(\s*4\d\d, "(\w+)"', source)) | set(re.findall(r'5?4?\d\d, "(\w+)"\)', source))
    page = (DOCS / "api.md").read_text("utf-8")
    assert len(codes) >= 15
    assert [code for code in codes - {"failed"} if f"`{code}`" not in page] == []


def test_the_examples_of_the_dashboard_load() -> None:
    for example in re.findall(r"```yaml\n(.*?)```", (DOCS / "dashboard.md").read_text("utf-8"), re.S):
        assert load_text(example).server.enabled
