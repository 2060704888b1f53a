"""Options of the simulator."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Layout = Literal["dense", "nibble"]


class SimOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a simulated fleet is like.

    `devices` counts from 0x8000 upwards; `layout` numbers them densely or with 16 ids per group of 12;
    `period` is the time in seconds between two changes of one device's signals (devices take turns);
    `faults` are `KIND:SEL[:ARG]`, see `dsmilctl.drivers.sim.faults`; without `persist` what is written is
    forgotten with the process; `wire_log` names a file that gets one line per change that reached a device.
    The devices have a past of `past_days`, with one reading of each register every `past_interval` seconds,
    see `dsmilctl.drivers.sim.past`.
    """

    devices: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 84
    layout: Layout = "dense"
    seed: int = 0
    period: Annotated[float, msgspec.Meta(ge=0.001)] = 1.0
    faults: tuple[str, ...] = ()
    persist: bool = True
    wire_log: str = ""
    past_days: Annotated[float, msgspec.Meta(ge=0, le=366)] = 0.0
    past_interval: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 300.0
