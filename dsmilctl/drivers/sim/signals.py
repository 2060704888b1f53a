"""Signals: what the registers of a simulated device hold at a moment.

Every group has a load that swings slowly; it drives TEMP up and VOLTAGE down, each device with an offset and
a gain of its own and a little noise.  A value depends on the seed, the device, the register and the clock
alone, so two processes see the same.  A device out of service cools down to the ambient temperature.
"""

from __future__ import annotations

import math

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
_MASK = 0xFFFF_FFFF
_LOADS_KEPT = 4096


def mix(seed: int, device_id: int, salt: int) -> int:
    """Thirty-two well-mixed bits of three numbers.  Source: the finaliser of MurmurHash3, new constants."""
    bits = (seed * 0xC2B2AE3D + device_id * 0x9E3779B1 + salt * 0x85EBCA77) & _MASK
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & _MASK
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & _MASK
    return bits ^ (bits >> 16)


class Character:
    """What is constant of one device: when its turn is, how warm it runs, what feeds it, what DATA holds."""

    __slots__ = ("base", "data", "drop", "gain", "group", "nominal", "phase")

    def __init__(self, seed: int, device_id: int, index: int) -> None:
        self.group = index // PER_GROUP % GROUPS
        self.phase = index * 0.6180339887 % 1.0
        self.base = 30.0 + mix(seed, device_id, -1) / _MASK * 22.0
        self.gain = 10.0 + mix(seed, device_id, -2) / _MASK * 24.0
        self.nominal = NOMINAL[mix(seed, device_id, -3) % 3]
        self.drop = self.nominal * 0.06
        self.data = mix(seed, device_id, -4) & 0xFFFF


class Signals:
    """The registers of every device of one fleet, computed when they are asked for and kept for a slot."""

    def __init__(self, seed: int, period: float, layout: Layout) -> None:
        self._seed = seed
        self._period = period
        self._layout = layout
        self._characters: dict[int, Character] = {}
        self._states: dict[int, tuple[int, State]] = {}
        self._loads: dict[int, float] = {}

    def changed(self, device_id: int | None = None) -> None:
        """Forget the computed state of a device, or of all, because something was written to it."""
        if device_id is None:
            self._states.clear()
        else:
            self._states.pop(device_id, None)

    def state(self, device_id: int, moment: float, kept: Kept | None) -> State:
        """The registers of a device at a moment in seconds since the epoch."""
        character = self._characters.get(device_id) or self._character(device_id)
        slot = int(moment / self._period + character.phase)
        known = self._states.get(device_id)
        if known is not None and known[0] == slot:
            return known[1]
        state = self._compute(device_id, slot, character, kept)
        self._states[device_id] = (slot, state)
        return state

    def word(self, device_id: int, register: int, offset: int) -> int:
        """The word at a byte offset (a multiple of 4, not 0) of a register's block; it never changes."""
        return mix(self._seed, device_id, -(register << 8) - offset - 16)

    def _character(self, device_id: int) -> Character:
        character = Character(self._seed, device_id, index_of(device_id, self._layout))
        self._characters[device_id] = character
        return character

    def _compute(self, device_id: int, slot: int, character: Character, kept: Kept | None) -> State:
        heat = self._loads.get(slot * GROUPS + character.group)
        if heat is None:
            heat = self._load(slot, character.group)
        noise = mix(self._seed, device_id, slot) / 2**31 - 1.0
        base, status, config, data = character.base, ACTIVE_BIT, ENABLED, character.data
        if kept is not None:
            warm = warmth(kept, slot * self._period)
            base, heat = AMBIENT + (base - AMBIENT) * warm, heat * warm
            status = 0 if kept.idle else ACTIVE_BIT
            config = config if kept.config is None else kept.config
            data = data if kept.data is None else kept.data
        temperature = int(base + character.gain * heat + noise + 0.5)
        voltage = int(character.nominal - character.drop * heat + 0.5)
        error = 0
        if temperature >= HOT:
            status |= WARNING_BIT
            if temperature >= TOO_HOT:
                status, error = status | ERROR_BIT, OVER_TEMPERATURE
        return status, config, data, temperature, voltage, error

    def _load(self, slot: int, group: int) -> float:
        """The load of a group, 0 … 1: a slow swing, a quicker one on top, both of the group's own."""
        if len(self._loads) > _LOADS_KEPT:
            self._loads.clear()
        turn = 2 * math.pi * slot * self._period
        start = 2 * math.pi * mix(self._seed, group, -5) / _MASK
        slow = math.sin(turn / (780 + 60 * group) + start)
        quick = math.sin(turn / (67 + 9 * group) + 3 * start)
        load = 0.5 + 0.36 * slow + 0.14 * quick
        self._loads[slot * GROUPS + group] = load
        return load
