"""What ``weft demo`` does besides typing commands."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from weft.cli import story
from weft.cli.stage import Stage


def test_the_deal_is_found_among_more_links_than_a_page_shows(shop: Any) -> None:
    pairs = [(f"Accounts-{n:04d}", f"Customers-{n:04d}") for n in range(1, 131)]
    file = shop.folder / "links.csv"
    file.write_text("\n".join(["left_key,right_key", *(",".join(one) for one in pairs)]), encoding="utf-8")
    shop.run("links", "import", "customers", str(file))
    stage: Any = SimpleNamespace(data=shop.json)
    for left, right in (pairs[0], pairs[-1]):
        assert story._link(stage, "customers", left)["right_key"] == right


def test_its_secrets_are_for_nobody_else(tmp_path: Path) -> None:
    stage = Stage(tmp_path, plugins=None, records=0)  # type: ignore[arg-type]
    stage.secret("erp.secret", "simulated")
    file = tmp_path / "erp.secret"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("simulated", 0o600)
