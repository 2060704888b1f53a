"""The dsmil driver keeps the driver contract against a real server, with the ids there and with its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from dsmilctl.drivers.dsmil import DsmilDriver
from dsmilctl.testing.conformance import DriverConformance
from tests.drivers.far import PASSWORDS, far_server


class TestBehindAnotherServer(DriverConformance):
    driver_class = DsmilDriver
    secrets: ClassVar[Mapping[str, str]] = {"far": PASSWORDS["admin"]}
    extra: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def driver_options(self) -> Iterator[Mapping[str, Any]]:
        """A server of its own for each test, since what was stopped there stays stopped."""
        with far_server() as url:
            yield {"url": url, "username": "admin", "secret": "far", "devices": "0x803C-0x8041", **self.extra}


class TestUnderNamesOfItsOwn(TestBehindAnotherServer):
    extra: ClassVar[Mapping[str, Any]] = {"prefix": "north-"}
