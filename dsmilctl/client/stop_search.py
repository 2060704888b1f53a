"""Stop search: which devices a stop means, as each driver names its own; no driver waits for another one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.switches import SwitchedOff
from dsmilctl.guard.driving import Crew, Find
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.selector import Selector, select

Look = asyncio.Future[Sequence[Managed]]


class StopSearch:
    """The devices that a selector names, in a fleet whose drivers are all asked at once.

    `numbers` are the ids that it stands for, where they can be told without any driver.
    """

    def __init__(
        self, parts: Sequence[tuple[str, Find]], selector: Selector, numbers: Sequence[int] | None
    ) -> None:
        self._selector = selector
        self._ids = frozenset(selector.ids)
        self._unmet: set[DeviceId] = {*selector.ids, *(numbers or ())}
        self._open_ended = not self._unmet or bool(
            selector.globs or selector.groups or (selector.ranges and numbers is None)
        )
        self._texts: dict[str, set[DeviceId]] = {}
        for text in selector.ids:
            if isinstance(text, str):
                self._texts.setdefault(text.casefold(), set()).add(text)
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._looks: dict[str, Look] = {name: asyncio.ensure_future(find()) for name, find in parts}
        self._late: set[str] = set()
        for name, look in self._looks.items():
            look.add_done_callback(partial(self._heard, name))

    async def settle(self, patience: float) -> bool:
        """Wait, `patience` seconds at most, for what it takes to know the devices; whether it is known."""
        if self._looks:
            await asyncio.wait((self._settled,), timeout=patience)
        return self._all_met or not self._silent() or self._found_but_for_disabled()

    def _found_but_for_disabled(self) -> bool:
        """Whether the enabled drivers have what is named, and no other one is silent than the disabled.

        They were left out on purpose: a stop of a group does not become one of everything for them.
        """
        silent = [self._looks[name] for name in self._silent()]
        if self._unmet or not all(look.done() and _is_disabled(look) for look in silent):
            return False
        with suppress(DSMILError):
            return bool(self.devices())
        return False

    def close(self) -> None:
        """Ask no longer."""
        for look in self._looks.values():
            look.cancel()

    def devices(self) -> list[Device]:
        """The devices that are meant, as far as drivers have named theirs.

        Raises DeviceNotFound for a term that names none of them, InvalidParameter for a name of several.
        """
        return _selected(self._selector, [item for found in self._answers().values() for item in found])

    def crews(self, devices: Sequence[Device] | None) -> list[Crew]:
        """A crew for each driver that has one of these devices; None is for every driver, what it has."""
        if devices is None:
            crews = [Crew(name, partial(self._met, name), quiet=True) for name in self._looks]
            return [*crews, Crew("", partial(_all_of, ()), frozenset(), missing=self.missing)]
        ids = frozenset(device.device_id for device in devices)
        having = {
            name: (found, ids.intersection(item.device.device_id for item in found))
            for name, found in self._answers().items()
        }
        crews = [Crew(name, partial(_all_of, found), own) for name, (found, own) in having.items() if own]
        return [*crews, Crew("", partial(_all_of, ()), frozenset(), missing=self.missing)]

    def missing(self) -> dict[DeviceId, str]:
        """What nobody can say is stopped, each with the reason: drivers, ids, or else the whole selector."""
        if self._all_met:
            return {}
        silent = self._silent()
        told: dict[DeviceId, str] = {f"driver {name}": why for name, why in silent.items()}
        unmet = self._unmet if silent else self._unmet & self._ids
        told |= dict.fromkeys(sorted(unmet, key=str), "no driver that answered knows it")
        if not told:
            try:
                self.devices()
            except DSMILError as error:
                told[self._selector.text] = error.message
        return told

    async def _met(self, name: str) -> list[Managed]:
        """What a driver has of the devices that are meant, once it has named its own.

        None as soon as every id is another driver's, or where it fails; that is `missing`, then.
        """
        look = self._looks[name]
        try:
            await asyncio.wait((look, self._settled), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._late.add(name)  # what it names from now on is driven by nobody
            raise
        return self._of_these(look.result()) if self._answered(name) else []

    def _of_these(self, found: Sequence[Managed]) -> list[Managed]:
        """Those of a driver's devices that the selector names, whichever of its terms name none of them."""
        wanted: set[DeviceId] = set()
        for term in self._terms([item.device for item in found]):
            with suppress(DSMILError):  # it names none of these devices
                wanted |= {device.device_id for device in _selected(term, found)}
        return [item for item in found if item.device.device_id in wanted]

    def _terms(self, devices: Sequence[Device]) -> Iterator[Selector]:
        """The terms of the selector, each with all its filters; of ids those that are among the devices."""
        whole = self._selector
        alone = msgspec.structs.replace(whole, ids=(), ranges=(), globs=(), groups=())
        if whole.unites_all:
            yield alone
            return
        ids = [device.device_id for device in devices if self._names(device)]
        if ids:
            yield msgspec.structs.replace(alone, ids=tuple(ids))
        for span in whole.ranges:
            yield msgspec.structs.replace(alone, ranges=(span,))
        for glob in whole.globs:
            yield msgspec.structs.replace(alone, globs=(glob,))
        for group in whole.groups:
            yield msgspec.structs.replace(alone, groups=(group,))

    def _names(self, device: Device) -> set[DeviceId]:
        """The ids of the selector that mean this device: its own, and its name in any case."""
        meant = {device.device_id} & self._ids
        if self._texts:
            for text in (device.name, device.shown_id):
                meant |= self._texts.get(text.casefold(), set())
        return meant

    @property
    def _all_met(self) -> bool:
        """Whether a driver was found for every id, so that no other one has to be waited for."""
        return not self._open_ended and not self._unmet

    def _heard(self, name: str, look: Look) -> None:
        if self._answered(name):
            for managed in look.result():
                self._unmet.discard(managed.device.device_id)
                if self._texts:
                    self._unmet -= self._names(managed.device)
        over = self._all_met or all(item.done() for item in self._looks.values())
        if over and not self._settled.done():
            self._settled.set_result(None)

    def _answered(self, name: str) -> bool:
        look = self._looks[name]
        return name not in self._late and look.done() and not look.cancelled() and look.exception() is None

    def _answers(self) -> dict[str, Sequence[Managed]]:
        """What each driver that has named its devices has."""
        return {name: look.result() for name, look in self._looks.items() if self._answered(name)}

    def _silent(self) -> dict[str, str]:
        """The drivers that have not named their devices, each with the reason."""
        return {name: _why(look) for name, look in self._looks.items() if not self._answered(name)}


def _selected(selector: Selector, found: Sequence[Managed]) -> list[Device]:
    statuses = {item.device.device_id: item for item in found}
    known = [item.device for item in found]
    return select(selector, known, lambda device_id: statuses[device_id].status, quarantined=True)


async def _all_of(found: Sequence[Managed]) -> Sequence[Managed]:
    return found


def _is_disabled(look: Look) -> bool:
    return not look.cancelled() and isinstance(look.exception(), SwitchedOff)


def _why(look: Look) -> str:
    """Why a driver named no devices."""
    error = look.exception() if look.done() and not look.cancelled() else None
    return "it did not name its devices in time" if error is None else str(error) or type(error).__name__
