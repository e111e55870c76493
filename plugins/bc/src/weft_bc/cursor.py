"""The cursor of a changes read: the newest stamps seen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from weft.net import json as exact_json
from weft.net.json import utc_text
from weft_bc.values import moment


@dataclass(slots=True)
class Cursor:
    """``since``: newest stamp of the object itself, None when it was empty or carries no stamps.
    ``triggers``: newest stamps of the objects whose change calls for a sweep."""

    since: dt.datetime | None = None
    triggers: dict[str, dt.datetime] = field(default_factory=dict)

    def text(self) -> str:
        shown = {"since": self.since and utc_text(self.since)}
        triggers = {name: utc_text(at) for name, at in self.triggers.items()}
        return exact_json.dumps({**shown, **({"triggers": triggers} if triggers else {})}).decode()

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for a text that is no cursor of this connector."""
        try:
            data = exact_json.loads(text)
        except ValueError:
            return None
        if not isinstance(data, dict) or "since" not in data:
            return None
        since = moment(data["since"])
        if since is None and data["since"] is not None:
            return None
        triggers = {str(n): at for n, t in (data.get("triggers") or {}).items() if (at := moment(t)) is not None}
        return cls(since, triggers)
