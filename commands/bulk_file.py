"""Bulk files: operations from CSV, JSON or one JSON object per line, every mistake with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.commands.values import free_value, standard_input
from dsmilctl.errors import DSMILError, InvalidParameter, nearest
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register, Value, find_register

FIELDS = ("device_id", "type", "register", "value", "command", "justification", "if_value")
TYPES = [kind.value.lower() for kind in OperationType if kind is not OperationType.READ]
LARGEST = 64 << 20


def read_requests(name: str, devices: Sequence[Device]) -> list[Request]:
    """The operations of a file (`-`: stdin); raises InvalidParameter that names every wrong line."""
    known = {device.shown_id.casefold(): device for device in devices}
    known |= {str(device.device_id): device for device in devices} | {item.name: item for item in devices}
    requests, problems = [], []
    for line, row in _rows(name, _content(name)):
        try:
            requests.append(_request(row, known))
        except DSMILError as error:
            problems.append(f"{name}:{line}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise InvalidParameter(shown, hint="nothing was changed: mend the file and run it again", target=name)
    if not requests:
        raise InvalidParameter(f"{name} holds no operation", hint=f"fields: {', '.join(FIELDS)}", target=name)
    return requests


def _content(name: str) -> str:
    try:
        content = standard_input(LARGEST) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InvalidParameter(f"{name}: {error.strerror}", target=name) from None
    if len(content) > LARGEST:
        raise InvalidParameter(f"{name} is larger than {LARGEST >> 20} MB", target=name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParameter(
            f"{name} is not UTF-8: {error.reason} at byte {error.start}", target=name
        ) from None


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
        for row in reader:
            yield reader.line_num, {key: value for key, value in row.items() if value not in (None, "")}
    except csv.Error as error:
        raise InvalidParameter(f"{name}:{reader.line_num}: {error}", target=name) from None


def _request(row: dict[str, Any], known: dict[str, Device]) -> Request:
    for field in row:
        if field not in FIELDS:
            hint = nearest(str(field), FIELDS) or f"fields: {', '.join(FIELDS)}"
            raise InvalidParameter(f"no field {field!r}", hint=hint)
    device = _device(row.get("device_id"), known)
    kind = _type(str(row.get("type", "write")))
    register = (
        find_register(device.registers, str(row.get("register", ""))) if kind is OperationType.WRITE else None
    )
    return Request(
        device_id=device.device_id,
        type=kind,
        register=register.name if register else "",
        value=_value(register, row.get("value")),
        if_value=_value(register, row.get("if_value")),
        command=str(row.get("command", "")),
        justification=str(row.get("justification", "")),
    )


def _device(wanted: Any, known: dict[str, Device]) -> Device:
    if wanted is None:
        raise InvalidParameter("no device_id")
    device = known.get(str(wanted).casefold()) or known.get(str(wanted))
    if device is None:
        raise InvalidParameter(f"no device {wanted}", hint=nearest(str(wanted), known))
    return device


def _type(text: str) -> OperationType:
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
