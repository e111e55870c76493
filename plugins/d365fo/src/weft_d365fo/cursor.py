"""The cursor of a changes read: the newest stamps seen, and which snapshot of tags it continues from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from weft.net import json as exact_json
from weft.net.json import utc_text
from weft_d365fo.values import moment


@dataclass(slots=True)
class Cursor:
    """``feeds``: newest stamp by object, None while it was empty. ``seen``: token of the snapshot."""

    feeds: dict[str, dt.datetime | None] = field(default_factory=dict)
    seen: str | None = None

    def text(self) -> str:
        feeds = {name: at and utc_text(at) for name, at in self.feeds.items()}
        return exact_json.dumps({"feeds": feeds, "seen": self.seen}).decode()

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for a text that is no cursor of this connector."""
        try:
            data = exact_json.loads(text)
        except ValueError:
            return None
        if not isinstance(data, dict) or not isinstance(data.get("feeds"), dict):
            return None
        seen = data.get("seen")
        feeds = {str(name): moment(at) for name, at in data["feeds"].items()}
        return cls(feeds, seen if isinstance(seen, str) else None)
