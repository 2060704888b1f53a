"""The names that programs use: registers, kinds of operations, and one operation of a bulk."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any

import msgspec

from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import DeviceId


class Register(StrEnum):
    """The registers of a DSMIL device.  Source: the DSMIL API, version 2."""

    STATUS = "STATUS"
    CONFIG = "CONFIG"
    DATA = "DATA"
    TEMP = "TEMP"
    VOLTAGE = "VOLTAGE"
    ERROR = "ERROR"


class OtherRegister(str):
    """The register of a device that is no DSMIL device; like a Register it has a `name`."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The register's name."""
        return str(self)


class OperationType(StrEnum):
    """What an operation asks of a device."""

    READ = "READ"
    WRITE = "WRITE"
    CONFIG = "CONFIG"
    RESET = "RESET"
    ACTIVATE = "ACTIVATE"
    DEACTIVATE = "DEACTIVATE"


AnyRegister = Register | OtherRegister


def register_of(name: str) -> AnyRegister:
    """The register of that name, in any case; one that DSMIL does not know keeps its spelling."""
    if isinstance(name, Register):
        return name
    known = Register.__members__.get(name.upper())
    return OtherRegister(name) if known is None else known


def operation_type_of(name: str) -> OperationType:
    """The kind of operation of that name, in any case; raises InvalidParameter."""
    known = OperationType.__members__.get(str(name.value if isinstance(name, Enum) else name).upper())
    if known is None:
        hint = nearest(name, OperationType) or f"operations: {', '.join(OperationType)}"
        raise InvalidParameter(f"no operation {name!r}", hint=hint, target=name)
    return known


class BulkOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a bulk; `data` is the value of a write or the settings of a configuration."""

    device_id: DeviceId
    operation: str
    register: str = ""
    data: Any = None
    offset: int | None = None
    length: int | None = None
    justification: str = ""
    approval_id: str = ""
