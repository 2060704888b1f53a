"""The driver contract: what a driver declares and implements.  A driver is protocol and nothing else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value

LOGGER = logging.getLogger("dsmilctl.drivers")

API = 1
"""The version of this contract; a driver that declares another one is listed and not loaded."""

Answer = Value | DSMILError
"""What one register gave: its value, or the error that says why it has none."""


class Capability(StrEnum):
    """What a driver can do.  BATCH: `read_many` and `safe_many`; SPAN: `offset` and `length` of a read."""

    DISCOVER = "discover"
    READ = "read"
    WRITE = "write"
    CONTROL = "control"
    SUBSCRIBE = "subscribe"
    PUSH = "push"
    BATCH = "batch"
    SPAN = "span"


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a command: `type` is `int`, `float`, `bool` or `str`."""

    name: str
    type: str = "str"
    required: bool = False
    description: str = ""


class Command(msgspec.Struct, frozen=True):
    """One command of a driver.  `operation` is what the guard's policy judges it as.

    `any_parameter` accepts names that are not declared (a device that takes free settings).
    """

    name: str
    description: str
    impact: str = "write"
    operation: OperationType = OperationType.COMMAND
    parameters: tuple[Parameter, ...] = ()
    any_parameter: bool = False


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a driver that has none."""


def no_secret(name: str) -> str | None:
    """The secrets of a driver that was given none."""
    del name
    return None


class DriverContext(msgspec.Struct, frozen=True):
    """What a driver is given when it opens: where to keep state, secrets by name, the clock, a logger."""

    state_folder: Path
    clock: Clock = SYSTEM
    logger: logging.Logger = LOGGER
    secret: Callable[[str], str | None] = no_secret


class Driver:
    """One protocol.  Subclass it, declare the class attributes, implement what `capabilities` names.

    The core calls at most one method per device at a time (except on BATCH drivers, whose methods must not
    wait for a device) and every call has a deadline: a driver neither retries, nor locks, nor times out.
    Failures are raised as errors of `dsmilctl.errors`, OSError or TimeoutError.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1.0"
    api: ClassVar[int] = API
    summary: ClassVar[str] = ""
    options: ClassVar[type[msgspec.Struct]] = NoOptions
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    commands: ClassVar[Mapping[str, Command]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    policy: ClassVar[str] = "local"
    """Which default policy of the guard its devices want: `local` or `dsmil`."""

    confirms_stops: ClassVar[bool] = False
    """Whether a safe state that it reports was read back where the device is, so that nobody reads again."""

    address: ClassVar[tuple[str, ...] | None] = None
    """The options, or properties of them, that say which devices it reaches; None: every option does."""

    made_up: ClassVar[bool] = False
    """Whether its devices exist only in the fleet that names them, as simulated ones do."""

    past_end: int | None = None
    """Up to when (nanoseconds UTC) the driver knows what its devices held before; None: it knows no past."""

    latched_at: str = ""
    """The other system that latches a stop of its own for a safe state; it is released there alone."""

    def __init__(self, options: Any, context: DriverContext) -> None:
        self.settings = options
        self.context = context

    async def discover(self) -> Sequence[Device]:
        """Every device that the driver can see, in a stable order."""
        raise NotImplementedError

    def plain(self, device: Device) -> bool:
        """Whether `initialize`, `open` and `close` have nothing to do for a device.

        By default so when the driver implements none of them.
        """
        del device
        own = type(self)
        return all(getattr(own, name) is getattr(Driver, name) for name in ("initialize", "open", "close"))

    async def initialize(self, device: Device) -> None:
        """Prepare a discovered device; called once before the first `open` and after `cleanup`."""

    async def open(self, device: Device) -> None:
        """Begin the conversation with a device.  Called again after `close`, which follows a failure too."""

    async def close(self, device: Device) -> None:
        """End the conversation with a device; must not fail when it is already over."""

    async def shutdown(self) -> None:
        """Release what the driver holds for all devices (files, sockets); the last call."""

    async def reset(self, device: Device) -> None:
        """Bring a device back to its start state."""
        raise NotImplementedError

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        """One answer per register, in the order asked for."""
        raise NotImplementedError

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        """Answers of many devices at once; None for a device that has to be asked on its own."""
        raise NotImplementedError

    async def write(self, device: Device, register: Register, value: Value) -> None:
        """Write one register."""
        raise NotImplementedError

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        """Carry out one of `commands`; the result, if it has one."""
        raise NotImplementedError

    def subscribe(
        self, devices: Sequence[Device], registers: Sequence[str], interval: float
    ) -> AsyncIterator[Sequence[tuple[Device, Register, Value]]]:
        """Values as the devices send them, until the iterator is closed."""
        raise NotImplementedError

    def past(
        self, device: Device, register: Register, since: int | None, until: int | None
    ) -> Iterator[tuple[int, Answer]]:
        """What a register held before `past_end`, oldest first, by its time in nanoseconds UTC.

        `since` and `until` are included.  Called in a thread of its own: it must not touch what others use.
        """
        del device, register, since, until
        return iter(())

    async def safe_state(self, device: Device) -> None:
        """Drive the device to its safe state.  By default every register with a `safe` value is written."""
        for register in device.registers:
            if register.safe is not None and register.writable:
                await self.write(device, register, register.safe)

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        """`safe_state` of many devices at once: True, an error, or None for one to be driven on its own."""
        raise NotImplementedError

    async def absent(self) -> Mapping[str, str]:
        """Parts that this driver looked for and did not find, each with the reason."""
        return {}

    async def forget(self) -> int:
        """Drop what the driver keeps of its devices in its state folder; for how many devices."""
        return 0


def require_span(driver: Driver, span: Span | None) -> None:
    """Raise InvalidParameter when a part of a register is asked of a driver that reads whole ones."""
    if span is not None and Capability.SPAN not in driver.capabilities:
        raise InvalidParameter(
            f"driver {driver.name} reads whole registers",
            hint="leave --offset and --length out",
            target="--offset",
        )
