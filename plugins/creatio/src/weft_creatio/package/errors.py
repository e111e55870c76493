"""Errors of package building, reading and installing."""

from __future__ import annotations


class PackageError(Exception):
    """A package cannot be declared, built, read or installed; the text says where and what to do."""


class ArchiveError(PackageError):
    """The bytes are not a package archive; the text gives the record and the offset."""


class InstallError(PackageError):
    """Creatio refused a step of the installation; the text carries Creatio's own words."""
