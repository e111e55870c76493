"""Rows -> JSON, by letting SQLite write the text: Python touches no value of a page."""

from __future__ import annotations

from collections.abc import Iterable

from .database import quoted
from .model import Column, Entity
from .settings import CreatioSettings
from .values import ZERO_GUID

_MAX_ARGS = 96  # SQLite functions take 127 arguments; a decimal needs three


class Renderer:
    """Builds SQL expressions whose value is the JSON text of a row."""

    def __init__(self, settings: CreatioSettings) -> None:
        self._settings = settings

    def object(
        self, entity: Entity, alias: str, names: Iterable[str] | None, members: list[str], *, head: str = ""
    ) -> str:
        """JSON object of a row.

        `names`: the selected columns, None for all (then with the links of stream columns). `members`: SQL
        expressions giving further `"Name":value` texts (expanded navigations). `head`: text of the first members.
        """
        if names is None:
            columns: Iterable[Column] = entity.stored
        else:
            wanted = set(names)
            columns = [c for c in entity.stored if c.name in wanted]
        pieces: list[str] = []
        formats: list[str] = []
        args: list[str] = []
        for column in columns:
            form, used = self.member(column, alias)
            formats.append(form)
            args += used
            if len(args) > _MAX_ARGS:
                pieces.append(_printf(formats, args))
                formats, args = [], []
        if formats:
            pieces.append(_printf(formats, args))
        pieces += members
        if names is None and entity.streams:
            pieces.append(_stream_links(entity, alias))
        if head:
            pieces.insert(0, _text(head))
        return "'{'||" + "||','||".join(pieces) + "||'}'" if pieces else "'{}'"

    def member(self, column: Column, alias: str) -> tuple[str, list[str]]:
        """(printf format, SQL arguments) of `"Name":value`."""
        form, args = self.value(column, f"{alias}.{quoted(column.name)}")
        return f'"{column.name}":{form}', args

    def value(self, column: Column, sql: str) -> tuple[str, list[str]]:
        """(printf format, SQL arguments) of a JSON value; empties are never null."""
        match column.kind:
            case "guid" | "lookup":
                return '"%s"', [f"coalesce({sql},'{ZERO_GUID}')"]
            case "text":
                return "%s", [f"json_quote({sql})"]
            case "int":
                return "%d", [sql]
            case "bool":
                return "%s", [f"CASE {sql} WHEN 1 THEN 'true' ELSE 'false' END"]
            case "decimal":
                unit = 10**column.scale
                sign = f"CASE WHEN {sql}<0 THEN '-' ELSE '' END"
                return f"%s%d.%0{column.scale}d", [sign, f"abs({sql})/{unit}", f"abs({sql})%{unit}"]
        offset = self._settings.server_utc_offset_minutes if self._settings.local_time_labelled_utc else 0
        if offset and column.kind == "datetime":
            sql = f"strftime('%Y-%m-%dT%H:%M:%S',{sql},'{offset:+d} minutes')||substr({sql},20)"
        return "%s", [f"""coalesce('"'||rtrim(rtrim({sql},'0'),'.')||'Z"','"0001-01-01T00:00:00Z"')"""]


def _printf(formats: list[str], args: list[str]) -> str:
    return f"printf({_text(','.join(formats))},{','.join(args)})"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _stream_links(entity: Entity, alias: str) -> str:
    forms = []
    for column in entity.streams:
        link = f"{entity.name}(%s)/{column.name}"
        forms.append(
            f'"{column.name}@odata.mediaEditLink":"{link}","{column.name}@odata.mediaReadLink":"{link}",'
            f'"{column.name}@odata.mediaContentType":"application/octet-stream"'
        )
    return _printf(forms, [f"{alias}.Id"] * (2 * len(entity.streams)))
