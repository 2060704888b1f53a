"""Output: what a command shows on stdout: tables for people; json, ndjson, csv and plain for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dsmilctl.errors import InvalidParameter, MissingExtraError, nearest
from dsmilctl.stdout import flush, terminal_width, write
from dsmilctl.tables import Column, Row, lay_out, plain

FORMATS = ("table", "wide", "json", "ndjson", "csv", "plain")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Output:
    """What a command shows, in the format that was asked for.

    `fields` keeps only these fields, in this order; `jq` is a program of the jq language that every JSON
    document goes through.
    """

    def __init__(
        self, format: str = "table", *, context: str = "", fields: Sequence[str] = (), jq: str = ""
    ) -> None:
        if format not in FORMATS:
            hint = nearest(format, FORMATS) or f"formats: {', '.join(FORMATS)}"
            raise InvalidParameter(f"no output format {format!r}", hint=hint, target="--output")
        self.format = format
        self.context = context
        self.fields = tuple(fields)
        self._filter = _jq_program(jq) if jq else None
        self._csv_begun = False

    @property
    def for_programs(self) -> bool:
        """Whether errors, too, should be JSON."""
        return self.format in ("json", "ndjson") or self._filter is not None

    def show(self, data: Any, *, schema: str, columns: Sequence[Column] = (), title: str = "") -> None:
        """Show one result: a list of rows, one row, or any other value.  A list of rows may be empty."""
        data = self._picked(data)
        if self._filter is not None or self.format == "json":
            document = {"schema": f"dsmilctl/{schema}", "context": self.context or None, "data": data}
            self._json(document, indent=2)
        elif self.format == "ndjson":
            for row in data if isinstance(data, list) else [data]:
                self._json(row)
        elif isinstance(data, list):
            self._rows(data, columns, title)
        else:
            self._one(data, columns)
        flush()

    def row(self, row: Row, columns: Sequence[Column] = ()) -> None:
        """Show one row of a stream; every line is flushed."""
        picked = self._picked(dict(row))
        if self.format in ("json", "ndjson") or self._filter is not None:
            self._json(picked)
        else:
            self._rows([picked], columns, "", headings=not self._csv_begun)
        flush()

    def mark(self, event: Mapping[str, Any]) -> None:
        """Show where a stream begins, has a gap or ends; no field of it is left out."""
        write(msgspec.json.encode(event).decode() + "\n")
        flush()

    def text(self, text: str) -> None:
        """Write text as it is: a script, a help page, a document."""
        write(text if text.endswith("\n") else f"{text}\n")
        flush()

    def _rows(self, rows: list[Row], columns: Sequence[Column], title: str, *, headings: bool = True) -> None:
        shown = self._columns(rows, columns)
        if self.format == "csv":
            self._csv(rows, columns)
        elif self.format == "plain":
            write("".join("\t".join(column.cell(row) for column in shown) + "\n" for row in rows))
        elif not rows:
            write(f"{title or 'nothing to show'}\n")
        else:
            lines = lay_out(rows, shown, terminal_width())
            write("".join(f"{line}\n" for line in (lines if headings else lines[1:])))
        self._csv_begun = True

    def _columns(self, rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
        known = {column.field: column for column in columns}
        if self.fields:
            return [known.get(field, Column(field)) for field in self.fields]
        if not columns:
            return [Column(field) for field in (rows[0] if rows else ())]
        return [column for column in columns if self.format == "wide" or not column.wide]

    def _csv(self, rows: Sequence[Row], columns: Sequence[Column]) -> None:
        import csv
        import io

        fields = self.fields or tuple(rows[0] if rows else [column.field for column in columns])
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        if not self._csv_begun:
            writer.writerow(fields)
        for row in rows:
            writer.writerow([_csv_cell(row.get(field)) for field in fields])
        write(buffer.getvalue())

    def _one(self, data: Any, columns: Sequence[Column]) -> None:
        if not isinstance(data, Mapping):
            write(f"{plain(data)}\n")
        elif self.format == "csv":
            self._csv([data], columns)
        else:
            known = {column.field: column for column in columns}
            pairs = [(name, known.get(name, Column(name)).cell(data)) for name in data]
            width = max((len(name) for name, _ in pairs), default=0)
            separator = "\t" if self.format == "plain" else ""
            for name, text in pairs:
                write(f"{name}{separator or ' ' * (width - len(name) + 2)}{text}\n")

    def _picked(self, data: Any) -> Any:
        if not self.fields:
            return data
        if isinstance(data, list):
            return [self._picked(row) for row in data]
        if not isinstance(data, Mapping):
            return data
        for field in self.fields:
            if field not in data:
                hint = nearest(field, data) or f"fields: {', '.join(data)}"
                raise InvalidParameter(f"no field {field!r}", hint=hint, target="--fields")
        return {field: data[field] for field in self.fields}

    def _json(self, document: Any, indent: int = 0) -> None:
        for item in self._filter(document) if self._filter else [document]:
            encoded = msgspec.json.encode(item)
            write((msgspec.json.format(encoded, indent=indent) if indent else encoded).decode() + "\n")


def _csv_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is told to be text."""
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _jq_program(expression: str) -> Callable[[Any], Iterable[Any]]:
    try:
        import jq
    except ImportError:
        hint = "pip install 'dsmilctl[jq]', or pipe -o json into jq"
        raise MissingExtraError("--jq needs the jq extra", hint=hint, target="--jq") from None
    try:
        program = jq.compile(expression)
    except ValueError as error:
        raise InvalidParameter(f"--jq: {error}", hint="see the jq manual", target="--jq") from None

    def run(document: Any) -> Iterable[Any]:
        try:
            return list(program.input_value(msgspec.to_builtins(document)))
        except ValueError as error:
            raise InvalidParameter(
                f"--jq: {error}", hint="look at the document: -o json", target="--jq"
            ) from None

    return run
