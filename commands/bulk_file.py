"""Bulk files: operations from CSV, JSON or one JSON object per line, every mistake with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dsmilctl.commands.values import file_content, free_value, settings_of
from dsmilctl.errors import DSMILError, InvalidParameter, nearest
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register, Value, find_register

FIELDS = ("device_id", "type", "register", "value", "command", "arguments", "justification", "if_value")
TYPES = [kind.value.lower() for kind in OperationType if kind is not OperationType.READ]
LARGEST = 64 << 20
"""Bytes."""

MOST = 10
"""Mistakes that are told at once."""

SHOWN = 60
"""Characters of a line that are shown in an error."""


def read_requests(name: str, devices: Sequence[Device]) -> list[Request]:
    """The operations of a file (`-`: stdin); raises InvalidParameter that names every wrong line."""
    known = {item.name.casefold(): item for item in devices}
    known |= {str(item.device_id).casefold(): item for item in devices}
    known |= {item.shown_id.casefold(): item for item in devices}
    requests, problems = [], []
    shown = "stdin" if name == "-" else name
    for line, row in _rows(shown, _content(name)):
        try:
            requests.append(_request(row, known))
        except DSMILError as error:
            problems.append(f"{shown}:{line}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    if problems:
        hint = "nothing was changed: mend the file and run it again"
        raise InvalidParameter(_several(problems), hint=hint, target=shown)
    if not requests:
        hint = f"fields: {', '.join(FIELDS)}"
        raise InvalidParameter(f"{shown} holds no operation", hint=hint, target=shown)
    return requests


def _several(problems: Sequence[str]) -> str:
    """One mistake as it is, several as a list."""
    if len(problems) == 1:
        return problems[0]
    more = [f"… and {len(problems) - MOST} more"] if len(problems) > MOST else []
    return "\n  ".join([f"{len(problems)} mistakes", *problems[:MOST], *more])


def _content(name: str) -> str:
    content = file_content(name, LARGEST)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: {error.reason} at byte {error.start}"
        raise InvalidParameter(message, hint="save it as UTF-8", target=name) from None


def _rows(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    start = text.lstrip()[:1]
    if start == "[":
        yield from enumerate(_json(name, 1, text, list[dict[str, Any]]), 1)
    elif start == "{":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, _json(name, number, line, dict[str, Any])
    else:
        yield from _csv_rows(name, text)


def _json(name: str, line: int, text: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(
            f"{name}:{line}: {error}", hint="one JSON object per line", target=name
        ) from None


def _csv_rows(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    import csv

    reader = csv.DictReader(text.splitlines(), restkey="", strict=True)
    try:
        _require_columns(name, reader.fieldnames or ())
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if value not in (None, "")}
    except csv.Error as error:
        raise InvalidParameter(f"{name}:{reader.line_num}: {error}", target=name) from None


def _require_columns(name: str, columns: Sequence[str]) -> None:
    """Raise InvalidParameter unless the first line of a CSV names the columns."""
    unknown = [column for column in columns if column not in FIELDS]
    if not unknown:
        return
    hint = nearest(unknown[0], FIELDS) or f"columns: {', '.join(FIELDS)}"
    told = f"no column {unknown[0]!r}"
    if len(unknown) == len(columns):
        told = f"the first line must name the columns, and this one is {','.join(columns)[:SHOWN]!r}"
        hint = f"device_id,register,value; all of them: {', '.join(FIELDS)}"
    raise InvalidParameter(f"{name}:1: {told}", hint=hint, target=name)


def _request(row: dict[str, Any], known: dict[str, Device]) -> Request:
    if "" in row:
        raise InvalidParameter("more cells than the first line has names")
    for field in row:
        if field not in FIELDS:
            hint = nearest(str(field), FIELDS) or f"fields: {', '.join(FIELDS)}"
            raise InvalidParameter(f"no field {field!r}", hint=hint)
    device = _device(row.get("device_id"), known)
    kind = _type(str(row.get("type", "write")))
    register = (
        find_register(device.registers, str(row.get("register", ""))) if kind is OperationType.WRITE else None
    )
    if register is not None and row.get("value") is None:
        raise InvalidParameter("a write needs a value")
    if kind is OperationType.COMMAND and not row.get("command"):
        raise InvalidParameter("a command needs its name in the field 'command'")
    return Request(
        device_id=device.device_id,
        type=kind,
        register=register.name if register else "",
        value=_value(register, row.get("value")),
        if_value=_value(register, row.get("if_value")),
        command=str(row.get("command", "")),
        arguments=_arguments(row.get("arguments")),
        justification=str(row.get("justification", "")),
    )


def _arguments(given: Any) -> tuple[tuple[str, Value], ...]:
    """What a command or a configuration is given: an object in JSON, `KEY=VALUE KEY=VALUE` in CSV."""
    if given is None:
        return ()
    if isinstance(given, str):
        return settings_of(given.split())
    if not isinstance(given, dict):
        raise InvalidParameter(f"arguments {given!r} are not an object")
    return tuple((str(key), value) for key, value in given.items() if _value(None, value) is not None)


def _device(wanted: Any, known: dict[str, Device]) -> Device:
    if wanted is None:
        raise InvalidParameter("no device_id")
    device = known.get(str(wanted).casefold())
    if device is None:
        names = (name for item in known.values() for name in (item.shown_id, item.name))
        raise InvalidParameter(f"no device {wanted}", hint=nearest(str(wanted), names))
    return device


def _type(text: str) -> OperationType:
    if text.upper() == OperationType.READ:
        hint = "dsmilctl bulk read SEL REGISTER, before or after it"
        raise InvalidParameter("a plan holds changes, and a read is none", hint=hint)
    if text.lower() not in TYPES:
        raise InvalidParameter(f"no type {text!r}", hint=nearest(text, TYPES) or f"types: {', '.join(TYPES)}")
    return OperationType(text.upper())


def _value(register: Register | None, given: Any) -> Value | None:
    if given is None:
        return None
    if isinstance(given, str):
        return register.parse(given) if register else free_value(given)
    if isinstance(given, int | float | bool):
        return given
    raise InvalidParameter(f"{given!r} is not a value")
