"""The address of a connection, as written in its settings: checked before anything is sent there.

Imports nothing heavy: settings are validated where no request is ever made.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Is this host this machine itself?"""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(value: str, example: str) -> str:
    """The address without a slash at the end; for a settings model's ``field_validator``.

    :raises ValueError: it is no https address (http only to this machine), or it holds credentials. The text
        never repeats the value, which may hold a password.
    """
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"must be an address such as {example}") from None
    if parts.scheme not in ("https", "http") or not host or any(c.isspace() for c in value):
        raise ValueError(f"must be an address such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password; they belong under `auth`")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            "must begin with https://: credentials and data travel over https only; for a private certificate "
            "authority set `ca_file`"
        )
    return value.rstrip("/")
