"""From the declaration to a package tree and its archive. The same input gives the same bytes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import stock
from .archive import pack
from .data_files import lookup_files, setting_files
from .entity_files import Identity, entity_files
from .errors import PackageError
from .listener_files import PUSH_URL, listener_files
from .model import PackageModel
from .names import DEFAULT_PREFIX, Names, fixed_uid
from .tree import package_date, write_json

_STOCK_LISTS = frozenset({"Currency", "Unit", "Tax", "Country"})
_VERSION = re.compile(r"\d+\.\d+\.\d+(\.\d+)?")


@dataclass(frozen=True)
class BuildOptions:
    """What differs from site to site.

    ``depends`` adds packages the site has: name -> (UId, version or None). Objects can only be extended
    or referred to when their package is among the dependencies; see :func:`missing_dependencies`.
    """

    prefix: str = DEFAULT_PREFIX
    version: str | None = None
    maintainer: str = "Customer"
    depends: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)


def package_name(model: PackageModel, options: BuildOptions) -> str:
    """The package's name in Creatio, also the archive's file name without ``.gz``."""
    return Names(options.prefix).object(model.name)


def missing_dependencies(model: PackageModel, options: BuildOptions) -> tuple[str, ...]:
    """Packages the declaration needs whose UId is neither known nor given."""
    return tuple(name for name in model.requires if name not in stock.PACKAGES and name not in options.depends)


def build_tree(model: PackageModel, options: BuildOptions | None = None) -> dict[str, bytes]:
    """All files of the package, ``{path: bytes}``."""
    options = options or BuildOptions()
    version = options.version or model.version
    if not _VERSION.fullmatch(version):
        raise PackageError(f"version {version!r}: three or four numbers, as in 1.0.0")
    if not options.maintainer.strip():
        raise PackageError("the maintainer is empty; Creatio's default is Customer")
    identity = _identity(model, options)
    files = {"descriptor.json": _descriptor(model, options, identity, version)}
    for spec in model.objects:
        files |= entity_files(spec, identity)
        if spec.is_lookup:
            files |= lookup_files(spec, identity)
    files |= setting_files(PUSH_URL, "Address that weft is told of changes at", identity)
    return files | listener_files(model, identity, version)


def build_archive(model: PackageModel, options: BuildOptions | None = None) -> bytes:
    """The package as ``.gz`` bytes, ready to install."""
    return pack(build_tree(model, options))


def _identity(model: PackageModel, options: BuildOptions) -> Identity:
    names = Names(options.prefix)
    displays = dict(stock.DISPLAY_COLUMNS)
    for spec in model.objects:
        if not spec.extends and spec.display:
            displays[spec.name] = spec.display if spec.is_lookup else names.column(spec.display)
    midnight = datetime.datetime.combine(model.released, datetime.time(), tzinfo=datetime.UTC)
    return Identity(
        names=names,
        package_uid=fixed_uid("package", names.object(model.name)),
        modified=int(midnight.timestamp()) * 1000,
        displays=displays,
        short_lists=_STOCK_LISTS | {spec.name for spec in model.objects if spec.is_lookup},
    )


def _descriptor(model: PackageModel, options: BuildOptions, identity: Identity, version: str) -> bytes:
    depends: dict[str, tuple[str, str | None]] = {**stock.PACKAGES, **options.depends}
    entries = []
    for name, (uid, wanted) in sorted(depends.items()):
        entry = {"UId": uid}
        if wanted:
            entry["PackageVersion"] = wanted
        entries.append(entry | {"Name": name})
    return write_json(
        {
            "Descriptor": {
                "UId": identity.package_uid,
                "PackageVersion": version,
                "Name": identity.names.object(model.name),
                "Type": 0,
                "ModifiedOnUtc": package_date(identity.modified),
                "Maintainer": options.maintainer,
                "Description": model.title,
                "DependsOn": entries,
            }
        }
    )
