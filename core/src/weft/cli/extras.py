"""Parts of weft that come with an extra: what to install when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft.errors import ConfigError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import within what the extra ``name`` brings.

    :raises ConfigError: it is not installed; says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "weft":
            raise  # a defect of ours, not something to install
        raise ConfigError(f"this needs the package {error.name!r}: pip install 'weft[{name}]'") from error
