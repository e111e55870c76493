"""``weft creatio package``: list, build and install the package."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from .build import BuildOptions
    from .install import InstallReport
    from .model import PackageModel
    from .service import HttpSession

OpenConnection = Callable[[str], "AbstractAsyncContextManager[tuple[HttpSession, str]]"]
"""Opens the connection of that name: the session, and the root for :class:`.service.Service`."""


def make_package_command(open_connection: OpenConnection | None = None) -> click.Command:
    """The command; ``--install`` needs *open_connection*."""

    @click.command("package")
    @click.option("--prefix", default="Usr", show_default=True, help="The site's SchemaNamePrefix.")
    @click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the .gz here.")
    @click.option("--version", "version", help="Version stamp of the package, as in 1.2.0.")
    @click.option("--maintainer", default="Customer", show_default=True, help="The package's maintainer.")
    @click.option(
        "--depends",
        multiple=True,
        metavar="NAME=UID",
        help="A package of the site this one depends on; --install looks them up by itself.",
    )
    @click.option("--list", "listing", is_flag=True, help="Show what would be created.")
    @click.option("--json", "as_json", is_flag=True, help="With --list: as JSON.")
    @click.option("--install", "connection", metavar="CONNECTION", help="Install on this connection's site.")
    @click.option(
        "--via",
        type=click.Choice(["archive", "designer"]),
        default="archive",
        show_default=True,
        help="With --install: upload the archive, or drive Creatio's object designer.",
    )
    @click.option("--into", default="Custom", show_default=True, help="With --via designer: the package to create in.")
    def package(
        prefix: str,
        output: Path | None,
        version: str | None,
        maintainer: str,
        depends: tuple[str, ...],
        listing: bool,
        as_json: bool,
        connection: str | None,
        via: Literal["archive", "designer"],
        into: str,
    ) -> None:
        """Build the Creatio package with the objects and columns weft needs, or install it."""
        from .build import BuildOptions
        from .errors import InstallError, PackageError
        from .model import load_model

        if not (listing or output or connection):
            raise click.UsageError("nothing to do: give --list, --output FILE or --install CONNECTION")
        if as_json and not listing:
            raise click.UsageError("--json goes with --list")
        if connection and open_connection is None:
            raise click.UsageError("--install is only available where weft.yaml's connections are")
        try:
            model = load_model()
            options = BuildOptions(prefix, version, maintainer, _dependencies(depends))
            if listing:
                click.echo(_listing(model, options, as_json))
            if output:
                _write(model, options, output)
            if connection and open_connection:
                result = _install_now(open_connection(connection), model, options, via, into)
                for warning in result.warnings:
                    click.echo(f"warning: {warning}", err=True)
                click.echo(f"{result.package} is installed")
        except InstallError as error:
            raise click.ClickException(str(error)) from error
        except PackageError as error:
            raise _WrongInput(str(error)) from error

    return package


class _WrongInput(click.ClickException):
    exit_code = 2


class _EndpointDown(click.ClickException):
    exit_code = 3


def _dependencies(values: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
    import uuid

    found: dict[str, tuple[str, str | None]] = {}
    for value in values:
        name, _, uid = value.partition("=")
        try:
            found[name] = (str(uuid.UUID(uid)), None)
        except ValueError:
            raise click.UsageError(f"--depends {value!r}: NAME=UID, the UId as Creatio shows it") from None
    return found


def _write(model: PackageModel, options: BuildOptions, output: Path) -> None:
    from .build import build_archive, missing_dependencies

    data = build_archive(model, options)
    output.write_bytes(data)
    click.echo(f"{output}: {len(data)} bytes")
    missing = missing_dependencies(model, options)
    if missing:
        click.echo(
            f"warning: the UIds of {', '.join(missing)} differ by site and are not in the archive. "
            "Give them with --depends, or use --install, or add them in Creatio before compiling",
            err=True,
        )


def _install_now(
    opened: AbstractAsyncContextManager[tuple[HttpSession, str]],
    model: PackageModel,
    options: BuildOptions,
    via: Literal["archive", "designer"],
    into: str,
) -> InstallReport:
    from weft.net.errors import AuthError, EndpointDown, NetError

    try:
        return asyncio.run(_install(opened, model, options, via, into))
    except EndpointDown as error:
        raise _EndpointDown(str(error)) from error
    except AuthError as error:
        raise _WrongInput(str(error)) from error
    except NetError as error:
        raise click.ClickException(str(error)) from error


async def _install(
    opened: AbstractAsyncContextManager[tuple[HttpSession, str]],
    model: PackageModel,
    options: BuildOptions,
    via: Literal["archive", "designer"],
    into: str,
) -> InstallReport:
    from dataclasses import replace

    from .build import build_archive, missing_dependencies, package_name
    from .contents import read_package
    from .designer import install_with_designer
    from .errors import InstallError
    from .install import install, site_dependencies, site_prefix

    def tell(text: str) -> None:
        click.echo(text, err=True)

    async with opened as (session, root):
        actual = await site_prefix(session, root=root)
        if actual is None:
            tell("warning: the site's SchemaNamePrefix cannot be read, so the prefix was not compared")
        elif actual != options.prefix:
            raise InstallError(
                f"the site's SchemaNamePrefix is {actual!r}, not {options.prefix!r}: use --prefix {actual}"
            )
        if via == "designer":
            target = (await site_dependencies(session, [into], root=root)).get(into)
            if target is None:
                raise InstallError(f"the site has no package {into}: create it there first, or give --into")
            contents = read_package(build_archive(model, options))
            return await install_with_designer(session, contents, (into, target[0]), root=root, report=tell)
        missing = missing_dependencies(model, options)
        found = await site_dependencies(session, missing, root=root)
        options = replace(options, depends={**options.depends, **found})
        absent = missing_dependencies(model, options)
        if absent:
            tell(f"warning: the site has no package {', '.join(absent)}; objects in it cannot be extended")
        archive = build_archive(model, options)
        return await install(session, archive, package_name(model, options), root=root, report=tell)


def _listing(model: PackageModel, options: BuildOptions, as_json: bool) -> str:
    from .build import build_archive
    from .contents import read_package

    contents = read_package(build_archive(model, options))
    rows = {binding.object: len(binding.rows) for binding in contents.data if binding.object != "Lookup"}
    objects: list[dict[str, Any]] = [
        {
            "object": found.name,
            "caption": found.caption,
            "kind": "extends" if found.extends else "lookup" if found.parent == "BaseLookup" else "new",
            "tracked": found.name in contents.listeners,
            "rows": rows.get(found.name, 0),
            "columns": [
                {
                    "name": column.odata_name,
                    "type": column.type,
                    "ref": column.ref,
                    "required": column.required,
                    "caption": column.caption,
                }
                for column in found.columns
            ],
        }
        for found in contents.objects
    ]
    if as_json:
        head = {"package": contents.name, "version": contents.version, "maintainer": contents.maintainer}
        return json_text.dumps({**head, "objects": objects}, indent=2)
    lines = [f"{contents.name} {contents.version}", ""]
    table = [("Object", "Kind", "Tracked", "Rows", "Columns")]
    table += [
        (
            entry["object"],
            entry["kind"],
            "yes" if entry["tracked"] else "",
            str(entry["rows"] or ""),
            ", ".join(column["name"] for column in entry["columns"]),
        )
        for entry in objects
    ]
    widths = [max(len(row[index]) for row in table) for index in range(4)]
    for row in table:
        cells = [row[index].ljust(widths[index]) for index in range(4)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
    return "\n".join(lines)


package_command = make_package_command()
