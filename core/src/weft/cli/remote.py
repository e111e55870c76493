"""The daemon that holds a SQLite state: commands that act do so through its control socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from weft.errors import ConfigError, EndpointDown, StateError, WeftError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from weft.desk.action import Action

W = TypeVar("W", bound="BaseModel")
D = TypeVar("D", bound="BaseModel")
LONGEST = 600.0
"""Seconds an answer may take: a long file of links is checked record by record."""
LOOK = 0.3
PATIENCE = 10.0
"""Seconds after which a person is told what is waited for."""
EXIT_CODES = {"done": 0, "down": 3}


class Remote:
    """Speaks the daemon's own API."""

    def __init__(self, path: Path, by: str) -> None:
        import httpx

        from weft.server.doors import USER

        transport = httpx.HTTPTransport(uds=str(path))
        headers = {USER: quote(by)}
        self._client = httpx.Client(
            transport=transport, base_url="http://weft/api/v1", headers=headers, timeout=LONGEST
        )

    @classmethod
    def find(cls, state: Path | None, by: str) -> Remote | None:
        """The daemon that holds this state, if one does."""
        from weft.state.place import control_socket

        if state is None or not hasattr(socket, "AF_UNIX"):
            return None
        path = control_socket(state)
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(str(path))
        except OSError:
            return None  # nobody listens: a daemon that died leaves the file behind
        finally:
            probe.close()
        return cls(path, by)

    def act(self, action: Action[W, D], wanted: W) -> D:
        """Have the daemon do it."""
        body = wanted.model_dump(mode="json", exclude_unset=True)
        return action.done.model_validate(self._asked("POST", action.name.replace(".", "/"), json=body))

    def sync(self, names: list[str], *, sweep: bool, note: Callable[[str], None]) -> list[dict[str, Any]]:
        """Have flows run and wait for it; the runs as the API shows them. ``note`` is told what is waited for.

        :raises ConfigError: a flow must not work now, or is paused while it is waited for.
        """
        since = datetime.fromisoformat(self._asked("GET", "status")["at"])
        self._asked("POST", "flows/run", json={"flows": names, "what": "sweep" if sweep else "sync"})
        waiting, found, told = list(names), [], set()
        patient_until = time.monotonic() + PATIENCE
        while waiting:
            for view in self._asked("GET", "status")["flows"]:
                name, pause, blocker = view["status"]["flow"], view["pause"], view["status"]["blocker"]
                if name in waiting and blocker and blocker not in told and time.monotonic() > patient_until:
                    note(f"{name}: {blocker}")
                    told.add(blocker)
                if name in waiting and pause is not None:
                    raise ConfigError(f"{name} is {blocker}")
            for name in list(waiting):
                for run in self._asked("GET", "runs", params={"flow": name, "limit": 20})["items"]:
                    begun = datetime.fromisoformat(run["started_at"])
                    if begun >= since and run["mode"] in ("changes", "first", "sweep") and run["state"] != "running":
                        waiting.remove(name)
                        found.append(run)
                        break
            if waiting:
                time.sleep(LOOK)
        return found

    def _asked(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        try:
            answer = self._client.request(method, path, **more)
        except httpx.TransportError as error:
            raise StateError(
                f"the weft process that holds the state does not answer ({error}); weft status shows how it stands"
            ) from None
        if answer.is_success:
            return answer.json()
        raise _error(answer.status_code, answer.json()["error"]["message"])


def _error(status: int, message: str) -> WeftError:
    if status >= 500:
        return EndpointDown(message) if status == 502 else StateError(message)
    return ConfigError(message) if status in (404, 409, 413, 422) else WeftError(message)
