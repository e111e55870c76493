"""A synchronous client of the control endpoint, for simulators in another process."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from dataclasses import fields
from typing import Any

from weft.testing.odata.render import dumps, loads
from weft.testing.simulator.faults import Fault


class ControlError(Exception):
    """The control endpoint refused; the text says why."""


class ControlClient:
    """Verbs of :mod:`~weft.testing.simulator.control` for one simulator. Blocks; do not call inside an event loop."""

    def __init__(self, control_url: str, name: str, ca_file: str | None) -> None:
        if not control_url.startswith(("https://", "http://")):
            raise ValueError(f"not a URL: {control_url}")
        self._root = f"{control_url}/{name}"
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if ca_file is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, verb: str, data: Any = None) -> Any:
        """Any verb, e.g. ``call("POST", "clock", {"advance": 60})``. Raises ControlError."""
        body = None if data is None else dumps(data)
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self._root}/{verb}", data=body, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise ControlError(f"{method} {verb}: {error.code} {text}") from None

    def add_fault(self, fault: Fault) -> int:
        """Returns the fault's id."""
        data = {
            item.name: getattr(fault, item.name) for item in fields(fault) if item.name not in ("id", "struck", "seen")
        }
        return int(self.call("POST", "faults", data)["id"])

    def remove_fault(self, fault_id: int) -> None:
        self.call("DELETE", f"faults/{fault_id}")

    def clear_faults(self) -> None:
        self.call("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        self.call("POST", "clock", {"advance": seconds})

    def release(self, count: int | None = None) -> int:
        return int(self.call("POST", "release", {"count": count})["released"])

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", "stats")
        return found

    def command(self, name: str, **args: Any) -> Any:
        return self.call("POST", f"command/{name}", args)["result"]
