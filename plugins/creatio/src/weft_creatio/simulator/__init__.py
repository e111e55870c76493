"""A local server that speaks Creatio's protocol: :class:`CreatioSimulator`.

Needs the extra `weft-creatio[simulator]`.
"""

from __future__ import annotations

from .commands import Person, RefusedError
from .server import CreatioSimulator
from .settings import CreatioSettings
from .site import Site

__all__ = ["CreatioSettings", "CreatioSimulator", "Person", "RefusedError", "Site", "create"]

create = CreatioSimulator.create
"""Factory for `serve_in_process("weft_creatio.simulator:create", {"records": 1000})`."""
