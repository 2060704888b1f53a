"""Faults on demand: which simulated devices misbehave, and how.

A fault is `KIND:SEL[:ARG]`.  Kinds: `silent` never answers, `slow:SEL:SECONDS` answers late,
`flapping:SEL:PERIOD` breaks and works in turns of PERIOD seconds, `wrong` answers what cannot be,
`disconnect` refuses every conversation.  SEL is an id (`0x8003`), a range (`0x8003-0x8007`), `@all`, or
`*/10` for every tenth device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dsmilctl.drivers.sim.options import Layout
from dsmilctl.drivers.sim.roster import index_of
from dsmilctl.errors import InvalidParameter, nearest

ARGUMENTS = {"silent": "", "slow": "SECONDS", "flapping": "PERIOD", "wrong": "", "disconnect": ""}
"""Every kind of fault and the argument that it needs."""

HINT = "a fault is silent:SEL, slow:SEL:SECONDS, flapping:SEL:PERIOD, wrong:SEL or disconnect:SEL"
SELECTOR_HINT = "SEL is 0x8003, 0x8003-0x8007, @all, or */10 for every tenth device"
_NUMBER = r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,18})"
_IDS = re.compile(rf"{_NUMBER}(?:(?:-|\.\.){_NUMBER})?")
_EVERY = re.compile(r"\*/([0-9]{1,9})")


class Fault(msgspec.Struct, frozen=True):
    """One fault: its kind, its argument in seconds, and the devices it is on.

    The devices are ids from `first` to `last` (both included) of which every `step`-th is meant.
    """

    kind: str
    argument: float
    first: int = 0
    last: int | None = None
    step: int = 1

    def meets(self, device_id: int, index: int) -> bool:
        """Whether the device with that id and index in the roster has the fault."""
        inside = device_id >= self.first and (self.last is None or device_id <= self.last)
        return inside and (index + 1) % self.step == 0


class Faults:
    """The faults of a fleet; the first one that meets a device counts."""

    def __init__(self, texts: Iterable[str], layout: Layout) -> None:
        self._faults = tuple(parse_fault(text) for text in texts)
        self._layout = layout
        self._known: dict[int, Fault | None] = {}

    def __bool__(self) -> bool:
        return bool(self._faults)

    def of(self, device_id: int) -> Fault | None:
        """The fault of a device, or None."""
        if not self._faults:
            return None
        if device_id not in self._known:
            index = index_of(device_id, self._layout)
            met = (fault for fault in self._faults if fault.meets(device_id, index))
            self._known[device_id] = next(met, None)
        return self._known[device_id]


def parse_fault(text: str) -> Fault:
    """The fault that `text` means; raises InvalidParameter that says what would be right."""
    kind, _, rest = text.partition(":")
    if kind not in ARGUMENTS:
        raise _invalid(text, f"no fault {kind!r}", nearest(kind, ARGUMENTS) or HINT)
    selector, _, argument = rest.partition(":")
    first, last, step = _parse_selector(text, selector)
    return Fault(kind, _parse_argument(text, kind, argument), first, last, step)


def _parse_selector(text: str, selector: str) -> tuple[int, int | None, int]:
    if selector == "@all":
        return 0, None, 1
    if match := _EVERY.fullmatch(selector):
        if int(match[1]) == 0:
            raise _invalid(text, "*/0 names no device", SELECTOR_HINT)
        return 0, None, int(match[1])
    if match := _IDS.fullmatch(selector):
        first = _number(match[1])
        last = _number(match[2]) if match[2] else first
        if last < first:
            raise _invalid(text, f"range {selector} is reversed", "write the lower id first")
        return first, last, 1
    raise _invalid(text, f"{selector!r} names no devices", SELECTOR_HINT)


def _parse_argument(text: str, kind: str, argument: str) -> float:
    needed = ARGUMENTS[kind]
    if not needed:
        if argument:
            raise _invalid(text, f"{kind} takes no argument", f"write {kind}:SEL")
        return 0.0
    try:
        seconds = float(argument)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise _invalid(text, f"{kind} needs a positive number of seconds", f"write {kind}:SEL:{needed}")
    return seconds


def _number(text: str) -> int:
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def _invalid(text: str, what: str, hint: str) -> InvalidParameter:
    return InvalidParameter(f"fault {text!r}: {what}", hint=hint, target=text)
