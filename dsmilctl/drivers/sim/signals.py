"""Signals: what the registers of a simulated device hold at a moment.

Every group has a load that swings slowly; it drives TEMP up and VOLTAGE down, each device with an offset and
a gain of its own and a little noise.  A value depends on the seed, the device, the register and the clock
alone, so two processes see the same.  A device out of service cools down to the ambient temperature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from dsmilctl.drivers.sim.kept import Kept, warmth
from dsmilctl.drivers.sim.options import Layout
from dsmilctl.drivers.sim.registers import (
    ACTIVE_BIT,
    ERROR_BIT,
    HOT,
    OVER_TEMPERATURE,
    TOO_HOT,
    WARNING_BIT,
)
from dsmilctl.drivers.sim.roster import GROUPS, PER_GROUP, index_of

State = tuple[int, int, int, int, int, int]
"""Values in the order of `registers.REGISTERS`."""

AMBIENT = 24.0
ENABLED = 0x0000_0003
NOMINAL = (12, 24, 48)
LOADS_KEPT = 4096
NEVER = -1
_MASK = 0xFFFF_FFFF


def mix(seed: int, device_id: int, salt: int) -> int:
    """Thirty-two well-mixed bits of three numbers.  Source: the finaliser of MurmurHash3, new constants."""
    bits = (seed * 0xC2B2AE3D + device_id * 0x9E3779B1 + salt * 0x85EBCA77) & _MASK
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & _MASK
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & _MASK
    return bits ^ (bits >> 16)


class Character:
    """What is constant of one device, and its registers as they were computed last.

    `phase` says when in a period its turn is, `base` and `gain` how warm it runs, `nominal` and `drop` what
    feeds it, `data` what DATA holds as delivered; `state` belongs to `slot`.
    """

    __slots__ = (
        "base", "data", "device_id", "drop", "gain", "group", "nominal", "phase", "salt", "slot", "state",
    )  # fmt: skip

    def __init__(self, seed: int, device_id: int, index: int) -> None:
        self.device_id = device_id
        self.group = index // PER_GROUP % GROUPS
        self.phase = index * 0.6180339887 % 1.0
        heat, self.salt = mix(seed, device_id, -1), mix(seed, device_id, -2)
        spread = 22.0 if self.group else 12.0  # the core group is cooled best
        self.base = 30.0 + (heat & 0xFFFF) / 0xFFFF * spread
        self.gain = 10.0 + (heat >> 16) / 0xFFFF * 24.0
        self.nominal = NOMINAL[self.salt % len(NOMINAL)]
        self.drop = self.nominal * 0.06
        self.data = self.salt >> 16
        self.slot = NEVER
        self.state: State = (0, 0, 0, 0, 0, 0)


class Signals:
    """The registers of every device of one fleet, computed when they are asked for and kept for a slot.

    `kept` tells what was written to a device.
    """

    def __init__(self, seed: int, period: float, layout: Layout, kept: Callable[[int], Kept | None]) -> None:
        self._seed = seed
        self._period = period
        self._layout = layout
        self._kept = kept
        self._characters: dict[int, Character] = {}
        self._loads: dict[int, float] = {}

    def changed(self, device_ids: Iterable[int]) -> None:
        """Forget the computed registers of devices, because something was written to them."""
        for device_id in device_ids:
            if device_id in self._characters:
                self._characters[device_id].slot = NEVER

    def all_changed(self) -> None:
        """Forget the computed registers of every device."""
        for character in self._characters.values():
            character.slot = NEVER

    def state(self, device_id: int, moment: float) -> State:
        """The registers of a device at a moment in seconds since the epoch."""
        character = self._characters.get(device_id)
        if character is None:
            character = Character(self._seed, device_id, index_of(device_id, self._layout))
            self._characters[device_id] = character
        slot = int(moment / self._period + character.phase)
        if character.slot != slot:
            character.state = self._compute(character, slot)
            character.slot = slot
        return character.state

    def word(self, device_id: int, register: int, offset: int) -> int:
        """The word at a byte offset (a multiple of 4, not 0) of a register's block; it never changes."""
        return mix(self._seed, device_id, -(register << 8) - offset - 16)

    def _compute(self, character: Character, slot: int) -> State:
        load = self._loads.get(slot * GROUPS + character.group)
        if load is None:
            load = self._load(slot, character.group)
        bits = (character.salt + slot * 0x9E3779B1) & _MASK
        bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & _MASK
        noise = bits / _MASK * 2.0 - 1.0
        kept = self._kept(character.device_id)
        if kept is not None:
            return self._kept_state(character, kept, slot, load, noise)
        temperature = int(character.base + character.gain * load + noise + 0.5)
        voltage = int(character.nominal - character.drop * load + 0.5)
        if temperature >= HOT:
            return hot((ACTIVE_BIT, ENABLED, character.data, temperature, voltage, 0))
        return ACTIVE_BIT, ENABLED, character.data, temperature, voltage, 0

    def _kept_state(self, character: Character, kept: Kept, slot: int, load: float, noise: float) -> State:
        """The registers of a device that was written to; out of service it draws no load and cools down."""
        warm = warmth(kept, slot * self._period)
        own = character.base + character.gain * load - AMBIENT
        return hot(
            (
                0 if kept.idle else ACTIVE_BIT,
                ENABLED if kept.config is None else kept.config,
                character.data if kept.data is None else kept.data,
                int(AMBIENT + own * warm + noise + 0.5),
                int(character.nominal - character.drop * load * warm + 0.5),
                0,
            )
        )

    def _load(self, slot: int, group: int) -> float:
        """The load of a group, 0 … 1: a slow swing, a quicker one on top, both of the group's own."""
        if len(self._loads) > LOADS_KEPT:
            self._loads.clear()
        turn = 2 * math.pi * slot * self._period
        start = 2 * math.pi * mix(self._seed, group, -3) / _MASK
        slow = math.sin(turn / (780 + 60 * group) + start)
        quick = math.sin(turn / (67 + 9 * group) + 3 * start)
        load = 0.5 + 0.36 * slow + 0.14 * quick
        self._loads[slot * GROUPS + group] = load
        return load


def hot(state: State) -> State:
    """A state with the warning, or the error, of a device that runs hot."""
    status, config, data, temperature, voltage, error = state
    if temperature >= TOO_HOT:
        return status | ERROR_BIT | WARNING_BIT, config, data, temperature, voltage, OVER_TEMPERATURE
    if temperature >= HOT:
        status |= WARNING_BIT
    return status, config, data, temperature, voltage, error
