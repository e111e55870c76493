"""The page of the model is what the code says."""

from __future__ import annotations

from pathlib import Path

from weft.model.page import model_page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_current() -> None:
    page = DOCS / "model.md"
    assert page.read_text(encoding="utf-8") == model_page(), "run: python -m weft.model.page > docs/model.md"
