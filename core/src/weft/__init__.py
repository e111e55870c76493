"""weft keeps Creatio CRM and the Microsoft Dynamics family in agreement.

Connector authors need two names from here: :data:`hookimpl`, which marks the functions of a
connector module, and :func:`around`, which wraps another connector's calls. The contract itself is
in :mod:`weft.hookspecs`.
"""

import pluggy

from weft.around import around

__version__ = "0.1.0"

__all__ = ["__version__", "around", "hookimpl"]

hookimpl = pluggy.HookimplMarker("weft")
"""Marks a function of a connector module as the implementation of the hook of the same name."""
