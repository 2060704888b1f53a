"""Selector: which devices a command is about, the same everywhere.

Grammar: terms united by commas; a term is an id (`0x8000`, `32768`, `boiler-1`), a range between numbers
(`0x8000-0x800F`, `0x8000..0x800F`), a glob (`boiler-*`), a group (`@controllers`, `@all`) or a filter
(`risk=HIGH`, `state!=error`).  Filters narrow what the other terms unite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from dsmilctl.errors import DeviceNotFound, InvalidParameter, nearest
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk, show_id

LARGEST_RANGE = 1_000_000
MOST_DIGITS = 40
FILTER_FIELDS = ("risk", "state", "group", "driver", "name", "quarantined")
FILTER_VALUES: Mapping[str, tuple[str, ...]] = {
    "risk": tuple(Risk),
    "state": tuple(DeviceState),
    "quarantined": ("true", "false"),
}
_NUMBER = r"(?:0[xX][0-9a-fA-F]+|[0-9]+)"
_RANGE = re.compile(rf"({_NUMBER})(?:-|\.\.)({_NUMBER})")
_WHOLE = re.compile(_NUMBER)
_FILTER = re.compile(r"([a-z_]+)(!=|=)(.*)")
NEARBY = 0x100
"""How far a mistyped number may be from one that is offered instead."""

MOST_COMPARED = 2000
"""Names that a misspelt one is compared with: enough to help, few enough to answer at once."""

LIST_HINT = "dsmilctl device list shows every device of this context"
GRAMMAR_HINT = "a selector is 0x8000, 0x8000-0x800F, 'boiler-*', @group, risk=HIGH, or several with commas"


class Range(msgspec.Struct, frozen=True):
    """All numbers from `first` to `last`, both included."""

    first: int
    last: int


class Filter(msgspec.Struct, frozen=True):
    """A condition on a field of a device."""

    field: str
    value: str
    negated: bool = False


class Selector(msgspec.Struct, frozen=True):
    """A parsed selector: the terms that unite and the filters that narrow."""

    text: str
    ids: tuple[DeviceId, ...] = ()
    ranges: tuple[Range, ...] = ()
    globs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()

    @property
    def only_id(self) -> DeviceId | None:
        """The id, where the selector is that of one device and says nothing else."""
        others = self.ranges or self.globs or self.groups or self.filters
        return self.ids[0] if len(self.ids) == 1 and not others else None

    @property
    def unites_all(self) -> bool:
        """Whether the uniting terms are everything: `*`, `@all`, or filters alone."""
        return (
            "*" in self.globs
            or "all" in self.groups
            or not (self.ids or self.ranges or self.globs or self.groups)
        )

    @property
    def everything(self) -> bool:
        """Whether it names every device, whichever there are."""
        return self.unites_all and not self.filters

    def numbers(self, most: int) -> tuple[int, ...] | None:
        """The ids it names, where no list of devices is needed to tell, and they are `most` at the most."""
        spans = sum(span.last - span.first + 1 for span in self.ranges)
        if self.unites_all or self.filters or self.globs or self.groups or len(self.ids) + spans > most:
            return None
        found = dict.fromkeys(item for item in self.ids if isinstance(item, int))
        if len(found) < len(set(self.ids)):
            return None  # a name may be that of a device with another id
        found |= dict.fromkeys(number for span in self.ranges for number in range(span.first, span.last + 1))
        return tuple(found)


EVERYTHING = Selector(text="@all", groups=("all",))


def parse_selector(text: str) -> Selector:
    """Parse a selector; raises InvalidParameter that says which term is wrong and what would be right."""
    terms = [term.strip() for term in text.split(",")]
    if any(not term for term in terms):
        raise InvalidParameter(f"selector {text!r} has an empty term", hint=GRAMMAR_HINT, target=text)
    found: dict[str, list[Any]] = {}
    for term in terms:
        kind, value = _parse_term(term)
        found.setdefault(kind, []).append(value)
    return Selector(text, **{kind: tuple(values) for kind, values in found.items()})


def _parse_term(term: str) -> tuple[str, Any]:
    if match := _RANGE.fullmatch(term):
        return "ranges", _parse_range(term, _number(term, match[1]), _number(term, match[2]))
    if _WHOLE.fullmatch(term):
        return "ids", _number(term, term)
    if term.startswith("@"):
        return "groups", _parse_group(term)
    if match := _FILTER.fullmatch(term):
        return "filters", _parse_filter(term, *match.groups())
    if any(character in term for character in "*?["):
        return "globs", term
    if term.startswith(("0x", "0X")):
        raise InvalidParameter(f"{term!r} is not a hexadecimal number", hint=GRAMMAR_HINT, target=term)
    return "ids", term


def _number(term: str, digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        shown = f"{term[:MOST_DIGITS]}…"
        raise InvalidParameter(f"{shown!r} is too long for an id", hint=GRAMMAR_HINT, target=shown)
    return int(digits, 16 if digits[:2] in ("0x", "0X") else 10)


def _parse_range(term: str, first: int, last: int) -> Range:
    if first > last:
        hint = f"write the lower id first: 0x{last:X}-0x{first:X}"
        raise InvalidParameter(f"range {term} is reversed", hint=hint, target=term)
    if last - first >= LARGEST_RANGE:
        hint = f"a range may span {LARGEST_RANGE:,} ids; @all is every device of the context"
        raise InvalidParameter(f"range {term} spans {last - first + 1:,} ids", hint=hint, target=term)
    return Range(first, last)


def _parse_group(term: str) -> str:
    if len(term) == 1:
        raise InvalidParameter("'@' needs a group name", hint="@all is every device", target=term)
    return term[1:]


def _parse_filter(term: str, field: str, operator: str, value: str) -> Filter:
    if field not in FILTER_FIELDS:
        hint = nearest(field, FILTER_FIELDS) or f"filters: {', '.join(FILTER_FIELDS)}"
        raise InvalidParameter(f"no filter {field!r} in {term!r}", hint=hint, target=term)
    return Filter(field, _parse_filter_value(term, field, value), negated=operator == "!=")


def _parse_filter_value(term: str, field: str, value: str) -> str:
    """The value as the field holds it; raises InvalidParameter for one that the field never holds."""
    known = FILTER_VALUES.get(field)
    if known is None:
        return value
    for candidate in known:
        if candidate.casefold() == value.casefold():
            return candidate
    if field == "risk" and value.casefold() == "moderate":
        return Risk.MEDIUM.value
    hint = nearest(value, known) or f"{field} is one of {', '.join(known)}"
    raise InvalidParameter(f"{term!r}: {field} is never {value!r}", hint=hint, target=term)


StatusOf = Callable[[DeviceId], DeviceStatus | None]


def select(
    selector: Selector, devices: Sequence[Device], status: StatusOf, *, quarantined: bool = False
) -> list[Device]:
    """The devices that a selector names, in the fleet's order, each once.

    Quarantined devices come only where they are named, met by a range, or asked for with `quarantined`.
    Raises DeviceNotFound for an id, range, glob or group that names no device.
    """
    chosen: dict[DeviceId, Device] = {}
    by_id = {device.device_id: device for device in devices}
    explicit = {device.device_id for device in _named(selector, by_id)}
    wanted = _everything(selector, devices, quarantined) | explicit
    for device in devices:
        if device.device_id in wanted and _passes(device, selector.filters, status):
            chosen[device.device_id] = device
    return list(chosen.values())


def _everything(selector: Selector, devices: Sequence[Device], quarantined: bool) -> set[DeviceId]:
    wanted: set[DeviceId] = set()
    asked = quarantined or any(item.field == "quarantined" for item in selector.filters)
    if selector.unites_all:
        wanted |= {device.device_id for device in devices if asked or not device.quarantined}
    for term, matches in [(glob, _glob(glob)) for glob in selector.globs if glob != "*"] + [
        (f"@{group}", _in_group(group)) for group in selector.groups if group != "all"
    ]:
        met = [device for device in devices if matches(device)]
        if not met:
            raise _nothing(term, devices)
        allowed = {device.device_id for device in met if asked or not device.quarantined}
        if not allowed:
            raise _only_quarantined(term)
        wanted |= allowed
    return wanted


def _named(selector: Selector, by_id: dict[DeviceId, Device]) -> Iterable[Device]:
    for wanted in selector.ids:
        yield by_id.get(wanted) or _by_name(wanted, by_id.values())
    for span in selector.ranges:
        met = [by_id[number] for number in range(span.first, span.last + 1) if number in by_id]
        if not met:
            raise _nothing(f"0x{span.first:X}-0x{span.last:X}", by_id.values())
        yield from met


def _by_name(wanted: DeviceId, devices: Iterable[Device]) -> Device:
    """The one device of that name, in any case; raises DeviceNotFound, or InvalidParameter for several."""
    if isinstance(wanted, int):
        raise _unknown_number(wanted, devices)
    folded = wanted.casefold()
    met = [device for device in devices if folded in (device.name.casefold(), device.shown_id.casefold())]
    if not met:
        raise _unknown_name(wanted, devices)
    if len(met) > 1:
        hint = f"name one by its id: {', '.join(device.shown_id for device in met[:6])}"
        raise InvalidParameter(f"{len(met)} devices are called {wanted!r}", hint=hint, target=wanted)
    return met[0]


def _glob(pattern: str) -> Callable[[Device], bool]:
    import fnmatch

    expression = re.compile(fnmatch.translate(pattern), re.IGNORECASE)
    return lambda device: bool(expression.match(device.shown_id) or expression.match(device.name))


def _in_group(group: str) -> Callable[[Device], bool]:
    folded = group.casefold()
    return lambda device: device.group.casefold() == folded


def _passes(device: Device, filters: Iterable[Filter], status: StatusOf) -> bool:
    for item in filters:
        if (_field(device, item.field, status).casefold() == item.value.casefold()) == item.negated:
            return False
    return True


def _field(device: Device, field: str, status: StatusOf) -> str:
    if field == "state":
        known = status(device.device_id)
        return known.state.value if known else ""
    return str(getattr(device, field))


def _unknown_number(wanted: int, devices: Iterable[Device]) -> DeviceNotFound:
    known = [device.device_id for device in devices if isinstance(device.device_id, int)]
    hint = LIST_HINT
    if known:
        closest = min(known, key=lambda number: abs(number - wanted))
        hint = f"ids here go from {show_id(min(known))} to {show_id(max(known))}"
        hint = f"Did you mean {show_id(closest)}?" if abs(closest - wanted) <= NEARBY else hint
    return DeviceNotFound(f"no device {show_id(wanted)}", device_id=wanted, hint=hint, target=show_id(wanted))


def _unknown_name(wanted: str, devices: Iterable[Device]) -> DeviceNotFound:
    known = (name for device in devices for name in (device.shown_id, device.name))
    hint = nearest(wanted, islice(known, MOST_COMPARED)) or LIST_HINT
    return DeviceNotFound(f"no device {wanted}", device_id=wanted, hint=hint, target=wanted)


def _nothing(term: str, devices: Iterable[Device]) -> DeviceNotFound:
    groups = sorted({f"@{device.group}" for device in devices if device.group})
    hint = nearest(term, groups) if term.startswith("@") else ""
    return DeviceNotFound(f"{term} names no device", device_id=term, hint=hint or LIST_HINT, target=term)


def _only_quarantined(term: str) -> DeviceNotFound:
    hint = "name them by their ids, or add --quarantined"
    return DeviceNotFound(f"{term} names quarantined devices only", device_id=term, hint=hint, target=term)
