"""Output: what a command shows on stdout: tables for people; json, ndjson, csv and plain for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl.diagnostics import warn
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.inert import encodable, escaped, inert, inert_lines, is_harmless
from dsmilctl.pages import page
from dsmilctl.stdout import flush, terminal_size, terminal_width, write, write_json
from dsmilctl.tables import Column, Row, Table, lay_out, plain, shorten

if TYPE_CHECKING:
    from dsmilctl.jq_program import JqProgram

FORMATS = ("table", "wide", "json", "ndjson", "csv", "plain")
HOME = "\x1b[H"
CLEAR = "\x1b[H\x1b[2J"
"""To the upper left corner, and the same on an empty screen.  Source: ECMA-48, CUP and ED."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Output:
    """What a command shows, in the format that was asked for.

    `fields` keeps only these fields, in this order; `jq` is a program of the jq language that every JSON
    document goes through.  Raises InvalidParameter for a format, a field or a program that is wrong.
    """

    def __init__(
        self, format: str = "table", *, context: str = "", fields: Sequence[str] = (), jq: str = ""
    ) -> None:
        if format not in FORMATS:
            hint = nearest(format, FORMATS) or f"formats: {', '.join(FORMATS)}"
            raise InvalidParameter(f"no output format {format!r}", hint=hint, target="--output-format")
        self.format = format
        self.context = context
        self.fields = tuple(fields)
        self._program = _jq_program(jq) if jq else None
        self._stream: Table | None = None
        self._headed = False
        self.forgiving = False

    @property
    def as_json(self) -> bool:
        """Whether programs read the output, so that everything else should be JSON, too."""
        return self.format in ("json", "ndjson") or self._program is not None

    @property
    def for_people(self) -> bool:
        """Whether a person reads the output."""
        return self.format in ("table", "wide") and self._program is None

    def show(
        self, data: Any, *, schema: str, columns: Sequence[Column] = (), empty: str = "", rows: str = ""
    ) -> None:
        """Show one result: a list of rows, one thing, or any other value.

        `empty` is said instead of a table without rows.  `rows` names the field of a thing that holds the
        rows it is about: only JSON shows the rest of it, and `fields` are theirs.  A `forgiving` output, that
        of a change which is made already, shows everything where `fields` or `jq` do not fit.
        """
        try:
            self._show(data, schema, columns, empty, rows)
        except InvalidParameter as error:
            if not self.forgiving:
                raise
            warn(f"{error.message}: everything is shown instead")
            self.fields, self._program = (), None
            self._show(data, schema, columns, empty, rows)

    def _show(self, data: Any, schema: str, columns: Sequence[Column], empty: str, rows: str) -> None:
        if self.format == "json" or self._program is not None:
            picked = {**data, rows: self._picked(data[rows])} if rows else self._picked(data)
            document = {"schema": f"dsmilctl/{schema}", "context": self.context or None, "data": picked}
            self._json(document, indent=0 if self.format == "ndjson" else 2)
        else:
            self._shown(self._picked(data[rows] if rows else data), columns, empty)
        flush()

    def row(self, row: Row, columns: Sequence[Column] = ()) -> None:
        """Show one row of a stream; every line is flushed."""
        picked = self._picked(row)
        if self.as_json:
            self._json(picked)
        elif self.format == "csv":
            self._csv([picked], columns)
        elif self.format == "plain":
            self._plain([picked], columns)
        else:
            self._row(picked, columns)
        flush()

    def text(self, text: str) -> None:
        """Show a sentence, or anything else that is text already."""
        write(text if text.endswith("\n") else f"{text}\n")
        flush()

    def repaint(self, rows: Sequence[Row], columns: Sequence[Column], title: str) -> None:
        """Show a table in the place of the one before; what does not fit on the terminal is counted."""
        columns_wide, height = terminal_size() or (80, 24)
        picked = self._picked(list(rows))
        lines = [title, *lay_out(picked, self._columns(picked, columns), columns_wide)]
        if len(lines) >= height:
            more = len(lines) - (height - 2)
            lines = [*lines[: height - 2], f"… {more} more"]
        painted = "".join(f"{shorten(line, columns_wide)}\x1b[K\n" for line in lines)
        write(f"{HOME if self._headed else CLEAR}{painted}\x1b[J")
        self._headed = True
        flush()

    def mark(self, event: Mapping[str, Any]) -> None:
        """Show where a stream begins, has a gap or ends; no field of it is left out."""
        write_json(_encoded(event) + "\n")
        flush()

    def _shown(self, data: Any, columns: Sequence[Column], empty: str) -> None:
        if self.format == "ndjson":
            for row in data if isinstance(data, list) else [data]:
                self._json(row)
        elif isinstance(data, list):
            self._rows(data, columns, empty)
        elif isinstance(data, Mapping):
            self._thing(data, columns)
        else:
            write(f"{inert_lines(plain(data))}\n")

    def _rows(self, rows: Sequence[Row], columns: Sequence[Column], empty: str) -> None:
        if self.format == "csv":
            self._csv(rows, columns)
        elif self.format == "plain":
            self._plain(rows, columns)
        elif rows:
            lines = lay_out(rows, self._columns(rows, columns), terminal_width())
            write("".join(f"{line}\n" for line in lines))
        else:
            write(f"{empty or 'nothing to show'}\n")

    def _thing(self, data: Row, columns: Sequence[Column]) -> None:
        if self.format == "csv":
            self._csv([data], columns)
        elif self.format == "plain":
            known = {column.field: column for column in columns}
            cells = ((name, _plain_cell(known.get(name, Column(name)), data)) for name in data)
            write("".join(f"{inert(name)}\t{text}\n" for name, text in cells))
        else:
            write("".join(f"{line}\n" for line in page(data, columns, terminal_width())))

    def _row(self, row: Row, columns: Sequence[Column]) -> None:
        if self._stream is None:
            self._stream = Table(self._columns([row], columns), terminal_width())
            self._stream.fit([row])
            write(f"{self._stream.head()}\n")
        write("".join(f"{line}\n" for line in self._stream.lines([row])))

    def _columns(self, rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
        known = {column.field: column for column in columns}
        if self.fields:
            chosen = (known.get(field, Column(field)) for field in self.fields)
            return [msgspec.structs.replace(column, sparse=False) for column in chosen]
        if not columns:
            return [Column(field) for field in (rows[0] if rows else ())]
        return [column for column in columns if self.format == "wide" or not column.wide]

    def _plain(self, rows: Sequence[Row], columns: Sequence[Column]) -> None:
        shown = self._columns(rows, columns)
        write("".join("\t".join(_plain_cell(column, row) for column in shown) + "\n" for row in rows))

    def _csv(self, rows: Sequence[Row], columns: Sequence[Column]) -> None:
        fields = self.fields or tuple(rows[0] if rows else [column.field for column in columns])
        lines = [] if self._headed else [_csv_line(fields)]
        self._headed = True
        write("".join([*lines, *(_csv_line([row.get(field) for field in fields]) for row in rows)]))

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
        if self._program is None:
            write_json(_encoded(document, indent) + "\n")
            return
        for item in self._program(document):
            write_json((escaped(item) if isinstance(item, str) else _encoded(item, indent)) + "\n")


def _encoded(document: Any, indent: int = 0) -> str:
    """JSON in which nothing steers a terminal; whoever parses it gets every value as it is."""
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_encodable(msgspec.to_builtins(document)))
    text = (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
    return text if is_harmless(encoded) else escaped(text)


def _encodable(value: Any) -> Any:
    """The value with every lone surrogate in it written out."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _csv_line(values: Sequence[Any]) -> str:
    """One line of a CSV; a carriage return in a cell is quoted like a line feed.  Source: RFC 4180."""
    import csv
    import io

    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_csv_cell(value) for value in values])
    return line.getvalue().removesuffix("\r\n") + "\n"


def _plain_cell(column: Column, row: Row) -> str:
    """What people read, but for truths, which programs read as they stand in JSON."""
    value = row.get(column.field)
    return _encoded(value) if isinstance(value, bool) and column.text is None else column.cell(row)


def _csv_cell(value: Any) -> Any:
    """Truths and what is nested as in JSON; text inert, a formula of a spreadsheet quoted as text."""
    if isinstance(value, bool | dict | list | tuple):
        return _encoded(value)
    if isinstance(value, str):
        text = inert_lines(value)
        return f"'{text}" if value.startswith(FORMULA_STARTS) else text
    return value


def _jq_program(expression: str) -> JqProgram:
    from dsmilctl.jq_program import JqProgram

    return JqProgram(expression)
