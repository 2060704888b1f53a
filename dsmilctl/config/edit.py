"""Edit: changes one thing in a TOML file and leaves every comment and every other line as it was."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dsmilctl.config.document import Document, KeyPath, read_document
from dsmilctl.config.paths import PROJECT_FILE, paths
from dsmilctl.config.private import replace_file
from dsmilctl.config.problem import raise_for
from dsmilctl.errors import ConfigError


def write_setting(key: str, value: str, *, project: bool) -> Path:
    """Write one setting, given as text, and return the file; raises ConfigError and then changes nothing."""
    from dsmilctl.config.wording import check, converted, path_of

    file = _project_file() if project else paths().settings_file
    path = path_of(key)
    meant = converted(path, value)
    document = open_document(file)
    raise_for(
        check(document.data, lambda found: "{}:{}:{}".format(file, *document.place(found)), strict=True)
    )
    replace_file(file, with_value(document, path, meant).encode())
    return file


def _project_file() -> Path:
    from dsmilctl.config.sources import sources

    for source in sources(paths()):
        if source.level == "project" and source.exists and source.path.endswith(".toml"):
            return Path(source.path)
    return Path.cwd() / PROJECT_FILE


def open_document(file: Path) -> Document:
    """The document of a file, an empty one where there is none; raises ConfigError."""
    if not os.path.lexists(file):
        return Document("")
    document, problems = read_document(str(file))
    raise_for(problems)
    if document is None:
        raise ConfigError(f"{file} cannot be read", target=str(file))
    return document


def with_value(document: Document, path: KeyPath, value: Any) -> str:
    """The text with one value set; raises ConfigError where the file is written so that it cannot be."""
    wanted = _put(document.data, path, value)
    around = [line for line in document.statements if line.value and line.path == path[: len(line.path)]]
    if around and around[0].value:
        start, end = around[0].value
        inner = _at(wanted, around[0].path)
        return _proven(document.text[:start] + literal(inner) + document.text[end:], wanted)
    return _proven(_with_line(document, path, value), wanted)


def _with_line(document: Document, path: KeyPath, value: Any) -> str:
    """The text with a new line at the end of its table, which is made where it is not there yet."""
    home = _home(document, path[:-1])
    if home is None:
        return _with_header(document, path[:-1], _assignment(path[-1:], value))
    header, around = home
    at = _end_of_table(document, header)
    line = _assignment(path[len(around) :], value)
    return f"{_ended(document.text[:at])}{line}{document.text[at:]}"


def _home(document: Document, table: KeyPath) -> tuple[int, KeyPath] | None:
    """The header (its number, -1 for none) and its table under which entries of a table are written."""
    header: int = -1
    around: KeyPath = ()
    for number, line in enumerate(document.statements):
        if line.value is None:
            header, around = number, line.path
        if (line.path if line.value is None else line.path[:-1]) == table:
            return header, around
    return None if table else (-1, ())


def _with_header(document: Document, table: KeyPath, lines: str) -> str:
    head = f"[{'.'.join(key_literal(part) for part in table)}]"
    gap = "\n" if document.text else ""
    return f"{_ended(document.text)}{gap}{head}\n{lines}"


def _assignment(path: KeyPath, value: Any) -> str:
    return f"{'.'.join(key_literal(part) for part in path)} = {literal(value)}\n"


def _end_of_table(document: Document, header: int) -> int:
    """The offset after the last line of a table; before the first header for the top of the text."""
    end = document.statements[header].end if header >= 0 else 0
    for statement in document.statements[header + 1 :]:
        if statement.value is None:
            break
        end = statement.end
    return end


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def without(document: Document, path: KeyPath) -> str:
    """The text without everything at or below a path; raises ConfigError where it cannot be cut out."""
    text = document.text
    for statement in reversed(document.statements):
        if statement.path[: len(path)] == path:
            text = text[: statement.start] + text[statement.end :]
    return _proven(text, _removed(document.data, path))


def with_table(document: Document, path: KeyPath, table: Mapping[str, Any]) -> str:
    """The text with a new table at its end; raises ConfigError where it cannot have one."""
    lines = "".join(_assignment((key,), value) for key, value in table.items())
    return _proven(_with_header(document, path, lines), _put(document.data, path, table))


def _proven(text: str, wanted: dict[str, Any]) -> str:
    """The text, once the standard library reads exactly what was wanted from it; empty tables aside."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = None
    if found is None or _pruned(found) != _pruned(wanted):
        message = "the file is written in a way that cannot be changed without losing something"
        raise ConfigError(message, hint="change it in an editor")
    return text


def _pruned(value: Any) -> Any:
    """The value without tables in which there is nothing."""
    if not isinstance(value, dict):
        return value
    inner = {key: _pruned(found) for key, found in value.items()}
    return {key: found for key, found in inner.items() if found != {}}


def _put(data: Mapping[str, Any], path: KeyPath, value: Any) -> dict[str, Any]:
    name = str(path[0])
    inner = data.get(name)
    changed = _put(inner if isinstance(inner, dict) else {}, path[1:], value) if path[1:] else value
    return {**data, name: changed}


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _removed(data: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
    name = str(path[0])
    rest = {key: value for key, value in data.items() if key != name}
    if not path[1:] or name not in data:
        return rest
    return {**data, name: _removed(data[name], path[1:])}


def literal(value: Any) -> str:
    """A value as TOML.  None has no form in TOML and is left out of tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        pairs = (
            f"{key_literal(key)} = {literal(inner)}" for key, inner in value.items() if inner is not None
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(literal(inner) for inner in value)}]"
    return repr(value)


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key_literal(part: str | int) -> str:
    """A key as TOML, quoted only where it has to be."""
    name = str(part)
    plain = name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if plain else _string(name)
