"""A stand for a driver under test: makes the driver, opens its devices for a story, closes it in any case."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import msgspec

from dsmilctl.drivers.contract import Driver, DriverContext
from dsmilctl.model.device import Device

Story = Callable[[Driver, Sequence[Device]], Awaitable[None]]


class Stand:
    """Tells stories about one driver: `most_devices` of its devices are looked at, for `deadline` seconds."""

    def __init__(
        self,
        driver_class: type[Driver],
        options: Mapping[str, Any],
        state_folder: Path,
        *,
        deadline: float,
        most_devices: int,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.driver_class = driver_class
        self._options = options
        self._state_folder = state_folder
        self._deadline = deadline
        self._most_devices = most_devices
        self._secrets = secrets or {}

    def make(self) -> Driver:
        """The driver, made as the core makes it."""
        options = msgspec.convert(dict(self._options), self.driver_class.options)
        return self.driver_class(options, DriverContext(self._state_folder, secret=self._secrets.get))

    def tell(self, story: Story, *, opened: bool = True) -> None:
        """Play a story with a driver and the first of its devices, which are open unless told otherwise.

        Skips the test when the driver finds no device here.
        """
        asyncio.run(self._play(story, opened))

    async def _play(self, story: Story, opened: bool) -> None:
        subject = self.make()
        try:
            async with asyncio.timeout(self._deadline):
                devices = list(await subject.discover())[: self._most_devices]
                if not devices:
                    raise SkipTest(f"{subject.name} finds no device here")
                for device in devices if opened else ():
                    await subject.initialize(device)
                    await subject.open(device)
                await story(subject, devices)
                for device in devices if opened else ():
                    await subject.close(device)
        finally:
            await subject.shutdown()
