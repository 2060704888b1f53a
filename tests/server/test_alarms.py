"""Alarms over the API: they rise, are answered, return, and outlive the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from dsmilctl.server.gateway import Limits
from dsmilctl.testing import DeviceSimulator
from tests.server.served import PASSWORDS, PATIENCE, TLS

QUICK = Limits(rate_limiting=False, alarm_watch=0.05)
HOT, COOL, CALM = 95, 40, 0x8030


async def until(ask: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What is answered, as soon as it is what is wanted."""
    async with asyncio.timeout(PATIENCE):
        while not wanted(found := await ask()):
            await asyncio.sleep(0.02)
    return found


class People:
    """Users of one simulator."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v2", timeout=PATIENCE, verify=TLS)
        self.tokens: dict[str, str] = {}

    async def __aenter__(self) -> People:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()

    async def ask(
        self, user: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """A request of somebody."""
        if user not in self.tokens:
            login = {"username": user, "password": PASSWORDS[user]}
            self.tokens[user] = (await self.http.post("/auth/login", json=login)).json()["access_token"]
        sent = {"Authorization": f"Bearer {self.tokens[user]}", **headers}
        return await self.http.request(method, path, json=body, headers=sent)

    async def alarms(self, user: str = "admin", query: str = "") -> list[dict[str, Any]]:
        """The alarms that somebody sees."""
        answer = await self.ask(user, "GET", f"/alarms{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["alarms"]
        return found


@asynccontextmanager
async def plant(limits: Limits = QUICK, **registers: int) -> AsyncIterator[tuple[DeviceSimulator, People]]:
    """A server on one cool device, and those who ask it."""
    async with DeviceSimulator(limits=limits) as simulator:
        simulator.add_device(CALM, **{"TEMP": COOL, "VOLTAGE": 24, **registers})
        async with People(simulator.url) as people:
            yield simulator, people


async def test_a_hot_device_raises_an_alarm_although_nobody_reads_it() -> None:
    async with plant() as (simulator, people):
        assert await people.alarms() == []

        simulator.set_register(CALM, "TEMP", HOT)
        (alarm,) = await until(people.alarms, bool)

    assert (alarm["alarm_id"], alarm["state"]) == ("0x8030:TEMP:HIGH", "UNACKNOWLEDGED")
    assert (alarm["value"], alarm["limit"], alarm["unit"], alarm["active"]) == (HOT, 80, "°C", True)
    assert alarm["message"] == "0x8030 TEMP is 95 °C, above 80 °C"
