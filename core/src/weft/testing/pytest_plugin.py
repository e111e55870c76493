"""pytest plugin of weft: makes the contract suite run under a plain ``pytest``.

Nothing of weft is imported before a test asks for it.
"""

from __future__ import annotations

import asyncio
import inspect

import pytest

MARKER = "weft_contract: a demand of the connector contract (weft.testing.connector_contract)"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks the suite uses, also where pytest-asyncio is not there to declare its own."""
    config.addinivalue_line("markers", MARKER)
    if not config.pluginmanager.hasplugin("asyncio"):
        config.addinivalue_line("markers", "asyncio: an asynchronous test")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a check by ourselves where no pytest-asyncio is there to do it."""
    if pyfuncitem.get_closest_marker("weft_contract") is None:
        return None
    if pyfuncitem.config.pluginmanager.hasplugin("asyncio"):
        return None
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}))
    return True
